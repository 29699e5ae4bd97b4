//! Every key of all tables but `[[feed]]`: its unit, default, range and the reason. Reading,
//! checks, documentation and tests of a setting go through this table.

use super::{
    Config,
    auth_values::{self, GROUPS_MAX},
    cluster::{SERVERS_MAX, table as cluster},
    cluster_values, names,
    setting::{Applies, Key, Read, Setting},
    tls::table as tls,
};
use crate::{
    auth::{LIST_MAX, Pattern},
    tls::{CERTIFICATES_MAX, TlsVersion},
};
use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    ops::RangeInclusive,
    time::Duration,
};

/// All keys, in the order of the documentation.
pub const KEYS: &[Key] = &[
    Key {
        section: "server",
        name: "listen",
        setting: Setting::Address { default: loopback(8080), field: |config| &mut config.server.listen },
        applies: Applies::Restart,
        reason: "loopback, so that prices leave the machine only on request",
    },
    Key {
        section: "server",
        name: "admin_listen",
        setting: Setting::Address { default: loopback(8081), field: |config| &mut config.server.admin_listen },
        applies: Applies::Restart,
        reason: "its own port, so that clients cannot lock operators out; loopback, because it shows which client reads what",
    },
    Key {
        section: "server",
        name: "hosts",
        setting: Setting::Strings {
            default: &[],
            max: 256,
            read: Read(names::host_pattern),
            field: |config| &mut config.server.hosts,
        },
        applies: Applies::Reload,
        reason: "localhost and IP addresses always pass, because only a name can be rebound by DNS; *.example.com is every \
                 name below example.com, at any depth, and not example.com itself",
    },
    Key {
        section: "server",
        name: "cors_origins",
        setting: Setting::Strings {
            default: &["*"],
            max: 256,
            read: Read(names::origin),
            field: |config| &mut config.server.cors_origins,
        },
        applies: Applies::Reload,
        reason: "any page may read what it asks for without a cookie; a page may use the cookie of its user only if its origin is \
                 listed by name; https://*.example.com is every name below example.com",
    },
    Key {
        section: "server",
        name: "trusted_proxies",
        setting: Setting::Nets { max: 256, field: |config| &mut config.server.trusted_proxies },
        applies: Applies::Reload,
        reason: "none: any client can write X-Forwarded-For, so only listed proxies are believed",
    },
    Key {
        section: "server",
        name: "client_id_header",
        setting: Setting::HeaderName { field: |config| &mut config.server.client_id_header },
        applies: Applies::Reload,
        reason: "none: operators see its value beside a client's address, in logs and on the debug pages; it decides \
                 nothing, and a client can forge it unless trusted_proxies is set",
    },
    Key {
        section: "server",
        name: "heartbeat",
        setting: time(secs(15), secs(5)..=secs(60), |config| &mut config.server.heartbeat),
        applies: Applies::Reload,
        reason: "proxies close connections that are silent for 30 to 60 s; below 5 s the heartbeats themselves are a load",
    },
    Key {
        section: "server",
        name: "compress",
        setting: Setting::Switch { default: true, field: |config| &mut config.server.compress },
        applies: Applies::Reload,
        reason: "a tick is compressed once for all streams that have the dictionary; all others get plain bytes",
    },
    Key {
        section: "server",
        name: "dictionary",
        setting: Setting::Path { field: |config| &mut config.server.dictionary },
        applies: Applies::Restart,
        reason: "without it that of the build, of the simulator's ticks; `tickfan train-dictionary` makes one from your own feeds",
    },
    Key {
        section: "server",
        name: "drain_delay",
        setting: time(secs(0), secs(0)..=secs(600), |config| &mut config.server.drain_delay),
        applies: Applies::Reload,
        reason: "after SIGTERM /readyz fails for so long before a stream ends: the time in which a load balancer sends clients elsewhere; 0s where nothing probes it",
    },
    Key {
        section: "server",
        name: "drain",
        setting: time(secs(10), secs(0)..=secs(600), |config| &mut config.server.drain),
        applies: Applies::Reload,
        reason: "well below the 30 s after which a supervisor kills the process; 0s ends all streams at once",
    },
    Key {
        section: "server",
        name: "log",
        setting: Setting::Log { field: |config| &mut config.server.log },
        applies: Applies::Reload,
        reason: "a line for each event of the process, of a feed, and of what is rejected; debug adds single streams and connections, and info,tickfan::feed=debug those of feeds alone",
    },
    Key {
        section: "fanout",
        name: "workers",
        setting: count(0, 0..=64, |config| &mut config.fanout.workers),
        applies: Applies::Restart,
        reason: "0 is one per core; at most 64, because a symbol has one bit per worker in one word",
    },
    Key {
        section: "fanout",
        name: "flush_interval",
        setting: Setting::DurationOrAuto {
            range: Duration::ZERO..=millis(100),
            field: |config| &mut config.fanout.flush_interval,
        },
        applies: Applies::Restart,
        reason: "a worker gathers changes for this long and writes them together; at most half of max_lag, because a gathered change then also waits for its turn; auto writes at once under light load, and makes fewer and larger writes as the load grows",
    },
    Key {
        section: "fanout",
        name: "compress_min_streams",
        setting: count(8, 1..=1_000_000, |config| &mut config.fanout.compress_min_streams),
        applies: Applies::Restart,
        reason: "a tick that fewer streams, of all workers, get in one form costs more to compress than the shorter writes save; those with `max_rate` do not count, since each gets other ticks",
    },
    Key {
        section: "fanout",
        name: "max_lag",
        setting: time(millis(250), millis(10)..=secs(60), |config| &mut config.fanout.max_lag),
        applies: Applies::Restart,
        reason: "bursts pass whole, while a slow client still reads current prices; below 10ms a busy round alone would count as lag",
    },
    Key {
        section: "fanout",
        name: "ring",
        setting: count(1024, 16..=65_536, |config| &mut config.fanout.ring),
        applies: Applies::Restart,
        reason: "max_lag at 4,000 ticks a second of one symbol; at about 0.6 KB each, 65,536 are 40 MB a symbol",
    },
    Key {
        section: "fanout",
        name: "ring_age",
        setting: time(secs(10), millis(10)..=secs(600), |config| &mut config.fanout.ring_age),
        applies: Applies::Restart,
        reason: "long enough to resume after a change of network; older ticks would only cost memory",
    },
    Key {
        section: "fanout",
        name: "stall_timeout",
        setting: time(secs(30), secs(1)..=secs(600), |config| &mut config.fanout.stall_timeout),
        applies: Applies::Restart,
        reason: "longer than a phone needs to change its network; a client that reads nothing for longer is gone",
    },
    Key {
        section: "limits",
        name: "streams",
        setting: count(100_000, 1..=1_000_000, |config| &mut config.limits.streams),
        applies: Applies::Restart,
        reason: "the descriptor limit lowers it at the start; Linux allows one process a million descriptors by default",
    },
    Key {
        section: "limits",
        name: "streams_per_address",
        setting: count(0, 0..=1_000_000, |config| &mut config.limits.streams_per_address),
        applies: Applies::Reload,
        reason: "0 is unlimited, because behind a proxy that is not in trusted_proxies all clients have one address",
    },
    Key {
        section: "limits",
        name: "subscriptions",
        setting: count(5_000_000, 1..=100_000_000, |config| &mut config.limits.subscriptions),
        applies: Applies::Restart,
        reason: "the symbols of all streams together, those that clients name in vain too, at about 72 bytes each: 360 MB; 100,000 streams of 50 symbols",
    },
    Key {
        section: "limits",
        name: "subscriptions_per_address",
        setting: count(0, 0..=100_000_000, |config| &mut config.limits.subscriptions_per_address),
        applies: Applies::Reload,
        reason: "0 is unlimited, for the reason of streams_per_address",
    },
    Key {
        section: "limits",
        name: "connections",
        setting: count(4096, 1..=65_536, |config| &mut config.limits.connections),
        applies: Applies::Restart,
        reason: "as many as the backlog of the listener, so that a connect storm is read at once",
    },
    Key {
        section: "limits",
        name: "connections_per_address",
        setting: count(1024, 1..=65_536, |config| &mut config.limits.connections_per_address),
        applies: Applies::Reload,
        reason: "an office behind one address opens some hundreds at once; three quarters of connections at most, so that one address never holds all",
    },
    Key {
        section: "limits",
        name: "head_timeout",
        setting: time(secs(10), millis(100)..=secs(60), |config| &mut config.limits.head_timeout),
        applies: Applies::Reload,
        reason: "a phone far away sends a head within some seconds; a client that drips bytes holds its connection no longer",
    },
    Key {
        section: "limits",
        name: "write_timeout",
        setting: time(secs(10), millis(100)..=secs(600), |config| &mut config.limits.write_timeout),
        applies: Applies::Reload,
        reason: "an answer that is not a stream is short, so a client that has not read it by then is not reading",
    },
    Key {
        section: "limits",
        name: "head_bytes",
        setting: bytes(16 << 10, 8 << 10..=64 << 10, |config| &mut config.limits.head_bytes),
        applies: Applies::Reload,
        reason: "a URL of 12 KiB, enough for 500 symbols, and 4 KiB for a browser's cookies; the HTTP parser needs 8KiB",
    },
    Key {
        section: "limits",
        name: "symbols_per_stream",
        setting: count(500, 1..=5_000, |config| &mut config.limits.symbols_per_stream),
        applies: Applies::Reload,
        reason: "a large watchlist; 5,000 of 5 characters need head_bytes of 64KiB",
    },
    Key {
        section: "limits",
        name: "new_symbols_per_address",
        setting: count(100, 1..=100_000, |config| &mut config.limits.new_symbols_per_address),
        applies: Applies::Reload,
        reason: "for feeds on demand, in a minute: some watchlists; a venue limits requests, and all clients share them",
    },
    Key {
        section: "limits",
        name: "replay_bytes",
        setting: bytes(64 << 10, 0..=16 << 20, |config| &mut config.limits.replay_bytes),
        applies: Applies::Reload,
        reason: "some 150 older ticks for a client that resumes; with more it could fall behind while it reads them",
    },
    Key {
        section: "limits",
        name: "venue_message_bytes",
        setting: Setting::BytesOrAuto {
            range: 4 << 10..=16 << 20,
            field: |config| &mut config.limits.venue_message_bytes,
        },
        applies: Applies::Restart,
        reason: "auto is 256 KiB more than the longest message that a venue is known to send for the symbols of a \
                 connection; a value replaces it for all venues, and a longer message ends its connection",
    },
    Key {
        section: "history",
        name: "keep",
        setting: time(secs(900), secs(0)..=secs(86_400), |config| &mut config.history.keep),
        applies: Applies::Restart,
        reason: "a chart of a quarter of an hour, at 43 KB a symbol that moves all the time; 0s keeps nothing, and costs nothing",
    },
    Key {
        section: "history",
        name: "every",
        setting: time(secs(1), millis(100)..=secs(60), |config| &mut config.history.every),
        applies: Applies::Restart,
        reason: "900 points in a quarter of an hour, about as many as a chart has pixels; each takes 48 bytes",
    },
    Key {
        section: "history",
        name: "bytes_max",
        setting: bytes(256 << 20, 1 << 20..=64 << 30, |config| &mut config.history.bytes_max),
        applies: Applies::Restart,
        reason: "6,000 symbols that move all the time; beyond it the symbols that are wanted least lose their history",
    },
    Key {
        section: "tls",
        name: "listen",
        setting: Setting::Address { default: EVERYWHERE, field: |config| &mut tls(config).listen },
        applies: Applies::Restart,
        reason: "all interfaces: a gateway with a certificate is to be reached by its name",
    },
    Key {
        section: "tls",
        name: "certificates",
        setting: Setting::Certificates { max: CERTIFICATES_MAX, field: |config| &mut tls(config).certificates },
        applies: Applies::Reload,
        reason: "one for each site; the name that a client asks for chooses, and the first is for all other names",
    },
    Key {
        section: "tls",
        name: "http2",
        setting: Setting::Switch { default: true, field: |config| &mut tls(config).http2 },
        applies: Applies::Restart,
        reason: "a browser opens at most six HTTP/1.1 connections to a site, so with false a seventh stream waits",
    },
    Key {
        section: "tls",
        name: "h2_streams",
        setting: count(100, 1..=1_000, |config| &mut tls(config).h2_streams),
        applies: Applies::Restart,
        reason: "what browsers expect at least; each open stream costs memory, and the frames of all share a connection",
    },
    Key {
        section: "tls",
        name: "h2_reader_check",
        setting: Setting::Switch { default: true, field: |config| &mut tls(config).h2_reader_check },
        applies: Applies::Restart,
        reason: "the unread bytes of one blocked tab would stop the streams of all tabs of its browser",
    },
    Key {
        section: "tls",
        name: "min_version",
        setting: Setting::TlsVersion { default: TlsVersion::Tls12, field: |config| &mut tls(config).min_version },
        applies: Applies::Restart,
        reason: "all browsers speak 1.3; some proxies and libraries still speak 1.2, which has only ciphers with forward secrecy here",
    },
    Key {
        section: "tls",
        name: "handshake_timeout",
        setting: time(secs(10), millis(100)..=secs(60), |config| &mut tls(config).handshake_timeout),
        applies: Applies::Reload,
        reason: "as long as head_timeout, for the same phone far away",
    },
    Key {
        section: "tls",
        name: "handshakes",
        setting: count(64, 1..=4_096, |config| &mut tls(config).handshakes),
        applies: Applies::Restart,
        reason: "each takes 0.1 to 0.7 ms of a core, so more at a time would only make all of them slower; others wait unread",
    },
    Key {
        section: "tls",
        name: "look",
        setting: time(secs(10), secs(1)..=secs(3_600), |config| &mut tls(config).look),
        applies: Applies::Reload,
        reason: "files of some kilobytes are read so often and compared; a renewed certificate counts without a signal",
    },
    Key {
        section: "tls",
        name: "hsts",
        setting: time(secs(0), secs(0)..=secs(2 * YEAR), |config| &mut tls(config).hsts),
        applies: Applies::Reload,
        reason: "0s sends no Strict-Transport-Security: a browser that has seen one refuses plain http for the whole name, other ports included, until it has passed",
    },
    Key {
        section: "auth",
        name: "mode",
        setting: Setting::AuthMode { field: |config| &mut config.auth.mode },
        applies: Applies::Restart,
        reason: "off serves all to all, and ignores credentials; optional gives a client without credentials the rights of \
                 [auth.anonymous], and required rejects it",
    },
    Key {
        section: "auth",
        name: "keys",
        setting: Setting::Keys { field: |config| &mut config.auth.keys },
        applies: Applies::Reload,
        reason: "the JWK set of the issuer, whose keys verify tokens; it is fetched again as keys rotate, and a file is looked at",
    },
    Key {
        section: "auth",
        name: "ca_file",
        setting: Setting::Path { field: |config| &mut config.auth.ca_file },
        applies: Applies::Reload,
        reason: "certificates in PEM form of CAs that the server of the keys may have its certificate from, besides the public ones",
    },
    Key {
        section: "auth",
        name: "secret_env",
        setting: text("", "The name of a variable, or \"\" for none", Read(auth_values::variable), |config| {
            &mut config.auth.secret_env
        }),
        applies: Applies::Reload,
        reason: "the variable with the secret of HS256, in place of keys; it can sign tokens, so prefer keys where the issuer has them",
    },
    Key {
        section: "auth",
        name: "secret_file",
        setting: Setting::Path { field: |config| &mut config.auth.secret_file },
        applies: Applies::Reload,
        reason: "the same secret in a file; blanks around it do not count",
    },
    Key {
        section: "auth",
        name: "issuer",
        setting: text("", "The iss of tokens, or \"\" for any", Read(auth_values::issuer), |config| {
            &mut config.auth.issuer
        }),
        applies: Applies::Reload,
        reason: "any issuer that signs with the keys; name it where its server signs for several",
    },
    Key {
        section: "auth",
        name: "audience",
        setting: text("tickfan", "A name in the aud of tokens", Read(auth_values::audience), |config| {
            &mut config.auth.audience
        }),
        applies: Applies::Reload,
        reason: "a token that the issuer made for another service must not count here",
    },
    Key {
        section: "auth",
        name: "streams_per_subject",
        setting: count(16, 1..=100_000, |config| &mut config.auth.streams_per_subject),
        applies: Applies::Reload,
        reason: "a desk with several screens; one login that is passed on serves no crowd; a token may say another number",
    },
    Key {
        section: "auth",
        name: "ticket_ttl",
        setting: time(secs(30), secs(5)..=secs(120), |config| &mut config.auth.ticket_ttl),
        applies: Applies::Reload,
        reason: "a page opens its stream at once, and a phone far away needs some seconds for it; a ticket stands in a URL",
    },
    Key {
        section: "auth",
        name: "look",
        setting: time(secs(10), secs(1)..=secs(3_600), |config| &mut config.auth.look),
        applies: Applies::Reload,
        reason: "a file of keys is read so often and compared; new keys count without a signal",
    },
    Key {
        section: "auth",
        name: "default_live",
        setting: patterns(&[], |config| &mut config.auth.defaults.live),
        applies: Applies::Reload,
        reason: "what a token without a list of its own may read live: nothing, so that a forgotten list gives nothing away",
    },
    Key {
        section: "auth",
        name: "default_delayed",
        setting: patterns(&[], |config| &mut config.auth.defaults.delayed),
        applies: Applies::Reload,
        reason: "the same for delayed prices",
    },
    Key {
        section: "auth",
        name: "groups",
        setting: Setting::Groups { max: GROUPS_MAX, field: |config| &mut config.auth.groups },
        applies: Applies::Reload,
        reason: "a token names a group as @us, and stays short while the list changes here",
    },
    Key {
        section: "auth.anonymous",
        name: "live",
        setting: patterns(&[], |config| &mut config.auth.anonymous.live),
        applies: Applies::Reload,
        reason: "what a client without credentials may read live, with mode = optional",
    },
    Key {
        section: "auth.anonymous",
        name: "delayed",
        setting: patterns(&["*"], |config| &mut config.auth.anonymous.delayed),
        applies: Applies::Reload,
        reason: "all of it some time after, as exchanges let vendors show it to people who have not signed",
    },
    Key {
        section: "cluster",
        name: "name",
        setting: text("", "1 to 32 characters of a-z, 0-9 and '-'", Read(cluster_values::name), |config| {
            &mut cluster(config).name
        }),
        applies: Applies::Restart,
        reason: "the same on all nodes; clusters of different names can share brokers",
    },
    Key {
        section: "cluster",
        name: "node",
        setting: text("", "1 to 64 letters, digits, '_' and '-'", Read(cluster_values::node), |config| {
            &mut cluster(config).node
        }),
        applies: Applies::Restart,
        reason: "another on each node; without it, the host's name up to its first dot",
    },
    Key {
        section: "cluster",
        name: "servers",
        setting: Setting::Strings {
            default: &[],
            max: SERVERS_MAX,
            read: Read(cluster_values::server),
            field: |config| &mut cluster(config).servers,
        },
        applies: Applies::Restart,
        reason: "all brokers, such as tls://n1:4222, so that the loss of one only costs a reconnect; tls:// requires TLS, and nats:// uses it where the broker does",
    },
    Key {
        section: "cluster",
        name: "credentials_file",
        setting: Setting::Path { field: |config| &mut cluster(config).credentials_file },
        applies: Applies::Restart,
        reason: "the credentials of a user as nsc writes them; without them, and without user_env and token_env, the node connects anonymously",
    },
    Key {
        section: "cluster",
        name: "user_env",
        setting: broker_variable(|config| &mut cluster(config).user_env),
        applies: Applies::Restart,
        reason: "the variable with the name of a user, together with password_env",
    },
    Key {
        section: "cluster",
        name: "password_env",
        setting: broker_variable(|config| &mut cluster(config).password_env),
        applies: Applies::Restart,
        reason: "the variable with the password of that user",
    },
    Key {
        section: "cluster",
        name: "token_env",
        setting: broker_variable(|config| &mut cluster(config).token_env),
        applies: Applies::Restart,
        reason: "the variable with a token, for brokers that are opened by one",
    },
    Key {
        section: "cluster",
        name: "ca_file",
        setting: Setting::Path { field: |config| &mut cluster(config).ca_file },
        applies: Applies::Restart,
        reason: "certificates in PEM form of the CAs that may have signed the brokers' certificates; without it, those that the machine trusts",
    },
    Key {
        section: "cluster",
        name: "cert_file",
        setting: Setting::Path { field: |config| &mut cluster(config).cert_file },
        applies: Applies::Restart,
        reason: "the certificate of this node in PEM form, where brokers verify the nodes' certificates",
    },
    Key {
        section: "cluster",
        name: "key_file",
        setting: Setting::Path { field: |config| &mut cluster(config).key_file },
        applies: Applies::Restart,
        reason: "the private key of cert_file",
    },
    Key {
        section: "cluster",
        name: "lease",
        setting: time(secs(9), secs(5)..=secs(60), |config| &mut cluster(config).lease),
        applies: Applies::Restart,
        reason: "the same on all nodes: so long after an owner's crash another node takes over; shorter ones would not outlast an election among the brokers, of up to 8 s",
    },
    Key {
        section: "cluster",
        name: "stale_after",
        setting: time(secs(2), millis(500)..=secs(10), |config| &mut cluster(config).stale_after),
        applies: Applies::Restart,
        reason: "an owner says something at least four times a second; prices that are not followed for longer are stale, because the market may have moved",
    },
    Key {
        section: "cluster",
        name: "batch",
        setting: time(millis(1), secs(0)..=millis(20), |config| &mut cluster(config).batch),
        applies: Applies::Restart,
        reason: "under load an owner gathers ticks for this long, which costs a third of the processor time of single messages; a tick after silence leaves at once",
    },
    Key {
        section: "cluster",
        name: "replicas",
        setting: count(3, 1..=5, |config| &mut cluster(config).replicas),
        applies: Applies::Restart,
        reason: "so many brokers keep the leases: with 3, one may fail; 1 where there is one broker; it counts when the bucket is made",
    },
];

