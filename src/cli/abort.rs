//! How the process ends on a panic.

use std::{panic, process};

/// Makes a panic in any thread end the process, also in builds that unwind: a dead worker must never look like a quiet
/// market. The panic is reported first, as before.
pub fn abort_on_panic() {
    let report = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        report(info);
        process::abort();
    }));
}
