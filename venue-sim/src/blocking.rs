//! The same for tests that do not run in a runtime: each venue has a thread of its own.

use crate::{binance, within};
use futures_util::{SinkExt, StreamExt, stream::SplitSink};
use std::{future::Future, sync::Arc, time::Duration};
use tokio::{
    net::TcpStream,
    runtime::{Builder, Runtime},
    task::JoinHandle,
    time::{Instant, sleep_until},
};
use tokio_tungstenite::{WebSocketStream, tungstenite::Message};

/// A venue that listens on a free port, with a thread that runs its connections.
#[derive(Debug)]
pub struct Venue {
    /// Where a feed connects.
    pub url: String,
    venue: crate::Venue,
    runtime: Arc<Runtime>,
}

impl Venue {
    /// Starts to listen.
    ///
    /// # Panics
    ///
    /// If the system has no free port, or no thread.
    #[must_use]
    pub fn bind() -> Self {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
        let venue = runtime.block_on(crate::Venue::bind());
        Self { url: venue.url.clone(), venue, runtime: Arc::new(runtime) }
    }

    /// Accepts the next connection and grants its request, which must be Binance's for these symbols.
    ///
    /// # Panics
    ///
    /// If no connection or another request comes.
    #[must_use]
    pub fn grant(&self, symbols: &[&str]) -> Connection {
        self.runtime.block_on(async {
            let mut connection = self.venue.accept().await;
            binance::grant(&mut connection, symbols).await;
            let (sink, mut source) = connection.socket.split();
            let reader = tokio::spawn(async move { while source.next().await.is_some_and(|frame| frame.is_ok()) {} });
            Connection { sink, reader, runtime: self.runtime.clone() }
        })
    }

    /// Runs a dialogue that the test writes out.
    pub fn run<T>(&self, dialogue: impl AsyncFnOnce(&crate::Venue) -> T) -> T {
        self.runtime.block_on(dialogue(&self.venue))
    }
}

/// A connection whose request was granted. It answers pings until it is dropped or cut.
#[derive(Debug)]
pub struct Connection {
    sink: SplitSink<WebSocketStream<TcpStream>, Message>,
    /// Answers pings, and holds the other half of the socket.
    reader: JoinHandle<()>,
    runtime: Arc<Runtime>,
}

impl Connection {
    /// Sends a text frame.
    ///
    /// # Panics
    ///
    /// If the feed has hung up.
    pub fn send(&mut self, frame: &str) {
        let sending = within("a frame leaves", self.sink.send(Message::text(frame)));
        self.runtime.block_on(sending).expect("an open connection");
    }

    /// Sends frames, each with its due time since the first. Frames that are due together leave together.
    ///
    /// # Panics
    ///
    /// If the feed hangs up.
    pub fn play<'a>(&mut self, frames: impl IntoIterator<Item = (Duration, &'a str)>) {
        let sink = &mut self.sink;
        self.runtime.block_on(async {
            let begin = Instant::now();
            for (at, frame) in frames {
                let due = begin + at;
                if Instant::now() < due {
                    flush(sink.flush()).await;
                    sleep_until(due).await;
                }
                flush(sink.feed(Message::text(frame))).await;
            }
            flush(sink.flush()).await;
        });
    }

    /// Ends the connection without a close frame.
    pub fn cut(self) {
        self.reader.abort();
        let _ = self.runtime.block_on(self.reader);
    }
}

async fn flush<E: std::fmt::Debug>(sending: impl Future<Output = Result<(), E>>) {
    within("the frames leave", sending).await.expect("an open connection");
}
