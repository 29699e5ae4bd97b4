//! Recordings: files of what venues sent, frame by frame.
//!
//! A feed records while it serves, or alone (`tickfan record`): its connections hand their frames to a [`Recorder`],
//! and a thread of its own writes them. `docs/recordings.md` describes the files.

mod write;

pub use write::{Frame, QUEUE_BYTES, RecordMetrics, Recorder, Recording, Settings, start};
