//! Runs a load: server, venue and streams together, and what came of it.

mod assess;
mod floor;
mod gateway;
mod sampler;
mod stop;
mod venue;

pub use floor::{Floor, FloorSetup};
pub use gateway::{Gateway, GatewayError, gateway_config};
pub use stop::Stop;
pub use venue::{RecordingUnreadable, Step, Steps, start_venue};

use crate::{
    measure::{Admin, Process, unix_micros},
    report::Summary,
    scenario::{Outage, Span, Threshold},
    streams::{Control, Progress, Setup, StreamPool, Wire},
    venue::{Command, Door, Flow, Venue},
};
use assess::{Observed, assess};
use sampler::Sampler;
use std::{
    io,
    sync::atomic::Ordering,
    time::{Duration, Instant},
};

/// How often a run looks at itself.
const LOOK_INTERVAL: Duration = Duration::from_millis(100);
/// How long the streams may take to open, beyond the time of their ramp.
const OPENING_MAX: Duration = Duration::from_secs(30);
/// All has come once nothing came for so long: longer than the gateway keeps anything back.
const QUIET: Duration = Duration::from_secs(2);
/// How long that may take.
const QUIET_MAX: Duration = Duration::from_secs(20);
/// A gateway's workers tell what they counted about once a second.
const COUNTS_LATE_MAX: Duration = Duration::from_millis(1_200);
/// How long a feed may take to come back after an outage: its backoff grows.
const RETURN_MAX: Duration = Duration::from_secs(60);

/// A server that is loaded, and what is known of it.
#[derive(Debug, Clone, Default)]
pub struct Server {
    /// Its process, if it is on this machine.
    pub process: Option<Process>,
    /// Its admin listener.
    pub admin: Option<Admin>,
}

/// One run.
pub struct Run<'a> {
    /// Its name in reports.
    pub name: &'a str,
    /// What it is for.
    pub about: &'a str,
    /// The streams.
    pub streams: Setup,
    /// How long the load lasts, once all streams are there.
    pub duration: Duration,
    /// What happens to the venue meanwhile.
    pub outages: &'a [Outage],
    /// What is loaded.
    pub server: Server,
    /// The venue behind it, if it is ours.
    pub venue: Option<&'a Venue>,
    /// What must come of it.
    pub thresholds: &'a [Threshold],
    /// Ends the load before its time.
    pub stop: Stop,
}

/// What a run says of itself while it runs.
#[derive(Debug, Clone, Copy)]
pub struct RunProgress<'a> {
    /// What it is doing.
    pub phase: &'static str,
    /// How much of the load's time is over, from 0 to 1.
    pub share: f64,
    /// How far the streams are.
    pub streams: &'a Progress,
}

/// Why a run came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The system refuses something.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The admin listener tells nothing.
    #[error(transparent)]
    Admin(#[from] crate::measure::AdminError),
    /// No stream opened.
    #[error("no stream opened: {0}")]
    NoStream(String),
}

/// Runs it, and tells `watch` now and then how far it is.
///
/// # Errors
/// [`RunError`]: it came to nothing. What a server does wrong is no error, but stands in the summary.
pub fn run(run: &Run<'_>, watch: &mut dyn FnMut(RunProgress<'_>)) -> Result<Summary, RunError> {
    let before = run.server.admin.map(|admin| admin.counters()).transpose()?;
    // A stream's first tick is the gateway's to send, not the venue's to make.
    run.venue.into_iter().for_each(Venue::send_one_of_each);
    let (began, begun) = (unix_micros(), Instant::now());
    let memory_before = sampler::usage(&run.server).map(|usage| usage.memory_bytes);
    let sampler = Sampler::start(run.server.clone())?;
    let pool = StreamPool::start(run.streams.clone())?;
    open(run, &pool, watch);
    let start = Moment::now(run, &pool);
    load(run, &pool, start.at, watch);
    let end = Moment::now(run, &pool);
    let is_stopped = run.stop.is_asked();
    let load_ended = unix_micros();
    pool.progress.load_ended.store(load_ended, Ordering::Relaxed);
    let mut warnings = settle(run, &pool, watch);
    let last_tick = pool.progress.last_tick.load(Ordering::Relaxed);
    let recovery = run.venue.and_then(|_| u64::try_from(last_tick - load_ended).ok());
    if is_stopped {
        let (loaded, asked) = ((end.at - start.at).as_secs_f64(), Span(run.duration));
        warnings.push(format!("the run was stopped by a signal: {loaded:.1} s of {asked} were loaded"));
    }
    // A gateway that has died meanwhile is no error of the run, but what it has found.
    let after =
        run.server.admin.and_then(|admin| admin.counters().map_err(|error| warnings.push(error.to_string())).ok());
    let missed = run.server.admin.and_then(|admin| admin.missed().ok());
    // Another server's events are counted, not judged.
    let judged = run.venue.filter(|_| run.streams.wire == Wire::Tickfan);
    let venue_state = judged.map(|of| venue::venue_state(of, &run.streams.symbols));
    let outcome = pool.finish(venue_state)?;
    if outcome.measures.opened == 0 {
        return Err(RunError::NoStream(outcome.refusal.unwrap_or_else(|| "nothing answered".to_owned())));
    }
    let samples = sampler.finish();
    let counters = before.zip(after);
    let observed = Observed {
        run,
        is_stopped,
        recovery,
        began,
        begun,
        before: memory_before,
        start,
        end,
        outcome,
        samples,
        counters,
        missed,
    };
    Ok(assess(observed, &mut warnings))
}

