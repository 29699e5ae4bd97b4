//! The venue's side of its connections: it accepts them, replies to requests and executes commands.

use super::{
    batch::{Batch, Entry, Kind},
    command::{Bad, Behaviour, ConnectionCommand, Door, Flow},
    drip_socket::DripSocket,
    generator::unix_micros,
    request::Permissions,
    shared::Shared,
};
use futures_util::{SinkExt, StreamExt};
use socket2::{Domain, SockRef, Socket, Type};
use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::{
    io::AsyncWriteExt,
    net::{TcpListener, TcpStream},
    sync::{
        broadcast::{self, error::RecvError},
        watch,
    },
    task::JoinSet,
};
use tokio_tungstenite::{
    WebSocketStream, accept_hdr_async,
    tungstenite::{
        self, Message,
        handshake::server::{ErrorResponse, Request, Response},
        http::StatusCode,
    },
};

/// The most connections at a time.
const CONNECTIONS_MAX: usize = 64;
/// The backlog of the listener.
const BACKLOG: i32 = 64;
/// How long a client may take for its handshake.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(5);
/// A message longer than any gateway accepts of a venue.
const OVERSIZE: usize = 300 * 1_024;

type Websocket = WebSocketStream<DripSocket>;

/// Accepts connections as the current [`Door`] says.
pub(super) struct Acceptor {
    pub(super) address: SocketAddr,
    pub(super) shared: Arc<Shared>,
    pub(super) behaviour: watch::Receiver<Behaviour>,
    pub(super) commands: broadcast::WeakSender<ConnectionCommand>,
}

/// Binds a port that can be bound again as soon as its venue has ended.
pub(super) fn listen(address: SocketAddr) -> io::Result<std::net::TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM.nonblocking(), None)?;
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

impl Acceptor {
    /// Serves until the venue is dropped, which ends the connections too.
    pub(super) async fn serve(mut self, listener: std::net::TcpListener) {
        let mut listener = TcpListener::from_std(listener).ok();
        let mut connections = JoinSet::new();
        loop {
            let wanted = self.behaviour.borrow_and_update().door;
            match (wanted, &listener) {
                (Door::Shut, Some(_)) => listener = None,
                (Door::Shut, None) | (_, Some(_)) => {}
                // Another process may hold the port for a moment; the next turn retries.
                (_, None) => listener = listen(self.address).and_then(TcpListener::from_std).ok(),
            }
            let has_room = connections.len() < CONNECTIONS_MAX;
            tokio::select! {
                changed = self.behaviour.changed() => if changed.is_err() { return },
                accepted = accept(listener.as_ref()), if has_room && listener.is_some() => {
                    if let Ok(socket) = accepted && let Some(commands) = self.commands.upgrade() {
                        let behaviour = self.behaviour.clone();
                        connections.spawn(serve_connection(socket, self.shared.clone(), behaviour, commands.subscribe()));
                    }
                }
                Some(_) = connections.join_next() => {}
            }
        }
    }
}

async fn accept(listener: Option<&TcpListener>) -> io::Result<TcpStream> {
    let Some(listener) = listener else { return std::future::pending().await };
    let (socket, _) = listener.accept().await?;
    socket.set_nodelay(true)?;
    // Closing resets the connection at once, as a crashing venue does.
    SockRef::from(&socket).set_linger(Some(Duration::ZERO))?;
    Ok(socket)
}

