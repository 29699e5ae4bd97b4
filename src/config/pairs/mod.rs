//! Settings that can make each other impossible, in one table: each range is right on its own, and some combinations
//! are not. A contradiction stops the start. What only this machine makes impossible is a warning, because the file may
//! be right elsewhere. The table of `docs/configure.md` is checked against this one.

mod auth;
mod cluster;
mod counts;
mod lengths;
mod machine;
mod times;
mod tls;

pub use machine::{Machine, MemoryAtLimits};

use super::Config;

/// How much a disagreement weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weight {
    /// One of the values can never work: the start is refused.
    Refused,
    /// One of the values is never reached, here: the gateway starts and warns.
    Warned,
    /// Not wrong, but a person must know it for what stands outside of the file.
    Told,
}

/// Settings that must agree.
#[derive(Debug)]
pub struct Pair {
    /// The keys, and what outside of the file they must agree with.
    pub keys: &'static [&'static str],
    /// What happens where they do not agree.
    pub weight: Weight,
    /// The rule, for the documentation.
    pub rule: &'static str,
    check: fn(&Config, &Machine) -> Option<Found>,
}

/// Two values that do not agree: what is wrong, and what to change.
#[derive(Debug, PartialEq, Eq)]
struct Found {
    what: String,
    help: String,
}

/// A pair whose values do not agree.
#[derive(Debug)]
pub struct Disagreement {
    /// The pair.
    pub pair: &'static Pair,
    /// The values, with their keys.
    pub what: String,
    /// What to change.
    pub help: String,
}

