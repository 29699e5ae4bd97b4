//! The machine that a run takes place on.

use rustix::process::{Resource, getrlimit};
use serde::Serialize;
use std::fs;

/// The machine that a run takes place on, so that someone else can tell whether theirs is like it.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Host {
    /// The name of its processor.
    pub cpu: String,
    /// Its cores.
    pub cores: usize,
    /// Of them, those that this process may use.
    pub cores_usable: usize,
    /// Its memory.
    pub memory_bytes: Option<u64>,
    /// Its kernel.
    pub kernel: String,
    /// Open files that this process may have, by the hard limit; `None`: any number.
    pub open_files_max: Option<u64>,
    /// The ports of a source address.
    pub ports: Option<String>,
    /// The longest backlog of a listener.
    pub somaxconn: Option<u64>,
    /// The congestion control of new connections.
    pub congestion: Option<String>,
    /// The load average of the minute before the run: an idle machine has one near 0.
    pub load_average: Option<f64>,
}

impl Host {
    /// This machine, now.
    pub fn now() -> Self {
        let cpus = read("/proc/cpuinfo").unwrap_or_default();
        let of = |key: &'static str| {
            let lines = cpus.lines().filter_map(move |line| line.strip_prefix(key)?.split_once(':'));
            lines.map(|(_, value)| value)
        };
        let name = of("model name").chain(of("Processor")).chain(of("Hardware")).next();
        let ports = read("/proc/sys/net/ipv4/ip_local_port_range");
        Self {
            cpu: name.unwrap_or("unknown").trim().to_owned(),
            cores: of("processor").count(),
            cores_usable: std::thread::available_parallelism().map_or(0, usize::from),
            memory_bytes: read("/proc/meminfo").and_then(|memory| memory_bytes(&memory)),
            kernel: format!("Linux {}", read("/proc/sys/kernel/osrelease").unwrap_or_default().trim()),
            open_files_max: getrlimit(Resource::Nofile).maximum,
            ports: ports.map(|ports| ports.split_whitespace().collect::<Vec<_>>().join("-")),
            somaxconn: read("/proc/sys/net/core/somaxconn").and_then(|value| value.trim().parse().ok()),
            congestion: read("/proc/sys/net/ipv4/tcp_congestion_control").map(|name| name.trim().to_owned()),
            load_average: read("/proc/loadavg").and_then(|load| load.split(' ').next()?.parse().ok()),
        }
    }
}

fn read(path: &str) -> Option<String> {
    fs::read_to_string(path).ok()
}

fn memory_bytes(memory: &str) -> Option<u64> {
    let line = memory.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_is_told_from_another_by_its_processor_cores_memory_and_kernel() {
        assert_eq!(memory_bytes("MemTotal:       16 kB\nMemFree: 1 kB\n"), Some(16_384));
        let host = Host::now();
        assert!(host.cores >= host.cores_usable.min(1) && host.cores_usable >= 1, "{host:?}");
        assert!(host.memory_bytes > Some(0) && host.kernel.len() > "Linux ".len(), "{host:?}");
    }
}
