//! How a node reaches its brokers: addresses, credentials, and the times of a connection.

use crate::{
    cluster::bus::{Connection, SUBSCRIPTION_MESSAGES_MAX},
    config::{BrokerAccess, Cluster},
};
use async_nats::{ConnectOptions, ServerAddr};
use rand::RngExt as _;
use std::{io, time::Duration};

/// After so long without a message the broker is asked for a sign of life; the third that is missing ends the
/// connection.
const PING_EVERY: Duration = Duration::from_millis(500);
/// A broker answers a new connection within this time.
const CONNECT_MAX: Duration = Duration::from_millis(500);
/// The longest wait before another try to connect.
const RECONNECT_MAX: Duration = Duration::from_millis(500);
/// As many messages and requests wait for the connection. It takes them at once, unless its socket is full.
const QUEUE_MAX: usize = 64;

/// The brokers' addresses.
///
/// # Errors
/// An address that the client does not take, although the configuration did.
pub(super) fn servers(cluster: &Cluster) -> io::Result<Vec<ServerAddr>> {
    cluster.servers.iter().map(|server| server.parse()).collect()
}

/// The options of one of a node's connections.
///
/// # Errors
/// Credentials that are not valid.
pub(super) fn options(cluster: &Cluster, connection: Connection) -> io::Result<ConnectOptions> {
    let count = cluster.servers.len();
    let mut options = ConnectOptions::new()
        .name(format!("tickfan {} {}", cluster.node, connection.label()))
        .ping_interval(PING_EVERY)
        .connection_timeout(CONNECT_MAX)
        .client_capacity(QUEUE_MAX)
        .subscription_capacity(SUBSCRIPTION_MESSAGES_MAX)
        .max_reconnects(None)
        .reconnect_delay_callback(move |attempt| reconnect_delay(attempt, count))
        // The configuration names all of them; what a broker says of others may not be reachable from here.
        .ignore_discovered_servers()
        .no_echo();
    options = match &cluster.access {
        BrokerAccess::Anonymous => options,
        BrokerAccess::Credentials(credentials) => options.credentials(credentials.expose())?,
        BrokerAccess::User { user, password } => options.user_and_password(user.clone(), password.expose().to_owned()),
        BrokerAccess::Token(token) => options.token(token.expose().to_owned()),
    };
    if !cluster.ca_file.as_os_str().is_empty() {
        options = options.add_root_certificates(cluster.ca_file.clone());
    }
    if !cluster.cert_file.as_os_str().is_empty() {
        options = options.add_client_certificate(cluster.cert_file.clone(), cluster.key_file.clone());
    }
    Ok(options)
}

/// Each broker is tried once without a wait: where one of several dies, messages are missed only for milliseconds. Then
/// all nodes come back at random times.
fn reconnect_delay(attempt: usize, servers: usize) -> Duration {
    if attempt <= servers {
        return Duration::ZERO;
    }
    Duration::from_micros(rand::rng().random_range(0..=RECONNECT_MAX.as_micros() as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_broker_is_tried_at_once_and_then_after_at_most_half_a_second() {
        let delays = |attempt| (0..200).map(move |_| reconnect_delay(attempt, 3));
        assert!((1..=3).flat_map(delays).all(|delay| delay.is_zero()));
        let later: Vec<_> = [4, 5, 1_000_000].into_iter().flat_map(delays).collect();
        assert!(later.iter().all(|delay| *delay <= RECONNECT_MAX));
        assert!(later.iter().any(|delay| *delay > RECONNECT_MAX / 2));
    }
}
