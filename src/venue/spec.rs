//! What a venue declares of itself. The configuration, the feeds and the documentation read it; none of them names a
//! venue.

use super::{Credentials, CredentialsRule, ListedSymbol, Script, Secret, Venue, VenueError};
use crate::market::{Facts, Hours, Origin, Symbol};
use std::{fmt, io, ops::RangeInclusive, path::PathBuf, pin::Pin, time::Duration};

/// A venue: its name, its limits, and how to speak with it.
#[derive(Debug)]
pub struct Spec {
    /// The name in the configuration, in metrics and in logs: `[a-z0-9-]`.
    pub name: &'static str,
    /// Its market and what comes from there, in a few words: the documentation shows them.
    pub about: &'static str,
    /// What it trades.
    pub asset_class: AssetClass,
    /// When it trades, by the address that the configuration sets, unless that says otherwise.
    pub hours: fn(Option<&str>) -> Hours,
    /// The keys that it requires.
    pub credentials: CredentialsRule,
    /// The most symbols that one connection carries.
    pub symbols_per_connection: usize,
    /// The most connections that the venue accepts from one account, or from one address where it needs no key. Feeds
    /// with one key and one URL share them.
    pub connections_max: usize,
    /// The shortest time between two attempts of a feed to connect, from the venue's limit on the attempts of an
    /// address.
    pub between_connects: Duration,
    /// The longest message that the venue is known to send on a connection with these symbols, in bytes.
    pub message_bytes: fn(&[ListedSymbol]) -> usize,
    /// Whether the venue sends heartbeats of its own, which tell a quiet market from a dead connection. Such a feed
    /// may be without data for longer.
    pub heartbeats: bool,
    /// Symbols for examples.
    pub examples: &'static [&'static str],
    /// The symbols of a feed that lists none. Empty where a feed must list them.
    pub default_symbols: &'static [&'static str],
    /// The settings that only this venue has.
    pub options: &'static [&'static VenueOption],
    /// The venue's name of a symbol. `None` where it does not follow from the symbol.
    pub derive: fn(&Symbol) -> Option<String>,
    /// The name that a symbol's data arrive under, from the name that it is asked for by. `None` where they are one.
    pub data_name: fn(&str) -> Option<String>,
    /// The assets that prices are in, where the venue's name joins a symbol's parts without a separator: they tell
    /// where the first part ends. Empty where no two symbols have one name.
    pub quotes: &'static [&'static str],
    /// What the venue's name of a symbol tells of it, without any message.
    pub facts: fn(&str) -> Facts,
    /// Checks an address that the configuration sets: an error where data that the protocol reads can never come from.
    pub check_url: fn(&str) -> Result<(), VenueError>,
    /// Where the data come from, by the address that the configuration sets.
    pub origin: fn(Option<&str>) -> Origin,
    /// How late the data are by contract, by the address that the configuration sets; `None` where they are live.
    pub delay: fn(Option<&str>) -> Option<Duration>,
    /// How the latest state of symbols is asked for, where the venue's stream does not begin with it.
    pub snapshots: Option<SnapshotRule>,
    /// The venue's side of one connection.
    pub new: fn(&Setup<'_>) -> Result<Box<dyn Venue>, VenueError>,
    /// The server of this venue inside the process, if there is one.
    pub local_server: Option<StartServer>,
}

/// A venue's limits on requests for the latest state of symbols, over HTTP.
#[derive(Debug, Clone, Copy)]
pub struct SnapshotRule {
    /// The most symbols of a request.
    pub symbols_max: usize,
    /// The shortest time between two requests of an account.
    pub between_requests: Duration,
    /// The longest answer that is read, in bytes.
    pub answer_bytes_max: usize,
}

/// Starts a venue's server inside the process.
#[derive(Debug, Clone, Copy)]
pub enum StartServer {
    /// It simulates a market and plays the script, for feeds without an address.
    Simulator(fn(&Options, Script) -> io::Result<LocalServer>),
    /// It plays a recording of another venue's frames.
    Player(fn(&Playback) -> io::Result<LocalServer>),
}

/// Room over the longest message that a venue is known to send: a burst may put many events into one.
const MESSAGE_BYTES_ROOM: usize = 256 << 10;

impl Spec {
    /// Whether it has a simulated market, which can play a script.
    pub fn simulates(&self) -> bool {
        matches!(self.local_server, Some(StartServer::Simulator(_)))
    }

    /// Whether it plays recordings of other venues.
    pub fn plays_recordings(&self) -> bool {
        matches!(self.local_server, Some(StartServer::Player(_)))
    }

    /// Whether this symbol, and no other, is meant by the venue's name of it: `BTC-USDT`, not `BT-CUSDT`.
    pub fn is_canonical(&self, symbol: &Symbol) -> bool {
        if self.quotes.is_empty() {
            return true;
        }
        let pair = symbol.as_str().strip_suffix("-PERP").unwrap_or(symbol.as_str());
        let Some((base, quote)) = pair.split_once('-').filter(|(base, _)| !base.is_empty()) else { return false };
        // The longest asset that the joined name ends with is the one that is meant.
        let is_meant =
            |longer: &str| longer.strip_suffix(quote).is_some_and(|rest| !rest.is_empty() && base.ends_with(rest));
        self.quotes.contains(&quote) && !self.quotes.iter().any(|longer| is_meant(longer))
    }

