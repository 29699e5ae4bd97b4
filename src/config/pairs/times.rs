//! Addresses and times that must agree.

use super::{Found, found};
use crate::config::{Config, Machine, show_duration};
use std::time::Duration;

/// A symbol with fewer ticks a second is quiet: a ring that holds less than this over `max_lag` is the limit instead.
const QUIET_TICKS_PER_SECOND: f64 = 10.0;
/// What a supervisor waits before it kills: systemd's unit in `deploy/` and the documented docker option.
const SUPERVISOR_TIMEOUT: Duration = Duration::from_secs(30);
/// The most points of one symbol's history: a day of seconds, which are read through in less than a millisecond.
const TRAIL_POINTS_MAX: u32 = 86_400;
/// How much longer than the drain a stop may take.
const AFTER_DRAIN: Duration = Duration::from_secs(3);
/// How long a node of a cluster may take to hand its shards over, before its streams drain.
const HAND_OVER: Duration = Duration::from_millis(3_500);

pub(super) fn listeners(config: &Config, _: &Machine) -> Option<Found> {
    let server = &config.server;
    (server.listen == server.admin_listen && server.listen.port() != 0).then(|| Found {
        what: format!("`listen` and `admin_listen` are both {}", server.listen),
        help: "clients and operators need different listeners; change one of the ports".to_owned(),
    })
}

pub(super) fn ring_age(config: &Config, _: &Machine) -> Option<Found> {
    let fanout = &config.fanout;
    if fanout.ring_age >= fanout.max_lag {
        return None;
    }
    let age = show_duration(fanout.ring_age);
    let lag = show_duration(fanout.max_lag);
    found(
        format!("`ring_age` ({age}) is shorter than `max_lag` ({lag})"),
        "a stream may be `max_lag` behind, so its ticks must be kept for that long; raise `ring_age`, or lower `max_lag`",
    )
}

pub(super) fn flush_interval(config: &Config, _: &Machine) -> Option<Found> {
    let lag = config.fanout.max_lag;
    let interval = config.fanout.flush_interval.filter(|interval| *interval > lag / 2)?;
    found(
        format!(
            "`flush_interval` ({}) is more than half of `max_lag` ({})",
            show_duration(interval),
            show_duration(lag)
        ),
        "gathering alone would use more than half of `max_lag`, and a tick then waits for its turn; lower `flush_interval`, or raise `max_lag`",
    )
}

pub(super) fn ring(config: &Config, _: &Machine) -> Option<Found> {
    let fanout = &config.fanout;
    let needed = fanout.max_lag.as_secs_f64() * QUIET_TICKS_PER_SECOND;
    if fanout.ring as f64 >= needed {
        return None;
    }
    found(
        format!(
            "`ring` ({}) holds less than `max_lag` ({}) of all but quiet symbols",
            fanout.ring,
            show_duration(fanout.max_lag)
        ),
        format!(
            "a stream of a symbol with 10 ticks a second would miss ticks long before `max_lag`; raise `ring` to {} or more, or lower `max_lag`",
            needed.ceil()
        ),
    )
}

pub(super) fn history(config: &Config, _: &Machine) -> Option<Found> {
    let (keep, every) = (config.history.keep, config.history.every);
    let [shown_keep, shown_every] = [keep, every].map(show_duration);
    if keep.is_zero() {
        None
    } else if keep < every {
        found(
            format!("`keep` ({shown_keep}) is shorter than `every` ({shown_every})"),
            "a history would have no point; raise `keep`, lower `every`, or write keep = \"0s\" for no history",
        )
    } else if keep > every.saturating_mul(TRAIL_POINTS_MAX) {
        found(
            format!("`keep` ({shown_keep}) is more than {TRAIL_POINTS_MAX} times `every` ({shown_every})"),
            "a request reads through all points of a symbol; lower `keep`, or raise `every`",
        )
    } else {
        None
    }
}

pub(super) fn drain(config: &Config, _: &Machine) -> Option<Found> {
    let server = &config.server;
    let hand_over = if config.cluster.is_some() { HAND_OVER } else { Duration::ZERO };
    let needed = server.drain_delay + hand_over + server.drain + AFTER_DRAIN;
    if needed <= SUPERVISOR_TIMEOUT {
        return None;
    }
    let [needed, delay, drain] = [needed, server.drain_delay, server.drain].map(show_duration);
    found(
        format!("a stop takes up to {needed}, for `drain_delay` is {delay} and `drain` is {drain}"),
        "give the supervisor as long before it kills the process: TimeoutStopSec= of systemd, --stop-timeout of docker",
    )
}
