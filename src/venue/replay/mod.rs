//! Recordings: a server inside the process plays the frames of another venue, and that venue's own protocol reads them.
//!
//! A message of the player has a head that tells what it is, and of which source: a file, or the files of consecutive
//! hours of one connection. No frame of a venue can be mistaken for what the player says.
//!
//! ```text
//! f0 {"channel":"heartbeat"}      a frame of source 0
//! o0                              its connection was opened
//! c0 io                           it was lost, and why, if that is known
//! d0                              frames are missing
//! x0                              a line that cannot be read
//! n                               the recording begins again
//! e                               it is over
//! ```
//! A capture begins in the middle and was filtered: every symbol counts as granted, nothing is asked for, and a hole in
//! a connection's sequence is counted. Answers, refusals and failures among the frames concern the recorded connection.

mod pace;
mod player;
mod server;
mod wire;

use super::{
    AssetClass, Batch, Change, Credentials, CredentialsRule, DecodeError, ListedSymbol, Message, Played, Request,
    Rules, Secret, Setup, Spec, StartServer, Venue, VenueError,
};
use crate::{
    market::{FeedSymbol, Hours, Origin, Reason},
    recording::FRAME_BYTES_MAX,
};
use wire::Head;

/// Symbols of a recording: as many as all feeds may have.
const SYMBOLS_MAX: usize = 100_000;
/// Before the first connection to the player; nothing listens there.
const NOWHERE: &str = "ws://127.0.0.1:9/";
/// Takes the place of a key: nothing is ever sent.
const NO_KEY: &str = "replay";

/// Recordings of other venues. What depends on the venue that was recorded is asked of its own spec.
pub(super) static SPEC: Spec = Spec {
    name: "replay",
    about: "recorded frames of another venue",
    asset_class: AssetClass::Mixed,
    hours: |_| Hours::Always,
    credentials: CredentialsRule::Public,
    symbols_per_connection: SYMBOLS_MAX,
    connections_max: 1,
    between_connects: std::time::Duration::ZERO,
    message_bytes: |_| FRAME_BYTES_MAX + wire::HEAD_BYTES_MAX,
    heartbeats: false,
    examples: &["BTC-USD", "ETH-USD"],
    default_symbols: &[],
    options: &[],
    derive: |symbol| Some(symbol.as_str().to_owned()),
    data_name: |_| None,
    quotes: &[],
    facts: |_| crate::market::Facts::default(),
    check_url: |_| Ok(()),
    origin: |_| Origin::Replay,
    delay: |_| None,
    snapshots: None,
    new: |setup| Ok(Box::new(Replay::new(setup)?)),
    local_server: Some(StartServer::Player(|playback| server::start(playback.clone()))),
};

/// The protocols of the recorded connections, behind the player's.
struct Replay {
    url: String,
    /// A reader for each source, each with guards of its own.
    readers: Vec<Box<dyn Venue>>,
    /// Whether each has read a frame of the connection that is open.
    has_read: Vec<bool>,
}

impl Replay {
    fn new(setup: &Setup<'_>) -> Result<Self, VenueError> {
        let playback = setup.playback.ok_or(VenueError::NoRecording)?;
        let protocol = playback.protocol;
        let credentials = stand_in(protocol.credentials);
        let recorded = Setup {
            url: playback.url.as_deref(),
            symbols: setup.symbols,
            credentials: credentials.as_ref(),
            playback: None,
        };
        let sources = wire::sources(&playback.files).into_iter().max().map_or(1, |last| last + 1);
        let readers: Vec<_> = (0..sources).map(|_| (protocol.new)(&recorded)).collect::<Result<_, _>>()?;
        let has_read = vec![false; readers.len()];
        Ok(Self { url: setup.url.unwrap_or(NOWHERE).to_owned(), readers, has_read })
    }