    /// What the venue's name of a symbol tells of it.
    pub fn facts_of(&self, listed: &ListedSymbol) -> Facts {
        let name = listed.venue_name.clone().or_else(|| (self.derive)(&listed.symbol));
        name.map_or_else(Facts::default, |name| (self.facts)(&name))
    }

    /// The longest message that is read on a connection with these symbols, unless the configuration sets a limit.
    pub fn message_bytes_max(&self, symbols: &[ListedSymbol]) -> usize {
        MESSAGE_BYTES_ROOM + (self.message_bytes)(symbols)
    }
}

/// There is one static spec per venue.
impl PartialEq for Spec {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Spec {}

/// What a venue trades.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AssetClass {
    /// Shares and funds.
    Equities,
    /// Coins and their derivatives.
    Crypto,
    /// Both.
    Mixed,
}

impl AssetClass {
    /// The name for people.
    pub fn name(self) -> &'static str {
        match self {
            Self::Equities => "equities",
            Self::Crypto => "crypto",
            Self::Mixed => "mixed",
        }
    }
}

/// A setting of one venue: a number.
#[derive(Debug)]
pub struct VenueOption {
    /// The key in `[[feed]]`.
    pub name: &'static str,
    /// The value without the key.
    pub default: f64,
    /// The values that are accepted.
    pub range: RangeInclusive<f64>,
    /// What it sets, with its unit.
    pub about: &'static str,
}

/// The values of a venue's own settings.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Options(Vec<(&'static str, f64)>);

impl Options {
    /// The same with this value.
    pub fn with(mut self, name: &'static str, value: f64) -> Self {
        self.0.retain(|(known, _)| *known != name);
        self.0.push((name, value));
        self
    }

    /// The value of a setting, or its default.
    pub fn get(&self, option: &VenueOption) -> f64 {
        self.0.iter().find(|(name, _)| *name == option.name).map_or(option.default, |(_, value)| *value)
    }
}

/// What a venue is given for one connection.
#[derive(Debug, Clone, Copy)]
pub struct Setup<'a> {
    /// The address, instead of the venue's own.
    pub url: Option<&'a str>,
    /// The symbols of this connection; updates name them by their place here.
    pub symbols: &'a [ListedSymbol],
    /// The keys, where the venue requires them.
    pub credentials: Option<&'a Credentials>,
    /// The recording, where the venue plays one.
    pub playback: Option<&'a Playback>,
}

impl<'a> Setup<'a> {
    /// The key of a venue that requires one.
    ///
    /// # Errors
    /// [`VenueError::NoCredentials`] without one.
    pub(super) fn key(&self, spec: &Spec) -> Result<&'a Secret, VenueError> {
        let missing = VenueError::NoCredentials { venue: spec.name, rule: spec.credentials };
        self.credentials.map(|credentials| &credentials.key).ok_or(missing)
    }
}

/// A recording of a venue's frames, and how to play it.
#[derive(Debug, Clone, PartialEq)]
pub struct Playback {
    /// The venue whose frames these are.
    pub protocol: &'static Spec,
    /// The address that the frames came from, where what the protocol reads depends on it.
    pub url: Option<String>,
    /// The files, each once. Their frames are merged by their times.
    pub files: Vec<PathBuf>,
    /// How fast.
    pub speed: Speed,
    /// Whether it begins again when it has ended.
    pub repeats: bool,
}

impl Playback {
    /// Where its data come from: a recorded simulation is still one.
    pub fn origin(&self) -> Origin {
        match (self.protocol.origin)(self.url.as_deref()) {
            Origin::Sim => Origin::Sim,
            Origin::Market | Origin::Delayed | Origin::Replay => Origin::Replay,
        }
    }
}

/// How fast a recording is played.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Speed {
    /// So many times as fast as it was recorded.
    Times(f64),
    /// As fast as it is read.
    Max,
}

impl Speed {
    /// The range of [`Speed::Times`]: an hour in four days, and a day in 86 s.
    pub const RANGE: RangeInclusive<f64> = 0.01..=1_000.0;
}

/// As the configuration writes it.
impl fmt::Display for Speed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Times(times) => write!(f, "{times}"),
            Self::Max => f.write_str("\"max\""),
        }
    }
}

/// A venue's server inside the process.
pub struct LocalServer {
    /// The address to connect to.
    pub url: String,
    /// Serves for ever. Dropping it closes all connections.
    pub serve: Pin<Box<dyn Future<Output = ()> + Send>>,
}

impl fmt::Debug for LocalServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalServer").field("url", &self.url).finish_non_exhaustive()
    }
}
