//! The results of the streams.

use super::plan::Protocol;
use crate::{
    check::Violations,
    measure::{Lateness, Second, StreamMeasures},
    tls::Negotiated,
};
use std::collections::BTreeMap;

/// The results of the streams.
#[derive(Debug)]
pub struct Outcome {
    /// The measurements.
    pub measures: StreamMeasures,
    /// The violations.
    pub violations: Violations,
    /// The timeline, second by second.
    pub seconds: Vec<Second>,
    /// Turns of the event loop in which bytes may have waited for the load tester.
    pub late_turns: u64,
    /// How late the thread was by its own fault.
    pub late: Lateness,
    /// How late connects were begun, against their schedule.
    pub connects_late: Lateness,
    /// How many streams began to connect per second, up to the load.
    pub connects_per_second: Option<f64>,
    /// The mean share of one core that the thread used within the load.
    pub thread_cpu: Option<f64>,
    /// The answer of the first server that did not open a stream.
    pub refusal: Option<String>,
    /// What the connections spoke, and how many there were.
    pub connections: BTreeMap<(Protocol, Option<Negotiated>), u64>,
    /// The SHA-256 of the dictionary that streams were compressed with.
    pub dictionary: Option<String>,
    /// The streams that kept their first connection to the end and have read everything.
    pub stayed: Vec<Stayed>,
    /// Whether no stream left bytes unread, so that holes can be compared exactly.
    pub is_complete: bool,
}

/// A stream that kept its first connection to the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stayed {
    /// Its number.
    pub stream: u32,
    /// The server's name for it.
    pub name: Box<str>,
    /// The holes in its `seq`: ticks that it did not get.
    pub holes: u64,
}
