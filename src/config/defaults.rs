//! A configuration without a file. The defaults stand in the table of keys; what stands here is replaced.

use super::{
    Auth, BrokerAccess, Cluster, Config, Fanout, History, Limits, Server, Tls,
    keys::{KEYS, loopback},
};
use crate::{telemetry::LogFilter, tls::TlsVersion, wire::Dictionary};
use std::{path::PathBuf, sync::Arc, time::Duration};

impl Default for Config {
    /// The default of every key, no feeds, no `[tls]` and no `[cluster]`.
    fn default() -> Self {
        Self { tls: None, cluster: None, ..every_default() }
    }
}

/// The default of every key, those of `[tls]` and `[cluster]` too, and no feeds.
pub(super) fn every_default() -> Config {
    let mut config = Config {
        server: server(),
        feeds: Vec::new(),
        fanout: Fanout {
            workers: 0,
            flush_interval: None,
            compress_min_streams: 0,
            max_lag: Duration::ZERO,
            ring: 0,
            ring_age: Duration::ZERO,
            stall_timeout: Duration::ZERO,
        },
        limits: limits(),
        history: History { keep: Duration::ZERO, every: Duration::ZERO, bytes_max: 0 },
        tls: Some(tls()),
        auth: Auth::empty(),
        cluster: Some(cluster()),
    };
    KEYS.iter().for_each(|key| key.setting.reset(&mut config));
    config.auth.compile();
    config
}

fn server() -> Server {
    Server {
        listen: loopback(0),
        admin_listen: loopback(0),
        hosts: Vec::new(),
        cors_origins: Vec::new(),
        trusted_proxies: Vec::new(),
        client_id_header: None,
        heartbeat: Duration::ZERO,
        compress: false,
        dictionary: PathBuf::new(),
        loaded_dictionary: Dictionary::built_in(),
        drain_delay: Duration::ZERO,
        drain: Duration::ZERO,
        log: LogFilter::default(),
    }
}

fn limits() -> Limits {
    Limits {
        streams: 0,
        streams_per_address: 0,
        subscriptions: 0,
        subscriptions_per_address: 0,
        connections: 0,
        connections_per_address: 0,
        head_timeout: Duration::ZERO,
        write_timeout: Duration::ZERO,
        head_bytes: 0,
        symbols_per_stream: 0,
        new_symbols_per_address: 0,
        replay_bytes: 0,
        venue_message_bytes: None,
    }
}

fn tls() -> Tls {
    Tls {
        listen: loopback(0),
        certificates: Vec::new(),
        loaded: Arc::default(),
        http2: false,
        h2_streams: 0,
        h2_reader_check: false,
        min_version: TlsVersion::Tls12,
        handshake_timeout: Duration::ZERO,
        handshakes: 0,
        look: Duration::ZERO,
        hsts: Duration::ZERO,
    }
}

fn cluster() -> Cluster {
    Cluster {
        name: String::new(),
        node: String::new(),
        servers: Vec::new(),
        credentials_file: PathBuf::new(),
        user_env: String::new(),
        password_env: String::new(),
        token_env: String::new(),
        ca_file: PathBuf::new(),
        cert_file: PathBuf::new(),
        key_file: PathBuf::new(),
        lease: Duration::ZERO,
        stale_after: Duration::ZERO,
        batch: Duration::ZERO,
        replicas: 0,
        access: BrokerAccess::Anonymous,
    }
}

impl Default for Tls {
    /// The default of every key, and no certificates.
    fn default() -> Self {
        every_default().tls.expect("every default is there")
    }
}

impl Default for Cluster {
    /// The default of every key, and neither a name nor brokers.
    fn default() -> Self {
        every_default().cluster.expect("every default is there")
    }
}
