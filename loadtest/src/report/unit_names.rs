//! The units of the numbers in the JSON, for those who have nothing else.

use serde::Serialize;

/// The units of the numbers in the JSON, by what they are.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Units {
    times: &'static str,
    moments: &'static str,
    seconds: &'static str,
    sizes: &'static str,
    timeline: &'static str,
    processors: &'static str,
    longest: &'static str,
}

impl Default for Units {
    fn default() -> Self {
        Self {
            times: "µs: all percentiles, recovery, cpu_micros_*, latest, restart_longest",
            moments: "µs since 1970: began, evidence.at",
            seconds: "s: seconds_measured, timeline.at and length, samples.at, marks.from and to",
            sizes: "bytes: bytes*, memory*",
            timeline: "ticks, bytes and holes of timeline are per second, each over its length",
            processors: "cores: cpu_cores, gateway_cpu, own_cpu, thread_cpu; from 0 to 1: machine_busy",
            longest: "times above an hour count as an hour; p999 is the 99.9th percentile",
        }
    }
}
