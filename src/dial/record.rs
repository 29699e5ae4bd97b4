//! What an attempt to connect has done so far. The attempt's owner reads it too: an attempt that takes too long is
//! dropped, and could report nothing.

use std::{
    fmt,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// The most addresses that are remembered as failed: those of two attempts.
const FAILED_MAX: usize = 16;

/// A record, shared between an attempt and its owner. A std mutex: held for a few steps, never across an await.
#[derive(Debug, Clone, Default)]
pub(super) struct SharedRecord(Arc<Mutex<Record>>);

#[derive(Debug, Default)]
struct Record {
    step: Step,
    /// The addresses of this attempt, each with what came of it.
    tried: Vec<(SocketAddr, Outcome)>,
    /// The addresses that failed since an attempt succeeded, the newest last.
    failed: Vec<SocketAddr>,
    opened: bool,
}

/// What an attempt waits for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Step {
    #[default]
    QueuedLookUp,
    LookUp,
    Connect,
    Proxy,
    Handshake,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::QueuedLookUp => "waiting for earlier name look-ups, which hang",
            Self::LookUp => "waiting for the name look-up",
            Self::Connect => "waiting for an address to accept a connection",
            Self::Proxy => "waiting for the proxy's answer",
            Self::Handshake => "waiting for the handshake",
        })
    }
}

/// What came of an address.
#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    Begun,
    Connected,
    Failed(String),
}

impl SharedRecord {
    fn lock(&self) -> MutexGuard<'_, Record> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A new attempt begins. Unless the last one succeeded, all of its addresses have failed: also one that accepted a
    /// connection and then said nothing.
    pub(super) fn begin(&self) {
        let mut record = self.lock();
        let tried = std::mem::take(&mut record.tried);
        if !std::mem::take(&mut record.opened) {
            record.failed.extend(tried.into_iter().map(|(address, _)| address));
        }
        let surplus = record.failed.len().saturating_sub(FAILED_MAX);
        record.failed.drain(..surplus);
        record.step = Step::default();
    }

    /// The addresses that failed in earlier attempts, the newest last.
    pub(super) fn failed_before(&self) -> Vec<SocketAddr> {
        self.lock().failed.clone()
    }

    pub(super) fn step(&self, step: Step) {
        self.lock().step = step;
    }

    pub(super) fn begun(&self, address: SocketAddr) {
        self.lock().tried.push((address, Outcome::Begun));
    }

    pub(super) fn connected(&self, address: SocketAddr) {
        self.set(address, Outcome::Connected);
    }

    pub(super) fn failed(&self, address: SocketAddr, why: String) {
        self.set(address, Outcome::Failed(why));
    }

    /// The last entry of an address counts: a redirect may lead to the same one again.
    fn set(&self, address: SocketAddr, outcome: Outcome) {
        let mut record = self.lock();
        if let Some(entry) = record.tried.iter_mut().rev().find(|(tried, _)| *tried == address) {
            entry.1 = outcome;
        }
    }

    /// The attempt has succeeded.
    pub(super) fn opened(&self) {
        let mut record = self.lock();
        record.opened = true;
        record.failed.clear();
    }

    /// What the attempt waits for, for an attempt that has taken too long.
    pub(super) fn waits_for(&self) -> String {
        self.lock().step.to_string()
    }

    /// The addresses that were tried, with what came of each; empty where it never came to that.
    pub(super) fn tried(&self) -> String {
        let record = self.lock();
        let entries = record.tried.iter().map(|(address, outcome)| match outcome {
            Outcome::Begun => format!("{address} no answer"),
            Outcome::Connected => format!("{address} connected"),
            Outcome::Failed(why) => format!("{address} {why}"),
        });
        entries.collect::<Vec<_>>().join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(port: u16) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], port))
    }

    /// An attempt that tried these, and whether it succeeded.
    fn attempt(record: &SharedRecord, ports: &[u16], opened: bool) {
        record.begin();
        ports.iter().for_each(|port| record.begun(address(*port)));
        if opened {
            record.opened();
        }
    }

    #[test]
    fn addresses_are_remembered_as_failed_until_an_attempt_succeeds() {
        let record = SharedRecord::default();
        let failed_before = |ports: &[u16]| {
            record.begin();
            assert_eq!(record.failed_before(), ports.iter().map(|port| address(*port)).collect::<Vec<_>>());
        };
        attempt(&record, &[1], false);
        failed_before(&[1]);
        attempt(&record, &[2, 3], false);
        failed_before(&[1, 2, 3]);
        attempt(&record, &[1], false);
        failed_before(&[1, 2, 3, 1]);
        attempt(&record, &[4, 2], true);
        failed_before(&[]);
    }

    #[test]
    fn rule_10_the_memory_of_failed_addresses_is_bounded() {
        let record = SharedRecord::default();
        (0..100).for_each(|port| attempt(&record, &[port], false));
        record.begin();
        let failed = record.failed_before();
        assert_eq!((failed.len(), failed.last()), (FAILED_MAX, Some(&address(99))));
    }

    #[test]
    fn each_address_is_named_with_its_outcome() {
        let record = SharedRecord::default();
        assert_eq!(record.tried(), "");
        attempt(&record, &[1, 2, 3], false);
        record.failed(address(1), "refused".to_owned());
        record.connected(address(3));
        assert_eq!(record.tried(), "127.0.0.1:1 refused, 127.0.0.1:2 no answer, 127.0.0.1:3 connected");
    }
}