/// All pairs, in the order of the documentation.
pub const PAIRS: &[Pair] = &[
    Pair { keys: &["admin_listen", "listen"], weight: Weight::Refused, rule: "differ", check: times::listeners },
    Pair {
        keys: &["ring_age", "max_lag"],
        weight: Weight::Refused,
        rule: "`ring_age` is at least `max_lag`: a stream that is behind reads from the ring",
        check: times::ring_age,
    },
    Pair {
        keys: &["flush_interval", "max_lag"],
        weight: Weight::Refused,
        rule: "`flush_interval` is at most half of `max_lag`",
        check: times::flush_interval,
    },
    Pair {
        keys: &["ring", "max_lag"],
        weight: Weight::Warned,
        rule: "`ring` holds at least 10 ticks for each second of `max_lag`; with fewer, `max_lag` is never reached",
        check: times::ring,
    },
    Pair {
        keys: &["keep", "every"],
        weight: Weight::Refused,
        rule: "`keep` is 0s, or from one to 86,400 times `every`",
        check: times::history,
    },
    Pair {
        keys: &["venue_message_bytes", "symbols"],
        weight: Weight::Refused,
        rule: "`venue_message_bytes` is at least the longest message that a venue sends for the feed's symbols",
        check: lengths::venue_message_bytes,
    },
    Pair {
        keys: &["symbols_per_stream", "head_bytes"],
        weight: Weight::Warned,
        rule: "a URL of `symbols_per_stream` symbols fits `head_bytes` less 4 KiB for cookies and other headers",
        check: lengths::shortest_url,
    },
    Pair {
        keys: &["symbols_per_stream", "head_bytes", "symbols"],
        weight: Weight::Warned,
        rule: "so does a URL of as many of the longest configured symbols, each comma as `%2C`",
        check: lengths::longest_url,
    },
    Pair {
        keys: &["subscriptions", "symbols_per_stream"],
        weight: Weight::Refused,
        rule: "`subscriptions` has room for one stream of `symbols_per_stream`",
        check: counts::subscriptions,
    },
    Pair {
        keys: &["subscriptions_per_address", "symbols_per_stream"],
        weight: Weight::Refused,
        rule: "so has `subscriptions_per_address`, unless it is 0",
        check: counts::subscriptions_per_address,
    },
    Pair {
        keys: &["subscriptions", "streams"],
        weight: Weight::Warned,
        rule: "`subscriptions` is at least `streams`: each stream has a symbol",
        check: counts::subscriptions_of_streams,
    },
    Pair {
        keys: &["streams_per_address", "streams"],
        weight: Weight::Warned,
        rule: "`streams_per_address` is at most `streams`",
        check: counts::streams_per_address,
    },
    Pair {
        keys: &["subscriptions_per_address", "subscriptions"],
        weight: Weight::Warned,
        rule: "`subscriptions_per_address` is at most `subscriptions`",
        check: counts::subscriptions_per_address_of_all,
    },
    Pair {
        keys: &["tls.listen", "listen", "admin_listen"],
        weight: Weight::Refused,
        rule: "`tls.listen` is another address or another port",
        check: tls::listeners,
    },
    Pair {
        keys: &["handshakes", "connections"],
        weight: Weight::Warned,
        rule: "`handshakes` is at most `connections`: each handshake is a connection",
        check: tls::handshakes,
    },
    Pair {
        keys: &["h2_streams", "streams_per_address"],
        weight: Weight::Warned,
        rule: "`h2_streams` is at most `streams_per_address`, unless that is 0: all streams of a connection have its address",
        check: tls::h2_streams,
    },
    Pair {
        keys: &["certificates", "hosts"],
        weight: Weight::Warned,
        rule: "`hosts` lists a name of each certificate, unless it is of localhost or an IP address",
        check: tls::hosts,
    },
    Pair {
        keys: &["certificates", "chmod"],
        weight: Weight::Warned,
        rule: "not every user of the machine can read a private key of `certificates`",
        check: tls::keys,
    },
    Pair {
        keys: &["auth.mode", "auth.keys", "auth.secret_env", "auth.secret_file"],
        weight: Weight::Warned,
        rule: "`auth.mode` is not `off` where `auth.keys`, `auth.secret_env` or `auth.secret_file` is set: with `off` no token is verified, and all clients may read all",
        check: auth::mode,
    },
    Pair {
        keys: &["cluster.name", "delay"],
        weight: Weight::Refused,
        rule: "feeds of a cluster have no `delay`",
        check: cluster::delay,
    },
    Pair {
        keys: &["cluster.name", "tier"],
        weight: Weight::Refused,
        rule: "no feed of a cluster has `tier = \"delayed\"`",
        check: cluster::tier,
    },
    Pair {
        keys: &["cluster.name", "record"],
        weight: Weight::Refused,
        rule: "feeds of a cluster have no `record`",
        check: cluster::record,
    },
    Pair {
        keys: &["cluster.name", "standby_for"],
        weight: Weight::Refused,
        rule: "feeds of a cluster have no standbys",
        check: cluster::standby,
    },
    Pair {
        keys: &["cluster.name", "on_demand"],
        weight: Weight::Refused,
        rule: "feeds of a cluster list their symbols",
        check: cluster::on_demand,
    },
    Pair {
        keys: &["cluster.name", "[[feed]]"],
        weight: Weight::Refused,
        rule: "a cluster has at most 64 feeds",
        check: cluster::shards,
    },
    Pair {
        keys: &["streams", "connections", "ulimit -n"],
        weight: Weight::Warned,
        rule: "each stream, each connection and up to 4096 newcomers that wait for one have a descriptor; where too few are left, all are lowered",
        check: machine::descriptors,
    },
    Pair {
        keys: &[
            "streams",
            "subscriptions",
            "connections",
            "ring",
            "ring_age",
            "delay_step",
            "symbols",
            "bytes_max",
            "memory",
        ],
        weight: Weight::Warned,
        rule: "what full limits take fits the memory of the machine, or of its control group",
        check: machine::memory,
    },
    Pair {
        keys: &["delay", "delay_step", "symbols"],
        weight: Weight::Told,
        rule: "of all feeds with `delay`, `delay` / `delay_step` + 1 notes of each symbol are at most 500,000; else steps may double",
        check: machine::delay_steps,
    },
    Pair {
        keys: &["connections", "net.core.somaxconn"],
        weight: Weight::Warned,
        rule: "the kernel queues as many connects as `connections`, up to 4096",
        check: machine::backlog,
    },
    Pair {
        keys: &["drain_delay", "drain", "TimeoutStopSec="],
        weight: Weight::Told,
        rule: "`drain_delay`, `drain` and 3 s more, with `[cluster]` 6.5 s, pass before a supervisor kills the process; it usually waits 30 s",
        check: times::drain,
    },
];

/// All pairs whose values do not agree, in the order of the table.
pub fn check_together(config: &Config, machine: &Machine) -> Vec<Disagreement> {
    let check = |pair: &'static Pair| {
        (pair.check)(config, machine).map(|Found { what, help }| Disagreement { pair, what, help })
    };
    PAIRS.iter().filter_map(check).collect()
}

fn found(what: String, help: impl Into<String>) -> Option<Found> {
    Some(Found { what, help: help.into() })
}

#[cfg(test)]
mod tests;
