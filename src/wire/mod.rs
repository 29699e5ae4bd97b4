//! The wire: quotes and events into the bytes that clients read, and event ids back.
//!
//! A frame is pure SSE and the same for every client and every transport. Whatever goes into one is made of closed
//! sets, numbers and [`Symbol`](crate::market::Symbol)s, so nothing can break out of its field.

mod event;
mod event_id;
mod stream_name;
mod tick;

pub use event::{Bye, Hello, bye, heartbeat, hello};
pub use event_id::{Epoch, EventId, EventIdError};
pub use stream_name::StreamName;
pub use tick::{TickFields, tick_frame, write_tick};
