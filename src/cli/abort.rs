//! How the process ends on a panic.

use crate::telemetry::logs;
use std::{
    backtrace::{Backtrace, BacktraceStatus},
    panic, process, thread,
};

/// Makes a panic in any thread end the process, also in builds that unwind: a dead worker must never look like a quiet
/// market. The panic is reported first, behind the lines of the log: standard error may take nothing, and that must not
/// hold up the end.
pub fn abort_on_panic() {
    panic::set_hook(Box::new(|info| {
        let thread = thread::current();
        let name = thread.name().unwrap_or("<unnamed>");
        let trace = Backtrace::capture();
        let trace = match trace.status() {
            BacktraceStatus::Captured => trace.to_string(),
            _ => "note: with the variable RUST_BACKTRACE=1 a backtrace stands here\n".to_owned(),
        };
        logs::say(&format!("thread '{name}' {info}\n{trace}"));
        logs::flush();
        process::abort();
    }));
}