    /// A frame of the recorded venue.
    fn frame(&mut self, source: u8, frame: &[u8], batch: &mut Batch) -> Result<Message, DecodeError> {
        let Some(reader) = self.readers.get_mut(usize::from(source)) else { return Err(DecodeError::Shape) };
        self.has_read[usize::from(source)] = true;
        let read = reader.read(frame, batch);
        // What it would ask next was asked when this was recorded.
        batch.requests.clear();
        batch.refuses_symbol = false;
        let answers = std::mem::take(&mut batch.answers);
        let has_hole = answers.contains(&Message::Gap);
        // A recording may have more symbols than the feed plays: that is not a mistake of the venue.
        batch.errors.forget(DecodeError::UnknownSymbol);
        batch.errors.forget(DecodeError::RemovedSymbol);
        if matches!(read, Err(DecodeError::UnknownSymbol | DecodeError::RemovedSymbol)) {
            return Ok(Message::Other);
        }
        Ok(match read? {
            Message::Gap => Message::Played(Played::Hole),
            Message::Data if has_hole => Message::Played(Played::Hole),
            message @ (Message::Data | Message::Other | Message::Played(_)) => message,
            Message::Acknowledged(_)
            | Message::Refused(_)
            | Message::Superseded(_)
            | Message::Failed(_)
            | Message::Closing
            | Message::Control => Message::Control,
        })
    }

    /// A recorded connection was opened or lost. Returns whether the one before it had brought frames.
    fn open_reader(&mut self, source: u8) -> bool {
        let Some(reader) = self.readers.get_mut(usize::from(source)) else { return false };
        reader.open();
        std::mem::take(&mut self.has_read[usize::from(source)])
    }
}

impl Venue for Replay {
    fn url(&self) -> &str {
        &self.url
    }

    fn rules(&self) -> Rules {
        Rules::default()
    }

    fn open(&mut self) -> Vec<Request> {
        for reader in &mut self.readers {
            reader.open();
        }
        self.has_read.fill(false);
        Vec::new()
    }

    fn read(&mut self, frame: &[u8], batch: &mut Batch) -> Result<Message, DecodeError> {
        let (head, rest) = wire::read(frame).ok_or(DecodeError::Shape)?;
        Ok(match head {
            Head::Frame(source) => return self.frame(source, rest, batch),
            Head::Unreadable(_) => return Err(DecodeError::Shape),
            // Nothing told of the end of the one before: the recorder was killed, or such files never do.
            Head::Opened(source) if self.open_reader(source) => Message::Played(Played::Lost(Reason::ConnectionLost)),
            Head::Opened(_) => Message::Control,
            // The next connection had taken over already.
            Head::Lost(source) if rest == b"rotated" => {
                self.open_reader(source);
                Message::Control
            }
            Head::Lost(source) => {
                self.open_reader(source);
                Message::Played(Played::Lost(reason(rest)))
            }
            Head::Dropped(_) => Message::Played(Played::Hole),
            Head::StartsOver => {
                self.open();
                Message::Played(Played::StartsOver)
            }
            Head::Ended => Message::Played(Played::Ended),
        })
    }

    fn refused(&self) -> Vec<(FeedSymbol, Reason)> {
        Vec::new()
    }

    /// Nothing is asked for, so the readers alone have to know.
    fn change(&mut self, added: &[(FeedSymbol, ListedSymbol)], removed: &[FeedSymbol]) -> Change {
        for reader in &mut self.readers {
            reader.change(added, removed);
        }
        Change::Requests(Vec::new())
    }
}

/// Why symbols were stale when the recorded feed left a connection for this reason.
fn reason(disconnect: &[u8]) -> Reason {
    match disconnect {
        b"no_data" => Reason::Mute,
        b"gap" => Reason::Gap,
        b"lifetime" | b"closing" | b"stopped" => Reason::Reconnect,
        _ => Reason::ConnectionLost,
    }
}

/// Keys for a protocol that requires some.
fn stand_in(rule: CredentialsRule) -> Option<Credentials> {
    let key = || Secret::new(NO_KEY);
    match rule {
        CredentialsRule::Public => None,
        CredentialsRule::Key { .. } => Some(Credentials { key: key(), secret: None }),
        CredentialsRule::KeyAndSecret { .. } => Some(Credentials { key: key(), secret: Some(key()) }),
    }
}

#[cfg(test)]
mod tests;
