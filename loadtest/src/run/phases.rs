//! The phases of a run: connect, load, catch up, assess.

use super::{
    assess::assess,
    checkpoint::Checkpoint,
    clocks,
    cluster::Cluster,
    observed::Observed,
    outages::{Step, Steps, venue_state},
    sampler::{self, Sampler},
    setup::{Run, RunError, RunProgress},
};
use crate::{
    measure::unix_micros,
    report::Summary,
    scenario::Span,
    streams::{Control, StreamPool, Wire},
    venue::{Command, Door, Flow, Venue},
};
use std::{
    sync::atomic::Ordering,
    time::{Duration, Instant},
};

/// How often a run checks its progress.
const POLL_INTERVAL: Duration = Duration::from_millis(100);
/// How long the streams may take to open, beyond their ramp and the time that a server has to answer.
const OPENING_MAX: Duration = Duration::from_secs(5);
/// The streams have caught up after this much silence: longer than the gateway holds anything back.
const QUIET: Duration = Duration::from_secs(2);
/// How long catching up may take.
const QUIET_MAX: Duration = Duration::from_secs(20);
/// How old a gateway's counters may be: its workers publish them about once a second.
const COUNTERS_LATE_MAX: Duration = Duration::from_millis(1_200);
/// How long a feed may take to reconnect after an outage, with its growing backoff.
const RECONNECT_MAX: Duration = Duration::from_secs(60);

