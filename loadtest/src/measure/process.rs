//! Processor time and memory from /proc.

use serde::Serialize;
use std::{
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

/// The least processor time that can be divided: it comes in steps of 10 ms, which are a twentieth of this.
const CPU_MIN: Duration = Duration::from_millis(200);

/// A measured process with its children, or the calling thread.
#[derive(Debug, Clone)]
pub struct Process {
    folders: Vec<PathBuf>,
}

/// Processor time and memory so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Usage {
    /// Processor time.
    pub cpu: Duration,
    /// Resident memory in bytes.
    pub memory_bytes: u64,
}

impl Process {
    /// A process by its number, and the children that it has by now, as a server with workers has them.
    ///
    /// # Errors
    /// There is none of that number, or it may not be seen.
    pub fn new(pid: u32) -> io::Result<Self> {
        let folder = |pid: &str| Path::new("/proc").join(pid);
        let pid = pid.to_string();
        let mut process = Self { folders: vec![folder(&pid)] };
        // A kernel may not list them.
        let children = fs::read_to_string(process.folders[0].join(format!("task/{pid}/children"))).unwrap_or_default();
        process.folders.extend(children.split_whitespace().map(folder));
        process.usage().map(|_| process)
    }

    /// This process.
    pub fn own() -> Self {
        Self { folders: vec!["/proc/self".into()] }
    }

    /// The thread that asks, whichever that is.
    pub fn own_thread() -> Self {
        Self { folders: vec!["/proc/thread-self".into()] }
    }

    /// What it has used so far, processor time to 10 ms.
    ///
    /// # Errors
    /// It is gone.
    pub fn usage(&self) -> io::Result<Usage> {
        self.folders.iter().try_fold(Usage::default(), |sum, folder| {
            let one = usage(folder)?;
            Ok(Usage { cpu: sum.cpu + one.cpu, memory_bytes: sum.memory_bytes + one.memory_bytes })
        })
    }
}

fn usage(folder: &Path) -> io::Result<Usage> {
    let stat = fs::read_to_string(folder.join("stat"))?;
    let ticks = cpu_ticks(&stat).ok_or(io::ErrorKind::InvalidData)?;
    let cpu = Duration::from_secs_f64(ticks as f64 / rustix::param::clock_ticks_per_second() as f64);
    let memory = fs::read_to_string(folder.join("statm"))?;
    let pages: u64 = memory.split(' ').nth(1).and_then(|pages| pages.parse().ok()).ok_or(io::ErrorKind::InvalidData)?;
    Ok(Usage { cpu, memory_bytes: pages * rustix::param::page_size() as u64 })
}

/// User and system time. The name, which comes before, may hold blanks and brackets.
fn cpu_ticks(stat: &str) -> Option<u64> {
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    Some(fields.next()?.parse::<u64>().ok()? + fields.next()?.parse::<u64>().ok()?)
}

/// Processor time divided by a count, in µs; `None` if it is too little to divide.
pub fn micros_per(cpu: Duration, count: u64) -> Option<f64> {
    (cpu >= CPU_MIN && count > 0).then(|| cpu.as_secs_f64() * 1e6 / count as f64)
}

/// How busy the whole machine was since the last time, from 0 to 1.
#[derive(Debug, Default)]
pub struct Machine {
    last: Option<(u64, u64)>,
}

impl Machine {
    /// How busy it was since the last call; `None` the first time.
    pub fn busy(&mut self) -> Option<f64> {
        let now = Self::ticks()?;
        Self::share(self.last.replace(now)?, now)
    }

    /// How long all processors were busy since the machine was started, and how long they could have been, in ticks.
    pub fn ticks() -> Option<(u64, u64)> {
        machine_ticks(&fs::read_to_string("/proc/stat").ok()?)
    }

    /// How busy it was between two moments.
    pub fn share((busy_before, all_before): (u64, u64), (busy, all): (u64, u64)) -> Option<f64> {
        (all > all_before).then(|| busy.saturating_sub(busy_before) as f64 / (all - all_before) as f64)
    }
}

fn machine_ticks(stat: &str) -> Option<(u64, u64)> {
    let numbers = stat.lines().next()?.split_whitespace().skip(1).take(8).map(str::parse);
    let ticks: Vec<u64> = numbers.collect::<Result<_, _>>().ok()?;
    let all: u64 = ticks.iter().sum();
    Some((all - ticks.get(3)? - ticks.get(4)?, all))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        io::Read as _,
        process::{Command, Stdio},
    };

    #[test]
    fn linux_is_read_as_it_writes() {
        let stat = "42 (a) b) S 1 1 1 0 -1 0 0 0 0 0 250 50 0 0 20 0 9 0";
        assert_eq!(cpu_ticks(stat), Some(300));
        assert_eq!(machine_ticks("cpu  10 1 20 100 5 0 4 0 0 0\ncpu0 1"), Some((35, 140)));
        assert_eq!(Machine::share((35, 140), (65, 180)), Some(0.75));
        assert!(Process::own().usage().unwrap().memory_bytes > 0);
        assert!(Process::own_thread().usage().is_ok());
        assert!(Process::new(u32::MAX).is_err());
    }

    #[test]
    fn too_little_processor_time_is_not_divided() {
        let per = |millis, count| micros_per(Duration::from_millis(millis), count);
        assert_eq!([per(200, 100), per(190, 100), per(200, 0)], [Some(2_000.0), None, None]);
    }

    #[test]
    fn a_server_is_measured_with_its_workers() {
        // A shell that waits for its own children, which the kernel lists.
        let shell = ["-c", "sleep 60 & echo started; wait"];
        let mut parent = Command::new("sh").args(shell).stdout(Stdio::piped()).spawn().unwrap();
        let mut started = [0; 8];
        parent.stdout.as_mut().unwrap().read_exact(&mut started).unwrap();
        let process = Process::new(parent.id()).unwrap();
        let worker = process.folders.last().unwrap().file_name().unwrap().to_str().unwrap().to_owned();
        assert_eq!(process.folders.len(), 2);
        assert!(Command::new("kill").arg(worker).status().unwrap().success());
        assert!(parent.wait().is_ok() && process.usage().is_err());
    }
}
