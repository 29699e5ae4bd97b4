//! The streams: one thread reads, checks and measures thousands of clients.
//!
//! It is one thread because one core has to be enough, and because comparing what streams have read then needs no
//! locks.

mod server_wire;
mod header;
mod plan;
mod group_settings;
mod setup;
mod control;
mod outcome;
mod descriptors;
mod probe;
mod dictionary;
mod dial;
mod timers;
mod pauses;
mod stages;
mod observer;
mod stream;
mod connection;
mod event_loop;
mod connections;
mod connections_h2;
mod progress;
mod final_checks;
mod pool;

pub use control::{Control, Progress};
pub use descriptors::{TooFewDescriptors, need_descriptors};
pub use header::{Header, HeaderError};
pub use outcome::{Outcome, Stayed};
pub use plan::{Group, Popularity, Protocol, Reads, plan_connections};
pub use pool::StreamPool;
pub use probe::{ProbeError, probe};
pub use server_wire::Wire;
pub use setup::Setup;
