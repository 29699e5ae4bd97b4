//! One of a node's two connections to its brokers.

use super::access;
use crate::{
    cluster::bus::{Broker, Connection, LinkCounts, Sent},
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
/// So many bytes of answers may be ahead of whatever else is published, besides one message of an answer.
const ANSWER_BYTES_AHEAD: usize = 256 << 10;
/// Answers of so many bytes pass the longer ones.
const SHORT_ANSWER_BYTES: usize = 1 << 10;
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
    /// The bytes of answers that may not have been written to the socket. A tokio mutex: held while they are.
    ahead: tokio::sync::Mutex<usize>,
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
    /// The broker of the newest connection.
    broker: Mutex<Option<Greeting>>,
    /// The configured addresses, which hold no password.
    servers: String,
    overflow_log: SharedLogLimit,
    error_log: SharedLogLimit,
}

/// What a broker said when the connection was made.
#[derive(Debug, PartialEq, Eq)]
struct Greeting {
    /// Tells this connection from an earlier one to the same broker.
    client: u64,
    broker: Broker,
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
        let watched = Arc::new(Watched::new(connection, cluster.servers.join(", ")));
        let for_events = watched.clone();
        let options = options.event_callback(move |event| {
            for_events.on(event);
            std::future::ready(())
        });
        let client = options.connect(servers).await?;
        watched.look(&client);
        let looks = tokio::spawn(look_often(client.clone(), watched.clone()));
        Ok(Self { client, watched, looks, ahead: tokio::sync::Mutex::default() })
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

    /// The broker at the other end, while it is up.
    pub(super) fn broker(&self) -> Option<Broker> {
        self.is_connected().then(|| greeting(&self.client).broker)
    }

