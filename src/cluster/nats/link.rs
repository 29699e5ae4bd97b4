//! One of a node's two connections to its brokers.

use super::access;
use crate::{
    cluster::bus::{Connection, Sent},
    config::Cluster,
    telemetry::SharedLogLimit,
};
use async_nats::{Client, ConnectError, ConnectErrorKind, Event, ServerError, connection::State};
use bytes::Bytes;
use futures_util::FutureExt as _;
use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::{
    sync::watch,
    task::{JoinHandle, unconstrained},
    time::{MissedTickBehavior, interval, timeout},
};

/// How long a message may wait until the connection has room for it, and a flush until it is done.
pub(super) const ROOM_WAIT: Duration = Duration::from_secs(1);
/// An event of the connection may get lost among others. So its state is also looked at this often.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// The brokers, or the network, can cause a line at will.
const LOG_EVERY: Duration = Duration::from_secs(10);

/// A connection. It reconnects for ever, until the link is dropped.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) client: Client,
    watched: Arc<Watched>,
    looks: JoinHandle<()>,
}

/// What the client's events tell of a connection.
#[derive(Debug)]
pub(super) struct Watched {
    connection: Connection,
    up: watch::Sender<bool>,
    connects: AtomicU64,
    /// Messages that came while their subscription was full.
    overflows: AtomicU64,
    /// What the broker has refused to this node's user last.
    violation: Mutex<Option<String>>,
    overflow_log: SharedLogLimit,
    error_log: SharedLogLimit,
}

/// How a link is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Opening {
    /// Each broker is tried once, and an error is returned.
    Once,
    /// It is returned at once, and connects once it can.
    Waiting,
}

impl Link {
    /// Opens a connection.
    ///
    /// # Errors
    /// With [`Opening::Once`] why none of the brokers can be reached; else credentials or addresses that are not valid.
    pub(super) async fn open(cluster: &Cluster, connection: Connection, how: Opening) -> Result<Self, ConnectError> {
        let not_valid = |error| ConnectError::with_source(ConnectErrorKind::Authentication, error);
        let mut options = access::options(cluster, connection).map_err(not_valid)?;
        if how == Opening::Waiting {
            options = options.retry_on_initial_connect();
        }
        let servers = access::servers(cluster)
            .map_err(|error| ConnectError::with_source(ConnectErrorKind::ServerParse, error))?;
        let watched = Arc::new(Watched::new(connection));
        let for_events = watched.clone();
        let options = options.event_callback(move |event| {
            for_events.on(event);
            std::future::ready(())
        });
        let client = options.connect(servers).await?;
        watched.look(&client);
        let looks = tokio::spawn(look_often(client.clone(), watched.clone()));
        Ok(Self { client, watched, looks })
    }

    /// Whether it is up now.
    pub(super) fn is_connected(&self) -> bool {
        self.client.connection_state() == State::Connected
    }

    /// Whether it is up, and each change of it.
    pub(super) fn connected(&self) -> watch::Receiver<bool> {
        self.watched.up.subscribe()
    }

    /// What the broker has refused to this node's user last.
    pub(super) fn violation(&self) -> Option<String> {
        self.watched.violation.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How often it was connected.
    pub(super) fn connects(&self) -> u64 {
        self.watched.connects.load(Ordering::Relaxed)
    }

    /// How many messages were dropped because their subscription was not read.
    pub(super) fn overflows(&self) -> u64 {
        self.watched.overflows.load(Ordering::Relaxed)
    }

    /// Publishes, if it is up and has room now.
    pub(super) fn publish(&self, subject: &str, payload: Bytes) -> Sent {
        if !self.is_connected() {
            return Sent::Dropped;
        }
        // Out of the runtime's budget, which else makes it wait although there is room.
        let publish = unconstrained(self.client.publish(subject.to_owned(), payload));
        match publish.now_or_never() {
            Some(Ok(())) => Sent::Sent,
            Some(Err(_)) | None => Sent::Dropped,
        }
    }

    /// Publishes, if it is up and has room within [`ROOM_WAIT`].
    pub(super) async fn publish_with_patience(&self, subject: &str, payload: Bytes) -> Sent {
        if !self.is_connected() {
            return Sent::Dropped;
        }
        match timeout(ROOM_WAIT, self.client.publish(subject.to_owned(), payload)).await {
            Ok(Ok(())) => Sent::Sent,
            Ok(Err(_)) | Err(_) => Sent::Dropped,
        }
    }
}

impl Drop for Link {
    /// The client's own task ends with the last clone of it.
    fn drop(&mut self) {
        self.looks.abort();
    }
}

async fn look_often(client: Client, watched: Arc<Watched>) {
    let mut ticks = interval(LOOK_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        watched.look(&client);
    }
}

impl Watched {
    fn new(connection: Connection) -> Self {
        Self {
            connection,
            up: watch::Sender::new(false),
            connects: AtomicU64::new(0),
            overflows: AtomicU64::new(0),
            violation: Mutex::new(None),
            overflow_log: SharedLogLimit::new(LOG_EVERY),
            error_log: SharedLogLimit::new(LOG_EVERY),
        }
    }

