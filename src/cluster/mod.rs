//! Many gateways with one connection to each venue: who owns a shard, and how the others follow.
//!
//! First pure machines, which do no I/O and read no clock: each takes events and the time, and says what to do. Then
//! [`bus`] says what a broker has to do, and the tasks do the I/O: one for each shard, and one for the node.

pub mod clock;
pub mod names;
pub mod token;
pub mod json;
pub mod lease;
pub mod symbol_list;
pub mod node_report;
pub mod members;
mod list_watch;
pub mod node_seen;
pub mod successor;
pub mod give;
pub mod wants;
pub mod message;
pub mod batch;
pub mod history;
pub mod tape;
pub mod follower;
pub mod shard;
pub mod bus;
pub mod memory;
#[cfg(feature = "cluster")]
pub mod nats;
pub mod report;
pub mod cache_book;
pub mod owned_feed;
mod outlet;
mod owner;
mod shard_io;
mod shard_wants;
pub mod shard_task;
pub mod handle;
pub mod node;
#[cfg(test)]
#[path = "support_tests.rs"]
mod support;
