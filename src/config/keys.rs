//! Every key of `[server]`, `[fanout]` and `[limits]`: its unit, default, range and the reason. What reads, checks, documents or
//! tests a setting goes through this table.

use super::{Config, error::Wrong, names};
use ipnet::IpNet;
use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    ops::RangeInclusive,
    time::Duration,
};

/// One key of the file.
#[derive(Debug)]
pub struct Key {
    /// Its table: `server`, `fanout` or `limits`.
    pub section: &'static str,
    /// Its name in the table.
    pub name: &'static str,
    /// Its kind, default, range and field.
    pub setting: Setting,
    /// Why the default, or the range, is what it is.
    pub reason: &'static str,
}

/// What a key holds. `field` is the place in a [`Config`] that it sets.
#[derive(Debug)]
pub enum Setting {
    /// An IP address and a port.
    Address {
        /// Without the key.
        default: SocketAddr,
        /// The field.
        field: fn(&mut Config) -> &mut SocketAddr,
    },
    /// A list of texts.
    Texts {
        /// Without the key.
        default: &'static [&'static str],
        /// The most entries.
        max: usize,
        /// Reads one entry.
        #[doc(hidden)]
        read: Read,
        /// The field.
        field: fn(&mut Config) -> &mut Vec<String>,
    },
    /// A list of IP addresses and nets of them. Without the key it is empty.
    Nets {
        /// The most entries.
        max: usize,
        /// The field.
        field: fn(&mut Config) -> &mut Vec<IpNet>,
    },
    /// A time, written with its unit.
    Time {
        /// Without the key.
        default: Duration,
        /// What is accepted.
        range: RangeInclusive<Duration>,
        /// The field.
        field: fn(&mut Config) -> &mut Duration,
    },
    /// A time, or `"auto"`, which is the default.
    TimeOrAuto {
        /// What is accepted.
        range: RangeInclusive<Duration>,
        /// The field; `None` is `"auto"`.
        field: fn(&mut Config) -> &mut Option<Duration>,
    },
    /// A whole number.
    Count {
        /// Without the key.
        default: usize,
        /// What is accepted.
        range: RangeInclusive<usize>,
        /// The field.
        field: fn(&mut Config) -> &mut usize,
    },
    /// A size in bytes, as a number or with its unit.
    Bytes {
        /// Without the key.
        default: usize,
        /// What is accepted.
        range: RangeInclusive<usize>,
        /// The field.
        field: fn(&mut Config) -> &mut usize,
    },
}

/// Reads one entry of a list of texts.
#[derive(Debug, Clone, Copy)]
pub struct Read(pub(super) fn(&str) -> Result<String, Wrong>);

impl Setting {
    /// Whether it is one value: only such a key can be set by a variable.
    pub fn is_scalar(&self) -> bool {
        !matches!(self, Self::Texts { .. } | Self::Nets { .. })
    }

    /// Sets its field to the default.
    pub(super) fn reset(&self, config: &mut Config) {
        match self {
            Self::Address { default, field } => *field(config) = *default,
            Self::Texts { default, field, .. } => {
                *field(config) = default.iter().map(|&text| text.to_owned()).collect()
            }
            Self::Nets { field, .. } => field(config).clear(),
            Self::Time { default, field, .. } => *field(config) = *default,
            Self::TimeOrAuto { field, .. } => *field(config) = None,
            Self::Count { default, field, .. } | Self::Bytes { default, field, .. } => *field(config) = *default,
        }
    }
}

