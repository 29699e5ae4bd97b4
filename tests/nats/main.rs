//! The bus and the leases over real brokers: `NATS_SERVER` names the program, which `scripts/test` installs.

#![cfg(feature = "cluster")]
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a test")]

#[allow(dead_code, reason = "a module of two test binaries, which use their own parts of it")]
mod broker;
mod deploy;
mod leases;
mod messages;
mod start;

use broker::{Broker, Proxy, tool};
use bytes::Bytes;
use std::time::Duration;
use tickfan::{
    cluster::{
        bus::{Bus, Connection, Subjects},
        nats::{self, Nats},
    },
    config::{BrokerAccess, Cluster},
};
use tokio::time::timeout;

/// Longer than anything takes here, even on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// A cluster of one broker, reached by this address.
fn cluster(node: &str, servers: &[&str]) -> Cluster {
    Cluster {
        name: "prod".to_owned(),
        node: node.to_owned(),
        servers: servers.iter().map(|server| (*server).to_owned()).collect(),
        replicas: 1,
        access: BrokerAccess::Anonymous,
        ..Cluster::default()
    }
}

/// A node whose both connections are up.
async fn connect(cluster: &Cluster) -> Nats {
    let nats = nats::connect(cluster).await.unwrap();
    for connection in Connection::ALL {
        comes_up(&nats, connection, true).await;
    }
    nats
}

async fn comes_up(nats: &Nats, connection: Connection, is_up: bool) {
    let mut connected = nats.bus.connected(connection);
    in_time(connected.wait_for(|up| *up == is_up)).await.unwrap();
}

async fn in_time<F: Future>(future: F) -> F::Output {
    timeout(PATIENCE, future).await.expect("it takes a minute")
}

fn subjects() -> Subjects {
    Subjects::new("prod")
}

fn text(text: &str) -> Bytes {
    text.to_owned().into()
}
