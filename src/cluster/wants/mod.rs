//! Which symbols of a shard the nodes' streams want.
//!
//! Each node sends all its symbols every ten seconds, and changes within 50 ms. Names travel in full. A lost message of
//! changes is made good by the next list; a node that is not heard for 30 s wants nothing.

mod message;
mod sender;
mod table;

pub use message::{MESSAGE_BYTES_MAX, MESSAGE_SYMBOLS_MAX, PARTS_MAX, Wants, WantsError, WantsMessage};
pub use sender::WantsSender;
pub use table::{NODE_SYMBOLS_MAX, Taken, WantsTable};
