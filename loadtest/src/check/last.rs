//! Whether a stream ends on the newest state, and whether that is the venue's.

use super::{Rule, SeenTicks, Slots, Violations};
use crate::wire::Values;
use std::collections::HashMap;

/// The last state of each symbol as the venue sent it. Of what it never sent there is nothing to say.
pub type VenueState = HashMap<String, Values>;

/// Which parts a stream asked for: the others may be old.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted {
    /// Trades.
    pub trade: bool,
    /// Quotes.
    pub quote: bool,
    /// All that there is, so that its last tick is the newest of all.
    pub all: bool,
}

impl Wanted {
    /// Reads the option `on` of a query; without it all parts are wanted.
    pub fn of_query(query: &str) -> Self {
        let on = query.split('&').find_map(|option| option.strip_prefix("on="));
        let names = |part| on.is_none_or(|on| on.split(',').any(|name| name == part));
        Self { trade: names("trade"), quote: names("quote"), all: on.is_none() }
    }
}

/// Judges a stream that has read all that it will get. What is wrong is noted.
pub fn judge_last(
    slots: &Slots,
    stream: u32,
    wanted: Wanted,
    venue_state: &VenueState,
    now: i64,
    seen_ticks: &SeenTicks,
    violations: &mut Violations,
) {
    let Some(epoch) = slots.epoch() else { return };
    for (symbol, last) in slots.last() {
        let name = seen_ticks.name(symbol);
        let seq = last.map_or(0, |tick| tick.seq);
        let mut wrong = |what: String, bytes: &[u8]| {
            violations.note(Rule::LastState, Some(stream), now, format!("{name}: {what}"), bytes);
        };
        if wanted.all
            && let Some(newest) = seen_ticks.newest(epoch, symbol).filter(|newest| newest.tick.seq > seq)
        {
            wrong(format!("it ends on {seq}, others are at {}", newest.tick.seq), &newest.block);
            continue;
        }
        let Some(expected) = venue_state.get(name) else { continue };
        // Where its bytes are gone, others have moved far beyond, which only a stream that leaves parts out may lack.
        let Some(known) = seen_ticks.tick(epoch, symbol, seq) else {
            if seq == 0 {
                wrong("nothing came".to_owned(), b"");
            }
            continue;
        };
        match Values::read(known.data()) {
            Ok(values) => {
                if let Some(what) = difference(expected, &values, wanted) {
                    wrong(what, &known.block);
                }
            }
            Err(error) => wrong(error.to_string(), &known.block),
        }
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
    fn a_field_that_is_not_the_venues_is_named() {
        let expected = Values { price: Some("1.5".into()), bid: Some("1".into()), ..Values::default() };
        let got =
            Values { price: Some("1.5".into()), bid: Some("2".into()), ask: Some("3".into()), ..Values::default() };
        let wanted = Wanted::of_query("max_rate=4");
        assert_eq!(difference(&expected, &expected, wanted), None);
        assert_eq!(difference(&expected, &got, wanted).unwrap(), "its last bid is 2, the venue's 1");
        assert_eq!(difference(&expected, &got, Wanted::of_query("on=trade")), None);
        assert_eq!(
            difference(&expected, &Values::default(), wanted).unwrap(),
            "its last price is nothing, the venue's 1.5"
        );
    }
}
