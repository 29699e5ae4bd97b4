//! A gateway in a process of its own, for one run.

use crate::{
    measure::Admin,
    scenario::{Scenario, VenueProtocol},
};
use rustix::process::{Pid, Signal, kill_process};
use std::{
    collections::VecDeque,
    io::{self, BufRead as _, BufReader},
    net::SocketAddr,
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

/// How long it may take to bind its ports.
const START_MAX: Duration = Duration::from_secs(20);
/// How long it may take to be ready: it gives its feeds half a minute.
const READY_MAX: Duration = Duration::from_secs(60);
/// How long it may take to stop, beyond its drain window.
const STOP_MAX: Duration = Duration::from_secs(15);
/// Of a gateway that fails, the last lines that it logged.
const LINES_KEPT: usize = 20;
/// As many symbols as a venue of this protocol carries on one connection.
fn symbols_per_feed(protocol: VenueProtocol) -> usize {
    match protocol {
        VenueProtocol::Binance => 512,
        VenueProtocol::Alpaca => 20_000,
    }
}

/// Gateways that this process has started: each has a configuration of its own.
static STARTED: AtomicU32 = AtomicU32::new(0);

/// A running gateway; dropping it ends it.
#[derive(Debug)]
pub struct Gateway {
    /// Where clients connect.
    pub address: SocketAddr,
    /// Where it tells of itself.
    pub admin: Admin,
    child: Child,
    config: PathBuf,
    lines: Lines,
}

type Lines = Arc<Mutex<VecDeque<String>>>;

/// Why there is no gateway.
#[derive(Debug, thiserror::Error)]
pub enum GatewayError {
    /// There is no such program.
    #[error(
        "no gateway at {path}: build it with `cargo build --release`, or give its path with --gateway, or the address of \
         one that runs with --url"
    )]
    Missing {
        /// Where it was looked for.
        path: String,
    },
    /// It cannot be started.
    #[error("{path} cannot be started: {source}")]
    Start {
        /// The program.
        path: String,
        /// What the system says.
        source: io::Error,
    },
    /// It does not come to serve.
    #[error("the gateway {what}; it said:\n{said}")]
    Failed {
        /// What it does not do.
        what: &'static str,
        /// The last that it logged.
        said: String,
    },
}

impl Gateway {
    /// Starts the gateway at `program` with a configuration, and waits until it is ready for clients.
    ///
    /// # Errors
    /// [`GatewayError`]; no process is left then.
    pub fn start(program: &Path, config: &str) -> Result<Self, GatewayError> {
        let path = program.display().to_string();
        if !program.is_file() {
            return Err(GatewayError::Missing { path });
        }
        let start = |source| GatewayError::Start { path: path.clone(), source };
        let number = STARTED.fetch_add(1, Ordering::Relaxed);
        let file = std::env::temp_dir().join(format!("tickfan-loadtest-{}-{number}.toml", std::process::id()));
        std::fs::write(&file, config).map_err(start)?;
        let free = "127.0.0.1:0";
        let mut command = Command::new(program);
        command.arg("--config").arg(&file).args(["--listen", free, "--admin-listen", free]);
        // The venue takes any key; a configuration without one is refused.
        command.env("LOADTEST_KEY", "key").env("LOADTEST_SECRET", "secret");
        // The terminal's Ctrl-C is for the load tester, which stops the gateway once it knows how it stands.
        command.process_group(0);
        command.env("TICKFAN_LOG_FORMAT", "json").env("TICKFAN_LOG", "info").stderr(Stdio::piped());
        let mut child = command.spawn().map_err(start)?;
        let lines = Lines::default();
        let serving = child.stderr.take().and_then(|stderr| serving(stderr, lines.clone()));
        let Some((address, admin)) = serving else {
            let _ = child.kill();
            let _ = child.wait();
            let _ = std::fs::remove_file(&file);
            return Err(GatewayError::Failed { what: "does not serve", said: said(&lines) });
        };
        let gateway = Self { address, admin: Admin::new(admin), child, config: file, lines };
        gateway.wait_until_ready()?;
        Ok(gateway)
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Asks it to stop and waits for it; returns whether it ended well.
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
        Err(GatewayError::Failed { what: "does not get ready", said: said(&self.lines) })
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_file(&self.config);
    }
}

