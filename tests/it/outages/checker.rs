//! A client that judges each tick of its stream: the gateway may never show an old price as live.

use crate::support::{
    PATIENCE,
    bookkeeper::{Account, Bookkeeper, Manner},
    stream::Tick,
};
use std::{net::SocketAddr, time::Duration};

/// The state of a symbol as its client sees it.
#[derive(Debug, Clone, Default)]
pub(super) struct Shown {
    pub(super) seq: u64,
    pub(super) state: String,
    pub(super) reason: String,
    pub(super) stale: String,
    /// The ordinals of the venue's trade and quote, which it sends as their sizes.
    pub(super) ordinals: [u64; 2],
    /// The ordinals at the start of the last outage, and its start in µs.
    outage: Option<([u64; 2], u64)>,
    /// Every state so far with its reason, in order.
    pub(super) course: Vec<String>,
}

impl Shown {
    pub(super) fn is(&self, state: &str, reason: &str) -> bool {
        (self.state.as_str(), self.reason.as_str()) == (state, reason)
    }

    /// Live, and nothing in it is from before an outage.
    pub(super) fn is_whole(&self) -> bool {
        self.state == "live" && self.stale.is_empty()
    }
}

/// A client that judges each tick.
pub(super) struct Checker(Bookkeeper<Shown>);

impl Checker {
    pub(super) fn start(address: SocketAddr, symbols: &str) -> Self {
        let target = format!("/v1/stream?symbols={symbols}&heartbeat=5");
        Self(Bookkeeper::start(address, &target, Manner::Stays))
    }

    /// Waits until a symbol is shown as the test expects: within the documented time, plus the patience of a test.
    pub(super) fn wait(&self, symbol: &str, within: Duration, what: &str, will_do: impl Fn(&Shown) -> bool) {
        self.0.wait(within + PATIENCE, &format!("{symbol} is {what}"), |books| {
            books.entries.get(symbol).is_some_and(|entry| will_do(&entry.account))
        });
    }

    pub(super) fn shown(&self, symbol: &str) -> Shown {
        self.0.read(|books| books.entries.get(symbol).map(|entry| entry.account.clone()).unwrap_or_default())
    }

    /// How many times a tick other than the next one came.
    pub(super) fn holes(&self, symbol: &str) -> u64 {
        self.0.read(|books| books.entries.get(symbol).map_or(0, |entry| entry.holes))
    }

    /// Waits until the gateway ends the stream.
    pub(super) fn end(self) {
        self.0.end();
    }
}

impl Account for Shown {
    fn enter(&mut self, tick: &Tick) -> Result<(), String> {
        self.seq = tick.number("seq");
        // A trade that could not be read leaves nothing to show, rather than an older one.
        let known = |index: usize, name: &str| {
            Some(ordinal(tick.text(name))).filter(|&n| n > 0).unwrap_or(self.ordinals[index])
        };
        let ordinals = [known(0, "size"), known(1, "bid_size")];
        if ordinals.iter().zip(self.ordinals).any(|(new, old)| *new < old) {
            return Err("a part went back".to_owned());
        }
        let state = tick.text("state");
        let reason = tick.text("reason");
        let stale = tick.fields.get("stale").cloned().unwrap_or_default();
        if self.state != state || self.reason != reason {
            self.course.push(format!("{state} {reason}").trim().to_owned());
        }
        match state {
            "live" => self.judge_live(tick, ordinals, &stale)?,
            // A repeated state with the same `since` is the same outage.
            "stale" | "refused" | "closed" if self.outage.is_none_or(|(_, since)| since != tick.number("since")) => {
                self.outage = Some((self.ordinals, tick.number("since")));
            }
            _ => {}
        }
        (self.state, self.reason, self.stale) = (state.to_owned(), reason.to_owned(), stale);
        self.ordinals = ordinals;
        Ok(())
    }
}

impl Shown {
    /// After an outage, every part that is not marked as stale must be newer than before the outage.
    fn judge_live(&self, tick: &Tick, ordinals: [u64; 2], stale: &str) -> Result<(), String> {
        let Some((before, since)) = self.outage else { return Ok(()) };
        if tick.number("recv") < since {
            return Err("it is live with an update from before the outage".to_owned());
        }
        for (index, part) in ["trade", "quote"].into_iter().enumerate() {
            let is_told = stale.contains(&format!("\"{part}\""));
            if ordinals[index] > 0 && ordinals[index] <= before[index] && !is_told {
                return Err(format!("its {part} is from before the outage and not said to be stale"));
            }
            if ordinals[index] > before[index] && is_told {
                return Err(format!("its {part} is new, and said to be stale"));
            }
        }
        Ok(())
    }
}

/// The venue's sizes are ordinals, in units of its smallest size.
fn ordinal(size: &str) -> u64 {
    let Some((whole, fraction)) = size.split_once('.') else {
        // Without a fraction it is a number of shares, or of whole coins.
        return size.parse().unwrap_or(0);
    };
    whole.parse::<u64>().unwrap() * 100_000_000 + format!("{fraction:0<8}").parse::<u64>().unwrap()
}
