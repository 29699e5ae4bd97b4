//! The venues' protocols: one per file, no I/O, no clock. A venue says what to send and turns frames into updates.

use crate::market::{Now, Update};

/// One connection's side of a venue's protocol. It is made anew for each connection.
pub trait Venue: Send {
    /// Where to connect to: a `ws://` or `wss://` address.
    fn url(&self) -> String;

    /// The messages that subscribe to all symbols, in the order and in the batches that the venue wants them.
    fn subscribe(&mut self) -> Vec<Request>;

    /// The shortest time between two messages to the venue, and how long one connection may live.
    fn pace(&self) -> Pace;

    /// Reads one text or binary frame. Its updates are appended to `updates`, in the order in which they hold.
    ///
    /// # Errors
    /// [`DecodeError`] for bytes that the protocol does not know. What was appended before stands.
    fn read(&mut self, frame: &[u8], now: Now, updates: &mut Vec<Update>) -> Result<Message, DecodeError>;
}

/// A message to the venue, and the id under which it will be acknowledged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Found again in [`Message::Acknowledged`].
    pub id: u64,
    /// What to send, as a text frame.
    pub text: String,
}

/// What the venue's rules ask of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// The shortest time between two messages to the venue.
    pub between_requests: std::time::Duration,
    /// How long a connection is kept before it is replaced, under the venue's own limit.
    pub lifetime: Option<std::time::Duration>,
}

/// What a frame was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Message {
    /// Market data; its updates were appended.
    Data,
    /// The request with this id is accepted.
    Acknowledged(u64),
    /// The request with this id is refused.
    Refused(u64),
    /// The venue will close the connection soon: a new one is due now.
    Closing,
    /// Something known that says nothing of the market.
    Other,
}

/// Why a frame, or a field of it, could not be read: a label of a counter, so a closed set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// Not JSON, or cut off.
    #[error("not JSON")]
    Json,
}
