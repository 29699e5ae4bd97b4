//! A client that judges each tick of its stream: the gateway may never show an old price as live.

use super::{
    PATIENCE,
    bookkeeper::{Account, Bookkeeper, Manner},
    stream::Tick,
};
use std::{fmt::Debug, marker::PhantomData, net::SocketAddr, time::Duration};

/// The parts that a test's venue numbers.
const PARTS: [&str; 3] = ["trade", "quote", "stats"];
/// A number for each of them; 0 is none.
pub type Numbers = [u64; PARTS.len()];

/// How a test's venue numbers what it sends, so that old can be told from new.
pub trait Numbering: Debug + Clone + Default + Send + 'static {
    /// The numbers that a tick shows.
    fn read(tick: &Tick) -> Numbers;
}

/// The state of a symbol as its client sees it.
#[derive(Debug, Clone, Default)]
pub struct Shown<N> {
    pub seq: u64,
    pub state: String,
    pub reason: String,
    pub stale: String,
    pub numbers: Numbers,
    /// The numbers at the start of the last outage, and its start in µs.
    outage: Option<(Numbers, u64)>,
    /// Every state so far with its reason, in order.
    pub course: Vec<String>,
    numbering: PhantomData<N>,
}

impl<N> Shown<N> {
    pub fn is(&self, state: &str, reason: &str) -> bool {
        (self.state.as_str(), self.reason.as_str()) == (state, reason)
    }

    /// Live, and nothing in it is from before an outage.
    pub fn is_whole(&self) -> bool {
        self.state == "live" && self.stale.is_empty()
    }
}

/// A client that judges each tick.
pub struct Checker<N: Numbering>(Bookkeeper<Shown<N>>);

impl<N: Numbering> Checker<N> {
    pub fn start(address: SocketAddr, symbols: &str) -> Self {
        let target = format!("/v1/stream?symbols={symbols}&heartbeat=5");
        Self(Bookkeeper::start(address, &target, Manner::Stays))
    }

    /// Waits until a symbol is shown as the test expects: within the documented time, plus the patience of a test.
    pub fn wait(&self, symbol: &str, within: Duration, what: &str, will_do: impl Fn(&Shown<N>) -> bool) {
        self.0.wait(within + PATIENCE, &format!("{symbol} is {what}"), |books| {
            books.entries.get(symbol).is_some_and(|entry| will_do(&entry.account))
        });
    }

    pub fn shown(&self, symbol: &str) -> Shown<N> {
        self.0.read(|books| books.entries.get(symbol).map(|entry| entry.account.clone()).unwrap_or_default())
    }

    /// How many times a tick other than the next one came.
    pub fn holes(&self, symbol: &str) -> u64 {
        self.0.read(|books| books.entries.get(symbol).map_or(0, |entry| entry.holes))
    }

    /// Waits until the gateway ends the stream.
    pub fn end(self) {
        self.0.end();
    }
}

impl<N: Numbering> Account for Shown<N> {
    fn enter(&mut self, tick: &Tick) -> Result<(), String> {
        self.seq = tick.number("seq");
        let mut numbers = N::read(tick);
        for (number, last) in numbers.iter_mut().zip(self.numbers) {
            // A part that could not be read leaves nothing to show, rather than an older one.
            if *number == 0 {
                *number = last;
            }
            if *number < last {
                return Err("a part went back".to_owned());
            }
        }
        let state = tick.text("state");
        let reason = tick.text("reason");
        let stale = tick.fields.get("stale").cloned().unwrap_or_default();
        if self.state != state || self.reason != reason {
            self.course.push(format!("{state} {reason}").trim().to_owned());
        }
        match state {
            "live" => self.judge_live(tick, numbers, &stale)?,
            // A repeated state with the same `since` is the same outage.
            "stale" | "refused" | "closed" if self.outage.is_none_or(|(_, since)| since != tick.number("since")) => {
                self.outage = Some((self.numbers, tick.number("since")));
            }
            _ => {}
        }
        (self.state, self.reason, self.stale) = (state.to_owned(), reason.to_owned(), stale);
        self.numbers = numbers;
        Ok(())
    }
}

impl<N> Shown<N> {
    /// After an outage, every part that is not marked as stale must be newer than before the outage.
    fn judge_live(&self, tick: &Tick, numbers: Numbers, stale: &str) -> Result<(), String> {
        let Some((before, since)) = self.outage else { return Ok(()) };
        if tick.number("recv") < since {
            return Err("it is live with an update from before the outage".to_owned());
        }
        for (index, part) in PARTS.into_iter().enumerate() {
            let is_told = stale.contains(&format!("\"{part}\""));
            if numbers[index] > 0 && numbers[index] <= before[index] && !is_told {
                return Err(format!("its {part} is from before the outage and not said to be stale"));
            }
            if numbers[index] > before[index] && is_told {
                return Err(format!("its {part} is new, and said to be stale"));
            }
        }
        Ok(())
    }
}