/// A year, as durations are written.
const YEAR: u64 = 31_557_600;
/// Port 8443 of all interfaces.
const EVERYWHERE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 8443);

pub(super) const fn loopback(port: u16) -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port)
}

const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

const fn time(default: Duration, range: RangeInclusive<Duration>, field: fn(&mut Config) -> &mut Duration) -> Setting {
    Setting::Duration { default, range, field }
}

const fn count(default: usize, range: RangeInclusive<usize>, field: fn(&mut Config) -> &mut usize) -> Setting {
    Setting::Count { default, range, field }
}

const fn bytes(default: usize, range: RangeInclusive<usize>, field: fn(&mut Config) -> &mut usize) -> Setting {
    Setting::Bytes { default, range, field }
}

const fn text(default: &'static str, what: &'static str, read: Read, field: fn(&mut Config) -> &mut String) -> Setting {
    Setting::Text { default, read, what, field }
}

const fn broker_variable(field: fn(&mut Config) -> &mut String) -> Setting {
    text("", "The name of a variable, or \"\" for none", Read(cluster_values::variable), field)
}

const fn patterns(default: &'static [&'static str], field: fn(&mut Config) -> &mut Vec<Pattern>) -> Setting {
    Setting::Patterns { default, max: LIST_MAX, field }
}