/// All keys, in the order of the documentation.
pub const KEYS: &[Key] = &[
    Key {
        section: "server",
        name: "listen",
        setting: Setting::Address { default: loopback(8080), field: |config| &mut config.server.listen },
        reason: "loopback: prices leave the machine only when someone asks for it",
    },
    Key {
        section: "server",
        name: "admin_listen",
        setting: Setting::Address { default: loopback(8081), field: |config| &mut config.server.admin_listen },
        reason: "a port of its own, so that clients cannot lock operators out, and loopback, since it tells who reads what",
    },
    Key {
        section: "server",
        name: "hosts",
        setting: Setting::Texts {
            default: &[],
            max: 256,
            read: Read(names::host),
            field: |config| &mut config.server.hosts,
        },
        reason: "localhost and IP addresses always pass: only a name can be rebound by DNS",
    },
    Key {
        section: "server",
        name: "cors_origins",
        setting: Setting::Texts {
            default: &["*"],
            max: 256,
            read: Read(names::origin),
            field: |config| &mut config.server.cors_origins,
        },
        reason: "market data carry no credentials, so any page may read them",
    },
    Key {
        section: "server",
        name: "trusted_proxies",
        setting: Setting::Nets { max: 256, field: |config| &mut config.server.trusted_proxies },
        reason: "none: whoever is trusted says who its clients are, and X-Forwarded-For can be written by anybody",
    },
    Key {
        section: "server",
        name: "heartbeat",
        setting: time(secs(15), secs(5)..=secs(60), |config| &mut config.server.heartbeat),
        reason: "proxies close what is silent for 30 to 60 s; below 5 s the heartbeats are a load of their own",
    },
    Key {
        section: "server",
        name: "drain",
        setting: time(secs(10), secs(0)..=secs(600), |config| &mut config.server.drain),
        reason: "well within the 30 s after which a supervisor kills; 0s ends all streams at once",
    },
    Key {
        section: "fanout",
        name: "workers",
        setting: count(0, 0..=64, |config| &mut config.fanout.workers),
        reason: "0 is one per core; 64 because a symbol's marks are one bit per worker in one word",
    },
    Key {
        section: "fanout",
        name: "flush_interval",
        setting: Setting::TimeOrAuto {
            range: Duration::ZERO..=millis(100),
            field: |config| &mut config.fanout.flush_interval,
        },
        reason: "changes are gathered for so long, then written together; at most half of max_lag, since they then wait for their turn too; auto is none while the load is light, and as it grows fewer and larger writes",
    },
    Key {
        section: "fanout",
        name: "max_lag",
        setting: time(millis(250), millis(10)..=secs(60), |config| &mut config.fanout.max_lag),
        reason: "bursts pass whole, while what a slow client reads is still of this moment; below 10ms a busy round alone would be lag",
    },
    Key {
        section: "fanout",
        name: "ring",
        setting: count(1024, 16..=65_536, |config| &mut config.fanout.ring),
        reason: "max_lag at 4,000 ticks a second of one symbol; at about 0.6 KB each, 65,536 are 40 MB a symbol",
    },
    Key {
        section: "fanout",
        name: "ring_age",
        setting: time(secs(10), millis(10)..=secs(600), |config| &mut config.fanout.ring_age),
        reason: "what a client can still resume after a change of network; older ticks would only cost memory",
    },
    Key {
        section: "fanout",
        name: "stall_timeout",
        setting: time(secs(30), secs(1)..=secs(600), |config| &mut config.fanout.stall_timeout),
        reason: "longer than a phone's change of network, shorter than a dead client is worth its memory",
    },
    Key {
        section: "limits",
        name: "streams",
        setting: count(100_000, 1..=1_000_000, |config| &mut config.limits.streams),
        reason: "the descriptor limit caps it at the start; a million is what Linux allows one process by default",
    },
    Key {
        section: "limits",
        name: "streams_per_address",
        setting: count(0, 0..=1_000_000, |config| &mut config.limits.streams_per_address),
        reason: "0 is none: behind a proxy that is not in trusted_proxies all clients have one address",
    },
    Key {
        section: "limits",
        name: "connections",
        setting: count(4096, 1..=65_536, |config| &mut config.limits.connections),
        reason: "the backlog of the listener: a storm of connects is read at once, and heads are short",
    },
    Key {
        section: "limits",
        name: "head_timeout",
        setting: time(secs(10), millis(100)..=secs(60), |config| &mut config.limits.head_timeout),
        reason: "a far phone sends a head within some seconds; a client that drips holds a connection no longer",
    },
    Key {
        section: "limits",
        name: "write_timeout",
        setting: time(secs(10), millis(100)..=secs(600), |config| &mut config.limits.write_timeout),
        reason: "an answer that is no stream is short: a client that has not taken it by then does not read",
    },
    Key {
        section: "limits",
        name: "head_bytes",
        setting: bytes(16 << 10, 8 << 10..=64 << 10, |config| &mut config.limits.head_bytes),
        reason: "room for 500 symbols in the query and for a browser's cookies; the HTTP parser needs 8KiB",
    },
    Key {
        section: "limits",
        name: "symbols_per_stream",
        setting: count(500, 1..=5_000, |config| &mut config.limits.symbols_per_stream),
        reason: "a large watchlist; a query of 12 KiB, the longest that is read, holds no more than about 5,000",
    },
    Key {
        section: "limits",
        name: "replay_bytes",
        setting: bytes(64 << 10, 0..=16 << 20, |config| &mut config.limits.replay_bytes),
        reason: "some 150 older ticks for a client that comes back: more than that it reads no faster than it falls behind",
    },
    Key {
        section: "limits",
        name: "venue_message_bytes",
        setting: bytes(256 << 10, 4 << 10..=16 << 20, |config| &mut config.limits.venue_message_bytes),
        reason: "no message of ticks comes near it; the largest snapshot that a venue is known to send has 5 MB",
    },
];

