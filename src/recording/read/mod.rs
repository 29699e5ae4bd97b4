//! Reads recordings, ours and those of others: files, compressed or not, become entries in order of their times.
//!
//! `members` and `bytes` decompress, `format` reads lines, `file` joins them, and `merge` reads many files as one.
//! Memory does not grow with a file: a line has a limit, and only files whose times overlap are open at once.

mod bytes;
mod error;
mod file;
mod format;
mod members;
mod merge;
mod time;

pub use error::RecordingError;
pub use file::{Inspection, inspect};
pub use format::Format;
pub use merge::{Merged, Played};

/// The longest frame that is played, in bytes: several times what any venue is known to send.
pub const FRAME_BYTES_MAX: usize = 1 << 20;
/// The longest line of a file, in bytes: a frame within JSON is longer than the frame.
pub const LINE_BYTES_MAX: usize = 4 * FRAME_BYTES_MAX;
/// The most files of a recording: more than a year of hours.
pub const FILES_MAX: usize = 10_000;
/// The first lines decide what a file is.
const FIRST_LINES: usize = 20;
