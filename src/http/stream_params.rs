//! A stream's options and where it resumes, as a request says them.

use super::{
    problem::{Problem, Quoted},
    stream_request::Query,
};
use crate::{
    fanout::Options,
    market::{Part, Parts},
    wire::{Epoch, EventId},
};
use http::HeaderMap;
use std::{ops::RangeInclusive, time::Duration};

/// Writes a second.
const MAX_RATE: RangeInclusive<f64> = 0.1..=100.0;
/// Seconds.
const HEARTBEAT: RangeInclusive<u64> = 5..=60;

/// What a client chooses beside its symbols.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct StreamParams {
    interval: Option<Duration>,
    parts: Option<Parts>,
    heartbeat: Option<Duration>,
    last: Option<EventId>,
}

impl StreamParams {
    /// Reads them from the query, and the last id also from its header, which comes first: a browser sets it by itself
    /// when it comes back to an address that names an older one. An id that is none of ours is no error.
    ///
    /// # Errors
    /// [`Problem::BadOption`] says what the option takes.
    pub(crate) fn new(query: &Query, headers: &HeaderMap) -> Result<Self, Problem> {
        let find = |wanted: &str| query.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.as_str());
        let option = |name, takes, read: fn(&str) -> Option<Self>| {
            let Some(text) = find(name) else { return Ok(Self::default()) };
            read(text).ok_or_else(|| Problem::BadOption { name, text: Quoted::new(text), takes })
        };
        let header = headers.get("last-event-id").and_then(|value| value.to_str().ok());
        Ok(Self {
            interval: option("max_rate", "a number of writes a second, 0.1 to 100", max_rate)?.interval,
            parts: option("on", "a list of trade, quote and stats", on)?.parts,
            heartbeat: option("heartbeat", "whole seconds, 5 to 60", heartbeat)?.heartbeat,
            last: header.or(find("last_event_id")).and_then(|text| text.parse().ok()),
        })
    }

    /// The options, with what the client left open.
    pub(crate) fn options(&self, heartbeat: Duration) -> Options {
        let options = Options::new(self.heartbeat.unwrap_or(heartbeat));
        let options = self.parts.map_or(options, |parts| options.on(parts));
        self.interval.map_or(options, |interval| options.every(interval))
    }

    /// The last tick that the client has, if it is of this life of the numbers.
    pub(crate) fn after(&self, epoch: Epoch) -> Option<u64> {
        self.last.filter(|last| last.epoch == epoch).map(|last| last.n)
    }
}

fn max_rate(text: &str) -> Option<StreamParams> {
    let rate = text.parse().ok().filter(|rate| MAX_RATE.contains(rate))?;
    Some(StreamParams { interval: Some(Duration::from_secs_f64(1.0 / rate)), ..StreamParams::default() })
}

fn on(text: &str) -> Option<StreamParams> {
    let part = |name: &str| match name {
        "trade" => Some(Part::Trade),
        "quote" => Some(Part::Quote),
        "stats" => Some(Part::Stats),
        _ => None,
    };
    Some(StreamParams { parts: Some(text.split(',').map(part).collect::<Option<Parts>>()?), ..StreamParams::default() })
}

fn heartbeat(text: &str) -> Option<StreamParams> {
    let seconds = text.parse().ok().filter(|seconds| HEARTBEAT.contains(seconds))?;
    Some(StreamParams { heartbeat: Some(Duration::from_secs(seconds)), ..StreamParams::default() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn params(query: &[(&str, &str)], header: Option<&'static str>) -> Result<StreamParams, Problem> {
        let query = query.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let mut headers = HeaderMap::new();
        header.map(|id| headers.insert("last-event-id", HeaderValue::from_static(id)));
        StreamParams::new(&query, &headers)
    }

    #[test]
    fn options_are_read_within_their_ranges() {
        let all = [("max_rate", "4"), ("on", "trade,stats"), ("heartbeat", "5"), ("else", "x")];
        let expected = Options::new(Duration::from_secs(5))
            .on(Parts::from_iter([Part::Trade, Part::Stats]))
            .every(Duration::from_millis(250));
        assert_eq!(params(&all, None).unwrap().options(Duration::from_secs(15)), expected);
        let none = params(&[], None).unwrap().options(Duration::from_secs(15));
        assert_eq!(none, Options::new(Duration::from_secs(15)));
        assert!(none.parts() == Parts::ALL && expected.parts().contains(Part::Status));
        for (name, text) in [("max_rate", "0.1"), ("max_rate", "100"), ("heartbeat", "60"), ("on", "quote")] {
            assert!(params(&[(name, text)], None).is_ok(), "{name}={text}");
        }
        for (name, text) in [
            ("max_rate", "0.09"),
            ("max_rate", "100.1"),
            ("max_rate", "NaN"),
            ("max_rate", "inf"),
            ("max_rate", "-1"),
            ("max_rate", ""),
            ("heartbeat", "4"),
            ("heartbeat", "61"),
            ("heartbeat", "7.5"),
            ("on", ""),
            ("on", "trade,"),
            ("on", "TRADE"),
            ("on", "status"),
            ("on", "trade\r\nid: 1"),
        ] {
            let wrong = params(&[(name, text)], None);
            assert!(matches!(wrong, Err(Problem::BadOption { .. })), "{name}={text}");
        }
    }

    #[test]
    fn a_stale_foreign_malformed_or_huge_id_is_no_error_and_no_place() {
        let ours = Epoch::new(1 << 16);
        let after = |query: &[(&str, &str)], header| params(query, header).unwrap().after(ours);
        assert_eq!(after(&[("last_event_id", "1-7")], None), Some(7));
        assert_eq!(after(&[("last_event_id", "1-7")], Some("1-9")), Some(9), "the header comes first");
        assert_eq!(after(&[], Some("2-9")), None, "of another life");
        for id in ["", "1", "1-", "x y", "1-99999999999999999999", "1-7; drop", "<script>"] {
            assert_eq!(after(&[], Some(id)), None, "{id}");
            assert_eq!(after(&[("last_event_id", id)], None), None, "{id}");
        }
    }
}
