//! The brokers of a run's cluster.

use std::{
    fmt::Write as _,
    fs,
    io::{self, BufRead as _, BufReader},
    net::{Ipv4Addr, TcpListener},
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, ChildStderr, Command, Stdio},
    sync::mpsc,
    time::Duration,
};

/// How long a broker may take to start. One of three waits for another.
const START_MAX: Duration = Duration::from_secs(30);

/// Running brokers. Dropping them kills the processes and deletes their files.
#[derive(Debug)]
pub(super) struct Brokers {
    children: Vec<Child>,
    ports: Vec<u16>,
    folder: PathBuf,
}

/// Why the brokers could not be started.
#[derive(Debug, thiserror::Error)]
pub enum BrokerError {
    /// The program does not exist.
    #[error(
        "no broker at {path}: give the path of nats-server with --nats-server, or in NATS_SERVER; it is one file, from \
         https://github.com/nats-io/nats-server/releases"
    )]
    Missing {
        /// The path of the program.
        path: String,
    },
    /// The system refuses something.
    #[error("{path} cannot be started: {source}")]
    Start {
        /// The path of the program.
        path: String,
        /// The system's error.
        source: io::Error,
    },
    /// A broker does not serve.
    #[error("{path} does not start; its last log lines are:\n{log}")]
    Failed {
        /// The path of the program.
        path: String,
        /// What it has logged.
        log: String,
    },
}

impl Brokers {
    /// Starts so many brokers, and waits until they serve.
    ///
    /// # Errors
    /// [`BrokerError`]; then no process is left.
    pub(super) fn start(program: &Path, count: usize) -> Result<Self, BrokerError> {
        let path = program.display().to_string();
        if !program.is_file() {
            return Err(BrokerError::Missing { path });
        }
        let start_error = |source| BrokerError::Start { path: path.clone(), source };
        let folder = std::env::temp_dir().join(format!("tickfan-loadtest-brokers-{}", std::process::id()));
        let ports = |count| (0..count).map(|_| free_port()).collect::<io::Result<Vec<u16>>>().map_err(start_error);
        let (clients, routes) = (ports(count)?, ports(count)?);
        let mut brokers = Self { children: Vec::new(), ports: clients, folder };
        let mut logs = Vec::new();
        for number in 0..count {
            let folder = brokers.folder.join(number.to_string());
            fs::create_dir_all(&folder).map_err(start_error)?;
            let file = folder.join("broker.conf");
            fs::write(&file, configuration(number, &folder, &brokers.ports, &routes)).map_err(start_error)?;
            let mut command = Command::new(program);
            // Ctrl-C must reach only the load tester: the gateways need their brokers to the end.
            command.arg("--config").arg(&file).stdout(Stdio::null()).stderr(Stdio::piped()).process_group(0);
            let mut child = command.spawn().map_err(start_error)?;
            logs.push(child.stderr.take().map(watch));
            brokers.children.push(child);
        }
        for said in logs.into_iter().flatten() {
            if let Err(log) = said.recv_timeout(START_MAX).unwrap_or_else(|_| Err(String::new())) {
                return Err(BrokerError::Failed { path, log });
            }
        }
        Ok(brokers)
    }

    /// Their addresses, for gateways.
    pub(super) fn addresses(&self) -> Vec<String> {
        self.ports.iter().map(|port| format!("nats://127.0.0.1:{port}")).collect()
    }

    /// Their process ids.
    pub(super) fn pids(&self) -> impl Iterator<Item = u32> {
        self.children.iter().map(Child::id)
    }
}

impl Drop for Brokers {
    fn drop(&mut self) {
        for child in &mut self.children {
            let _ = child.kill();
            let _ = child.wait();
        }
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// A port that is free now. Brokers of a cluster must know each other's before they start.
fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

/// As `deploy/nats` has it, without users.
fn configuration(number: usize, folder: &Path, clients: &[u16], routes: &[u16]) -> String {
    let store = folder.join("store");
    let mut config = format!(
        "server_name: n{number}\nhost: 127.0.0.1\nport: {}\nno_fast_producer_stall: true\n\
         jetstream {{ store_dir: {store:?}, max_file_store: 64MB, sync_interval: always }}\n",
        clients[number]
    );
    if routes.len() > 1 {
        let all: Vec<String> = routes.iter().map(|port| format!("nats-route://127.0.0.1:{port}")).collect();
        // Writing to a string cannot fail.
        let _ = writeln!(
            config,
            "cluster {{ name: loadtest, host: 127.0.0.1, port: {}, routes: {all:?} }}",
            routes[number]
        );
    }
    config
}

/// Reads a broker's log until it serves, or has ended. A thread reads on, since a full pipe would block the broker.
fn watch(stderr: ChildStderr) -> mpsc::Receiver<Result<(), String>> {
    let (said_tx, said) = mpsc::channel();
    std::thread::spawn(move || {
        let mut log = String::new();
        let mut serves = false;
        for line in BufReader::new(stderr).lines().map_while(Result::ok) {
            if line.contains("Server is ready") {
                serves = true;
                let _ = said_tx.send(Ok(()));
            }
            if !serves {
                let _ = writeln!(log, "  {line}");
            }
        }
        let _ = said_tx.send(Err(log));
    });
    said
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_broker_says_where_to_get_one() {
        let error = Brokers::start(Path::new("/nowhere/nats-server"), 1).unwrap_err().to_string();
        assert!(error.contains("no broker at /nowhere/nats-server: give the path of nats-server"), "{error}");
    }

    #[test]
    fn a_program_that_ends_reports_what_it_said() {
        let error = Brokers::start(Path::new("/bin/sh"), 1).unwrap_err().to_string();
        assert!(error.contains("does not start"), "{error}");
    }

    #[test]
    fn brokers_of_a_cluster_know_each_other_and_a_single_one_has_no_cluster() {
        let folder = Path::new("/x");
        let three = configuration(1, folder, &[1, 2, 3], &[4, 5, 6]);
        assert!(three.contains("port: 2\n") && three.contains("port: 5, routes"), "{three}");
        assert!([4, 5, 6].iter().all(|port| three.contains(&format!("\"nats-route://127.0.0.1:{port}\""))), "{three}");
        assert!(!configuration(0, folder, &[1], &[4]).contains("cluster {"));
    }
}
