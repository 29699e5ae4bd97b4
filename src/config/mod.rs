//! The configuration, valid by construction. Only `load` reads a file or a variable.

mod access;
mod auth;
mod auth_files;
mod auth_values;
mod ca_file;
mod certificates;
mod change;
mod cluster;
mod cluster_values;
mod defaults;
mod dictionary;
mod effective;
mod environment;
mod error;
mod events;
mod exposed;
mod feed_difference;
mod feed_in_force;
mod feed_keys;
mod feed_limits;
mod feed_plan;
mod feed_step;
mod feeds;
mod keys;
mod live;
mod load;
mod names;
mod on_demand;
mod outbound;
mod pairs;
mod places;
mod playback;
mod print;
mod proxy;
mod raw;
mod record;
mod reload;
mod rotate_at;
mod setting;
mod shown_address;
mod symbol_pattern;
mod symbols;
mod standby;
mod tier;
mod times;
mod tls;
mod units;
mod value;
mod variables;

pub use crate::tls::{CertificateFiles, TlsVersion};
pub use auth::{Auth, AuthMode, Group, KeySource, KeysAddress};
pub use auth_values::{GROUP_PATTERNS_MAX, GROUPS_MAX};
pub use ca_file::{CA_FILE_BYTES_MAX, CaFile};
pub use change::Change;
pub use cluster::{BrokerAccess, CLUSTER_FEEDS_MAX, Cluster};
pub use effective::{KeyInForce, keys_in_force};
pub use error::{ConfigError, ERRORS_SHOWN_MAX};
pub use events::{EVENT_TIME_RANGE, EVENTS_MAX};
pub use exposed::exposed_proxies;
pub use feed_in_force::feed_in_force;
pub use feed_keys::{FeedKey, feed_keys};
pub use feed_limits::{CONNECTIONS_DEFAULT, CONNECTIONS_MAX, FEEDS_MAX, SYMBOLS_MAX};
pub use feed_step::FeedStep;
pub use keys::KEYS;
pub use live::Live;
pub use load::{FILE_BYTES_MAX, Loader, Overrides, load};
pub use on_demand::{LINGER_RANGE, ON_DEMAND_SYMBOLS_DEFAULT, OnDemand, PATTERNS_MAX};
pub use pairs::{Disagreement, Machine, MemoryAtLimits, PAIRS, Pair, Weight, check_together};
pub use print::print_defaults;
pub use proxy::Proxy;
pub use record::{RECORD_BYTES_DEFAULT, RECORD_BYTES_RANGE, Record, check_folder, parse_record_limit};
pub use reload::{FailedFeed, ReloadError, Reloaded, check_mixed, reload};
pub use rotate_at::DailyMinute;
pub use setting::{Applies, Key, OPTIONAL_SECTIONS, Setting};
pub use shown_address::without_secrets;
pub use standby::{STANDBY_WAIT_RANGE, Standby};
pub use symbol_pattern::{ASTERISKS_MAX, SymbolPattern, SymbolPatternError};
pub use tier::{DELAY_NOTE_BYTES, DELAY_NOTES_MAX, DELAY_RANGE, DELAY_STEP_RANGE, DelayLine, FeedTier};
pub use times::{CLOSED_DAYS_MAX, MUTE_AFTER_RANGE};
pub use tls::Tls;
pub use units::{parse_address, show_bytes, show_duration};
pub use variables::{CONFIG_VARIABLE, LOG_FORMAT_VARIABLE, LOG_VARIABLE, variable_name};

use crate::{
    market::{Origin, Schedule, Symbol},
    telemetry::LogFilter,
    venue::{Credentials, ListedSymbol, Options, Playback, Script, Spec},
    wire::Dictionary,
};
use http::HeaderName;
use ipnet::IpNet;
use std::{net::SocketAddr, ops::Range, path::PathBuf, sync::Arc, time::Duration};

/// All settings.
#[derive(Debug, Clone)]
pub struct Config {
    /// `[server]`
    pub server: Server,
    /// The feeds, in the file's order. Their names differ, and no symbol has two live ones, or two delayed ones.
    pub feeds: Vec<Feed>,
    /// `[fanout]`
    pub fanout: Fanout,
    /// `[limits]`
    pub limits: Limits,
    /// `[history]`
    pub history: History,
    /// `[tls]`, if there is one.
    pub tls: Option<Tls>,
    /// `[auth]`
    pub auth: Auth,
    /// `[cluster]`, if there is one.
    pub cluster: Option<Cluster>,
}

