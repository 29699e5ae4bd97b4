//! What the system has, from files of Linux. Elsewhere, and where a file cannot be read, nothing is known.

use std::{fs, path::Path};

const CONTROL_GROUPS: &str = "/sys/fs/cgroup";

/// Bytes of memory: the machine's, or less where a control group of this process has a lower limit.
pub fn memory() -> Option<u64> {
    let machine = read(Path::new("/proc/meminfo")).as_deref().and_then(total);
    let groups = read(Path::new("/proc/self/cgroup")).unwrap_or_default();
    let limits = limit_files(&groups).into_iter().filter_map(|file| bytes(&read(Path::new(&file))?));
    limits.chain(machine).min()
}

/// The longest queue of connections that wait to be accepted.
pub fn somaxconn() -> Option<u64> {
    bytes(&read(Path::new("/proc/sys/net/core/somaxconn"))?)
}

fn read(file: &Path) -> Option<String> {
    fs::read_to_string(file).ok()
}

/// A number on a line; `max` is none.
fn bytes(text: &str) -> Option<u64> {
    text.trim().parse().ok()
}

/// `MemTotal:       24684532 kB`
fn total(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    Some(bytes(line.trim().strip_suffix("kB")?)? << 10)
}

/// The files that may limit a process: of its group and of each above it. A container sees its own group as the root.
fn limit_files(groups: &str) -> Vec<String> {
    let mut files =
        vec![format!("{CONTROL_GROUPS}/memory.max"), format!("{CONTROL_GROUPS}/memory/memory.limit_in_bytes")];
    // Version 2 has one hierarchy, `0::/system.slice/tickfan.service`; version 1 has one for each resource.
    for line in groups.lines() {
        let mut fields = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(path)) = (fields.next(), fields.next()) else { continue };
        let (root, file) = match controllers {
            "" => (CONTROL_GROUPS.to_owned(), "memory.max"),
            "memory" => (format!("{CONTROL_GROUPS}/memory"), "memory.limit_in_bytes"),
            _ => continue,
        };
        let above = Path::new(path).ancestors().map(|path| path.display().to_string());
        files.extend(above.filter(|path| path.len() > 1).map(|path| format!("{root}{path}/{file}")));
    }
    files
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_memory_of_a_machine_is_read_and_an_unlimited_group_is_none() {
        assert_eq!(total("MemTotal:       24684532 kB\nMemFree: 1 kB\n"), Some(24_684_532 << 10));
        assert_eq!(total("MemFree: 1 kB\n"), None);
        assert_eq!([bytes("max\n"), bytes("536870912\n")], [None, Some(512 << 20)]);
    }

    #[test]
    fn a_process_has_the_limits_of_its_group_and_of_each_above_it() {
        let own = limit_files("0::/system.slice/tickfan.service\n");
        let files =
            ["system.slice/tickfan.service", "system.slice"].map(|path| format!("{CONTROL_GROUPS}/{path}/memory.max"));
        assert_eq!(own[2..], files);
        let first_version = limit_files("5:cpu,cpuacct:/a\n4:memory:/docker/1\n");
        let files = ["docker/1", "docker"].map(|path| format!("{CONTROL_GROUPS}/memory/{path}/memory.limit_in_bytes"));
        assert_eq!(first_version[2..], files);
        for none in ["0::/\n", "", "nonsense\n"] {
            assert_eq!(limit_files(none).len(), 2, "{none}");
        }
    }
}
