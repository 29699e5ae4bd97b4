//! Reads a stream all the while and judges each tick: nothing old may ever be shown as live.

use crate::support::{
    PATIENCE,
    stream::{Event, Stream, Tick},
};
use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, Condvar, Mutex},
    thread::JoinHandle,
    time::{Duration, Instant},
};

/// What a client is shown of a symbol.
#[derive(Debug, Clone, Default)]
pub(super) struct Shown {
    pub(super) seq: u64,
    pub(super) state: String,
    pub(super) reason: String,
    pub(super) stale: String,
    /// Which of the venue's trades and quotes is shown: its sizes tell.
    pub(super) ordinals: [u64; 2],
    /// What was shown when the last outage was told, and when that was, in µs.
    outage: Option<([u64; 2], u64)>,
    /// Each state that was shown, in order, with its reason.
    pub(super) course: Vec<String>,
    /// How many times a tick other than the next one came.
    pub(super) holes: u64,
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

#[derive(Default)]
struct Board {
    shown: HashMap<String, Shown>,
    /// The first thing that was wrong.
    wrong: Option<String>,
    ended: bool,
}

/// A client that reads on a thread of its own.
pub(super) struct Checker {
    board: Arc<(Mutex<Board>, Condvar)>,
    thread: Option<JoinHandle<()>>,
}

impl Checker {
    pub(super) fn start(address: SocketAddr, symbols: &str) -> Self {
        let mut stream = Stream::open(address, &format!("/v1/stream?symbols={symbols}&heartbeat=5"));
        stream.named("hello");
        let board = Arc::new((Mutex::new(Board::default()), Condvar::new()));
        let shared = board.clone();
        let thread = std::thread::spawn(move || {
            while let Some(event) = stream.next() {
                let mut board = shared.0.lock().unwrap();
                match event {
                    Event::Tick(tick) => board.take(&tick),
                    Event::Named(..) => break,
                }
                shared.1.notify_all();
            }
            shared.0.lock().unwrap().ended = true;
            shared.1.notify_all();
        });
        Self { board, thread: Some(thread) }
    }

    /// Waits until a symbol is shown as it should be; it must come within what is documented, and the patience of a test.
    pub(super) fn wait(&self, symbol: &str, within: Duration, what: &str, will_do: impl Fn(&Shown) -> bool) -> Shown {
        let deadline = Instant::now() + within + PATIENCE;
        let mut board = self.board.0.lock().unwrap();
        loop {
            assert_eq!(board.wrong, None);
            if let Some(shown) = board.shown.get(symbol).filter(|shown| will_do(shown)) {
                return shown.clone();
            }
            assert!(!board.ended, "the stream ended before {symbol} was {what}");
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "{symbol} was not {what} within {within:?}: {:?}", board.shown.get(symbol));
            board = self.board.1.wait_timeout(board, left).unwrap().0;
        }
    }

    pub(super) fn shown(&self, symbol: &str) -> Shown {
        let board = self.board.0.lock().unwrap();
        assert_eq!(board.wrong, None);
        board.shown.get(symbol).cloned().unwrap_or_default()
    }

    /// Waits for the stream's end, which the gateway brings about.
    pub(super) fn end(mut self) {
        self.thread.take().unwrap().join().unwrap();
        assert_eq!(self.board.0.lock().unwrap().wrong, None);
    }
}

impl Board {
    fn take(&mut self, tick: &Tick) {
        let shown = self.shown.entry(tick.text("symbol").to_owned()).or_default();
        if let Err(wrong) = shown.take(tick) {
            self.wrong.get_or_insert(format!("{wrong}: {:?}, after {shown:?}", tick.fields));
        }
    }
}

impl Shown {
    fn take(&mut self, tick: &Tick) -> Result<(), String> {
        let seq = tick.number("seq");
        // Before its first update a symbol may say several times what it waits for.
        if seq <= self.seq && seq > 0 {
            return Err("its number is not higher".to_owned());
        }
        self.holes += u64::from(seq > self.seq + 1 && self.seq > 0);
        self.seq = seq;
        // A trade that could not be read leaves nothing to show, rather than an older one.
        let known = |index: usize, name: &str| {
            Some(ordinal(tick.text(name))).filter(|&n| n > 0).unwrap_or(self.ordinals[index])
        };
        let ordinals = [known(0, "size"), known(1, "bid_size")];
        if ordinals.iter().zip(self.ordinals).any(|(new, old)| *new < old) {
            return Err("a part went back".to_owned());
        }
        let (state, reason) = (tick.text("state"), tick.text("reason"));
        let stale = tick.fields.get("stale").cloned().unwrap_or_default();
        if self.state != state || self.reason != reason {
            self.course.push(format!("{state} {reason}").trim().to_owned());
        }
        match state {
            "live" => self.judge_live(tick, ordinals, &stale)?,
            // Told again, it is the same outage, however much came meanwhile.
            "stale" | "refused" | "closed" if self.outage.is_none_or(|(_, since)| since != tick.number("since")) => {
                self.outage = Some((self.ordinals, tick.number("since")));
            }
            _ => {}
        }
        (self.state, self.reason, self.stale) = (state.to_owned(), reason.to_owned(), stale);
        self.ordinals = ordinals;
        Ok(())
    }

    /// What was received after an outage, and is not said to be stale, must be newer than what was known before it.
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
