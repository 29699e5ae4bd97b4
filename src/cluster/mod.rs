//! Many gateways with one connection to each venue: who owns a shard, and how the others follow.
//!
//! Pure machines: they do no I/O and read no clock. Each takes events and the time, and says what to do. Apart from
//! them, [`bus`] says what tasks need of a broker.

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
pub mod follower;
pub mod bus;
pub mod memory;
#[cfg(feature = "cluster")]
pub mod nats;
#[cfg(test)]
#[path = "support_tests.rs"]
mod support;
