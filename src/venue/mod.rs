//! The venues' protocols: one per file or folder, no I/O, no clock. A venue says what to send and turns frames into updates.
//!
//! `feed` calls them. Nothing here can fail for good: bytes that make no sense are a counted [`DecodeError`], whatever they are.

mod address;
mod alpaca;
mod binance;
mod decode_error;
mod names;
mod raw;
mod rfc3339;
mod scan;
pub(crate) mod sim;

pub use alpaca::Alpaca;
pub use binance::Binance;
pub use decode_error::DecodeError;
pub use sim::Sim;

use crate::{
    config::{Feed, VenueKind},
    market::{Origin, Reason, Symbol, Update},
    telemetry::labels::Tally,
};
use std::{fmt, time::Duration};

/// One feed's side of a venue's protocol, for one connection after another.
pub trait Venue: Send {
    /// Where to connect to: a `ws://` or `wss://` address.
    fn url(&self) -> &str;

    /// What the venue's rules ask of a connection.
    fn rules(&self) -> Rules;

    /// Begins a connection: what is to be sent and answered first, in the order and in the batches that the venue wants. What
    /// can only be asked for after an answer, such as symbols after a login, follows in [`Batch::requests`].
    fn open(&mut self) -> Vec<Request>;

    /// Reads one text or binary frame. Its updates are appended to the batch, in the order in which they hold; a field that
    /// cannot be read is left out and counted there.
    ///
    /// # Errors
    /// [`DecodeError`] for a frame that is dropped as a whole. It is not counted yet. What was appended before stands.
    fn read(&mut self, frame: &[u8], batch: &mut Batch) -> Result<Message, DecodeError>;

    /// The symbols that the venue refuses on this connection, by index, once all requests are answered and these were refused;
    /// all others are granted.
    fn refused(&self, requests: &[u64]) -> Vec<(u32, Reason)>;
}

/// What comes out of frames.
#[derive(Debug, Default)]
pub struct Batch {
    /// The updates, oldest first.
    pub updates: Vec<Update>,
    /// What is to be sent next, in answer to what came.
    pub requests: Vec<Request>,
    /// How many trades may not be shown as the last one, by their conditions.
    pub ineligible: u64,
    /// What was dropped, by reason.
    pub errors: Tally<DecodeError>,
}

/// A message to the venue, and the id under which it will be acknowledged.
#[derive(Clone, PartialEq, Eq)]
pub struct Request {
    /// Found again in [`Message::Acknowledged`].
    pub id: u64,
    /// What to send, as a text frame. `None` where the venue speaks first: then nothing is sent, and its word is waited for.
    pub text: Option<String>,
}

/// Without its text, which may hold a secret.
impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = self.text.as_ref().map(String::len);
        f.debug_struct("Request").field("id", &self.id).field("bytes", &bytes).finish()
    }
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
    /// The venue will not go on with this connection.
    Failed(Failure),
    /// The venue will close the connection soon: a new one is due now.
    Closing,
    /// JSON that says nothing that is used here.
    Other,
}

/// Why a venue will not go on with a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// Somebody has to do something about it: a wrong key, or an account without these data. Trying again soon would not help.
    Fatal(Reason),
    /// It will pass.
    Passing {
        /// Not before then.
        retry_after: Option<Duration>,
    },
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
    /// The venue asks for a key, and the feed has none.
    #[error("{venue} asks for a key; name the variables that hold it and its secret with key_env and secret_env")]
    NoCredentials {
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
        VenueKind::Alpaca => Box::new(Alpaca::new(feed)?),
    })
}

/// Where a feed's data come from.
pub fn origin(feed: &Feed) -> Origin {
    match feed.venue {
        VenueKind::Sim => Origin::Sim,
        VenueKind::Binance => Origin::Market,
        VenueKind::Alpaca => alpaca::origin(feed),
    }
}
