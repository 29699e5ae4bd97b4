//! A gateway process for one run.

use crate::measure::Admin;
use rustix::process::{Pid, Signal, kill_process};
use std::{
    collections::VecDeque,
    io::{self, BufRead as _, BufReader},
    net::{Ipv4Addr, SocketAddr},
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, ChildStderr, Command, Stdio},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU32, Ordering},
        mpsc,
    },
    time::{Duration, Instant},
};

/// How long the gateway may take to bind its ports.
const START_MAX: Duration = Duration::from_secs(20);
/// How long it may take to get ready: it gives its feeds half a minute.
const READY_MAX: Duration = Duration::from_secs(60);
/// How long it may take to shut down.
const STOP_MAX: Duration = Duration::from_secs(15);
/// How many of its last log lines a failure reports.
const LINES_KEPT: usize = 20;
/// Counts the gateways of this process, so that each gets a configuration file of its own.
static STARTED: AtomicU32 = AtomicU32::new(0);

/// A running gateway. Dropping it kills the process.
#[derive(Debug)]
pub struct Gateway {
    /// The address for clients.
    pub address: SocketAddr,
    tls: Option<SocketAddr>,
    /// Its admin listener.
    pub admin: Admin,
    place: Place,
    child: Child,
    config: PathBuf,
    lines: Lines,
}

/// Where a gateway listens, for clients and for operators.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) listen: SocketAddr,
    pub(super) admin: SocketAddr,
}

impl Place {
    /// Any free ports.
    pub(super) fn any() -> Self {
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        Self { listen: any, admin: any }
    }
}

type Lines = Arc<Mutex<VecDeque<String>>>;

/// Why the gateway does not run.
#[derive(Debug, thiserror::Error)]
pub enum GatewayError {
    /// The program does not exist.
    #[error(
        "no gateway at {path}: build it with `cargo build --release`, or give its path with --gateway, or the URL of a \
         running one with --url"
    )]
    Missing {
        /// The path of the program.
        path: String,
    },
    /// The process cannot be started.
    #[error("{path} cannot be started: {source}")]
    Start {
        /// The program.
        path: String,
        /// The system's error.
        source: io::Error,
    },
    /// The process does not serve.
    #[error("the gateway {what}; its last log lines are:\n{log}")]
    Failed {
        /// What it fails to do.
        what: &'static str,
        /// Its last log lines.
        log: String,
    },
}

impl Gateway {
    /// Starts the gateway at `program` with a configuration, and waits until it is ready for clients.
    ///
    /// # Errors
    /// [`GatewayError`]; then the process has ended.
    pub fn start(program: &Path, config: &str) -> Result<Self, GatewayError> {
        Self::start_at(program, config, &Place::any(), &[])
    }

    /// Starts one that listens there, with these variables.
    ///
    /// # Errors
    /// As [`Gateway::start`].
    pub(super) fn start_at(
        program: &Path,
        config: &str,
        place: &Place,
        variables: &[(&str, &str)],
    ) -> Result<Self, GatewayError> {
        let path = program.display().to_string();
        if !program.is_file() {
            return Err(GatewayError::Missing { path });
        }
        let start_error = |source| GatewayError::Start { path: path.clone(), source };
        let number = STARTED.fetch_add(1, Ordering::Relaxed);
        let file = std::env::temp_dir().join(format!("tickfan-loadtest-{}-{number}.toml", std::process::id()));
        std::fs::write(&file, config).map_err(start_error)?;
        let mut command = Command::new(program);
        let (listen, admin) = (place.listen.to_string(), place.admin.to_string());
        command.arg("--config").arg(&file).args(["--listen", &listen, "--admin-listen", &admin]);
        command.envs(variables.iter().copied());
        // The venue accepts any key, but the gateway refuses a configuration without one.
        command.env("LOADTEST_KEY", "key").env("LOADTEST_SECRET", "secret");
        // Ctrl-C must reach only the load tester, which stops the gateway after it has read the gateway's counters.
        command.process_group(0);
        command.env("TICKFAN_LOG_FORMAT", "json").env("TICKFAN_LOG", "info").stderr(Stdio::piped());
        let mut child = command.spawn().map_err(start_error)?;
        let lines = Lines::default();
        let serving = child.stderr.take().and_then(|stderr| serving(stderr, lines.clone()));
        let Some(Serving { address, tls, admin }) = serving else {
            let _ = child.kill();
            let _ = child.wait();
            let _ = std::fs::remove_file(&file);
            return Err(GatewayError::Failed { what: "does not serve", log: last_lines(&lines) });
        };
        let place = Place { listen: address, admin };
        let gateway = Self { address, tls, admin: Admin::new(admin), place, child, config: file, lines };
        gateway.wait_until_ready()?;
        Ok(gateway)
    }

