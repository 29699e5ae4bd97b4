//! Outages of a cluster: three built gateways over three real brokers, a venue that allows one connection, and clients
//! on all nodes that check every tick. Each test is a row of the table in `docs/cluster.md`: it breaks one thing, and
//! holds the cluster to its bound.
//!
//! `NATS_SERVER` names the program of the broker. Without `TEST_OUTAGES=all` only a few rows run, and the bounds are
//! longer: the machine may be busy with other tests.

#![cfg(feature = "cluster")]
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a test")]

#[path = "../nats/broker.rs"]
#[allow(dead_code, unreachable_pub, reason = "a module of two test binaries, which use their own parts of it")]
mod broker;
#[path = "../support/mod.rs"]
mod support;

mod brokers;
mod client;
mod link;
mod losses;
mod misfits;
mod owners;
mod restarts;
mod venue;
mod watch;
mod world;

use broker::tool;
use std::time::Duration;

/// Only a broken test waits so long.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a machine may take longer that is busy with other tests.
const BUSY: Duration = Duration::from_millis(2_500);

/// Whether all rows run, with their bounds as documented.
fn runs_all() -> bool {
    std::env::var("TEST_OUTAGES").is_ok_and(|rows| rows == "all")
}

/// A documented bound, with what a machine may take that is busy with other tests.
fn bound(documented: Duration) -> Duration {
    if runs_all() { documented } else { documented + BUSY }
}