#[expect(clippy::result_large_err, reason = "the websocket library's own answer to a handshake")]
async fn serve_connection(
    socket: TcpStream,
    shared: Arc<Shared>,
    behaviour: watch::Receiver<Behaviour>,
    commands: broadcast::Receiver<ConnectionCommand>,
) {
    let door = behaviour.borrow().door;
    let drips = Arc::new(AtomicBool::new(false));
    let has_waited = Arc::new(AtomicBool::new(false));
    let drip_socket = DripSocket { socket, drips: drips.clone(), has_waited: has_waited.clone() };
    let answer_handshake = |_: &Request, response: Response| match refusal(door, &shared) {
        Some(status) => Err(error_response(status)),
        None => Ok(response),
    };
    let Ok(Ok(websocket)) =
        tokio::time::timeout(HANDSHAKE_TIMEOUT, accept_hdr_async(drip_socket, answer_handshake)).await
    else {
        return;
    };
    let permissions = Permissions { key: door != Door::KeyRefused, half: door == Door::Half };
    let mut connection = Connection {
        websocket,
        drips,
        has_waited,
        waited_until: 0,
        shared,
        behaviour,
        commands,
        permissions,
        subscribed: Vec::new(),
        wants: Vec::new(),
        sent: 0,
    };
    connection.shared.counts.connected();
    // The gateway reports why a connection ended.
    let _ = connection.run().await;
    connection.shared.counts.disconnected();
    connection.shared.market().unsubscribe(&connection.subscribed);
}

fn refusal(door: Door, shared: &Shared) -> Option<StatusCode> {
    match door {
        Door::Forbidden => Some(StatusCode::FORBIDDEN),
        Door::KeyRefused if !shared.protocol.has_keys() => Some(StatusCode::UNAUTHORIZED),
        _ => None,
    }
}

fn error_response(status: StatusCode) -> ErrorResponse {
    let mut response = ErrorResponse::new(None);
    *response.status_mut() = status;
    response
}

struct Connection {
    websocket: Websocket,
    drips: Arc<AtomicBool>,
    /// Whether the client has not taken what was written at once.
    has_waited: Arc<AtomicBool>,
    /// When it had taken that, in µs since 1970.
    waited_until: u64,
    shared: Arc<Shared>,
    behaviour: watch::Receiver<Behaviour>,
    commands: broadcast::Receiver<ConnectionCommand>,
    permissions: Permissions,
    subscribed: Vec<(u32, Kind)>,
    /// The subscriptions by symbol and kind.
    wants: Vec<[bool; 2]>,
    /// The messages that it has sent, and those that were lost.
    sent: u64,
}

impl Connection {
    async fn run(&mut self) -> Result<(), tungstenite::Error> {
        if let Some(welcome) = self.shared.protocol.welcome() {
            self.send_text(welcome.to_owned()).await?;
        }
        loop {
            let flow = self.behaviour.borrow_and_update().flow;
            self.drips.store(flow == Flow::Drip, Ordering::Relaxed);
            let is_half_open = flow == Flow::HalfOpen;
            tokio::select! {
                changed = self.behaviour.changed() => if changed.is_err() { return Ok(()) },
                message = self.websocket.next(), if !is_half_open => match message {
                    Some(message) => self.handle_message(&message?).await?,
                    None => return Ok(()),
                },
                command = self.commands.recv() => match command {
                    Ok(ConnectionCommand::Break) | Err(RecvError::Closed) => return Ok(()),
                    Ok(_) if is_half_open => {}
                    Ok(ConnectionCommand::Send(batch)) => self.send(&batch, flow).await?,
                    Ok(ConnectionCommand::Bad(bad)) => self.send_bad(bad).await?,
                    Ok(ConnectionCommand::Lose) => self.sent += 1,
                    Err(RecvError::Lagged(batches)) => {
                        // Either the client was slow to read, or this thread to write.
                        let counts = &self.shared.counts;
                        let by_whom = if self.has_waited() { &counts.lost } else { &counts.dropped };
                        by_whom.fetch_add(batches, Ordering::Relaxed);
                    }
                },
            }
        }
    }

    async fn handle_message(&mut self, message: &Message) -> Result<(), tungstenite::Error> {
        let Message::Text(request) = message else { return Ok(()) };
        let shared = self.shared.clone();
        let reply = shared.protocol.reply(request, self.permissions, &self.subscribed, &shared.market());
        for message in reply.messages {
            self.send_text(message).await?;
        }
        if !reply.subscribed.is_empty() {
            shared.counts.subscriptions.fetch_add(1, Ordering::Relaxed);
        }
        let mut market = shared.market();
        for (symbol, kind) in reply.subscribed {
            market.subscribe(symbol, kind);
            self.subscribed.push((symbol, kind));
            let index = symbol as usize;
            self.wants.resize(self.wants.len().max(index + 1), [false; 2]);
            self.wants[index][kind as usize] = true;
        }
        Ok(())
    }

