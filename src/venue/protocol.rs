//! What a feed and a venue say to each other.

use super::{DecodeError, ListedSymbol, Secret};
use crate::{
    market::{Decimal, Facts, FeedSymbol, Field, Reason, Update},
    telemetry::labels::Tally,
};
use std::{fmt, time::Duration};

/// A venue's protocol, for one connection after another. It does no I/O and reads no clock.
pub trait Venue: Send {
    /// The address to connect to: `ws://` or `wss://`.
    fn url(&self) -> &str;

    /// The venue's rules for a connection.
    fn rules(&self) -> Rules;

    /// Begins a connection. Returns the requests to send first, in the venue's order and batches. Requests that can
    /// only follow an answer, such as subscriptions after a login, go into [`Batch::requests`] later.
    fn open(&mut self) -> Vec<Request>;

    /// Reads one text or binary frame. Appends its updates to the batch, oldest first; a field that cannot be read is
    /// left out and counted there. A frame with more updates than fit is read in slices: the venue sets
    /// [`Batch::read_on`], and is called again with the same frame. It also reads the answer to a
    /// [`SnapshotRequest`] as if it were a frame, in one piece: a recording has both.
    ///
    /// # Errors
    /// [`DecodeError`] for a frame that is dropped as a whole. The caller counts it. Updates that were appended before
    /// stand.
    fn read(&mut self, frame: &[u8], batch: &mut Batch) -> Result<Message, DecodeError>;

    /// The symbols that the venue has refused on this connection, once it has answered all requests. All others are
    /// granted. Where all are refused, the connection is left.
    fn refused(&self) -> Vec<(FeedSymbol, Reason)>;

    /// The list of symbols changes: these places are left, and then these are taken. Says how the connection that is
    /// open learns of it; [`Venue::open`] asks for the list as it is then. A place that was left is not taken again
    /// before every request so far has its answer. A symbol that cannot be asked for is one of [`Venue::refused`].
    fn change(&mut self, added: &[(FeedSymbol, ListedSymbol)], removed: &[FeedSymbol]) -> Change;

    /// The venue did not answer the request with this id, for which [`Silence::Refuses`] or [`Silence::Ends`] holds, or
    /// refused it after [`Silence::Accepts`] without naming it. Called before [`Venue::refused`]; the kit's
    /// `refused(Some(id), …)` records it.
    fn unanswered(&mut self, _id: u64) {}

    /// The request for the latest state of these symbols, which the venue has named in [`Batch::snapshots`]: at most
    /// [`SnapshotRule::symbols_max`](super::SnapshotRule) of them. `None` where none of them can be asked for. The
    /// updates of its answer are [snapshots](Update::is_snapshot).
    fn snapshots(&self, _symbols: &[FeedSymbol]) -> Option<SnapshotRequest> {
        None
    }
}

/// A `GET` for the latest state of symbols.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SnapshotRequest {
    /// The address: `http://` or `https://`.
    pub url: String,
    /// The fields of its head that show who asks.
    pub fields: Vec<(&'static str, Secret)>,
}

/// How an open connection learns that its list has changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// By these requests, in the venue's order and batches. None where it is not open, or asks for the list later.
    Requests(Vec<Request>),
    /// The venue cannot change it: another connection has to replace it.
    Reconnect,
}

/// What frames contain.
#[derive(Debug, Default)]
pub struct Batch {
    /// The updates, oldest first.
    pub updates: Vec<Update>,
    /// What was said of symbols besides their prices, oldest first.
    pub facts: Vec<(FeedSymbol, Facts)>,
    /// The requests to send next.
    pub requests: Vec<Request>,
    /// The earlier answers of the same frame, where it answers several requests, oldest first.
    pub answers: Vec<Message>,
    /// The symbols whose latest state is to be asked for.
    pub snapshots: Vec<FeedSymbol>,
    /// Whether the frame refuses a symbol, so that operators see the venue's words.
    pub refuses_symbol: bool,
    /// The number of trades that may not set the last price, by their conditions.
    pub ineligible: u64,
    /// What was dropped, by reason.
    pub errors: Tally<DecodeError>,
    /// Where the same frame has to be read on, once the updates are taken; 0 where it is read whole.
    pub read_on: usize,
}

