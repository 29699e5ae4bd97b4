//! The start: the first connection, and the checks that say what to change.

use super::{
    bucket::{Bucket, Prepared, Unprepared},
    bus::NatsBus,
    leases::NatsLeases,
    link::{Link, Opening},
    request::Failed,
};
use crate::{
    cluster::bus::{Broker, Connection},
    config::Cluster,
};
use async_nats::{ConnectError, ConnectErrorKind, ServerInfo};
use futures_util::future::join_all;
use std::{error::Error as _, io, sync::Arc, time::Duration};
use tokio::{
    sync::{Notify, watch},
    task::JoinHandle,
    time::{Instant, sleep, timeout, timeout_at},
};

/// A snapshot is sent in messages of up to 256 KiB; four of them leave room for what comes.
const PAYLOAD_MIN: usize = 1 << 20;
/// Older brokers lose more acknowledged writes.
const VERSION_MIN: (i64, i64, i64) = (2, 12, 3);
/// The brokers have this long at the start. Then the node goes on without them, and waits.
const START_MAX: Duration = Duration::from_secs(5);
/// What passes is tried again after this.
const AGAIN_FIRST: Duration = Duration::from_millis(250);
/// The longest wait before the bucket is looked for again.
const AGAIN_MAX: Duration = Duration::from_secs(10);

/// A node's access to its brokers.
#[derive(Debug)]
pub struct Nats {
    /// For messages.
    pub bus: NatsBus,
    /// For leases.
    pub leases: NatsLeases,
    _keeper: Keeper,
}

/// What a person has to change before a node can be of its cluster.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The brokers do not know the user.
    #[error(
        "the brokers reject this node: check credentials_file, user_env with password_env, or token_env of [cluster], \
         and the users of the brokers"
    )]
    Denied,
    /// The credentials cannot be used.
    #[error("the credentials of [cluster] cannot be used: {0}")]
    Credentials(String),
    /// TLS fails.
    #[error(
        "TLS with the brokers fails: {0}; check ca_file, cert_file and key_file of [cluster], and the names in the \
         brokers' certificates"
    )]
    Tls(String),
    /// Messages do not fit.
    #[error(
        "the brokers' max_payload is {0} bytes, and {PAYLOAD_MIN} are needed: write max_payload: 1MB or more into the \
         configuration of each broker"
    )]
    MaxPayload(usize),
    /// JetStream is off.
    #[error(
        "the brokers do not serve JetStream, which keeps the leases: write `jetstream {{ store_dir: ... }}` into the \
         configuration of each broker, and `jetstream: enabled` into that of the account"
    )]
    NoJetStream,
    /// There are not as many brokers as replicas.
    #[error(
        "`replicas` of [cluster] is {0}, and fewer brokers serve JetStream: add brokers, or write replicas = 1 for a \
         single broker"
    )]
    TooFewBrokers(usize),
    /// The user lacks rights.
    #[error(
        "the brokers refuse a request of this node's user: {0}; docs/cluster.md lists the subjects that it has to be \
         allowed"
    )]
    NotAllowed(String),
    /// The bucket is not one that can be used.
    #[error(
        "the stream of the bucket {bucket} cannot keep leases: {why}; delete it, and a node makes it as it must be"
    )]
    Bucket {
        /// Its name.
        bucket: String,
        /// Why.
        why: String,
    },
}

/// Connects a node.
///
/// If the brokers cannot be reached, or cannot serve leases for now, it logs that and goes on: they may come later.
///
/// # Errors
/// [`StartError`], where a person has to change something.
pub async fn connect(cluster: &Cluster) -> Result<Nats, StartError> {
    let control = match Link::open(cluster, Connection::Control, Opening::Once).await {
        Ok(link) => link,
        Err(error) => {
            if let Some(error) = decisive(&error) {
                return Err(error);
            }
            let servers = cluster.servers.join(", ");
            tracing::warn!(servers, error = ?reason(&error), "the brokers cannot be reached; the node waits for them");
            open_waiting(cluster, Connection::Control).await?
        }
    };
    let live = open_waiting(cluster, Connection::Live).await?;
    let (live, control) = (Arc::new(live), Arc::new(control));
    let bucket = Arc::new(Bucket::new(&cluster.name, cluster.replicas));
    let missing = Arc::new(Notify::new());
    if control.is_connected() {
        check(&control, &bucket, cluster).await?;
    }
    let keeper = tokio::spawn(keep(control.clone(), bucket.clone(), missing.clone(), cluster.clone()));
    Ok(Nats {
        leases: NatsLeases::new(control.clone(), bucket, missing),
        bus: NatsBus::new(live, control),
        _keeper: Keeper(keeper),
    })
}