    async fn send_text(&mut self, message: String) -> Result<(), tungstenite::Error> {
        let message = self.shared.protocol.framed(&mut self.sent, message);
        self.websocket.send(Message::text(message)).await
    }

    async fn send(&mut self, batch: &Arc<Batch>, flow: Flow) -> Result<(), tungstenite::Error> {
        let wants =
            |entry: &Entry| self.wants.get(entry.symbol as usize).is_some_and(|kinds| kinds[entry.kind as usize]);
        let wanted = batch.entries().iter().filter(|entry| wants(entry)).count();
        self.note_lateness(batch.entries().iter().filter(|entry| wants(entry)));
        self.has_waited.store(false, Ordering::Relaxed);
        let mut messages = self.shared.protocol.messages(batch, wants);
        if flow == Flow::Reorder {
            messages.reverse();
        }
        let copies = if flow == Flow::Repeat { 2 } else { 1 };
        for message in messages.into_iter().flat_map(|message| std::iter::repeat_n(message, copies)) {
            let message = self.shared.protocol.framed(&mut self.sent, message);
            self.websocket.feed(Message::text(message)).await?;
        }
        self.websocket.flush().await?;
        if self.has_waited() {
            self.waited_until = unix_micros();
        }
        self.shared.counts.taken.fetch_add(wanted as u64, Ordering::Relaxed);
        Ok(())
    }

    /// Notes how late updates are by the venue's own fault: not by that of a client that has not taken those before.
    fn note_lateness<'a>(&self, entries: impl Iterator<Item = &'a Entry>) {
        let now = unix_micros();
        let mut late = self.shared.counts.late();
        for entry in entries {
            let own = now.saturating_sub(entry.due.max(self.waited_until));
            late.record(entry.due.cast_signed(), own.cast_signed());
        }
    }

    /// Whether the client has not taken at once what was written last.
    fn has_waited(&self) -> bool {
        self.has_waited.load(Ordering::Relaxed)
    }

    async fn send_bad(&mut self, bad: Bad) -> Result<(), tungstenite::Error> {
        let protocol = self.shared.protocol;
        let name = self.subscribed.first().map(|&(symbol, _)| self.shared.market().name(symbol).to_owned());
        let wrong_type = protocol.wrong_type(&name.unwrap_or_default());
        let message = match bad {
            Bad::Oversize => Message::text("0".repeat(OVERSIZE)),
            Bad::Binary => Message::binary((0..=u8::MAX).collect::<Vec<u8>>()),
            Bad::Unknown => Message::text(protocol.framed(&mut self.sent, protocol.unknown().to_owned())),
            Bad::Truncated => Message::text(&wrong_type[..wrong_type.len() / 2]),
            Bad::WrongType => Message::text(protocol.framed(&mut self.sent, wrong_type)),
            // A reserved opcode with the reserved bits set.
            Bad::NotAFrame => return self.send_raw(&[0xFF; 16]).await,
            Bad::CutFrame => {
                // A text frame of 100 bytes, of which two are sent.
                self.send_raw(&[0x81, 100, b'{', b'"']).await?;
                let socket = &mut self.websocket.get_mut().socket;
                SockRef::from(&*socket).set_linger(None)?;
                socket.shutdown().await?;
                return Err(tungstenite::Error::ConnectionClosed);
            }
        };
        self.websocket.send(message).await
    }

    async fn send_raw(&mut self, bytes: &[u8]) -> Result<(), tungstenite::Error> {
        self.websocket.flush().await?;
        Ok(self.websocket.get_mut().write_all(bytes).await?)
    }
}