impl Batch {
    /// The most updates of a batch: as many as are published together. One message may hold a million.
    pub const UPDATES_MAX: usize = 1_024;
    /// The most symbols that one frame tells facts of: as many as a feed's connection carries at most venues.
    pub const FACTS_MAX: usize = 4_096;
    /// Room for so many is kept: as many as the messages that are taken together, which mostly hold one each.
    const UPDATES_KEPT: usize = 64;

    /// Appends an update. A price of zero or below is left out and counted: a trade at it is dropped, a correction to
    /// it cancels the trade, and the side of a quote or the figure of a day is unknown.
    pub fn push(&mut self, mut update: Update) {
        if update.trade.as_ref().is_some_and(|trade| is_no_price(trade.price)) {
            self.errors.count(DecodeError::Price);
            update.trade = None;
            if update == (Update { symbol: update.symbol, ..Update::default() }) {
                return;
            }
        }
        if let Some(correction) = &mut update.correction
            && correction.now.is_some_and(|corrected| is_no_price(corrected.price))
        {
            self.errors.count(DecodeError::Price);
            correction.now = None;
        }
        if let Some(quote) = &mut update.quote {
            self.clear_if_no_price([&mut quote.bid, &mut quote.bid_size]);
            self.clear_if_no_price([&mut quote.ask, &mut quote.ask_size]);
        }
        if let Some(stats) = &mut update.stats {
            for price in [&mut stats.open, &mut stats.high, &mut stats.low, &mut stats.prev_close] {
                self.clear_if_no_price([price]);
            }
        }
        self.updates.push(update);
    }

    /// Notes what was said of a symbol besides its prices. What has no room is dropped and counted.
    pub fn tell(&mut self, symbol: FeedSymbol, facts: Facts) {
        if facts.is_empty() {
            return;
        }
        if self.facts.len() == Self::FACTS_MAX {
            self.errors.count(DecodeError::Shape);
            return;
        }
        self.facts.push((symbol, facts));
    }

    /// Clears these fields and counts that, if the first of them is a price of zero or below.
    fn clear_if_no_price<const N: usize>(&mut self, fields: [&mut Field<Decimal>; N]) {
        if fields.first().is_some_and(|price| is_no_price(**price)) {
            self.errors.count(DecodeError::Price);
            fields.into_iter().for_each(|field| *field = Field::Clear);
        }
    }

    /// Gives back the memory of a burst. The updates must have been taken.
    pub fn shrink(&mut self) {
        self.updates.shrink_to(Self::UPDATES_KEPT);
    }

    /// Whether it has to be published before more is read.
    pub fn is_full(&self) -> bool {
        self.updates.len() >= Self::UPDATES_MAX
    }
}

fn is_no_price(price: Field<Decimal>) -> bool {
    matches!(price, Field::Set(price) if !price.is_positive())
}

/// A message to the venue, and the id that its answer is matched by.
#[derive(Clone, PartialEq, Eq)]
pub struct Request {
    /// The id in [`Message::Acknowledged`] and [`Message::Refused`].
    pub id: u64,
    /// The text frame to send. `None` sends nothing and waits for what the venue says by itself.
    pub text: Option<String>,
    /// What the venue's silence means.
    pub silence: Silence,
}

impl Request {
    /// A text frame that the venue always answers.
    pub fn send(id: u64, text: String) -> Self {
        Self { id, text: Some(text), silence: Silence::Disconnects }
    }

    /// Sends nothing, and waits for what the venue says by itself.
    pub fn wait_for(id: u64) -> Self {
        Self { id, text: None, silence: Silence::Disconnects }
    }
}

