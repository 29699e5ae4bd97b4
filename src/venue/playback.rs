//! A recording to play, as the configuration sets it.

use super::Spec;
use crate::market::Origin;
use std::{fmt, path::PathBuf};

/// A recording of a venue's frames, and how to play it.
#[derive(Debug, Clone, PartialEq)]
pub struct Playback {
    /// The venue whose frames these are.
    pub protocol: &'static Spec,
    /// The address that the frames came from, where what the protocol reads depends on it.
    pub url: Option<String>,
    /// The files, each once. Their frames are merged by their times.
    pub files: Vec<PathBuf>,
    /// How fast.
    pub speed: Speed,
    /// Whether it begins again when it has ended.
    pub repeats: bool,
}

impl Playback {
    /// Where its data come from: a recorded simulation is still one.
    pub fn origin(&self) -> Origin {
        match (self.protocol.origin)(self.url.as_deref()) {
            Origin::Sim => Origin::Sim,
            Origin::Market | Origin::Delayed | Origin::Replay => Origin::Replay,
        }
    }
}

/// How fast a recording is played.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Speed {
    /// So many times as fast as it was recorded.
    Times(f64),
    /// As fast as it is read.
    Max,
}

impl Speed {
    /// The range of [`Speed::Times`]: an hour in four days, and a day in 86 s.
    pub const RANGE: std::ops::RangeInclusive<f64> = 0.01..=1_000.0;
}

/// As the configuration writes it.
impl fmt::Display for Speed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Times(times) => write!(f, "{times}"),
            Self::Max => f.write_str("\"max\""),
        }
    }
}
