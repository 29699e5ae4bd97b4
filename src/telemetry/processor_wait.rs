//! How long this process's threads were ready to run while no processor was free. No other metric shows a busy host, or
//! a small processor quota: processor time stays low while ticks are late.

use super::{Metric, catalog::PROCESSOR_WAIT};
use std::{
    fmt::Write,
    fs,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

/// The kernel's scheduling statistics of each thread.
const THREADS: &str = "/proc/self/task";

/// The highest sum so far, in nanoseconds. A thread that ends takes its share out of the kernel's sum, but a counter
/// must not fall.
#[derive(Debug, Clone, Default)]
pub(super) struct ProcessorWait(Arc<AtomicU64>);

impl ProcessorWait {
    /// Appends the counter in Prometheus' text format; appends nothing where the kernel keeps no scheduling statistics.
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
    // A thread that has ended meanwhile has no file any more.
    let statistics = threads.filter_map(|thread| fs::read_to_string(thread.path().join("schedstat")).ok());
    statistics.map(|statistics| waited(&statistics)).reduce(|sum, waited| Some(sum? + waited?))?
}

/// The second of the three numbers of a thread: time on a processor, time waited for one, and turns.
fn waited(statistics: &str) -> Option<u64> {
    statistics.split_ascii_whitespace().nth(1)?.parse().ok()
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
