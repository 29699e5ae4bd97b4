//! Many gateways with one connection to each venue: who owns a shard, and how the others follow.
//!
//! Pure machines. They do no I/O and read no clock: each takes events and the time, and says what to do.

pub mod clock;
pub mod names;
pub mod token;
pub mod lease;
pub mod members;
pub mod give;
pub mod wants;
pub mod message;
pub mod batch;
pub mod history;
pub mod tape;
pub mod follower;
pub mod shard;
#[cfg(test)]
#[path = "support_tests.rs"]
mod support;
