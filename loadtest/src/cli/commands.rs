//! What each command does.

use super::{
    EXIT_FAILED, EXIT_OK, EXIT_USAGE,
    args::{Command, ConfigArgs, FloorArgs, RunArgs, StreamsArgs, VenueArgs, WatchedArgs},
    output::{Bar, tell, try_report},
};
use crate::{
    measure::{Admin, Process},
    report::{FloorTold, Summary},
    run::{Floor, FloorSetup, Gateway, Run, Server, Step, Steps, Stop, gateway_config, run, start_venue},
    scenario::{self, LoadSetup, Scenario, Span, Threshold, VenueSetup, check_streams, check_venue, symbol_names},
    streams::{Setup, Wire, need_descriptors, probe},
};
use std::{
    error::Error,
    fmt,
    io::{self, Write as _},
    net::{SocketAddr, ToSocketAddrs as _},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

/// What streams to any server must keep to, unless it is said otherwise: a server that dies is no success.
const STREAMS_THRESHOLDS: [&str; 2] = ["failed=0", "lost=0"];

/// How often a venue tells what it has sent.
const TELL_INTERVAL: Duration = Duration::from_secs(1);

/// Why a command came to nothing.
#[derive(Debug)]
pub struct Failure {
    /// The exit code that it means.
    pub code: u8,
    error: Box<dyn Error>,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl<E: Error + 'static> From<E> for Failure {
    fn from(error: E) -> Self {
        Self { code: EXIT_FAILED, error: error.into() }
    }
}

fn usage(error: impl Into<Box<dyn Error>>) -> Failure {
    Failure { code: EXIT_USAGE, error: error.into() }
}

/// Does what was asked for; returns the exit code.
///
/// # Errors
/// [`Failure`]: it came to nothing.
pub fn execute(command: &Command) -> Result<u8, Failure> {
    match command {
        Command::Run(args) => run_scenario(args),
        Command::Streams(args) => open_streams(args),
        Command::Venue(args) => run_venue(args),
        Command::Floor(args) => compare_with_floor(args),
        Command::Config(args) => print_config(args),
    }
}

fn run_scenario(args: &RunArgs) -> Result<u8, Failure> {
    try_report(&args.output).map_err(usage)?;
    let (mut scenario, thresholds) = scenario::load(&args.scenario).map_err(usage)?;
    scenario.duration = args.duration.unwrap_or(scenario.duration);
    let thresholds = merged(thresholds, &args.output.thresholds);
    need_descriptors(scenario.streams())?;
    let stop = Stop::on_signals()?;
    let summary = match &args.url {
        None => {
            let program = args.gateway.clone().unwrap_or_else(beside);
            load_own(&args.scenario, &scenario, &program, args.venue_listen, &thresholds, &stop)?
        }
        Some(url) => load_other(url, args, &scenario, &thresholds, &stop)?,
    };
    Ok(tell(&summary, &args.output)?)
}

/// Loads a gateway that is started for it.
fn load_own(
    name: &str,
    scenario: &Scenario,
    program: &Path,
    venue_listen: Option<SocketAddr>,
    thresholds: &[Threshold],
    stop: &Stop,
) -> Result<Summary, Failure> {
    let (venue, symbols) = start_venue(&scenario.venue, venue_listen.unwrap_or(free_port())).map_err(usage)?;
    let gateway = Gateway::start(program, &gateway_config(scenario, &symbols, &venue.url()))?;
    let server = Server { process: Some(Process::new(gateway.pid())?), admin: Some(gateway.admin) };
    let of = setup(scenario, symbols, gateway.address, gateway.address.to_string());
    let streams = Setup { history: venue.history(), ..of };
    let wanted = Run {
        name,
        about: &scenario.about,
        streams,
        duration: scenario.duration.0,
        outages: &scenario.outages,
        server,
        venue: Some(&venue),
        thresholds,
        stop: stop.clone(),
    };
    let mut summary = watched(&wanted)?;
    if !gateway.stop() {
        summary.warnings.push("the gateway did not stop as it should".to_owned());
    }
    Ok(summary)
}

/// Loads a gateway that runs already, and whose feed is our venue.
fn load_other(
    url: &str,
    args: &RunArgs,
    scenario: &Scenario,
    thresholds: &[Threshold],
    stop: &Stop,
) -> Result<Summary, Failure> {
    let (target, host) = resolve(url).map_err(usage)?;
    let (venue, symbols) = start_venue(&scenario.venue, args.venue_listen.unwrap_or(free_port())).map_err(usage)?;
    let wire = wire(args.path.as_ref());
    probe(target, &host, &wire.path(&[&symbols[0]]))?;
    let streams = Setup { wire, ..setup(scenario, symbols, target, host) };
    let wanted = Run {
        name: &args.scenario,
        about: &scenario.about,
        streams,
        duration: scenario.duration.0,
        outages: &scenario.outages,
        server: server(&args.watched)?,
        venue: Some(&venue),
        thresholds,
        stop: stop.clone(),
    };
    watched(&wanted)
}

fn open_streams(args: &StreamsArgs) -> Result<u8, Failure> {
    try_report(&args.output).map_err(usage)?;
    let (target, host) = resolve(&args.url).map_err(usage)?;
    let groups = vec![args.group()];
    check_streams(&groups, args.symbols.len().max(1), args.connect_rate).map_err(usage)?;
    let thresholds: Result<_, _> = STREAMS_THRESHOLDS.iter().map(|text| Threshold::from_argument(text)).collect();
    let thresholds = merged(thresholds?, &args.output.thresholds);
    need_descriptors(args.count.into())?;
    let wire = wire(args.path.as_ref());
    probe(target, &host, &wire.path(&args.symbols.first().map(String::as_str).into_iter().collect::<Vec<_>>()))?;
    let streams = Setup {
        target,
        host,
        wire,
        symbols: args.symbols.clone(),
        groups,
        connect_rate: args.connect_rate,
        old_after: Scenario::old_after().0,
        seed: args.seed,
        history: None,
    };
    let wanted = Run {
        name: "streams",
        about: &args.url,
        streams,
        duration: args.duration.0,
        outages: &[],
        server: server(&args.watched)?,
        venue: None,
        thresholds: &thresholds,
        stop: Stop::on_signals()?,
    };
    Ok(tell(&watched(&wanted)?, &args.output)?)
}

fn run_venue(args: &VenueArgs) -> Result<u8, Failure> {
    let one_second = Span(Duration::from_secs(1));
    let load = match (&args.recording, args.from.zip(args.over), args.bursts) {
        (Some(path), ..) => {
            let speed = (args.speed != 0.0).then_some(args.speed);
            LoadSetup::Recording { path: path.clone(), speed, looped: args.looped }
        }
        (None, Some((from, over)), _) => LoadSetup::Ramp { from, to: args.rate, over },
        (None, None, Some(every)) => LoadSetup::Bursts { rate: args.rate, factor: 10.0, every, lasts: one_second },
        (None, None, None) => LoadSetup::Steady { rate: args.rate },
    };
    let (protocol, symbols, seed) = (args.protocol, args.symbols, args.seed);
    let setup = VenueSetup { protocol, symbols, load, batch_interval: VenueSetup::batch_interval(), seed };
    check_venue(&setup).map_err(usage)?;
    let (venue, symbols) = start_venue(&setup, args.listen).map_err(usage)?;
    let mut out = io::stdout();
    writeln!(out, "venue at {}, symbols {}", venue.url(), symbols.join(","))?;
    let (begun, mut steps) = (Instant::now(), Steps::of(&args.outages));
    let (mut told, mut before) = (Duration::ZERO, venue.sent().updates);
    // Until it is stopped, or nobody reads what it says.
    loop {
        let next = steps.next().map_or(told + TELL_INTERVAL, |step| step.min(told + TELL_INTERVAL));
        std::thread::sleep(next.saturating_sub(begun.elapsed()));
        while let Some(step) = steps.take(begun.elapsed()) {
            if let Step::Tell(command) = step {
                venue.command(command);
                writeln!(out, "{command}")?;
            }
        }
        if begun.elapsed() >= told + TELL_INTERVAL {
            told = begun.elapsed();
            let sent = venue.sent();
            let latest = crate::report::time(sent.latest.as_micros() as f64);
            writeln!(out, "{} updates/s, {} in all, at most {latest} late", sent.updates - before, sent.updates)?;
            before = sent.updates;
        }
    }
}

fn compare_with_floor(args: &FloorArgs) -> Result<u8, Failure> {
    try_report(&args.output).map_err(usage)?;
    let (mut scenario, thresholds) = scenario::load(&args.scenario).map_err(usage)?;
    scenario.duration = args.duration.unwrap_or(scenario.duration);
    let rate = Floor::rate(&scenario).map_err(|what| usage(format!("floor {}: {what}", args.scenario)))?;
    need_descriptors(scenario.streams() * 2)?;
    let program = args.gateway.clone().unwrap_or_else(beside);
    let stop = Stop::on_signals()?;
    let mut summary = load_own(&args.scenario, &scenario, &program, None, &[], &stop)?;
    if summary.stopped {
        return Ok(tell(&summary, &args.output)?);
    }
    let symbols = symbol_names(scenario.venue.symbols, scenario.venue.protocol);
    let floor = Floor::start(FloorSetup {
        streams: scenario.streams() as usize,
        symbols: symbols.clone(),
        seed: scenario.venue.seed,
        rate,
        flush_interval: args.flush_interval.0,
    })?;
    let wanted = Run {
        name: "floor",
        about: "a bare loop that sends as much to the same streams",
        streams: setup(&scenario, symbols, floor.address, floor.address.to_string()),
        duration: scenario.duration.0,
        outages: &[],
        server: Server::default(),
        venue: None,
        thresholds: &[],
        stop,
    };
    let read = watched(&wanted)?;
    let told = FloorTold {
        latency: read.latency.or(read.age),
        failed: read.streams.failed,
        lost: read.streams.lost,
        violations: read.violations,
        ..floor.finish()?
    };
    let own = summary.gateway.as_ref().and_then(|gateway| gateway.cpu_micros_per_tick);
    summary.cpu_to_floor = own.zip(told.cpu_micros_per_tick).map(|(own, floor)| own / floor);
    if told.cut > 0 {
        summary.warnings.push(format!("{} streams were too slow for the bare loop, and were given up", told.cut));
    }
    summary.floor = Some(told);
    summary.judge(&merged(thresholds, &args.output.thresholds));
    Ok(tell(&summary, &args.output)?)
}

fn print_config(args: &ConfigArgs) -> Result<u8, Failure> {
    let (scenario, _) = scenario::load(&args.scenario).map_err(usage)?;
    let symbols = symbol_names(scenario.venue.symbols, scenario.venue.protocol);
    io::stdout().write_all(gateway_config(&scenario, &symbols, &args.venue).as_bytes())?;
    Ok(EXIT_OK)
}

fn wire(path: Option<&String>) -> Wire {
    path.map_or(Wire::Tickfan, |path| Wire::Plain { path: path.clone() })
}

fn watched(wanted: &Run<'_>) -> Result<Summary, Failure> {
    let mut bar = Bar::new();
    let summary = run(wanted, &mut |now| bar.show(now));
    bar.clear();
    Ok(summary?)
}

fn setup(scenario: &Scenario, symbols: Vec<String>, target: SocketAddr, host: String) -> Setup {
    Setup {
        target,
        host,
        wire: Wire::Tickfan,
        symbols,
        groups: scenario.groups.clone(),
        connect_rate: scenario.connect_rate,
        old_after: scenario.old_after.0,
        seed: scenario.venue.seed,
        history: None,
    }
}

fn server(args: &WatchedArgs) -> Result<Server, Failure> {
    let process = args.pid.map(Process::new).transpose();
    let process = process.map_err(|error| usage(format!("--pid {}: {error}", args.pid.unwrap_or_default())))?;
    Ok(Server { process, admin: args.admin.map(Admin::new) })
}

/// Those of the command line replace the scenario's on the same measure.
fn merged(mut thresholds: Vec<Threshold>, own: &[Threshold]) -> Vec<Threshold> {
    thresholds.retain(|threshold| own.iter().all(|own| own.name() != threshold.name()));
    thresholds.extend_from_slice(own);
    thresholds
}

/// The address and the host of a URL.
fn resolve(url: &str) -> Result<(SocketAddr, String), String> {
    let rest = url.strip_prefix("http://").ok_or_else(|| {
        format!("`{url}` is no address that can be loaded: write http://HOST:PORT; for TLS load behind its end")
    })?;
    let host = rest.trim_end_matches('/').to_owned();
    if host.contains('/') {
        return Err(format!("`{url}` has a path: write http://HOST:PORT, and another server's path with --path"));
    }
    let with_port = if host.contains(':') { host.clone() } else { format!("{host}:80") };
    let mut found = with_port.to_socket_addrs().map_err(|error| format!("{url}: {error}"))?;
    found.next().map(|address| (address, host)).ok_or_else(|| format!("{url} has no address"))
}

fn free_port() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

/// The gateway's program where it is built or installed together with this one.
fn beside() -> PathBuf {
    std::env::current_exe().unwrap_or_default().with_file_name("tickfan")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_host_and_a_port() {
        let (address, host) = resolve("http://127.0.0.1:8080/").unwrap();
        assert_eq!((address.port(), host.as_str()), (8080, "127.0.0.1:8080"));
        for wrong in ["127.0.0.1:8080", "https://127.0.0.1", "http://127.0.0.1:8080/v1/stream", "http://127.0.0.1:x"] {
            assert!(resolve(wrong).is_err(), "{wrong}");
        }
    }
}
