//! How long this process's threads were ready to run and no processor was free for them: a busy host, or a small share of
//! one, is seen nowhere else. Time in use is then low, and ticks are late all the same.

use super::{Metric, catalog::PROCESSOR_WAIT};
use std::{
    fmt::Write,
    fs,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

/// The kernel's account of each thread.
const THREADS: &str = "/proc/self/task";

/// The most that was ever seen, in nanoseconds: a thread that ends takes its own share out of the account, and a counter
/// never falls.
#[derive(Debug, Clone, Default)]
pub(super) struct ProcessorWait(Arc<AtomicU64>);

impl ProcessorWait {
    /// Appends it in Prometheus' text format; nothing where the kernel keeps no account.
    pub(super) fn render(&self, out: &mut String) {
        let Some(now) = waited_nanos() else { return };
        let nanos = self.0.fetch_max(now, Ordering::Relaxed).max(now);
        let Metric { name, help, kind, .. } = PROCESSOR_WAIT.0;
        let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} {}", kind.name());
        let _ = writeln!(out, "{name} {}", nanos as f64 / 1e9);
    }
}

fn waited_nanos() -> Option<u64> {
    let threads = fs::read_dir(THREADS).ok()?.flatten();
    // One that has ended meanwhile has no file any more.
    let accounts = threads.filter_map(|thread| fs::read_to_string(thread.path().join("schedstat")).ok());
    accounts.map(|account| waited(&account)).reduce(|sum, waited| Some(sum? + waited?))?
}

/// The second of the three numbers of a thread: time on a processor, time waited for one, and turns.
fn waited(account: &str) -> Option<u64> {
    account.split_ascii_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_is_the_second_number_and_the_sum_never_falls() {
        assert_eq!(waited("3819281 77 1\n"), Some(77));
        assert_eq!([waited(""), waited("1 x 3")], [None, None]);
        let wait = ProcessorWait(Arc::new(AtomicU64::new(u64::MAX)));
        let mut text = String::new();
        wait.render(&mut text);
        assert!(text.ends_with(" 18446744073.709553\n"), "{text}");
    }
}
