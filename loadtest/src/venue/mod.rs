//! A scriptable venue behind a real websocket. It trades at a rate or plays a recording; on command it breaks off, goes
//! mute, drips, or sends malformed messages.
//!
//! ```text
//! market ─► generator ─► connections ─► feeds
//!  state     thread       tokio task
//! ```
//! The generator's schedule is open-loop: an update's venue time is when it was due, not when it was sent, so that a
//! late update shows up as late. It generates only what a connection has subscribed to, so the market's newest state is
//! what was sent.

mod recording;
mod protocol;
mod load;
mod setup;
mod batch;
mod history;
mod market;
mod request;
mod binance;
mod alpaca;
mod coinbase;
mod encoding;
mod dialogue;
mod command;
mod shared;
mod generator;
mod drip_socket;
mod connection;
mod running;

pub use command::{Bad, Command, Door, Flow};
pub use history::{History, Part};
pub use load::Load;
pub use market::Newest;
pub use protocol::Protocol;
pub use recording::{Change, Recorded, Recording, RecordingError};
pub use running::Venue;
pub use setup::Setup;
pub use shared::Sent;
