//! The server of a recording: a websocket inside the process, so that the whole path is used.
//!
//! It listens on the loopback only, under a random path, and has one connection at a time.

use super::player::Player;
use crate::venue::{LocalServer, Playback};
use futures_util::{SinkExt, StreamExt};
use std::{
    io,
    net::{Ipv4Addr, TcpListener as StdListener},
    time::{Duration, Instant},
};
use tokio::{
    net::{TcpListener, TcpStream},
    time::{sleep, sleep_until, timeout},
};
use tokio_tungstenite::{
    WebSocketStream, accept_hdr_async_with_config,
    tungstenite::{
        Error, Message,
        handshake::server::{ErrorResponse, Request, Response},
        http::StatusCode,
        protocol::WebSocketConfig,
    },
};
use tracing::debug;

/// For a client to finish its handshake: it is in the same process.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(5);
/// After a failure to accept: descriptors come back when something ends.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// The feed sends nothing but pings and pongs.
const REQUEST_BYTES_MAX: usize = 1 << 10;
/// Messages in one go, before the client's are looked at again.
const BURST_MAX: usize = 256;

/// Starts the server of a recording. Dropping its task ends the recording.
pub(super) fn start(playback: Playback) -> io::Result<LocalServer> {
    let listener = StdListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    listener.set_nonblocking(true)?;
    let listener = TcpListener::from_std(listener)?;
    let path = format!("/{:032x}", rand::random::<u128>());
    let url = format!("ws://{}{path}", listener.local_addr()?);
    Ok(LocalServer { url, serve: Box::pin(serve(listener, path, playback)) })
}

async fn serve(listener: TcpListener, path: String, playback: Playback) {
    let mut player = Player::new(playback);
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                if let Err(error) = converse(stream, &path, &mut player).await {
                    debug!(%error, "a connection to the player ended");
                }
            }
            Err(error) => {
                debug!(%error, "the player cannot accept");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn converse(stream: TcpStream, path: &str, player: &mut Player) -> Result<(), Error> {
    stream.set_nodelay(true)?;
    let mut socket = accept(stream, path).await?;
    player.connected();
    loop {
        let due = async {
            match player.due().await {
                Some(due) => sleep_until(due.into()).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = due => send_due(&mut socket, player).await?,
            incoming = socket.next() => match incoming {
                Some(Ok(Message::Close(_))) | None => return Ok(()),
                Some(Ok(_)) => {} // pings are answered by themselves
                Some(Err(error)) => return Err(error),
            },
        }
    }
}

/// Sends all that is due, a burst at most. It waits for the client, which sets the pace of `max`.
async fn send_due(socket: &mut WebSocketStream<TcpStream>, player: &mut Player) -> Result<(), Error> {
    for _ in 0..BURST_MAX {
        let Some(message) = player.take() else { break };
        socket.feed(Message::Binary(message)).await?;
        if player.due().await.is_none_or(|due| due > Instant::now()) {
            break;
        }
    }
    socket.flush().await
}

async fn accept(stream: TcpStream, path: &str) -> Result<WebSocketStream<TcpStream>, Error> {
    let config =
        WebSocketConfig::default().max_message_size(Some(REQUEST_BYTES_MAX)).max_frame_size(Some(REQUEST_BYTES_MAX));
    #[expect(clippy::result_large_err, reason = "the websocket library calls for this type")]
    let check = |request: &Request, response: Response| {
        if request.uri().path() == path { Ok(response) } else { Err(not_found()) }
    };
    let accepted = accept_hdr_async_with_config(stream, check, Some(config));
    timeout(HANDSHAKE_TIMEOUT, accepted).await.map_err(|_| Error::Io(io::ErrorKind::TimedOut.into()))?
}

/// The answer to a stranger.
fn not_found() -> ErrorResponse {
    let mut response = ErrorResponse::new(None);
    *response.status_mut() = StatusCode::NOT_FOUND;
    response
}
