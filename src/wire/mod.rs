//! The wire: encodes snapshots and events into the bytes that clients read, and reads event ids back.
//!
//! A frame is pure SSE and the same for every client and every transport. It is made of closed sets, numbers and
//! [`Symbol`](crate::market::Symbol)s only, so no value can break out of its field.

mod compression;
mod event;
mod event_id;
mod fields;
mod frame;
mod judges;
mod stream_name;
mod tick;
mod write;

pub use compression::{DICTIONARY_BYTES, DICTIONARY_END, Dictionary, DictionaryError, stored};
pub use event::{Bye, Hello, HelloDraft, HelloRights, ListChange, ListEvent, bye, heartbeat, hello};
pub use event_id::{Epoch, EventId, EventIdError};
pub use fields::{Presence, TICK_FIELDS, TickField, TickFields, ValueType};
pub use judges::Judges;
pub use stream_name::{StreamName, StreamNameError};
pub use tick::{patch_frame, tick_frame, write_tick};
