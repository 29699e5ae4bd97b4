//! The venue's answers over HTTP, on the port of its websockets: to requests for the latest state of symbols.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

/// A client speaks first and at once. One that does not wants no snapshot.
const SPEAKS_WITHIN: Duration = Duration::from_secs(5);
/// The longest head of a request.
const HEAD_BYTES_MAX: usize = 16 * 1024;
const NOT_FOUND: &str = "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";

/// Answers the head of a request; `None` never answers.
type Write = dyn Fn(&str) -> Option<String> + Send + Sync;

/// What a venue answers over HTTP: 404, unless a test sets something else.
#[derive(Clone)]
pub(crate) struct Answers(Arc<Mutex<Arc<Write>>>);

impl Default for Answers {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(Arc::new(|_| Some(NOT_FOUND.to_owned())))))
    }
}

impl fmt::Debug for Answers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Answers")
    }
}

impl Answers {
    pub(crate) fn set(&self, write: impl Fn(&str) -> Option<String> + Send + Sync + 'static) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(write);
    }

    /// Answers a request for snapshots beside what goes on; any other connection is handed back, but for one that was
    /// closed before it asked: a feed may lose its websocket while it connects for a snapshot.
    pub(crate) async fn unless_asked(&self, tcp: TcpStream) -> Option<TcpStream> {
        let mut begin = [0; 256];
        let bytes = match timeout(SPEAKS_WITHIN, tcp.peek(&mut begin)).await {
            Ok(Ok(0) | Err(_)) => return None,
            Ok(Ok(bytes)) => bytes,
            Err(_) => 0,
        };
        let line = String::from_utf8_lossy(&begin[..bytes]);
        let path = line.strip_prefix("GET ").and_then(|rest| rest.split([' ', '?']).next());
        if !path.is_some_and(|path| path.ends_with("/snapshots")) {
            return Some(tcp);
        }
        let write = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        tokio::spawn(answer(tcp, write));
        None
    }
}

async fn answer(mut tcp: TcpStream, write: Arc<Write>) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        if head.len() > HEAD_BYTES_MAX || !tcp.read_buf(&mut head).await.is_ok_and(|bytes| bytes > 0) {
            return;
        }
    }
    match write(&String::from_utf8_lossy(&head)) {
        Some(answer) => {
            let _ = tcp.write_all(answer.as_bytes()).await;
        }
        // Until the client gives up.
        None => _ = tcp.read_buf(&mut head).await,
    }
}

/// An answer of this status, with these further fields, each on a line that ends with `\r\n`.
#[must_use]
pub fn reply(status: &str, fields: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\n{fields}content-type: application/json\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
    )
}