    /// Where it listens.
    pub(super) fn place(&self) -> Place {
        self.place
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The address for clients that use TLS.
    ///
    /// # Errors
    /// Its log does not name one.
    pub fn tls_address(&self) -> Result<SocketAddr, GatewayError> {
        self.tls.ok_or_else(|| GatewayError::Failed { what: "does not serve TLS", log: last_lines(&self.lines) })
    }

    /// Sends SIGTERM and waits for the end of the process; returns whether it exited successfully.
    pub fn stop(mut self) -> bool {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        if pid.is_none_or(|pid| kill_process(pid, Signal::TERM).is_err()) {
            return false;
        }
        let deadline = Instant::now() + STOP_MAX;
        while Instant::now() < deadline {
            match self.child.try_wait() {
                Ok(Some(status)) => return status.success(),
                Ok(None) => std::thread::sleep(Duration::from_millis(20)),
                Err(_) => return false,
            }
        }
        false
    }

    fn wait_until_ready(&self) -> Result<(), GatewayError> {
        let deadline = Instant::now() + READY_MAX;
        while Instant::now() < deadline {
            if matches!(self.admin.readiness(), Ok(Ok(()))) {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Err(GatewayError::Failed { what: "does not become ready", log: last_lines(&self.lines) })
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_file(&self.config);
    }
}

/// Where a gateway listens.
struct Serving {
    address: SocketAddr,
    tls: Option<SocketAddr>,
    admin: SocketAddr,
}

/// Reads the log until the line with the ports. A thread reads on, since a full pipe would block the gateway.
fn serving(stderr: ChildStderr, lines: Lines) -> Option<Serving> {
    let (found_tx, found_rx) = mpsc::channel();
    let read = move || {
        for line in BufReader::new(stderr).lines().map_while(Result::ok) {
            if let Some(found) = ports(&line) {
                let _ = found_tx.send(found);
            }
            let mut lines = lines.lock().unwrap_or_else(PoisonError::into_inner);
            lines.push_back(line);
            if lines.len() > LINES_KEPT {
                lines.pop_front();
            }
        }
    };
    std::thread::Builder::new().name("gateway's log".to_owned()).spawn(read).ok()?;
    found_rx.recv_timeout(START_MAX).ok()
}

fn ports(line: &str) -> Option<Serving> {
    let event: serde_json::Value = serde_json::from_str(line).ok().filter(|_| line.contains("serving"))?;
    let port = |key: &str| event.get(key)?.as_str()?.parse().ok();
    Some(Serving { address: port("listen")?, tls: port("tls"), admin: port("admin")? })
}

fn last_lines(lines: &Lines) -> String {
    let lines = lines.lock().unwrap_or_else(PoisonError::into_inner);
    lines.iter().map(|line| format!("  {line}")).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_gateway_says_how_to_build_one() {
        let error = Gateway::start(Path::new("/nowhere/tickfan"), "").unwrap_err().to_string();
        assert!(error.contains("no gateway at /nowhere/tickfan: build it with `cargo build --release`"), "{error}");
    }
}
