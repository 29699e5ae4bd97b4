//! What a market once did: read from a file of Binance's frames.

use flate2::read::GzDecoder;
use serde::Deserialize;
use std::{
    fs::File,
    io::{self, BufRead, BufReader, Read},
    path::Path,
    time::Duration,
};

/// Updates in a recording, at most: a few hundred MB.
const UPDATES_MAX: usize = 4_000_000;
/// A line of it: more than any gateway takes of a frame.
const LINE_MAX: u64 = 300 * 1_024;
/// A quiet moment between a recording's end and its next round.
const BETWEEN_ROUNDS: Duration = Duration::from_millis(10);

/// An update of a recording.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// When it came, from the recording's begin.
    pub at: Duration,
    /// Binance's name of the symbol: `BTCUSDT`.
    pub name: String,
    /// What it says. Numbers are as they were written.
    pub change: Change,
}

/// What an update of a recording says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// A trade.
    Trade {
        /// Price.
        price: String,
        /// Size.
        size: String,
        /// Whether the buyer was there first.
        buyer_is_maker: bool,
    },
    /// The best bid and ask.
    Quote {
        /// Bid, its size, ask, its size.
        bid_ask: [String; 4],
    },
}

/// Updates in their order.
#[derive(Debug, Clone)]
pub struct Recording {
    pub(super) updates: Vec<Recorded>,
    /// From its begin to that of its next round.
    pub(super) length: Duration,
}

/// Why a recording cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum RecordingError {
    /// The file cannot be read.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// A line is not as it should be: a time in ns, a space, and a frame of Binance's combined streams.
    #[error("line {line}: {why}")]
    Line {
        /// Counted from 1.
        line: usize,
        /// What is wrong with it.
        why: String,
    },
    /// Nothing in it is an update.
    #[error("it holds no trade and no quote")]
    Empty,
}

#[derive(Deserialize)]
struct Frame<'a> {
    #[serde(borrow)]
    data: Event<'a>,
}

#[derive(Deserialize)]
#[expect(non_snake_case, reason = "the venue's own keys, which differ only by case")]
struct Event<'a> {
    s: &'a str,
    p: Option<&'a str>,
    q: Option<&'a str>,
    m: Option<bool>,
    b: Option<&'a str>,
    B: Option<&'a str>,
    a: Option<&'a str>,
    A: Option<&'a str>,
}

impl Recording {
    /// Reads a file, gzipped if its name ends in `.gz`.
    ///
    /// # Errors
    /// [`RecordingError`].
    pub fn read(path: &Path) -> Result<Self, RecordingError> {
        let file = BufReader::new(File::open(path)?);
        let is_gzip = path.extension().is_some_and(|extension| extension == "gz");
        let text: Box<dyn Read> = if is_gzip { Box::new(GzDecoder::new(file)) } else { Box::new(file) };
        let (mut text, mut line, mut updates) = (BufReader::new(text), String::new(), Vec::new());
        for number in 1..=UPDATES_MAX {
            line.clear();
            let length = text.by_ref().take(LINE_MAX).read_line(&mut line)? as u64;
            if length == 0 {
                break;
            }
            let wrong = |why| RecordingError::Line { line: number, why };
            if length == LINE_MAX {
                return Err(wrong(format!("it has {LINE_MAX} bytes or more, which no frame has")));
            }
            updates.extend(read_line(line.trim_end()).map_err(wrong)?);
        }
        Self::new(updates)
    }

    /// Updates in the order of their times, which are taken from the first one on.
    ///
    /// # Errors
    /// There are none.
    pub fn new(mut updates: Vec<Recorded>) -> Result<Self, RecordingError> {
        let (Some(begin), Some(end)) = (updates.first().map(|first| first.at), updates.last().map(|last| last.at))
        else {
            return Err(RecordingError::Empty);
        };
        for update in &mut updates {
            update.at = update.at.saturating_sub(begin);
        }
        Ok(Self { updates, length: end.saturating_sub(begin) + BETWEEN_ROUNDS })
    }

    /// Which round and which update the `n`-th is.
    pub(super) fn place(&self, n: u64, looped: bool) -> Option<(u64, usize)> {
        let count = self.updates.len() as u64;
        (looped || n < count).then_some((n / count, (n % count) as usize))
    }

    /// Binance's names of its symbols, each once.
    pub fn names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.updates.iter().map(|update| update.name.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        names
    }
}

/// An update, if the line holds one: a recording may hold acknowledgements too.
fn read_line(line: &str) -> Result<Option<Recorded>, String> {
    let (at, frame) = line.split_once(' ').ok_or("no space between time and frame")?;
    let at = Duration::from_nanos(at.parse().map_err(|_| format!("{at:?} is no time in ns"))?);
    let Ok(Frame { data }) = serde_json::from_str::<Frame<'_>>(frame) else { return Ok(None) };
    let owned = |text: &str| text.to_owned();
    let change = match (data.p, data.q, data.m, [data.b, data.B, data.a, data.A]) {
        (Some(price), Some(size), Some(buyer_is_maker), _) => {
            Change::Trade { price: owned(price), size: owned(size), buyer_is_maker }
        }
        (.., [Some(bid), Some(bid_size), Some(ask), Some(ask_size)]) => {
            Change::Quote { bid_ask: [bid, bid_size, ask, ask_size].map(owned) }
        }
        _ => return Ok(None),
    };
    Ok(Some(Recorded { at, name: data.s.to_owned(), change }))
}