/// Tries each broker by itself: whether it can be reached and used. Changes nothing. Returns a remark, or what to
/// change.
pub async fn try_out(cluster: &Cluster, wait: Duration) -> Vec<(String, Result<String, String>)> {
    let tries = cluster.servers.iter().map(async |server| {
        let alone = Cluster { servers: vec![server.clone()], ..cluster.clone() };
        let tried = timeout(wait, try_broker(&alone)).await;
        (server.clone(), tried.unwrap_or_else(|_| Err(format!("no answer within {} s", wait.as_secs_f32()))))
    });
    join_all(tries).await
}

async fn try_broker(cluster: &Cluster) -> Result<String, String> {
    let link = Link::open(cluster, Connection::Control, Opening::Once).await;
    let link = link.map_err(|error| decisive(&error).map_or_else(|| reason(&error), |error| error.to_string()))?;
    let info = link.client.server_info();
    let is_new_enough = link.client.is_server_compatible(VERSION_MIN.0, VERSION_MIN.1, VERSION_MIN.2);
    check_broker(&info, is_new_enough).map_err(|error| error.to_string())?;
    let bucket = match Bucket::new(&cluster.name, cluster.replicas).look(&link).await {
        Ok(_) => String::new(),
        Err(Unprepared::Refused(error)) if error.is_no_stream() => {
            "; it has no leases yet, the first node makes their bucket".to_owned()
        }
        Err(unprepared) => {
            // The connection hears of a refusal apart from the request, and before it is given up.
            let of_person = for_a_person(&unprepared, &link, &info, cluster);
            return Err(of_person
                .map_or_else(|| format!("it does not keep leases now: {unprepared:?}"), |error| error.to_string()));
        }
    };
    let old = if is_new_enough { "" } else { ", which is too old: a crash can cost it writes" };
    Ok(format!("{} {}{old}{bucket}", info.server_name, info.version))
}

async fn open_waiting(cluster: &Cluster, connection: Connection) -> Result<Link, StartError> {
    Link::open(cluster, connection, Opening::Waiting)
        .await
        .map_err(|error| decisive(&error).unwrap_or_else(|| StartError::Credentials(reason(&error))))
}

/// The error of a connection that will not pass by itself.
fn decisive(error: &ConnectError) -> Option<StartError> {
    match error.kind() {
        ConnectErrorKind::AuthorizationViolation => Some(StartError::Denied),
        ConnectErrorKind::Authentication | ConnectErrorKind::ServerParse => {
            Some(StartError::Credentials(reason(error)))
        }
        ConnectErrorKind::Tls => Some(StartError::Tls(reason(error))),
        ConnectErrorKind::Io if is_tls(error) => Some(StartError::Tls(reason(error))),
        _ => None,
    }
}

/// A handshake that fails is an error of the socket, with the error of TLS inside.
fn is_tls(error: &ConnectError) -> bool {
    let io = error.source().and_then(|source| source.downcast_ref::<io::Error>());
    io.and_then(io::Error::get_ref).is_some_and(|inner| inner.is::<rustls::Error>())
}

fn reason(error: &ConnectError) -> String {
    error.source().map_or_else(|| error.to_string(), ToString::to_string)
}

/// Checks a broker that is connected, and makes the bucket. What passes has [`START_MAX`] for it.
async fn check(link: &Link, bucket: &Bucket, cluster: &Cluster) -> Result<(), StartError> {
    let info = link.client.server_info();
    check_broker(&info, link.client.is_server_compatible(VERSION_MIN.0, VERSION_MIN.1, VERSION_MIN.2))?;
    let until = Instant::now() + START_MAX;
    loop {
        let unprepared = match timeout_at(until, bucket.prepare(link)).await {
            Ok(Ok(prepared)) => {
                say_prepared(&prepared, cluster);
                return Ok(());
            }
            Ok(Err(unprepared)) => unprepared,
            Err(_) => Unprepared::Passing(Failed::TimedOut),
        };
        let is_last = Instant::now() + AGAIN_FIRST >= until;
        if !is_of_a_start(&unprepared, is_last)
            && let Some(error) = for_a_person(&unprepared, link, &info, cluster)
        {
            return Err(error);
        }
        if is_last {
            tracing::warn!(error = ?unprepared, "the brokers do not keep leases yet; the node waits for them");
            return Ok(());
        }
        sleep(AGAIN_FIRST).await;
    }
}

fn check_broker(info: &ServerInfo, is_new_enough: bool) -> Result<(), StartError> {
    if !is_new_enough {
        let (major, minor, patch) = VERSION_MIN;
        tracing::warn!(
            version = ?info.version,
            "the broker is older than {major}.{minor}.{patch}: a crash can cost it writes that it has acknowledged"
        );
    }
    if info.max_payload < PAYLOAD_MIN {
        return Err(StartError::MaxPayload(info.max_payload));
    }
    Ok(())
}

