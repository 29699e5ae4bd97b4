//! The options of a stream and the place where it resumes, as a request states them.

use super::error::ApiError;
use crate::{
    fanout::Options,
    market::{Part, Parts},
    server::{Parameter, Query, Quoted},
    wire::{Epoch, EventId},
};
use http::HeaderMap;
use std::{ops::RangeInclusive, time::Duration};

/// The parameters of a stream beside its symbols. The npm package `event-source-polyfill` adds `lastEventId` when it
/// reconnects: a rejection would end its streams for good.
pub(super) const PARAMETERS: [Parameter; 7] = [
    Parameter::Scalar("max_rate"),
    Parameter::List("on"),
    Parameter::Scalar("heartbeat"),
    Parameter::Scalar("patch"),
    Parameter::Scalar("last_event_id"),
    Parameter::Alias("lastEventId"),
    // Sign-on has read it.
    Parameter::Scalar("ticket"),
];

/// What `max_rate` takes.
pub(super) const TAKES_RATE: &str = "a number of writes a second, 0.1 to 100";
/// What `on` takes.
pub(super) const TAKES_PARTS: &str = "a list of trade, quote and stats";
/// In writes a second.
const MAX_RATE: RangeInclusive<f64> = 0.1..=100.0;
/// In seconds.
const HEARTBEAT: RangeInclusive<u64> = 1..=60;

/// A client's choices beside its symbols. `None`: it left the choice to the gateway.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct StreamParams {
    interval: Option<Duration>,
    parts: Option<Parts>,
    heartbeat: Option<Duration>,
    patches: Option<bool>,
    last: Option<EventId>,
}

impl StreamParams {
    /// Reads them from the query. The last event id is also read from its header, which takes precedence: a browser
    /// sets it when it reconnects to a URL that names an older one. So does a library that adds `lastEventId`. An id of
    /// another gateway is not an error.
    ///
    /// # Errors
    /// [`ApiError::BadOption`], which says what the option takes.
    pub(super) fn new(query: &Query, headers: &HeaderMap) -> Result<Self, ApiError> {
        let last_event_id = headers.get("last-event-id").and_then(|value| value.to_str().ok());
        let last_event_id = last_event_id.or(query.first("lastEventId")).or(query.first("last_event_id"));
        Ok(Self {
            interval: option(query, "max_rate", TAKES_RATE, |rate| interval(rate.parse().ok()?))?,
            parts: parts(query)?,
            heartbeat: option(query, "heartbeat", "whole seconds, 1 to 60", heartbeat)?,
            patches: option(query, "patch", "1, or 0 for whole ticks", patches)?,
            last: last_event_id.and_then(|id| id.parse().ok()),
        })
    }

    /// The options, with `heartbeat` unless the client chose one, and at most so many writes a second.
    pub(super) fn options(&self, heartbeat: Duration, rate: Option<f64>) -> Options {
        let options = Options::new(self.heartbeat.unwrap_or(heartbeat));
        let options = self.parts.map_or(options, |parts| options.on(parts));
        let options = options.with_patches(self.patches.unwrap_or(false));
        options.every(self.interval).allowed_every(rate.and_then(interval))
    }

    /// The `n` of the last tick that the client has, if the gateway knows its epoch.
    pub(super) fn after(&self, knows: impl Fn(Epoch) -> bool) -> Option<u64> {
        self.last.filter(|last| knows(last.epoch)).map(|last| last.n)
    }
}

/// An option of the query, if it is there.
///
/// # Errors
/// [`ApiError::BadOption`] if `read` does not accept its value.
fn option<T>(
    query: &Query,
    name: &'static str,
    takes: &'static str,
    read: fn(&str) -> Option<T>,
) -> Result<Option<T>, ApiError> {
    query.first(name).map(|value| read(value).ok_or_else(|| bad_option(name, value, takes))).transpose()
}

pub(super) fn bad_option(name: &'static str, value: &str, takes: &'static str) -> ApiError {
    ApiError::BadOption { name, value: Quoted::new(value), takes }
}

/// The time between two writes, from their rate.
pub(super) fn interval(max_rate: f64) -> Option<Duration> {
    MAX_RATE.contains(&max_rate).then(|| Duration::from_secs_f64(1.0 / max_rate))
}

