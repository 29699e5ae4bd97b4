//! Binance, as far as a feed sees it: a websocket that grants what is asked for, then sends what the test says.

use super::{PATIENCE, recording::Recording};
use futures_util::{SinkExt, StreamExt, stream::SplitSink};
use std::{future::Future, sync::Arc, time::Duration};
use tokio::{
    net::{TcpListener, TcpStream},
    runtime::{Builder, Runtime},
    task::JoinHandle,
    time::{Instant, sleep_until, timeout},
};
use tokio_tungstenite::{WebSocketStream, accept_async, tungstenite::Message};

type Socket = WebSocketStream<TcpStream>;

/// A venue that listens, on a thread of its own.
pub struct Venue {
    pub url: String,
    listener: TcpListener,
    runtime: Arc<Runtime>,
}

/// The venue's side of a connection whose subscription it has granted.
pub struct Connection {
    sink: SplitSink<Socket, Message>,
    /// Answers pings, and holds the other half of the socket.
    reader: JoinHandle<()>,
    runtime: Arc<Runtime>,
}

impl Venue {
    pub fn bind() -> Self {
        let runtime = Arc::new(Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap());
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        Self { url: format!("ws://{}", listener.local_addr().unwrap()), listener, runtime }
    }

    /// Waits for a feed, and for its request, which must be for both streams of these symbols of the venue; grants it.
    pub fn grant(&self, symbols: &[&str]) -> Connection {
        let streams = symbols.iter().flat_map(|symbol| ["trade", "bookTicker"].map(|kind| format!("{symbol}@{kind}")));
        let wanted = serde_json::json!(streams.collect::<Vec<_>>());
        self.runtime.block_on(async {
            let (tcp, _) = within("a feed connects", self.listener.accept()).await.unwrap();
            tcp.set_nodelay(true).unwrap();
            let mut socket = within("the websocket opens", accept_async(tcp)).await.unwrap();
            let request = within("the feed subscribes", socket.next()).await.unwrap().unwrap();
            let request: serde_json::Value = serde_json::from_str(request.to_text().unwrap()).unwrap();
            assert_eq!((&request["method"], &request["params"]), (&"SUBSCRIBE".into(), &wanted), "{request}");
            let answer = serde_json::json!({ "result": null, "id": request["id"] });
            socket.send(Message::text(answer.to_string())).await.unwrap();
            let (sink, mut source) = socket.split();
            let reader = tokio::spawn(async move { while source.next().await.is_some_and(|frame| frame.is_ok()) {} });
            Connection { sink, reader, runtime: self.runtime.clone() }
        })
    }
}

impl Connection {
    pub fn send(&mut self, frame: &str) {
        self.runtime.block_on(within("a frame leaves", self.sink.send(Message::text(frame)))).unwrap();
    }

    /// Sends all frames, each when it is due at `speed` times their own pace; what is due together leaves together.
    pub fn play(&mut self, recording: &Recording, speed: f64) {
        let sink = &mut self.sink;
        self.runtime.block_on(async {
            let begin = Instant::now();
            for frame in &recording.frames {
                let due = begin + frame.at.div_f64(speed);
                if Instant::now() < due {
                    within("the frames leave", sink.flush()).await.unwrap();
                    sleep_until(due).await;
                }
                within("a frame leaves", sink.feed(Message::text(frame.text.as_str()))).await.unwrap();
            }
            within("the last frames leave", sink.flush()).await.unwrap();
        });
    }

    /// Ends the connection without a word.
    pub fn cut(self) {
        self.reader.abort();
        let _ = self.runtime.block_on(self.reader);
    }
}

async fn within<T>(what: &str, wait: impl Future<Output = T>) -> T {
    timeout(PATIENCE, wait).await.unwrap_or_else(|_| panic!("within {PATIENCE:?} it did not happen that {what}"))
}

/// A trade, as the venue tells it.
pub fn trade(name: &str, id: u64, price: &str) -> String {
    let stream = name.to_lowercase();
    format!(
        r#"{{"stream":"{stream}@trade","data":{{"e":"trade","E":1723161255343000,"s":"{name}","t":{id},"p":"{price}","q":"0.02000000","T":{},"m":true,"M":true}}}}"#,
        1_723_161_255_342_000 + id
    )
}

/// A quote, as the venue tells it.
pub fn quote(name: &str, id: u64, bid: &str, ask: &str) -> String {
    let stream = name.to_lowercase();
    format!(
        r#"{{"stream":"{stream}@bookTicker","data":{{"u":{id},"s":"{name}","b":"{bid}","B":"3.78826000","a":"{ask}","A":"1.54698000"}}}}"#
    )
}

/// How long the gateway may take for what it does at once, on a machine that does much else.
pub const AT_ONCE: Duration = Duration::from_secs(2);