/// Reads the log until the line that tells the ports; goes on in the background, since a full pipe would stop the gateway.
fn serving(stderr: ChildStderr, lines: Lines) -> Option<(SocketAddr, SocketAddr)> {
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

fn ports(line: &str) -> Option<(SocketAddr, SocketAddr)> {
    let event: serde_json::Value = serde_json::from_str(line).ok().filter(|_| line.contains("serving"))?;
    let port = |key: &str| event.get(key)?.as_str()?.parse().ok();
    Some((port("listen")?, port("admin")?))
}

fn said(lines: &Lines) -> String {
    let lines = lines.lock().unwrap_or_else(PoisonError::into_inner);
    lines.iter().map(|line| format!("  {line}")).collect::<Vec<_>>().join("\n")
}

/// The configuration of a scenario's gateway, fed by a venue.
pub fn gateway_config(scenario: &Scenario, symbols: &[String], venue: &str) -> String {
    let mut tables = toml::Table::new();
    for (name, table) in &scenario.gateway {
        tables.insert(name.clone(), toml::Value::Table(table.clone()));
    }
    let server = tables.entry("server").or_insert_with(|| toml::Value::Table(toml::Table::new()));
    if let Some(server) = server.as_table_mut() {
        server.entry("drain").or_insert_with(|| toml::Value::String("1s".to_owned()));
    }
    let common = scenario.gateway.get("feed").cloned().unwrap_or_default();
    let feeds = symbols.chunks(symbols_per_feed(scenario.venue.protocol)).enumerate().map(|(number, symbols)| {
        let mut feed = common.clone();
        let mut set = |key: &str, text: &str| feed.insert(key.to_owned(), toml::Value::String(text.to_owned()));
        set("name", &format!("mock-{number}"));
        set("url", venue);
        match scenario.venue.protocol {
            VenueProtocol::Binance => set("venue", "binance"),
            VenueProtocol::Alpaca => {
                set("hours", "always");
                set("key_env", "LOADTEST_KEY");
                set("secret_env", "LOADTEST_SECRET");
                set("venue", "alpaca")
            }
        };
        let symbols = symbols.iter().map(|symbol| toml::Value::String(symbol.clone())).collect();
        feed.insert("symbols".to_owned(), toml::Value::Array(symbols));
        toml::Value::Table(feed)
    });
    tables.insert("feed".to_owned(), toml::Value::Array(feeds.collect()));
    tables.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario;

    #[test]
    fn a_gateway_that_is_not_there_says_what_to_do() {
        let error = Gateway::start(Path::new("/nowhere/tickfan"), "").unwrap_err().to_string();
        assert!(error.contains("no gateway at /nowhere/tickfan: build it with `cargo build --release`"), "{error}");
    }

    #[test]
    fn many_symbols_are_split_over_as_few_feeds_as_the_venue_allows() {
        let (mut scenario, _) = scenario::load("many-symbols").unwrap();
        scenario.gateway.insert("feed".to_owned(), toml::from_str("mute_after = \"2s\"").unwrap());
        for (protocol, expected) in [(VenueProtocol::Binance, vec![512, 512, 1]), (VenueProtocol::Alpaca, vec![1_025])]
        {
            scenario.venue.protocol = protocol;
            let symbols = scenario::symbol_names(1_025, protocol);
            let config: toml::Table = gateway_config(&scenario, &symbols, "ws://127.0.0.1:1").parse().unwrap();
            let feeds = config["feed"].as_array().unwrap();
            let counts: Vec<usize> = feeds.iter().map(|feed| feed["symbols"].as_array().unwrap().len()).collect();
            assert_eq!(counts, expected);
            assert!(feeds.iter().all(|feed| feed["mute_after"].as_str() == Some("2s")));
            assert_eq!(config["server"]["drain"].as_str(), Some("1s"));
        }
    }
}
