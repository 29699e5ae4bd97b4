//! The venues' protocols: one per file, no I/O, no clock. A venue says what to send and turns frames into updates.
//!
//! `feed` calls them. Nothing here can fail for good: bytes that make no sense are a counted [`DecodeError`], whatever they are.

mod address;
mod binance;
mod names;
mod raw;
pub(crate) mod sim;

pub use crate::telemetry::feed::DecodeError;
pub use binance::Binance;
pub use sim::Sim;

use crate::{
    config::{Feed, VenueKind},
    market::{Symbol, Update},
    telemetry::labels::Tally,
};
use std::time::Duration;

/// One feed's side of a venue's protocol, for one connection after another.
pub trait Venue: Send {
    /// Where to connect to: a `ws://` or `wss://` address.
    fn url(&self) -> &str;

    /// What the venue's rules ask of a connection.
    fn rules(&self) -> Rules;

    /// Begins a connection: the messages that subscribe to all symbols, in the order and in the batches that the venue wants.
    fn subscribe(&mut self) -> Vec<Request>;

    /// Reads one text or binary frame. Its updates are appended to the batch, in the order in which they hold; a field that
    /// cannot be read is left out and counted there.
    ///
    /// # Errors
    /// [`DecodeError`] for a frame that is dropped as a whole. It is not counted yet. What was appended before stands.
    fn read(&mut self, frame: &[u8], batch: &mut Batch) -> Result<Message, DecodeError>;
}

/// What comes out of frames.
#[derive(Debug, Default)]
pub struct Batch {
    /// The updates, oldest first.
    pub updates: Vec<Update>,
    /// What was dropped, by reason.
    pub errors: Tally<DecodeError>,
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
pub struct Rules {
    /// The shortest time between two messages to the venue, pings among them.
    pub between_requests: Duration,
    /// How long a connection is kept before it is replaced, under the venue's own limit.
    pub lifetime: Option<Duration>,
    /// No data for so long is an outage, however well the venue answers pings. `None` where silence can be normal.
    pub mute_after: Option<Duration>,
}

/// What a frame was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Message {
    /// Market data; its updates were appended.
    Data,
    /// The request with this id is accepted.
    Acknowledged(u64),
    /// The request with this id is refused; without an id it is the oldest that nothing answered yet.
    Refused(Option<u64>),
    /// The venue will close the connection soon: a new one is due now.
    Closing,
    /// JSON that says nothing that is used here.
    Other,
}

/// Why a feed's configuration fits no connection to its venue.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VenueError {
    /// Two canonical names meet on one name of the venue: their updates could not be told apart.
    #[error("{first} and {second} are both {name:?} at the venue; keep one of them, or map the other to another name")]
    NamesMeet {
        /// The one that stands first in the list.
        first: Symbol,
        /// The other.
        second: Symbol,
        /// What the venue calls both.
        name: String,
    },
    /// The venue's name of a symbol does not follow from the canonical one.
    #[error(
        "what {venue} calls {symbol} cannot be derived; write symbols = {{ \"{symbol}\" = \"ITS NAME AT {venue}\" }}"
    )]
    NotDerivable {
        /// The symbol.
        symbol: Symbol,
        /// The venue.
        venue: &'static str,
    },
    /// A name that no venue has.
    #[error(
        "{name:?}, the venue's name of {symbol}, is empty, longer than {} bytes, or has a character that no name has",
        names::NAME_BYTES_MAX
    )]
    BadName {
        /// The symbol.
        symbol: Symbol,
        /// What was given.
        name: String,
    },
    /// More symbols than one connection can carry.
    #[error("{count} symbols, but one connection to {venue} carries at most {max}; split them over several feeds")]
    TooManySymbols {
        /// How many were asked for.
        count: usize,
        /// The most.
        max: usize,
        /// The venue.
        venue: &'static str,
    },
    /// An address that no websocket can be opened to.
    #[error("{url:?} is no address of a websocket; it looks like wss://host:port/path")]
    BadUrl {
        /// What was given.
        url: String,
    },
}

/// The venue of a feed.
///
/// # Errors
/// [`VenueError`]: all that can be wrong with the feed's symbols and address is found here, before anything is connected.
pub fn new(feed: &Feed) -> Result<Box<dyn Venue>, VenueError> {
    Ok(match feed.venue {
        VenueKind::Sim => Box::new(Sim::new(feed)?),
        VenueKind::Binance => Box::new(Binance::new(feed)?),
    })
}
