//! A recorded market, read from a file of Binance's frames.

use flate2::read::GzDecoder;
use serde::Deserialize;
use std::{
    fs::File,
    io::{self, BufRead, BufReader, Read},
    path::Path,
    time::Duration,
};

/// The most updates in a recording: a few hundred MB.
const UPDATES_MAX: usize = 4_000_000;
/// The longest line of a recording: longer than any frame that a gateway accepts.
const LINE_MAX: u64 = 300 * 1_024;
/// The pause between a recording's end and its next round.
const BETWEEN_ROUNDS: Duration = Duration::from_millis(10);

/// An update of a recording.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// When it arrived, since the start of the recording.
    pub at: Duration,
    /// Binance's name of the symbol: `BTCUSDT`.
    pub name: String,
    /// Its content, with numbers as the venue wrote them.
    pub change: Change,
}

/// The content of an update.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// A trade.
    Trade {
        /// Price.
        price: String,
        /// Size.
        size: String,
        /// Whether the buyer was the maker.
        buyer_is_maker: bool,
    },
    /// The best bid and ask.
    Quote {
        /// Bid, its size, ask, its size.
        bid_ask: [String; 4],
    },
}

/// Updates in order.
#[derive(Debug, Clone)]
pub struct Recording {
    pub(super) updates: Vec<Recorded>,
    /// From its start to the start of its next round.
    pub(super) length: Duration,
}

/// Why a recording cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum RecordingError {
    /// The file cannot be read.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// A line is malformed. It must be a time in ns, a space, and a frame of Binance's combined streams.
    #[error("line {line}: {why}")]
    Line {
        /// Counted from 1.
        line: usize,
        /// What is wrong with it.
        why: String,
    },
    /// It holds no update.
    #[error("it holds neither a trade nor a quote")]
    Empty,
}

#[derive(Deserialize)]
struct Frame<'a> {
    #[serde(borrow)]
    data: Event<'a>,
}

#[derive(Deserialize)]
#[expect(non_snake_case, reason = "the venue's own keys, which differ only in case")]
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
        let content: Box<dyn Read> = if is_gzip { Box::new(GzDecoder::new(file)) } else { Box::new(file) };
        let mut content = BufReader::new(content);
        let mut line = String::new();
        let mut updates = Vec::new();
        for number in 1..=UPDATES_MAX {
            line.clear();
            let length = content.by_ref().take(LINE_MAX).read_line(&mut line)? as u64;
            if length == 0 {
                break;
            }
            let wrong = |why| RecordingError::Line { line: number, why };
            if length == LINE_MAX {
                return Err(wrong(format!("it is longer than any frame: {LINE_MAX} bytes or more")));
            }
            updates.extend(read_line(line.trim_end()).map_err(wrong)?);
        }
        Self::new(updates)
    }

    /// A recording of updates that are sorted by time. Times count from the first one.
    ///
    /// # Errors
    /// [`RecordingError::Empty`].
    pub fn new(mut updates: Vec<Recorded>) -> Result<Self, RecordingError> {
        let begin = updates.first().ok_or(RecordingError::Empty)?.at;
        let end = updates.last().ok_or(RecordingError::Empty)?.at;
        for update in &mut updates {
            update.at = update.at.saturating_sub(begin);
        }
        Ok(Self { updates, length: end.saturating_sub(begin) + BETWEEN_ROUNDS })
    }

    /// The round and the index of the `n`-th update.
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

/// The update of a line, if it holds one: a recording may hold acknowledgements too.
fn read_line(line: &str) -> Result<Option<Recorded>, String> {
    let (at, frame) = line.split_once(' ').ok_or("no space between time and frame")?;
    let at = Duration::from_nanos(at.parse().map_err(|_| format!("{at:?} is not a time in ns"))?);
    let Ok(Frame { data }) = serde_json::from_str::<Frame<'_>>(frame) else { return Ok(None) };
    let change = match (data.p, data.q, data.m, [data.b, data.B, data.a, data.A]) {
        (Some(price), Some(size), Some(buyer_is_maker), _) => {
            Change::Trade { price: price.to_owned(), size: size.to_owned(), buyer_is_maker }
        }
        (.., [Some(bid), Some(bid_size), Some(ask), Some(ask_size)]) => {
            Change::Quote { bid_ask: [bid, bid_size, ask, ask_size].map(str::to_owned) }
        }
        _ => return Ok(None),
    };
    Ok(Some(Recorded { at, name: data.s.to_owned(), change }))
}