fn say_prepared(prepared: &Prepared, cluster: &Cluster) {
    if let Some(found) = prepared.other_replicas {
        tracing::warn!(
            found,
            configured = cluster.replicas,
            "the bucket of leases has another number of replicas; `nats stream edit` changes it"
        );
    }
}

/// Whether brokers that have just started would say the same: a node may start together with them. The last attempt
/// counts.
fn is_of_a_start(unprepared: &Unprepared, is_last: bool) -> bool {
    *unprepared == Unprepared::NoPeers && !is_last
}

/// What a person has to change so that there is a bucket; `None` if it may pass.
fn for_a_person(unprepared: &Unprepared, link: &Link, info: &ServerInfo, cluster: &Cluster) -> Option<StartError> {
    let bucket = |why: String| StartError::Bucket { bucket: format!("tickfan_{}", cluster.name), why };
    match unprepared {
        // A request that is not allowed has no answer.
        Unprepared::Passing(_) => match link.violation() {
            Some(violation) => Some(StartError::NotAllowed(violation)),
            None if *unprepared == Unprepared::Passing(Failed::NoResponders) && !info.jetstream => {
                Some(StartError::NoJetStream)
            }
            None => None,
        },
        Unprepared::NoJetStream => Some(StartError::NoJetStream),
        Unprepared::Alone | Unprepared::NoPeers => Some(StartError::TooFewBrokers(cluster.replicas)),
        Unprepared::Other(why) => Some(bucket((*why).to_owned())),
        Unprepared::Refused(error) => Some(bucket(format!("{:?} ({})", error.description, error.err_code))),
    }
}

/// The task that keeps the bucket there. It ends with the node.
#[derive(Debug)]
struct Keeper(JoinHandle<()>);

impl Drop for Keeper {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Checks each broker that the node connects to, and makes the bucket where it is missing. Errors are logged: streams
/// that are open stay open, and show what they have as stale.
async fn keep(link: Arc<Link>, bucket: Arc<Bucket>, missing: Arc<Notify>, cluster: Cluster) {
    let mut connected = link.connected();
    let mut again = AGAIN_FIRST;
    loop {
        if connected.wait_for(|is_up| *is_up).await.is_err() {
            return;
        }
        let Err(error) = check(&link, &bucket, &cluster).await else {
            again = AGAIN_FIRST;
            wait(&mut connected, &missing).await;
            continue;
        };
        let Broker { name, address, .. } = link.broker().unwrap_or_default();
        tracing::error!(broker = ?name, ?address, %error, "the brokers cannot keep leases");
        sleep(again).await;
        again = (again * 2).min(AGAIN_MAX);
    }
}

/// Waits until the connection is another, or the bucket may be gone.
async fn wait(connected: &mut watch::Receiver<bool>, missing: &Notify) {
    tokio::select! {
        _ = connected.changed() => {}
        // A bucket that was there a moment ago has no leader now, or is gone.
        () = missing.notified() => sleep(AGAIN_FIRST).await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broker_needs_room_for_a_snapshot() {
        let info = |max_payload| ServerInfo { max_payload, ..ServerInfo::default() };
        assert!(check_broker(&info(PAYLOAD_MIN), true).is_ok() && check_broker(&info(PAYLOAD_MIN), false).is_ok());
        let error = check_broker(&info(PAYLOAD_MIN - 1), true).unwrap_err().to_string();
        assert!(error.contains("is 1048575 bytes") && error.contains("max_payload: 1MB"), "{error}");
    }

    #[test]
    fn a_node_that_starts_with_its_brokers_waits_until_they_know_each_other() {
        assert!(is_of_a_start(&Unprepared::NoPeers, false));
        assert!(!is_of_a_start(&Unprepared::NoPeers, true), "they are too few");
        assert!(!is_of_a_start(&Unprepared::Alone, false), "a single broker stays alone");
    }

    #[test]
    fn errors_that_a_person_must_change_are_told_from_brokers_that_are_away() {
        let error = |kind, source: io::Error| ConnectError::with_source(kind, source);
        let tls = io::Error::new(io::ErrorKind::InvalidData, rustls::Error::NoCertificatesPresented);
        let refused = || io::Error::from(io::ErrorKind::ConnectionRefused);
        assert!(matches!(decisive(&error(ConnectErrorKind::Io, tls)), Some(StartError::Tls(_))));
        assert!(decisive(&error(ConnectErrorKind::Io, refused())).is_none());
        assert!(decisive(&error(ConnectErrorKind::TimedOut, refused())).is_none());
        assert!(decisive(&error(ConnectErrorKind::Dns, refused())).is_none());
        let denied = decisive(&error(ConnectErrorKind::AuthorizationViolation, refused()));
        assert!(matches!(denied, Some(StartError::Denied)));
    }
}
