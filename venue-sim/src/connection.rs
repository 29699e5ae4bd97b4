//! The venue's end of websockets.

use crate::{http::Answers, within};
use futures_util::{SinkExt, StreamExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::{WebSocketStream, accept_async, tungstenite::Message};

/// A venue that listens on a free port.
#[derive(Debug)]
pub struct Venue {
    /// Where a feed connects.
    pub url: String,
    listener: TcpListener,
    answers: Answers,
}

impl Venue {
    /// Starts to listen.
    ///
    /// # Panics
    ///
    /// If the system has no free port.
    pub async fn bind() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("the address of a listener");
        Self { url: format!("ws://{address}"), listener, answers: Answers::default() }
    }

    /// Sets what requests for snapshots are answered with, by their heads, while connections are accepted: 404 before;
    /// `None` never answers.
    pub fn answer(&self, write: impl Fn(&str) -> Option<String> + Send + Sync + 'static) {
        self.answers.set(write);
    }

    /// The next connection, before its handshake: for a venue that refuses it, or does not answer.
    ///
    /// # Panics
    ///
    /// If none comes.
    pub async fn tcp(&self) -> TcpStream {
        within("a feed connects", self.next_tcp()).await
    }

    /// The same, however long it takes.
    ///
    /// # Panics
    ///
    /// If the system accepts no connections any more.
    pub async fn next_tcp(&self) -> TcpStream {
        loop {
            let (tcp, _) = self.listener.accept().await.expect("a connection");
            tcp.set_nodelay(true).expect("a socket that is open");
            if let Some(tcp) = self.answers.unless_asked(tcp).await {
                return tcp;
            }
        }
    }

    /// The next connection, after its handshake.
    ///
    /// # Panics
    ///
    /// If none comes, or if it does not ask for a websocket.
    pub async fn accept(&self) -> Connection {
        Connection::accept(self.tcp().await).await
    }
}

/// A feed's connection, as the venue sees it. Dropping it cuts the line without a close frame.
///
/// It answers pings only while it is read.
#[derive(Debug)]
pub struct Connection {
    /// The websocket itself, for frames that a well-behaved venue does not send.
    pub socket: WebSocketStream<TcpStream>,
}

impl Connection {
    /// Accepts the websocket that a feed asks for on this connection.
    ///
    /// # Panics
    ///
    /// If it asks for none.
    pub async fn accept(tcp: TcpStream) -> Self {
        let socket = within("the websocket opens", accept_async(tcp)).await.expect("a websocket");
        Self { socket }
    }

    /// The next text frame; other frames are skipped.
    ///
    /// # Panics
    ///
    /// If the connection ends first.
    pub async fn text(&mut self) -> String {
        loop {
            match within("the feed sends a frame", self.socket.next()).await {
                Some(Ok(Message::Text(text))) => return text.as_str().to_owned(),
                Some(Ok(_)) => {}
                other => panic!("{other:?} instead of a text frame"),
            }
        }
    }

    /// The next text frame, which must be this JSON document, whatever the order of its keys; returns it.
    ///
    /// # Panics
    ///
    /// If another frame comes.
    pub async fn expect(&mut self, wanted: &serde_json::Value) -> serde_json::Value {
        let text = self.text().await;
        let request: serde_json::Value = serde_json::from_str(&text).expect("a request in JSON");
        assert_eq!(&request, wanted, "another request");
        request
    }

    /// Sends a text frame.
    ///
    /// # Panics
    ///
    /// If the feed has hung up.
    pub async fn send(&mut self, text: &str) {
        within("a frame leaves", self.socket.send(Message::text(text))).await.expect("an open connection");
    }
}