    /// What it has counted.
    pub(super) fn counts(&self) -> LinkCounts {
        let [connects, overflows] =
            [&self.watched.connects, &self.watched.overflows].map(|count| count.load(Ordering::Relaxed));
        LinkCounts { connects, overflows }
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

    /// Publishes an answer, if it is up and has room within [`ROOM_WAIT`]. Few bytes of answers wait for the socket at
    /// a time, so that a lease's renewal does not stand behind a snapshot. A short answer, such as a beat, does not
    /// wait for that.
    pub(super) async fn answer(&self, subject: &str, payload: Bytes) -> Sent {
        if !self.is_connected() {
            return Sent::Dropped;
        }
        if payload.len() <= SHORT_ANSWER_BYTES {
            return self.within(self.client.publish(subject.to_owned(), payload).map(Result::ok)).await;
        }
        // The wait for other answers has a limit of its own. After it the follower has given this answer up.
        let Ok(mut ahead) = timeout(ROOM_WAIT, self.ahead.lock()).await else { return Sent::Dropped };
        if !self.is_connected() {
            return Sent::Dropped;
        }
        let publish = async {
            if *ahead >= ANSWER_BYTES_AHEAD {
                self.client.flush().await.ok()?;
                *ahead = 0;
            }
            *ahead += payload.len();
            self.client.publish(subject.to_owned(), payload).await.ok()
        };
        self.within(publish).await
    }

    async fn within(&self, publish: impl Future<Output = Option<()>>) -> Sent {
        match timeout(ROOM_WAIT, publish).await {
            Ok(Some(())) => Sent::Sent,
            Ok(None) | Err(_) => Sent::Dropped,
        }
    }
}

impl Drop for Link {
    /// The client's own task ends with the last clone of it.
    fn drop(&mut self) {
        self.looks.abort();
    }
}

fn greeting(client: &Client) -> Greeting {
    let info = client.server_info();
    let address = format!("{}:{}", info.host, info.port);
    Greeting { client: info.client_id, broker: Broker { name: info.server_name, address, version: info.version } }
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
    fn new(connection: Connection, servers: String) -> Self {
        Self {
            connection,
            broker: Mutex::default(),
            servers,
            up: watch::Sender::new(false),
            connects: AtomicU64::new(0),
            overflows: AtomicU64::new(0),
            violation: Mutex::new(None),
            overflow_log: SharedLogLimit::new(LOG_EVERY),
            error_log: SharedLogLimit::new(LOG_EVERY),
        }
    }

    fn look(&self, client: &Client) {
        let is_up = client.connection_state() == State::Connected;
        if is_up {
            self.greeted(greeting(client));
        }
        self.set(is_up);
    }

    /// Keeps who is at the other end; says so where the connection is another.
    fn greeted(&self, greeting: Greeting) {
        let mut known = self.broker.lock().unwrap_or_else(PoisonError::into_inner);
        if known.as_ref() != Some(&greeting) {
            let Broker { name, address, version } = &greeting.broker;
            tracing::info!(
                connection = self.connection.label(),
                broker = ?name,
                ?address,
                ?version,
                "connected to a broker"
            );
            *known = Some(greeting);
        }
    }

    fn broker(&self) -> Option<Broker> {
        let known = self.broker.lock().unwrap_or_else(PoisonError::into_inner);
        known.as_ref().map(|greeting| greeting.broker.clone())
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
                self.set(true);
            }
            Event::Disconnected => {
                let Broker { name, address, .. } = self.broker().unwrap_or_default();
                tracing::warn!(connection, broker = ?name, ?address, "disconnected from the broker");
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
                    let (servers, error) = (&self.servers, error.to_string());
                    tracing::warn!(connection, held_back, servers, ?error, "a broker cannot be reached");
                }
            }
            Event::LameDuckMode => tracing::info!(connection, "the broker is about to stop"),
            Event::Draining | Event::Closed => {}
        }
    }

    fn refused(&self, error: ServerError) {
        let text = error.to_string();
        if let Some(held_back) = self.error_log.admit(Instant::now()) {
            let Broker { name, address, .. } = self.broker().unwrap_or_default();
            tracing::error!(
                connection = self.connection.label(),
                broker = ?name,
                ?address,
                held_back,
                error = ?text,
                "the broker refuses a request"
            );
        }
        if text.to_ascii_lowercase().contains("permissions violation") {
            *self.violation.lock().unwrap_or_else(PoisonError::into_inner) = Some(text);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::{
        io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
        net::TcpSocket,
    };

    /// A broker that greets, and then reads nothing more until it is dropped.
    async fn mute_broker() -> (String, JoinHandle<()>) {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(64 << 10).unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let listener = socket.listen(1).unwrap();
        let address = listener.local_addr().unwrap();
        let serves = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let info = concat!(
                r#"INFO {"server_id":"x","server_name":"x","version":"2.12.10","go":"","host":"127.0.0.1","#,
                r#""port":1,"headers":true,"max_payload":1048576,"proto":1,"client_id":1}"#,
                "\r\n"
            );
            stream.write_all(info.as_bytes()).await.unwrap();
            let (reads, mut writes) = stream.split();
            let mut lines = BufReader::new(reads).lines();
            while lines.next_line().await.unwrap().is_some_and(|line| line != "PING") {}
            writes.write_all(b"PONG\r\n").await.unwrap();
            std::future::pending::<()>().await;
        });
        (format!("nats://{address}"), serves)
    }

    #[tokio::test]
    async fn rule_10_a_renewal_does_not_stand_behind_answers_that_the_broker_does_not_read() {
        let (server, serves) = mute_broker().await;
        let cluster = Cluster { name: "test".to_owned(), servers: vec![server], ..Cluster::default() };
        let link = Link::open(&cluster, Connection::Control, Opening::Once).await.unwrap();
        let part = Bytes::from(vec![0; ANSWER_BYTES_AHEAD]);
        let mut sent = 0;
        while link.answer("to", part.clone()).await == Sent::Sent {
            sent += 1;
        }
        // The kernel's buffers hold at most 4 MiB; the client's 64 messages would hold 16 MiB more.
        assert!(sent < 40, "{sent} parts");
        let waits = async {
            // Behind an answer that has its whole second, another has one of its own.
            tokio::join!(link.answer("to", part.clone()), link.answer("to", part.clone()))
        };
        let both = timeout(3 * ROOM_WAIT, waits).await;
        assert!(both.is_ok_and(|sent| sent == (Sent::Dropped, Sent::Dropped)), "each ends by itself");
        let beat = unconstrained(link.answer("to", Bytes::from_static(b"beat"))).now_or_never();
        assert_ne!(beat, None, "a short answer does not wait for long ones");
        // Whether the link knows by now that the broker is mute does not matter.
        let renewal = unconstrained(link.client.publish("renewal", Bytes::new())).now_or_never();
        assert!(matches!(renewal, Some(Ok(()))), "there is room for it");
        serves.abort();
    }

    #[test]
    fn events_tell_the_state_and_what_a_subscription_has_lost() {
        let watched = Watched::new(Connection::Live, String::new());
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
        let watched = Watched::new(Connection::Control, String::new());
        watched.on(Event::ServerError(ServerError::Other("Maximum Connections Exceeded".to_owned())));
        assert_eq!(*watched.violation.lock().unwrap(), None);
        let text = "Permissions Violation for Publish to \"$KV.x\"";
        watched.on(Event::ServerError(ServerError::Other(text.to_owned())));
        assert!(watched.violation.lock().unwrap().as_ref().is_some_and(|violation| violation.contains(text)));
    }
}
