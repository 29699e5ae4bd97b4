//! A recording that is being played: a thread reads ahead, by a bounded amount, and the next message has its time.

use super::{
    pace::Pace,
    wire::{self, ENDED, STARTS_OVER},
};
use crate::{
    recording::{Merged, Played, RecordingError, UnixNanos},
    venue::Playback,
};
use std::time::Instant;
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::Bytes;
use tracing::{info, warn};

/// A chunk is full at so many bytes.
const CHUNK_BYTES: usize = 64 << 10;
/// Full chunks that wait to be played.
const CHUNKS_MAX: usize = 4;

/// Messages, each with the time at which it was recorded.
type Chunk = Vec<(UnixNanos, Bytes)>;

/// A recording that is being played. It outlives connections: the next one goes on where the last one left.
pub(super) struct Player {
    playback: Playback,
    pace: Pace,
    chunks: mpsc::Receiver<Chunk>,
    chunk: std::vec::IntoIter<(UnixNanos, Bytes)>,
    /// The message that is next, and when.
    next: Option<(Instant, Bytes)>,
    /// Whether this pass has played anything.
    has_played: bool,
    has_ended: bool,
}

impl Player {
    /// Must be called within a tokio runtime.
    pub(super) fn new(playback: Playback) -> Self {
        Self {
            pace: Pace::new(playback.speed),
            chunks: read_ahead(&playback),
            playback,
            chunk: Vec::new().into_iter(),
            next: None,
            has_played: false,
            has_ended: false,
        }
    }

    /// The next message, and when it is due; it stays the next until it is [taken](Self::take). `None` once the end
    /// was told.
    ///
    /// # Cancel safety
    /// Nothing is lost.
    pub(super) async fn due(&mut self) -> Option<Instant> {
        while self.next.is_none() && !self.has_ended {
            if let Some((at, message)) = self.chunk.next() {
                self.has_played = true;
                self.next = Some((self.pace.due(at, Instant::now()), message));
            } else if let Some(chunk) = self.chunks.recv().await {
                self.chunk = chunk.into_iter();
            } else {
                self.end_pass();
            }
        }
        self.next.as_ref().map(|(due, _)| *due)
    }

    /// Takes the message that was due.
    pub(super) fn take(&mut self) -> Option<Bytes> {
        self.next.take().map(|(_, message)| message)
    }

    /// Tells a new connection what it has to know.
    pub(super) fn connected(&mut self) {
        if self.has_ended {
            self.next = Some((Instant::now(), Bytes::from_static(ENDED)));
        }
    }

    fn end_pass(&mut self) {
        // A pass without an entry, as of files that have vanished, would repeat for ever.
        if self.playback.repeats && std::mem::take(&mut self.has_played) {
            info!("the recording begins again");
            self.pace.restart();
            self.chunks = read_ahead(&self.playback);
            self.next = Some((Instant::now(), Bytes::from_static(STARTS_OVER)));
        } else {
            self.has_ended = true;
            self.next = Some((Instant::now(), Bytes::from_static(ENDED)));
        }
    }
}

/// Reads the files on a thread of its own: a slow disk must not hold up the feed.
fn read_ahead(playback: &Playback) -> mpsc::Receiver<Chunk> {
    let (chunks_tx, chunks_rx) = mpsc::channel(CHUNKS_MAX);
    let files = playback.files.clone();
    let sources = wire::sources(&files);
    tokio::task::spawn_blocking(move || {
        let mut chunk = Chunk::new();
        let mut bytes = 0;
        for item in Merged::new(files) {
            let Played { file, entry } = match item {
                Ok(played) => played,
                Err(error) => {
                    notice(&error);
                    continue;
                }
            };
            let message = wire::write(sources[file], &entry.record);
            bytes += message.len();
            chunk.push((entry.at, message.into()));
            if bytes >= CHUNK_BYTES {
                bytes = 0;
                // Without a receiver nothing is played any more.
                if chunks_tx.blocking_send(std::mem::take(&mut chunk)).is_err() {
                    return;
                }
            }
        }
        let _ = chunks_tx.blocking_send(chunk);
    });
    chunks_rx
}

/// The rest of a file is missing; the others are played.
fn notice(error: &RecordingError) {
    match error {
        RecordingError::Cut { .. } => info!(%error, "a recording ends early"),
        _ => warn!(%error, "a recording cannot be read on"),
    }
}