/// The callback for progress.
type Watch<'a> = &'a mut dyn FnMut(RunProgress<'_>);

/// Executes a run, and calls `watch` with its progress now and then.
///
/// # Errors
/// [`RunError`]: the run has no results. A server's faults are not errors, but results in the summary.
pub fn run(run: &Run<'_>, watch: Watch<'_>) -> Result<Summary, RunError> {
    let counters_before = run.server.admin.map(|admin| admin.counters()).transpose()?;
    if let Some(venue) = run.venue {
        // The time to the first tick must not depend on when the venue happens to trade.
        venue.send_one_of_each();
    }
    let began = unix_micros();
    let begun = Instant::now();
    let before = sampler::usage(&run.server);
    let sampler = Sampler::start(run.server.clone(), begun)?;
    let pool = StreamPool::start(run.streams.clone(), begun)?;
    wait_until_open(run, &pool, watch);
    let start = Checkpoint::now(run, &pool);
    pool.send(Control::Load);
    if let Some(venue) = run.venue {
        venue.begin_load();
    }
    let used = run.cluster.map(Cluster::usage);
    let commands = load(run, &pool, start.at, watch);
    let end = Checkpoint::now(run, &pool);
    let seconds = (end.at - start.at).as_secs_f64();
    let cluster = run.cluster.zip(used).map(|(cluster, used)| cluster.summary(&used, &cluster.usage(), seconds));
    let is_stopped = run.stop.is_requested();
    let load_ended = unix_micros();
    pool.progress.load_ended.store(load_ended, Ordering::Relaxed);
    if let Some(venue) = run.venue {
        venue.end_load(load_ended);
    }
    let mut warnings = Vec::new();
    let has_caught_up = catch_up(run, &pool, watch, &mut warnings);
    let last_tick = pool.progress.last_tick.load(Ordering::Relaxed);
    let recovery = run.venue.filter(|_| has_caught_up).and_then(|_| u64::try_from(last_tick - load_ended).ok());
    if is_stopped {
        let asked = Span(run.duration);
        warnings.push(format!("the run was stopped by a signal: it loaded {seconds:.1} s of {asked}"));
    }
    warnings.extend(cluster.as_ref().and_then(|cluster| cluster.failure.clone()));
    // A gateway that has crashed meanwhile is a result of the run, not an error.
    let counters_after =
        run.server.admin.and_then(|admin| admin.counters().map_err(|error| warnings.push(error.to_string())).ok());
    let missed = run.server.admin.and_then(|admin| {
        let failed = |error| warnings.push(format!("the holes of each stream are not compared: {error}"));
        admin.missed().map_err(failed).ok()
    });
    // Another server's events are counted, not checked.
    let checked_venue = run.venue.filter(|_| run.streams.wire == Wire::Tickfan);
    let outcome = pool.finish(checked_venue.map(|venue| venue_state(venue, &run.streams.symbols)))?;
    if outcome.measures.opened == 0 {
        let answer = outcome.refusal.unwrap_or_else(|| "the server did not answer".to_owned());
        return Err(RunError::NoStream(answer));
    }
    let observed = Observed {
        run,
        is_stopped,
        clock_step: clocks::step(began, begun, unix_micros()),
        commands,
        recovery,
        began,
        begun,
        before,
        start,
        end,
        cluster,
        outcome,
        samples: sampler.finish(),
        counters: counters_before.zip(counters_after),
        missed,
    };
    Ok(assess(observed, &mut warnings))
}

/// Waits until each stream has tried to connect.
fn wait_until_open(run: &Run<'_>, pool: &StreamPool, watch: Watch<'_>) {
    let count: u64 = run.streams.groups.iter().map(|group| u64::from(group.first_streams())).sum();
    let ramp = run.streams.connect_rate.map_or(0.0, |rate| count as f64 / rate);
    let deadline = Instant::now() + Duration::from_secs_f64(ramp) + run.streams.answer_max + OPENING_MAX;
    while pool.progress.tried.load(Ordering::Relaxed) < count
        && !run.stop.is_requested()
        && Instant::now() < deadline
        && pool.is_running()
    {
        watch(RunProgress { phase: "connecting", share: 0.0, streams: &pool.progress });
        std::thread::sleep(POLL_INTERVAL);
    }
}

/// Loads for the run's time, and until the gateways of a cluster are restarted; returns the commands that the venue
/// got, and when.
fn load(run: &Run<'_>, pool: &StreamPool, start: Instant, watch: Watch<'_>) -> Vec<(Instant, Command)> {
    let commands = std::thread::scope(|scope| {
        let restarts = run.cluster.map(|cluster| scope.spawn(|| cluster.restart_all(&run.stop)));
        let is_restarting = || restarts.as_ref().is_some_and(|restarts| !restarts.is_finished());
        load_until(run, pool, start, &is_restarting, watch)
    });
    // An outage ends with the load at the latest. Otherwise the last states could not be checked.
    if let Some(venue) = run.venue {
        venue.command(Command::Door(Door::Open));
        venue.command(Command::Flow(Flow::Steady));
    }
    commands
}

/// Loads for the run's time, and as long as there is `more`; returns the commands that the venue got, and when.
fn load_until(
    run: &Run<'_>,
    pool: &StreamPool,
    start: Instant,
    more: &dyn Fn() -> bool,
    watch: Watch<'_>,
) -> Vec<(Instant, Command)> {
    let mut commands = Vec::new();
    let mut steps = Steps::of(run.venue.map_or(&[], |_| run.outages));
    while (start.elapsed() < run.duration || more()) && pool.is_running() && !run.stop.is_requested() {
        let elapsed = start.elapsed();
        while let Some(step) = steps.take(elapsed) {
            execute(step, run.venue, pool);
            if let Step::Command(command) = step {
                commands.push((Instant::now(), command));
            }
        }
        let share = (elapsed.as_secs_f64() / run.duration.as_secs_f64()).min(1.0);
        watch(RunProgress { phase: "loading", share, streams: &pool.progress });
        // After its duration the load waits for restarts only.
        let elapsed = start.elapsed();
        let left = Some(run.duration.saturating_sub(elapsed)).filter(|left| !left.is_zero());
        let next = steps.next().map(|at| at.saturating_sub(elapsed));
        std::thread::sleep(left.into_iter().chain(next).fold(POLL_INTERVAL, Duration::min));
    }
    commands
}

fn execute(step: Step, venue: Option<&Venue>, pool: &StreamPool) {
    match (step, venue) {
        (Step::Command(command), Some(venue)) => venue.command(command),
        (Step::NothingIsLive, _) => pool.send(Control::NothingIsLive),
        _ => {}
    }
}

/// Ends the load and waits until the streams have read everything; returns whether they have. Warns of what did not
/// happen in time.
fn catch_up(run: &Run<'_>, pool: &StreamPool, watch: Watch<'_>, warnings: &mut Vec<String>) -> bool {
    if let Some(venue) = run.venue {
        let has_reconnected = || venue.wanted() >= run.streams.symbols.len();
        if !wait(pool, "waiting for the feed", RECONNECT_MAX, &has_reconnected, watch) {
            let limit = Span(RECONNECT_MAX);
            warnings.push(format!("the gateway did not subscribe to all symbols again within {limit}"));
        }
        venue.finish();
    }
    pool.send(Control::CatchUp);
    let asked = unix_micros();
    let is_quiet = || {
        let last = pool.progress.last_tick.load(Ordering::Relaxed).max(asked);
        u128::try_from(unix_micros() - last).is_ok_and(|since| since >= QUIET.as_micros())
    };
    // A load that is not ours goes on.
    let has_caught_up = run.venue.is_none() || wait(pool, "catching up", QUIET_MAX, &is_quiet, watch);
    if !has_caught_up {
        warnings.push(format!("streams still read ticks {} after the end of the load", Span(QUIET_MAX)));
    }
    std::thread::sleep(COUNTERS_LATE_MAX);
    has_caught_up
}

/// Waits for a condition; returns whether it holds.
fn wait(pool: &StreamPool, phase: &'static str, limit: Duration, is_met: &dyn Fn() -> bool, watch: Watch<'_>) -> bool {
    let deadline = Instant::now() + limit;
    while !is_met() && Instant::now() < deadline && pool.is_running() {
        watch(RunProgress { phase, share: 1.0, streams: &pool.progress });
        std::thread::sleep(POLL_INTERVAL);
    }
    is_met()
}
