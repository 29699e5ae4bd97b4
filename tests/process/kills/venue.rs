//! The venue in a process of its own, so that it can be killed: it is this test binary, run with the one test that is
//! the venue.

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Write},
    net::SocketAddr,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};
use tickfan_loadtest::venue::{self, Flow, Load, Newest, Protocol, Setup, Venue};

/// Names the address for the process to listen on.
const ADDRESS_VARIABLE: &str = "TICKFAN_TEST_VENUE";
const RATE: f64 = 1_000.0;
pub(super) const SYMBOLS: [&str; 3] = ["BTC-USDT", "ETH-USDT", "SOL-USDT"];

/// The fields that a client must end on, by symbol.
pub(super) type Truth = BTreeMap<String, BTreeMap<String, String>>;

/// The venue's process; dropping it kills it.
pub(super) struct VenueProcess {
    pub(super) address: SocketAddr,
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
}

impl VenueProcess {
    pub(super) fn start(listen: SocketAddr) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "kills::is_the_venue", "--nocapture"]).env(ADDRESS_VARIABLE, listen.to_string());
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let stdin = child.stdin.take().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let mut process = Self { address: listen, child, stdin, stdout };
        process.address = process.answer("address ").parse().unwrap();
        process
    }

    /// Pauses the venue; returns what it sent last of each symbol.
    pub(super) fn pause(&mut self) -> Truth {
        self.stdin.write_all(b"pause\n").unwrap();
        serde_json::from_str(&self.answer("newest ")).unwrap()
    }

    pub(super) fn go_on(&mut self) {
        self.stdin.write_all(b"go on\n").unwrap();
    }

    /// The rest of the next line with this prefix. The test harness writes other lines.
    fn answer(&mut self, prefix: &str) -> String {
        let mut line = String::new();
        loop {
            line.clear();
            assert!(self.stdout.read_line(&mut line).unwrap() > 0, "the venue ended");
            // The harness writes the name of the test before the first line.
            if let Some((_, rest)) = line.split_once(prefix) {
                return rest.trim().to_owned();
            }
        }
    }

    /// As `kill -9` does.
    pub(super) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for VenueProcess {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs the venue, and executes the commands from standard input until that ends.
pub(super) fn run() {
    let Ok(address) = std::env::var(ADDRESS_VARIABLE) else { return };
    let load = Load::Steady { rate: RATE };
    let setup = Setup { listen: address.parse().unwrap(), ..Setup::new(Protocol::Binance, &SYMBOLS, load) };
    let venue = Venue::start(&setup).unwrap();
    say(&format!("address {}", venue.address()));
    for line in std::io::stdin().lines() {
        match line.unwrap().as_str() {
            "pause" => {
                venue.command(venue::Command::Flow(Flow::Mute));
                let truth: Truth =
                    SYMBOLS.iter().map(|&name| (name.to_owned(), row(&venue.newest(name).unwrap()))).collect();
                say(&format!("newest {}", serde_json::to_string(&truth).unwrap()));
            }
            _ => venue.command(venue::Command::Flow(Flow::Steady)),
        }
    }
}

/// The fields as a tick has them.
fn row(newest: &Newest) -> BTreeMap<String, String> {
    let Newest { price, size, bid, bid_size, ask, ask_size, trade_ts, .. } = newest.clone();
    let names = ["price", "size", "bid", "bid_size", "ask", "ask_size"];
    let mut row: BTreeMap<_, _> =
        names.map(str::to_owned).into_iter().zip([price, size, bid, bid_size, ask, ask_size]).collect();
    row.insert("trade_ts".to_owned(), trade_ts.to_string());
    // A tick leaves out what the venue has not sent yet.
    row.retain(|_, value| !value.is_empty() && value != "0");
    row
}

fn say(line: &str) {
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "\n{line}").unwrap();
    stdout.flush().unwrap();
}