/// One key of `[[feed]]`.
#[derive(Debug)]
pub struct FeedKey {
    /// Its name.
    pub name: &'static str,
    /// A value, as it stands in a file.
    pub example: &'static str,
    /// What it is, and what is the case without it.
    pub about: &'static str,
}

/// All keys of `[[feed]]`, in the order of the documentation.
pub const FEED_KEYS: &[FeedKey] = &[
    FeedKey {
        name: "name",
        example: r#""us-stocks""#,
        about: "A label of metrics and logs, of a-z, 0-9 and '-', at most 32 long. Without it, the venue's name.",
    },
    FeedKey {
        name: "venue",
        example: r#""alpaca""#,
        about: "Where the data come from: sim, binance or alpaca. Without it, sim.",
    },
    FeedKey {
        name: "url",
        example: r#""wss://stream.example.com/path""#,
        about: "Only to override the venue's own address.",
    },
    FeedKey {
        name: "key_env",
        example: r#""ALPACA_KEY""#,
        about: "The variable that holds the key; only for a venue that asks for one.",
    },
    FeedKey {
        name: "secret_env",
        example: r#""ALPACA_SECRET""#,
        about: "The variable that holds the key's secret. A file is read by too many to hold it.",
    },
    FeedKey {
        name: "symbols",
        example: r#"["AAPL", "MSFT", "BRK.B"]"#,
        about: "Canonical names, each in one feed only; where the venue's name cannot be derived, \
                { \"BTC-USD\" = \"XBT/USD\" }. The simulator has its own without it.",
    },
    FeedKey {
        name: "hours",
        example: r#""us-equities""#,
        about: "When it trades: always, or us-equities (04:00 to 20:00 New York, without the exchange's holidays). \
                Outside it, symbols are closed, and silence is no outage. Without it, the venue's.",
    },
    FeedKey {
        name: "closed_days",
        example: r#"["2027-01-20"]"#,
        about: "Days on which it does not trade and that the rule of its hours does not know.",
    },
    FeedKey {
        name: "mute_after",
        example: r#""30s""#,
        about: "A time from 1s to 1day. So long without data, within its hours, is an outage, however well the \
                connection answers. Without it, the venue's.",
    },
    FeedKey {
        name: "rate",
        example: "100",
        about: "Updates a second in all, from 0.1 to 1000000; only for the simulator.",
    },
];

impl Default for Config {
    /// Every key's default, and no feed.
    fn default() -> Self {
        let nowhere = loopback(0);
        let mut config = Self {
            server: super::Server {
                listen: nowhere,
                admin_listen: nowhere,
                hosts: Vec::new(),
                cors_origins: Vec::new(),
                trusted_proxies: Vec::new(),
                heartbeat: Duration::ZERO,
                drain: Duration::ZERO,
            },
            feeds: Vec::new(),
            fanout: super::Fanout {
                workers: 0,
                flush_interval: None,
                max_lag: Duration::ZERO,
                ring: 0,
                ring_age: Duration::ZERO,
                stall_timeout: Duration::ZERO,
            },
            limits: super::Limits {
                streams: 0,
                streams_per_address: 0,
                connections: 0,
                head_timeout: Duration::ZERO,
                write_timeout: Duration::ZERO,
                head_bytes: 0,
                symbols_per_stream: 0,
                replay_bytes: 0,
                venue_message_bytes: 0,
            },
        };
        KEYS.iter().for_each(|key| key.setting.reset(&mut config));
        config
    }
}

const fn loopback(port: u16) -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port)
}

const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

const fn time(default: Duration, range: RangeInclusive<Duration>, field: fn(&mut Config) -> &mut Duration) -> Setting {
    Setting::Time { default, range, field }
}

const fn count(default: usize, range: RangeInclusive<usize>, field: fn(&mut Config) -> &mut usize) -> Setting {
    Setting::Count { default, range, field }
}

const fn bytes(default: usize, range: RangeInclusive<usize>, field: fn(&mut Config) -> &mut usize) -> Setting {
    Setting::Bytes { default, range, field }
}
