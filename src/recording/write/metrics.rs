//! The metrics of a recording.

use crate::telemetry::catalog;
use metrics::{Counter, Gauge, SharedString};

/// The registered handles of one feed's recording.
#[derive(Debug, Clone)]
pub struct RecordMetrics {
    /// 1 while the feed is recorded, 0 once the recording has failed.
    pub(super) recording: Gauge,
    /// What was written to the files.
    pub(super) bytes: Counter,
    /// The frames in them.
    pub(super) frames: Counter,
    /// The frames that did not fit into the queue.
    pub(super) dropped: Counter,
}

impl RecordMetrics {
    /// Registers the handles of the feed of this name with the recorder that is installed.
    pub fn register(feed: &str) -> Self {
        let feed = SharedString::from(feed.to_owned());
        Self {
            recording: catalog::FEED_RECORDING.handle([feed.clone()]),
            bytes: catalog::FEED_RECORDED_BYTES.handle([feed.clone()]),
            frames: catalog::FEED_RECORDED_FRAMES.handle([feed.clone()]),
            dropped: catalog::FEED_RECORD_DROPPED.handle([feed]),
        }
    }
}