/// What it means that a venue does not answer a request in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Silence {
    /// The answer is lost: the connection counts as broken.
    Disconnects,
    /// The venue refuses the request: it answers only what it accepts.
    Refuses,
    /// The venue accepts the request as soon as it is sent: it does not answer such requests. It may still refuse one
    /// later.
    Accepts,
    /// Nothing: the request ends a subscription, and what still comes of it is dropped.
    Ends,
}

/// Without its text, which may contain a secret.
impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = self.text.as_ref().map(String::len);
        f.debug_struct("Request").field("id", &self.id).field("bytes", &bytes).finish()
    }
}

/// A venue's rules for a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Rules {
    /// The shortest time between two messages to the venue; pings count.
    pub between_requests: Duration,
    /// The most requests of a connection in an hour; pings do not count.
    pub requests_per_hour: Option<u32>,
    /// The age at which a connection is replaced, below the venue's own limit.
    pub lifetime: Option<Duration>,
    /// The ping of the venue's own protocol.
    pub ping: Option<Ping>,
    /// The longest time without any text or binary frame, where the venue sends heartbeats once it has granted
    /// something. They prove the transport, not the data; websocket pongs do not count.
    pub heartbeat_timeout: Option<Duration>,
    /// How the venue closes a connection for a newer one of the same account.
    pub eviction: Option<Eviction>,
}

impl Rules {
    /// The code of a close frame without one (RFC 6455, section 7.1.5).
    pub const NO_CLOSE_CODE: u16 = 1005;

    /// The wait before the next attempt, where the venue closes a connection with this code for a newer one.
    pub fn evicted(&self, close_code: u16) -> Option<Duration> {
        self.eviction.filter(|eviction| eviction.close_codes.contains(&close_code)).map(|eviction| eviction.wait)
    }
}

/// How a venue closes a connection when the account opens one more than its plan allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Eviction {
    /// The codes of the close frame, [`Rules::NO_CLOSE_CODE`] for a frame without one.
    pub close_codes: &'static [u16],
    /// The wait before the next attempt. Two gateways with one key close each other's connection: without the wait
    /// they would do so as fast as they connect.
    pub wait: Duration,
}

/// A ping of the venue's own protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ping {
    /// The time between two pings.
    pub every: Duration,
    /// The text frame to send.
    pub text: &'static str,
}

/// What a frame was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Message {
    /// Market data; its updates were appended.
    Data,
    /// The request with this id is accepted.
    Acknowledged(u64),
    /// The request with this id is refused. Without an id it is the oldest unanswered one, or, where all that was sent
    /// counts as accepted, the newest.
    Refused(Option<u64>),
    /// The request with this id was refused, and requests in [`Batch::requests`] ask for its symbols again. It counts
    /// neither as accepted nor as refused.
    Superseded(u64),
    /// A heartbeat, an answer to a ping, or a part of an answer: it proves the transport, not the data.
    Control,
    /// The venue ends this connection.
    Failed(Failure),
    /// The venue will close the connection soon; a new one is due now.
    Closing,
    /// Frames of this connection are missing: every symbol is stale, and only a new connection can tell what was lost.
    Gap,
    /// JSON that has no meaning here.
    Other,
    /// What only a recording says, which is played on one connection whatever became of those that were recorded.
    Played(Played),
}

/// What a recording says besides frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Played {
    /// Frames are missing here, as in a capture that was filtered. The frame may hold data too.
    Hole,
    /// The recorded connection was lost: every symbol is stale.
    Lost(Reason),
    /// The recording begins again: what follows is older than what came before.
    StartsOver,
    /// The recording is over: every symbol is stale, and nothing more comes.
    Ended,
}

/// Why a venue ends a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// A person has to act: the key is wrong, or the account lacks these data. Retrying soon would not help.
    Fatal(Reason),
    /// It will pass.
    Passing {
        /// The earliest time for a retry.
        retry_after: Option<Duration>,
    },
    /// The account has no connection left: another program holds it, or an old session has not expired yet.
    ConnectionLimit {
        /// The earliest time for a retry.
        retry_after: Duration,
    },
}
