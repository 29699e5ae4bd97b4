//! Checks that a stream ends on the newest state, and that this is the venue's state.

use super::{Rule, SeenTicks, Slots, Violations};
use crate::wire::Values;
use std::collections::HashMap;

/// The last state of each symbol as the venue sent it. A field that the venue never sent is not checked.
pub type VenueState = HashMap<String, Values>;

/// The parts that a stream subscribed to. The other parts may be old.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted {
    /// Trades.
    pub trade: bool,
    /// Quotes.
    pub quote: bool,
    /// All parts, so that its last tick is the symbol's newest.
    pub all: bool,
}

impl Wanted {
    /// Reads the option `on` of a query. Without it a stream gets all parts.
    pub fn of_query(query: &str) -> Self {
        let lists = || query.split('&').filter_map(|option| option.strip_prefix("on="));
        if lists().next().is_none() {
            return Self { trade: true, quote: true, all: true };
        }
        // Repeated lists add up.
        let has = |part| lists().flat_map(|on| on.split(',')).any(|name| name == part);
        Self { trade: has("trade"), quote: has("quote"), all: false }
    }
}

/// The check of a stream that has read everything that it will get.
pub struct LastStateCheck<'a> {
    /// Where the stream is in each of its symbols.
    pub slots: &'a Slots,
    /// The stream's number.
    pub stream: u32,
    /// The parts that it subscribed to.
    pub wanted: Wanted,
    /// The venue's last state.
    pub venue_state: &'a VenueState,
    /// What all streams have seen.
    pub seen_ticks: &'a SeenTicks,
    /// Now, in µs since 1970.
    pub now: i64,
}

/// What is wrong with a last state, and the bytes that show it.
struct Wrong<'a> {
    what: String,
    bytes: &'a [u8],
}

impl<'a> LastStateCheck<'a> {
    /// Checks all symbols and notes the violations; returns how many symbols it has checked.
    pub fn run(&self, violations: &mut Violations) -> u64 {
        let Some(epoch) = self.slots.epoch() else { return 0 };
        let mut checked = 0;
        for (symbol, last) in self.slots.last() {
            let seq = last.map_or(0, |tick| tick.seq);
            if let Err(Wrong { what, bytes }) = self.check_symbol(epoch, symbol, seq) {
                let what = format!("{}: {what}", self.seen_ticks.name(symbol));
                violations.note(Rule::LastState, Some(self.stream), self.now, what, bytes);
            }
            checked += 1;
        }
        checked
    }

    fn check_symbol(&self, epoch: u32, symbol: u32, seq: u64) -> Result<(), Wrong<'a>> {
        if self.wanted.all
            && let Some(newest) = self.seen_ticks.newest(epoch, symbol).filter(|newest| newest.tick.seq > seq)
        {
            let what = format!("it ends on {seq}, other streams on {}", newest.tick.seq);
            return Err(Wrong { what, bytes: &newest.block });
        }
        let Some(expected) = self.venue_state.get(self.seen_ticks.name(symbol)) else { return Ok(()) };
        // If the tick's bytes are evicted, other streams are far ahead. Only a stream of some parts may be that far
        // behind.
        let Some(seen) = self.seen_ticks.tick(epoch, symbol, seq) else {
            return if seq == 0 { Err(Wrong { what: "it never got data".to_owned(), bytes: b"" }) } else { Ok(()) };
        };
        let what = match Values::read(seen.data()) {
            Ok(values) => difference(expected, &values, self.wanted),
            Err(error) => Some(error.to_string()),
        };
        what.map_or(Ok(()), |what| Err(Wrong { what, bytes: &seen.block }))
    }
}

/// The first field that differs.
fn difference(expected: &Values, got: &Values, wanted: Wanted) -> Option<String> {
    let times = |values: &Values| values.trade_ts.map(|micros| micros.to_string());
    let fields = [
        ("price", wanted.trade, expected.price.clone(), got.price.clone()),
        ("size", wanted.trade, expected.size.clone(), got.size.clone()),
        ("trade_ts", wanted.trade, times(expected), times(got)),
        ("bid", wanted.quote, expected.bid.clone(), got.bid.clone()),
        ("bid_size", wanted.quote, expected.bid_size.clone(), got.bid_size.clone()),
        ("ask", wanted.quote, expected.ask.clone(), got.ask.clone()),
        ("ask_size", wanted.quote, expected.ask_size.clone(), got.ask_size.clone()),
    ];
    fields.into_iter().find(|(_, wanted, expected, got)| *wanted && expected.is_some() && expected != got).map(
        |(field, _, expected, got)| {
            let shown = |value: Option<String>| value.unwrap_or_else(|| "nothing".to_owned());
            format!("its last {field} is {}, the venue's {}", shown(got), shown(expected))
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_that_differs_from_the_venues_is_named() {
        let expected = Values { price: Some("1.5".into()), bid: Some("1".into()), ..Values::default() };
        let got =
            Values { price: Some("1.5".into()), bid: Some("2".into()), ask: Some("3".into()), ..Values::default() };
        let wanted = Wanted::of_query("max_rate=4");
        assert_eq!(difference(&expected, &expected, wanted), None);
        assert_eq!(difference(&expected, &got, wanted).unwrap(), "its last bid is 2, the venue's 1");
        assert_eq!(difference(&expected, &got, Wanted::of_query("on=trade")), None);
        let both = Wanted { trade: true, quote: true, all: false };
        assert_eq!(["on=trade,quote", "on=trade&max_rate=1&on=quote"].map(Wanted::of_query), [both, both]);
        assert_eq!(
            difference(&expected, &Values::default(), wanted).unwrap(),
            "its last price is nothing, the venue's 1.5"
        );
    }
}