/// What was used and read up to a moment.
#[derive(Debug, Clone, Copy)]
struct Moment {
    at: Instant,
    cpu: Option<Duration>,
    memory: Option<u64>,
    /// What the venue's connections took.
    taken: u64,
    ticks: u64,
    bytes: u64,
}

impl Moment {
    fn now(run: &Run<'_>, pool: &StreamPool) -> Self {
        let usage = sampler::usage(&run.server);
        Self {
            at: Instant::now(),
            cpu: usage.map(|usage| usage.cpu),
            memory: usage.map(|usage| usage.memory_bytes),
            taken: run.venue.map_or(0, |venue| venue.sent().taken),
            ticks: pool.progress.ticks.load(Ordering::Relaxed),
            bytes: pool.progress.bytes.load(Ordering::Relaxed),
        }
    }
}

/// Waits until each stream's first attempt is over.
fn open(run: &Run<'_>, pool: &StreamPool, watch: &mut dyn FnMut(RunProgress<'_>)) {
    let count: u64 = run.streams.groups.iter().map(|group| u64::from(group.count)).sum();
    let ramp = run.streams.connect_rate.map_or(0.0, |rate| count as f64 / rate);
    let deadline = Instant::now() + Duration::from_secs_f64(ramp) + OPENING_MAX;
    let is_open = || pool.progress.tried.load(Ordering::Relaxed) >= count || run.stop.is_asked();
    while !is_open() && Instant::now() < deadline && pool.is_running() {
        watch(RunProgress { phase: "connecting", share: 0.0, streams: &pool.progress });
        std::thread::sleep(LOOK_INTERVAL);
    }
}

fn load(run: &Run<'_>, pool: &StreamPool, start: Instant, watch: &mut dyn FnMut(RunProgress<'_>)) {
    let mut steps = Steps::of(run.venue.map_or(&[], |_| run.outages));
    while start.elapsed() < run.duration && pool.is_running() && !run.stop.is_asked() {
        let elapsed = start.elapsed();
        while let Some(step) = steps.take(elapsed) {
            take(step, run.venue, pool);
        }
        let share = elapsed.as_secs_f64() / run.duration.as_secs_f64();
        watch(RunProgress { phase: "loading", share, streams: &pool.progress });
        std::thread::sleep(LOOK_INTERVAL.min(run.duration.saturating_sub(elapsed)));
    }
    // An outage that should outlast the load ends with it: else nothing could be said of the last states.
    if let Some(venue) = run.venue {
        venue.command(Command::Door(Door::Open));
        venue.command(Command::Flow(Flow::Steady));
    }
}

fn take(step: Step, venue: Option<&Venue>, pool: &StreamPool) {
    match (step, venue) {
        (Step::Command(command), Some(venue)) => venue.command(command),
        (Step::NothingIsLive, _) => pool.send(Control::NothingIsLive),
        _ => {}
    }
}

/// Ends the load and waits until all has come; returns why the last states may not be judged well.
fn settle(run: &Run<'_>, pool: &StreamPool, watch: &mut dyn FnMut(RunProgress<'_>)) -> Vec<String> {
    let mut warnings = Vec::new();
    let mut wait = |phase, limit: Duration, is_over: &dyn Fn() -> bool| {
        let deadline = Instant::now() + limit;
        while !is_over() && Instant::now() < deadline && pool.is_running() {
            watch(RunProgress { phase, share: 1.0, streams: &pool.progress });
            std::thread::sleep(LOOK_INTERVAL);
        }
        is_over()
    };
    if let Some(venue) = run.venue {
        if !wait("waiting for the feed", RETURN_MAX, &|| venue.wanted() >= run.streams.symbols.len()) {
            let limit = Span(RETURN_MAX);
            warnings.push(format!("the gateway has not asked the venue for all symbols again within {limit}"));
        }
        venue.finish();
    }
    pool.send(Control::CatchUp);
    let asked = unix_micros();
    let is_quiet = || {
        let last = pool.progress.last_tick.load(Ordering::Relaxed).max(asked);
        u128::try_from(unix_micros() - last).is_ok_and(|since| since >= QUIET.as_micros())
    };
    // A server whose load is not ours does not end with us.
    if run.venue.is_some() && !wait("catching up", QUIET_MAX, &is_quiet) {
        warnings.push(format!("ticks still came {} after the load had ended", Span(QUIET_MAX)));
    }
    std::thread::sleep(COUNTS_LATE_MAX);
    warnings
}
