//! Recordings: the frames of a venue with their times of receipt, in files.
//!
//! `line` has the layout of our own files, `write` writes them, and `read` reads them and those of others. A leaf, like
//! `market`: it knows neither venues nor feeds. `docs/recordings.md` describes the files.

mod line;
mod read;
mod write;

pub use line::{Entry, Header, Record, UnixNanos};
pub use read::{
    FILES_MAX, FRAME_BYTES_MAX, Format, Inspection, LINE_BYTES_MAX, Merged, Played, RecordingError, inspect,
};
pub use write::{Frame, QUEUE_BYTES, RecordMetrics, Recorder, Recording, Settings, start};