/// `[server]`: the listeners.
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
    /// The proxies whose `X-Forwarded-For` counts.
    pub trusted_proxies: Vec<IpNet>,
    /// The header that carries a client's id for operators, if there is one.
    pub client_id_header: Option<HeaderName>,
    /// How long a stream is silent before it gets a `heartbeat`.
    pub heartbeat: Duration,
    /// How long the gateway is not ready after SIGTERM, and still serves, before the drain.
    pub drain_delay: Duration,
    /// Whether streams are compressed for clients that have the dictionary.
    pub compress: bool,
    /// The file of the dictionary; empty: that of the build.
    pub dictionary: PathBuf,
    /// What it held when it was loaded.
    pub loaded_dictionary: Arc<Dictionary>,
    /// Over how long streams are ended on SIGTERM.
    pub drain: Duration,
    /// Which lines are logged.
    pub log: LogFilter,
}

/// `[[feed]]`: symbols of a venue.
#[derive(Debug, Clone, PartialEq)]
pub struct Feed {
    /// `[a-z0-9-]{1,32}`: a label of metrics and logs.
    pub name: String,
    /// The venue.
    pub venue: &'static Spec,
    /// The address, instead of the venue's own.
    pub url: Option<String>,
    /// The recording that it plays, where the venue plays one.
    pub playback: Option<Playback>,
    /// The symbols, each once; empty where it is on demand.
    pub symbols: Vec<ListedSymbol>,
    /// Which symbols it subscribes when streams ask for them, where it does.
    pub on_demand: Option<OnDemand>,
    /// The most connections that the symbols may be spread over.
    pub connections_max: usize,
    /// The settings that only this venue has.
    pub options: Options,
    /// What a simulated venue is to do, and when.
    pub script: Script,
    /// When it trades.
    pub schedule: Schedule,
    /// The longest silence within its hours, instead of the default for its venue and its list.
    pub mute_after: Option<Duration>,
    /// The proxy that its connections go through.
    pub proxy: Option<Proxy>,
    /// The CAs that it trusts besides the public ones.
    pub ca_file: Option<CaFile>,
    /// The longest silence of one part of the data while another flows. `None` turns it off.
    pub part_mute_after: Option<Duration>,
    /// When its connections are replaced, where the venue ends them after a time anyway.
    pub rotate_at: Option<DailyMinute>,
    /// Whether its prices are live or late.
    pub tier: FeedTier,
    /// The feed that it stands in for, where it does.
    pub standby: Option<Standby>,
    /// Where it is recorded to while it serves.
    pub record: Option<Record>,
    /// The variable that holds the key.
    pub key_env: Option<String>,
    /// The variable that holds the secret of the key.
    pub secret_env: Option<String>,
    /// The keys, where the venue requires them.
    pub credentials: Option<Credentials>,
}

impl Feed {
    /// A feed of these symbols, with every other setting at its default.
    pub fn new(venue: &'static Spec, symbols: Vec<ListedSymbol>) -> Self {
        Self {
            name: venue.name.to_owned(),
            venue,
            url: None,
            playback: None,
            symbols,
            on_demand: None,
            connections_max: feeds::connections_default(venue),
            options: Options::default(),
            script: Script::default(),
            schedule: Schedule::new((venue.hours)(None), Vec::new()),
            mute_after: None,
            proxy: None,
            ca_file: None,
            part_mute_after: None,
            rotate_at: None,
            tier: (venue.delay)(None).map_or(FeedTier::Live, |by| FeedTier::Delayed { by }),
            standby: None,
            record: None,
            key_env: None,
            secret_env: None,
            credentials: None,
        }
    }

    /// The longest silence within its hours.
    pub fn mute_limit(&self) -> Duration {
        self.mute_limit_of(self.symbols.len())
    }

    /// The longest silence within its hours while it has so many symbols.
    pub fn mute_limit_of(&self, symbols: usize) -> Duration {
        self.mute_after.unwrap_or_else(|| times::mute_after_default(self.speaks(), symbols))
    }