    fn look(&self, client: &Client) {
        self.set(client.connection_state() == State::Connected);
    }

    fn set(&self, is_up: bool) {
        self.up.send_if_modified(|up| std::mem::replace(up, is_up) != is_up);
    }

    /// Takes an event. There may be one for each message, so it does little.
    fn on(&self, event: Event) {
        let connection = self.connection.label();
        match event {
            Event::Connected => {
                self.connects.fetch_add(1, Ordering::Relaxed);
                tracing::info!(connection, "connected to a broker");
                self.set(true);
            }
            Event::Disconnected => {
                tracing::warn!(connection, "disconnected from the broker");
                self.set(false);
            }
            Event::SlowConsumer(_) => {
                self.overflows.fetch_add(1, Ordering::Relaxed);
                if let Some(held_back) = self.overflow_log.admit(Instant::now()) {
                    tracing::warn!(connection, held_back, "messages come faster than they are read, and are dropped");
                }
            }
            Event::ServerError(error) => self.refused(error),
            Event::ClientError(error) => {
                if let Some(held_back) = self.error_log.admit(Instant::now()) {
                    tracing::warn!(connection, held_back, error = ?error.to_string(), "a broker cannot be reached");
                }
            }
            Event::LameDuckMode => tracing::info!(connection, "the broker is about to stop"),
            Event::Draining | Event::Closed => {}
        }
    }

    fn refused(&self, error: ServerError) {
        let text = error.to_string();
        if let Some(held_back) = self.error_log.admit(Instant::now()) {
            tracing::error!(connection = self.connection.label(), held_back, error = ?text, "the broker refuses a request");
        }
        if text.to_ascii_lowercase().contains("permissions violation") {
            *self.violation.lock().unwrap_or_else(PoisonError::into_inner) = Some(text);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_tell_the_state_and_what_a_subscription_has_lost() {
        let watched = Watched::new(Connection::Live);
        let mut up = watched.up.subscribe();
        for (event, is_up, has_changed) in [
            (Event::Connected, true, true),
            (Event::SlowConsumer(3), true, false),
            (Event::SlowConsumer(3), true, false),
            (Event::Connected, true, false),
            (Event::Disconnected, false, true),
            (Event::ClientError(async_nats::ClientError::Other("no route".to_owned())), false, false),
        ] {
            watched.on(event.clone());
            assert_eq!((*watched.up.borrow(), up.has_changed().unwrap()), (is_up, has_changed), "{event}");
            up.mark_unchanged();
        }
        assert_eq!((watched.connects.into_inner(), watched.overflows.into_inner()), (2, 2));
    }

    #[test]
    fn what_a_user_may_not_do_is_remembered() {
        let watched = Watched::new(Connection::Control);
        watched.on(Event::ServerError(ServerError::Other("Maximum Connections Exceeded".to_owned())));
        assert_eq!(*watched.violation.lock().unwrap(), None);
        let text = "Permissions Violation for Publish to \"$KV.x\"";
        watched.on(Event::ServerError(ServerError::Other(text.to_owned())));
        assert!(watched.violation.lock().unwrap().as_ref().is_some_and(|violation| violation.contains(text)));
    }
}
