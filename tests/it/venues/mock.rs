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
use tokio_tungstenite::accept_async;
use venue_sim::{Connection, Line, Manner, Venue, serve};

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
    refusals: Mutex<VecDeque<String>>,
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
    /// Listens; each connection refuses these names, and the first handshakes get these answers.
    pub(super) fn start(manner: &'static Manner, refused: Vec<String>, refusals: &[&str]) -> Self {
        let venue = runtime().block_on(Venue::bind());
        let refusals = refusals.iter().map(|&answer| answer.to_owned()).collect();
        let shared = Arc::new(Shared { refusals: Mutex::new(refusals), ..Shared::default() });
        let (lines_tx, lines) = mpsc::channel();
        let url = venue.url.clone();
        let task = runtime().spawn(listen(venue, manner, refused, shared.clone(), lines_tx));
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

async fn listen(
    venue: Venue,
    manner: &'static Manner,
    refused: Vec<String>,
    shared: Arc<Shared>,
    lines: mpsc::Sender<Line>,
) {
    loop {
        let tcp = venue.next_tcp().await;
        shared.connected.lock().unwrap().push(Instant::now());
        let refusal = shared.refusals.lock().unwrap().pop_front();
        if let Some(answer) = refusal {
            refuse(tcp, &answer).await;
            continue;
        }
        let (line, acts) = venue_sim::line();
        let lines = lines.clone();
        let names: Vec<&str> = refused.iter().map(String::as_str).collect();
        let dialect = (manner.new)(&names);
        let serving = tokio::spawn(async move {
            // A gateway that stops leaves within the handshake.
            let Ok(socket) = accept_async(tcp).await else { return };
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
