//! A venue that speaks its dialect with each feed that connects, for tests that do not run in a runtime.

use crate::support::PATIENCE;
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, OnceLock, mpsc},
    time::Instant,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    runtime::{Builder, Runtime},
    task::JoinHandle,
};
use tokio_tungstenite::{
    accept_hdr_async,
    tungstenite::{
        handshake::server::{ErrorResponse, Request, Response},
        http::StatusCode,
    },
};
use venue_sim::{Connection, Dialect, Line, Venue, serve};

/// A venue that listens.
pub(super) struct Mock {
    pub(super) url: String,
    shared: Arc<Shared>,
    lines: Mutex<mpsc::Receiver<Line>>,
    task: JoinHandle<()>,
}

#[derive(Default)]
struct Shared {
    /// What the next handshakes are answered with, instead of being accepted.
    handshakes: Mutex<VecDeque<&'static str>>,
    /// The moments of the connections.
    connected: Mutex<Vec<Instant>>,
    /// What a feed sent that the venue would not accept.
    panics: Mutex<Vec<String>>,
}

/// Runs all mocks of the process.
fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap())
}

impl Mock {
    /// Listens; the first handshakes get these answers, and then each connection has a new dialect.
    pub(super) fn start(new: impl Fn() -> Box<dyn Dialect> + Send + 'static, handshakes: &[&'static str]) -> Self {
        Self::listening(runtime().block_on(Venue::bind()), new, handshakes)
    }

    /// The same, and requests for snapshots get this answer; `None` never answers.
    pub(super) fn answering(
        new: impl Fn() -> Box<dyn Dialect> + Send + 'static,
        answer: impl Fn(&str) -> Option<String> + Send + Sync + 'static,
    ) -> Self {
        let venue = runtime().block_on(Venue::bind());
        venue.answer(answer);
        Self::listening(venue, new, &[])
    }

    fn listening(
        venue: Venue,
        new: impl Fn() -> Box<dyn Dialect> + Send + 'static,
        handshakes: &[&'static str],
    ) -> Self {
        let handshakes = Mutex::new(handshakes.iter().copied().collect());
        let shared = Arc::new(Shared { handshakes, ..Shared::default() });
        let (lines_tx, lines) = mpsc::channel();
        let url = venue.url.clone();
        let task = runtime().spawn(listen(venue, new, shared.clone(), lines_tx));
        Self { url, shared, lines: Mutex::new(lines), task }
    }

    /// The next connection.
    pub(super) fn line(&self) -> Line {
        self.lines.lock().unwrap().recv_timeout(PATIENCE).expect("the feed connects")
    }

    /// The connections that came since.
    pub(super) fn more_lines(&self) -> Vec<Line> {
        self.lines.lock().unwrap().try_iter().collect()
    }

    /// The moments of all connections so far, the refused ones among them.
    pub(super) fn connected(&self) -> Vec<Instant> {
        self.shared.connected.lock().unwrap().clone()
    }

    /// Checks that the feeds have sent nothing that the venue would not accept.
    pub(super) fn finish(self) {
        self.task.abort();
        assert_eq!(*self.shared.panics.lock().unwrap(), [""; 0]);
    }
}

async fn listen(venue: Venue, new: impl Fn() -> Box<dyn Dialect>, shared: Arc<Shared>, lines: mpsc::Sender<Line>) {
    loop {
        let tcp = venue.next_tcp().await;
        shared.connected.lock().unwrap().push(Instant::now());
        let answer = shared.handshakes.lock().unwrap().pop_front();
        if let Some(answer) = answer {
            refuse(tcp, answer).await;
            continue;
        }
        let (line, acts) = venue_sim::line();
        let lines = lines.clone();
        let mut dialect = new();
        let serving = tokio::spawn(async move {
            #[expect(clippy::result_large_err, reason = "the library's own type")]
            let answer = |request: &Request, response: Response| -> Result<Response, ErrorResponse> {
                let target = request.uri().path_and_query().map_or("/", |target| target.as_str());
                let status = StatusCode::from_u16(dialect.handshake(target)).unwrap();
                if status == StatusCode::SWITCHING_PROTOCOLS {
                    return Ok(response);
                }
                let mut refusal = ErrorResponse::new(None);
                *refusal.status_mut() = status;
                Err(refusal)
            };
            // A gateway that stops leaves within the handshake.
            let Ok(socket) = accept_hdr_async(tcp, answer).await else { return };
            let _ = lines.send(line);
            serve(Connection { socket }, dialect, acts, |_| {}).await;
        });
        let shared = shared.clone();
        tokio::spawn(async move {
            if let Err(panic) = serving.await {
                shared.panics.lock().unwrap().push(format!("{panic:?}"));
            }
        });
    }
}

/// Answers the handshake with this head, and hangs up.
async fn refuse(mut tcp: TcpStream, answer: &str) {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") && tcp.read_buf(&mut request).await.is_ok_and(|bytes| bytes > 0) {}
    let _ = tcp.write_all(answer.as_bytes()).await;
}

/// A venue that answers nothing, and sends what it is made to send.
pub(super) struct Deaf(pub(super) Box<dyn Dialect>);

impl Dialect for Deaf {
    fn greeting(&mut self) -> Vec<String> {
        self.0.greeting()
    }

    fn handshake(&mut self, target: &str) -> u16 {
        self.0.handshake(target)
    }

    fn answer(&mut self, _: &str) -> Vec<String> {
        Vec::new()
    }

    fn trade_at(&mut self, name: &str, number: u64, micros: u64, price: &str, size: &str) -> String {
        self.0.trade_at(name, number, micros, price, size)
    }

    fn quote(&mut self, name: &str, number: u64, bid: &str, ask: &str) -> Option<String> {
        self.0.quote(name, number, bid, ask)
    }
}
