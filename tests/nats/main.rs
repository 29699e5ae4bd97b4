//! The bus and the leases over real brokers: `NATS_SERVER` names the program, which `scripts/test` installs.

#![cfg(feature = "cluster")]
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a test")]

#[allow(dead_code, reason = "a module of two test binaries, which use their own parts of it")]
mod broker;
mod deploy;
mod leases;
mod messages;
mod start;

use broker::{Broker, Proxy};
use bytes::Bytes;
use std::{path::PathBuf, sync::Once, time::Duration};
use tickfan::{
    cluster::{
        bus::{Bus, Connection, Subjects},
        nats::{self, Nats},
    },
    config::{BrokerAccess, Cluster},
};
use tokio::time::timeout;

/// The variable that names the program of the broker.
const TOOL_VARIABLE: &str = "NATS_SERVER";
/// Longer than anything takes here, even on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// The program of the broker. Without it a test says so, and ends.
fn tool() -> Option<PathBuf> {
    static SAY: Once = Once::new();
    let path = std::env::var_os(TOOL_VARIABLE).map(PathBuf::from);
    if path.is_none() {
        SAY.call_once(|| println!("skipped: {TOOL_VARIABLE} does not name nats-server"));
    }
    path
}

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
