//! The configuration, valid by construction: where it comes from is `load`'s concern, nobody else reads a file or a variable.

mod access;
mod error;
mod feeds;
mod keys;
mod load;
mod names;
mod print;
mod times;
mod units;
mod value;
mod variables;

pub use access::{Credentials, Secret};
pub use error::ConfigError;
pub use feeds::{FEEDS_MAX, RATE_DEFAULT, RATE_MAX, RATE_MIN, SIM_SYMBOLS, SYMBOLS_MAX};
pub use keys::{FEED_KEYS, FeedKey, KEYS, Key, Setting};
pub use load::{FILE_BYTES_MAX, Overrides, load};
pub use print::print_defaults;
pub use times::{CLOSED_DAYS_MAX, MUTE_AFTER_RANGE};
pub use units::{parse_address, show_bytes, show_duration};
pub use variables::{LOG_FORMAT_VARIABLE, LOG_VARIABLE, variable_name};

use crate::market::{Hours, Schedule, Symbol};
use ipnet::IpNet;
use std::{net::SocketAddr, time::Duration};

/// All that can be set.
#[derive(Debug, Clone)]
pub struct Config {
    /// Listeners and what they tell clients.
    pub server: Server,
    /// The connections to venues, in the file's order; their names differ, and no symbol has two.
    pub feeds: Vec<Feed>,
    /// How ticks reach streams.
    pub fanout: Fanout,
    /// What one gateway takes on.
    pub limits: Limits,
}

/// `[server]`: listeners and what they tell clients.
#[derive(Debug, Clone)]
pub struct Server {
    /// Where clients connect.
    pub listen: SocketAddr,
    /// Where operators connect: metrics and health.
    pub admin_listen: SocketAddr,
    /// Names to answer to besides `localhost` and IP addresses, without port.
    pub hosts: Vec<String>,
    /// Origins whose pages may read answers; `*` is all of them, without credentials.
    pub cors_origins: Vec<String>,
    /// Whose `X-Forwarded-For` counts.
    pub trusted_proxies: Vec<IpNet>,
    /// How long a stream is silent before it gets a `heartbeat`.
    pub heartbeat: Duration,
    /// Over how long streams are ended on SIGTERM.
    pub drain: Duration,
}

/// `[[feed]]`: one connection to a venue.
#[derive(Debug, Clone)]
pub struct Feed {
    /// `[a-z0-9-]{1,32}`: a label of metrics and logs.
    pub name: String,
    /// The venue.
    pub venue: VenueKind,
    /// Instead of the venue's own address.
    pub url: Option<String>,
    /// The symbols, each once, with the venue's own name where it cannot be derived.
    pub symbols: Vec<SymbolEntry>,
    /// Updates a second in all, for the simulator only.
    pub rate: f64,
    /// When it trades.
    pub schedule: Schedule,
    /// How long it may be silent within its hours, instead of the venue's own limit.
    pub mute_after: Option<Duration>,
    /// What the venue knows us by, where it asks for that.
    pub credentials: Option<Credentials>,
}

impl Feed {
    /// A feed of these symbols that leaves all else at its default.
    pub fn new(venue: VenueKind, symbols: Vec<SymbolEntry>) -> Self {
        Self {
            name: venue.name().to_owned(),
            venue,
            url: None,
            symbols,
            rate: RATE_DEFAULT,
            schedule: Schedule::new(venue.hours(), Vec::new()),
            mute_after: None,
            credentials: None,
        }
    }
}

/// A symbol of a feed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SymbolEntry {
    /// Its canonical name.
    pub symbol: Symbol,
    /// What the venue calls it, where that is not derived from the canonical name.
    pub venue_name: Option<String>,
}

/// The venues that this build knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VenueKind {
    /// The built-in simulator.
    Sim,
    /// Binance spot.
    Binance,
    /// Alpaca's stocks of the United States.
    Alpaca,
}

impl VenueKind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Sim, Self::Binance, Self::Alpaca];

    /// Its name in the configuration, in metrics and in logs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sim => "sim",
            Self::Binance => "binance",
            Self::Alpaca => "alpaca",
        }
    }

    /// When it trades, where the configuration does not say.
    pub fn hours(self) -> Hours {
        match self {
            Self::Sim | Self::Binance => Hours::Always,
            Self::Alpaca => Hours::UsEquities,
        }
    }

    /// Whether it asks for a key.
    pub fn needs_key(self) -> bool {
        match self {
            Self::Sim | Self::Binance => false,
            Self::Alpaca => true,
        }
    }
}

/// `[fanout]`: how ticks reach streams.
#[derive(Debug, Clone)]
pub struct Fanout {
    /// Worker threads; 0 is one per core, 64 the most.
    pub workers: usize,
    /// How long a worker gathers changes before it takes and writes them; `None`: as its load has it.
    pub flush_interval: Option<Duration>,
    /// How far a stream may be behind before it coalesces.
    pub max_lag: Duration,
    /// How many of the newest ticks are kept per symbol with readers.
    pub ring: usize,
    /// How old a kept tick may be, but the newest.
    pub ring_age: Duration,
    /// How long a stream may take no byte before it is closed.
    pub stall_timeout: Duration,
}

/// `[limits]`: what one gateway takes on.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Open streams.
    pub streams: usize,
    /// Open streams of one address; 0 is no limit.
    pub streams_per_address: usize,
    /// Connections that are not streams: heads being read and other answers.
    pub connections: usize,
    /// How long a client may take to send a head.
    pub head_timeout: Duration,
    /// How long a client may take to read an answer that is no stream.
    pub write_timeout: Duration,
    /// How long a head may be, in bytes.
    pub head_bytes: usize,
    /// How many symbols one stream may ask for.
    pub symbols_per_stream: usize,
    /// How many bytes of older ticks a stream that resumes may get.
    pub replay_bytes: usize,
    /// How long a venue's message may be, in bytes.
    pub venue_message_bytes: usize,
}