/// The parts of all `on` lists together.
fn parts(query: &Query) -> Result<Option<Parts>, ApiError> {
    let mut sum = None;
    for list in query.all("on") {
        let parts: Option<Parts> = list.split(',').map(part).collect();
        let parts = parts.ok_or_else(|| bad_option("on", list, TAKES_PARTS))?;
        sum = Some(parts.union(sum.unwrap_or(Parts::NONE)));
    }
    Ok(sum)
}

pub(super) fn part(name: &str) -> Option<Part> {
    match name {
        "trade" => Some(Part::Trade),
        "quote" => Some(Part::Quote),
        "stats" => Some(Part::Stats),
        _ => None,
    }
}

fn heartbeat(seconds: &str) -> Option<Duration> {
    let seconds = seconds.parse().ok().filter(|seconds| HEARTBEAT.contains(seconds))?;
    Some(Duration::from_secs(seconds))
}

fn patches(value: &str) -> Option<bool> {
    match value {
        "0" => Some(false),
        "1" => Some(true),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn params(query: &[(&str, &str)], header: Option<&'static str>) -> Result<StreamParams, ApiError> {
        let query =
            query.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect::<Vec<_>>().into();
        let mut headers = HeaderMap::new();
        header.map(|id| headers.insert("last-event-id", HeaderValue::from_static(id)));
        StreamParams::new(&query, &headers)
    }

    #[test]
    fn options_are_read_within_their_ranges() {
        let all = [("max_rate", "4"), ("on", "trade,stats"), ("heartbeat", "5"), ("patch", "1"), ("else", "x")];
        let expected = Options::new(Duration::from_secs(5))
            .on(Parts::from_iter([Part::Trade, Part::Stats]))
            .every(Duration::from_millis(250))
            .with_patches(true);
        assert_eq!(params(&all, None).unwrap().options(Duration::from_secs(15), None), expected);
        let none = params(&[], None).unwrap().options(Duration::from_secs(15), None);
        assert_eq!(none, Options::new(Duration::from_secs(15)));
        for (own, rate, interval) in [
            (None, None, None),
            (None, Some(2.0), Some(500)),
            (Some("4"), Some(2.0), Some(500)),
            (Some("1"), Some(2.0), Some(1_000)),
            (Some("4"), None, Some(250)),
            // Faster than any stream is written.
            (None, Some(1e9), None),
        ] {
            let query: Vec<_> = own.map(|own| ("max_rate", own)).into_iter().collect();
            let options = params(&query, None).unwrap().options(Duration::from_secs(15), rate);
            assert_eq!(options.interval(), interval.map(Duration::from_millis), "{own:?} {rate:?}");
        }
        assert!(none.parts() == Parts::ALL && expected.parts().contains(Part::Status));
        for (name, text) in [
            ("max_rate", "0.1"),
            ("max_rate", "100"),
            ("heartbeat", "60"),
            ("heartbeat", "1"),
            ("on", "quote"),
            ("patch", "0"),
        ] {
            assert!(params(&[(name, text)], None).is_ok(), "{name}={text}");
        }
        for (name, text) in [
            ("max_rate", "0.09"),
            ("max_rate", "100.1"),
            ("max_rate", "NaN"),
            ("max_rate", "inf"),
            ("max_rate", "-1"),
            ("max_rate", ""),
            ("heartbeat", "0"),
            ("heartbeat", "61"),
            ("heartbeat", "7.5"),
            ("on", ""),
            ("on", "trade,"),
            ("on", "TRADE"),
            ("on", "status"),
            ("on", "trade\r\nid: 1"),
            ("patch", ""),
            ("patch", "2"),
            ("patch", "true"),
        ] {
            let wrong = params(&[(name, text)], None);
            assert!(matches!(wrong, Err(ApiError::BadOption { .. })), "{name}={text}");
        }
    }

    #[test]
    fn a_stale_foreign_malformed_or_huge_id_is_ignored() {
        let ours = Epoch::new(1 << 16);
        let after = |query: &[(&str, &str)], header| params(query, header).unwrap().after(|epoch| epoch == ours);
        assert_eq!(after(&[("last_event_id", "1-7")], None), Some(7));
        assert_eq!(after(&[("last_event_id", "1-7")], Some("1-9")), Some(9), "the header comes first");
        assert_eq!(after(&[], Some("2-9")), None, "of another epoch");
        for id in ["", "1", "1-", "x y", "1-99999999999999999999", "1-7; drop", "<script>"] {
            assert_eq!(after(&[], Some(id)), None, "{id}");
            assert_eq!(after(&[("last_event_id", id)], None), None, "{id}");
        }
    }
}