    /// The venue whose frames it reads: its own, or the one that was recorded.
    pub fn speaks(&self) -> &'static Spec {
        self.playback.as_ref().map_or(self.venue, |playback| playback.protocol)
    }

    /// Where its data come from.
    pub fn origin(&self) -> Origin {
        let origin = match &self.playback {
            Some(playback) => playback.origin(),
            None => (self.venue.origin)(self.url.as_deref()),
        };
        match self.tier {
            FeedTier::Delayed { .. } => origin.delayed(),
            FeedTier::Live | FeedTier::LiveAndDelayed(_) => origin,
        }
    }

    /// How many prices its delay line holds at most, unless the step doubles; 0 without one.
    pub fn delay_notes(&self) -> u64 {
        self.tier.line().map_or(0, |line| line.notes_per_symbol().saturating_mul(self.symbols.len() as u64))
    }

    /// The number of connections: as many as the symbols need.
    pub fn connection_count(&self) -> usize {
        self.symbols.len().div_ceil(self.venue.symbols_per_connection).max(1)
    }

    /// The most symbols that it has at a time.
    pub fn symbols_max(&self) -> usize {
        self.on_demand.as_ref().map_or(self.symbols.len(), |on_demand| on_demand.symbols_max)
    }

    /// The most connections that it opens at a time.
    pub fn connections_at_most(&self) -> usize {
        self.symbols_max().div_ceil(self.venue.symbols_per_connection).max(1)
    }

    /// The symbols of each connection, as ranges of the list. They are spread evenly: a connection of a few quiet
    /// symbols would count as mute.
    pub fn connections(&self) -> impl Iterator<Item = Range<usize>> {
        let symbols = self.symbols.len();
        let count = self.connection_count();
        (0..count).map(move |place| symbols * place / count..symbols * (place + 1) / count)
    }
}

/// `[fanout]`: how ticks reach streams.
#[derive(Debug, Clone)]
pub struct Fanout {
    /// Worker threads; 0 is one per core, 64 the most.
    pub workers: usize,
    /// How long a worker gathers changes before it writes them; `None` follows the load.
    pub flush_interval: Option<Duration>,
    /// How many streams, of all workers, must share a tick before it is compressed.
    pub compress_min_streams: usize,
    /// How far a stream may be behind before it coalesces.
    pub max_lag: Duration,
    /// How many of the newest ticks are kept per symbol with readers.
    pub ring: usize,
    /// The oldest tick that is kept, except the newest.
    pub ring_age: Duration,
    /// How long a stream may take no byte before it is closed.
    pub stall_timeout: Duration,
}

/// `[limits]`: the capacity of one gateway.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Open streams.
    pub streams: usize,
    /// Open streams of one address; 0 turns the limit off.
    pub streams_per_address: usize,
    /// The symbols of all open streams together.
    pub subscriptions: usize,
    /// The symbols of all open streams of one address; 0 turns the limit off.
    pub subscriptions_per_address: usize,
    /// Connections that are not streams: heads being read and other answers.
    pub connections: usize,
    /// Those of one address, trusted proxies apart.
    pub connections_per_address: usize,
    /// How long a client may take to send a head.
    pub head_timeout: Duration,
    /// How long a client may take to read an answer that is not a stream.
    pub write_timeout: Duration,
    /// How long a head may be, in bytes.
    pub head_bytes: usize,
    /// How many symbols one stream may ask for.
    pub symbols_per_stream: usize,
    /// How many symbols that no other stream has the streams of one address may have subscribed in a minute.
    pub new_symbols_per_address: usize,
    /// How many bytes of older ticks a stream that resumes may get.
    pub replay_bytes: usize,
    /// The longest message of any venue, in bytes; `None` takes what each venue's spec needs.
    pub venue_message_bytes: Option<usize>,
}

/// `[history]`: what charts begin with.
#[derive(Debug, Clone)]
pub struct History {
    /// How far back a trail reaches; zero keeps none.
    pub keep: Duration,
    /// The least time between two points of a trail.
    pub every: Duration,
    /// The most bytes that all trails take.
    pub bytes_max: usize,
}

/// Bytes of a head for what is not its path and query: a browser's cookies and other headers.
const HEAD_BYTES_BESIDE_URI: usize = 4 << 10;

/// What a symbol may take in the body of a change: the longest name as a string of JSON, a comma, and blanks around it.
const BODY_BYTES_OF_SYMBOL: usize = Symbol::LENGTH_MAX + 8;
/// What else such a body may have.
const BODY_BYTES_BESIDE_SYMBOLS: usize = 1 << 10;
/// The least limit of a body.
const BODY_BYTES: usize = 16 << 10;

impl Limits {
    /// How long the body of a request may be, in bytes: a list that a stream may have fits.
    pub fn body_bytes_max(&self) -> usize {
        (BODY_BYTES_BESIDE_SYMBOLS + self.symbols_per_stream * BODY_BYTES_OF_SYMBOL).max(BODY_BYTES)
    }

    /// How long path and query of a request may be, in bytes: what its head leaves.
    pub fn uri_bytes_max(&self) -> usize {
        self.head_bytes.saturating_sub(HEAD_BYTES_BESIDE_URI)
    }
}
