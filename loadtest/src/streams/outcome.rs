//! The results of the streams.

use super::plan::Protocol;
use crate::{
    check::Violations,
    measure::{Histogram, Second, StreamMeasures},
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
    pub late: Histogram,
    /// The answer of the first server that did not open a stream.
    pub refusal: Option<String>,
    /// What the connections spoke, and how many there were.
    pub connections: BTreeMap<(Protocol, Option<Negotiated>), u64>,
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
