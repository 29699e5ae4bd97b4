//! Writes recordings. A connection copies its frames into a bounded queue, and never waits; a thread per feed formats,
//! compresses and writes them.

mod files;
mod line;
mod member;
mod metrics;
mod queue;
mod thread;
mod writer;

pub use metrics::RecordMetrics;
pub use queue::QUEUE_BYTES;
pub use thread::{Recording, start};

use crate::market::Now;
use ::metrics::Counter;
use queue::{Queue, Unsaid, What};
use std::{path::PathBuf, sync::Arc};

/// What a feed records, and where.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The feed's name, with which its files begin.
    pub feed: String,
    /// The name of its venue.
    pub venue: &'static str,
    /// The canonical symbols of each of its first connections.
    pub symbols: Vec<Vec<String>>,
    /// Where the files go. The folder is made if it is not there.
    pub folder: PathBuf,
    /// The most bytes of all the feed's files there; the oldest file is deleted to stay within.
    pub bytes_max: u64,
    /// The most bytes that wait to be written: [`QUEUE_BYTES`].
    pub queue_bytes: usize,
}

/// A frame of a venue.
#[derive(Debug, Clone, Copy)]
pub enum Frame<'a> {
    /// A text frame.
    Text(&'a [u8]),
    /// A binary frame.
    Binary(&'a [u8]),
}

/// Records one connection of a feed. It never waits for the disk. Dropped, it has recorded all; the recording ends
/// with the last recorder of its feed.
#[derive(Debug)]
pub struct Recorder {
    connection: usize,
    queue: Arc<Queue>,
    /// What did not fit into the queue.
    unsaid: Unsaid,
    dropped: Counter,
    /// The time of the last call.
    last: Option<Now>,
}

impl Recorder {
    /// A recorder of another connection of the feed, or of this one once more.
    pub fn another(&self, connection: usize) -> Self {
        self.queue.join();
        Self {
            connection,
            queue: self.queue.clone(),
            unsaid: Unsaid::default(),
            dropped: self.dropped.clone(),
            last: None,
        }
    }

    /// From now on the connection has these symbols: the next head in its file names them.
    pub fn list<'s>(&mut self, symbols: impl Iterator<Item = &'s str>, now: Now) {
        let symbols = symbols.collect::<Vec<_>>().join(",");
        self.push(What::List, symbols.as_bytes(), now);
    }

    /// A connection is open.
    pub fn opened(&mut self, now: Now) {
        self.push(What::Opened, &[], now);
    }

    /// The venue sent a frame.
    pub fn frame(&mut self, frame: Frame<'_>, now: Now) {
        let (what, bytes) = match frame {
            Frame::Text(bytes) => (What::Text, bytes),
            Frame::Binary(bytes) => (What::Binary, bytes),
        };
        if !self.push(what, bytes, now) {
            self.dropped.increment(1);
        }
    }

    /// The connection has ended. The reason is one word of ours, never the venue's.
    pub fn closed(&mut self, reason: &'static str, now: Now) {
        self.push(What::Closed(reason), &[], now);
    }

    fn push(&mut self, what: What, bytes: &[u8], now: Now) -> bool {
        self.last = Some(now);
        self.queue.push(self.connection, &mut self.unsaid, what, bytes, now)
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.queue.leave(self.connection, &mut self.unsaid, self.last);
    }
}
