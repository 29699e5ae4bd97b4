//! Clients of streams that check what they get.

use super::{
    PATIENCE,
    venue::lock,
    watch::{Ledger, Watch},
};
use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Instant,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::watch,
    task::JoinHandle,
    time::timeout,
};

/// A client. Dropped, it leaves.
pub(crate) struct Client {
    pub(crate) name: String,
    target: String,
    watch: Arc<Mutex<Watch>>,
    changes: watch::Sender<()>,
    reads: JoinHandle<()>,
}

impl Client {
    /// Opens a stream of these symbols.
    pub(crate) async fn open(name: String, address: SocketAddr, symbols: &[String], ledger: Arc<Ledger>) -> Self {
        let target = format!("/v1/stream?heartbeat=1&symbols={}", symbols.join(","));
        let watch = Arc::new(Mutex::new(Watch::new(name.clone(), ledger)));
        let changes = watch::Sender::new(());
        let reads = tokio::spawn(read(connect(address, &target).await, watch.clone(), changes.clone()));
        Self { name, target, watch, changes, reads }
    }

    /// Leaves, and goes on at another address behind what it has.
    pub(crate) async fn move_to(&mut self, address: SocketAddr) {
        self.reads.abort();
        let _ = (&mut self.reads).await;
        let id = {
            let mut watch = lock(&self.watch);
            watch.resume();
            watch.last_id.clone()
        };
        let stream = connect(address, &format!("{}&last_event_id={id}", self.target)).await;
        self.reads = tokio::spawn(read(stream, self.watch.clone(), self.changes.clone()));
    }

    /// A look at what it has seen.
    pub(crate) fn see<T>(&self, look: impl FnOnce(&mut Watch) -> T) -> T {
        look(&mut lock(&self.watch))
    }

    /// Waits until it has seen this.
    pub(crate) async fn until(&self, what: &str, has_seen: impl Fn(&Watch) -> bool) {
        let mut changes = self.changes.subscribe();
        let wait = async {
            while !self.see(|watch| has_seen(watch)) {
                changes.changed().await.unwrap();
            }
        };
        if timeout(PATIENCE, wait).await.is_err() {
            panic!("{} does not see that {what}: {:?}", self.name, lock(&self.watch));
        }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.reads.abort();
    }
}

async fn connect(address: SocketAddr, target: &str) -> TcpStream {
    let mut socket = timeout(PATIENCE, TcpStream::connect(address)).await.unwrap().unwrap();
    let request = format!("GET {target} HTTP/1.1\r\nhost: localhost\r\n\r\n");
    socket.write_all(request.as_bytes()).await.unwrap();
    socket
}

/// Reads to the end of the stream.
async fn read(mut socket: TcpStream, watch: Arc<Mutex<Watch>>, changes: watch::Sender<()>) {
    let (mut bytes, mut has_head) = (Vec::new(), false);
    loop {
        let read = socket.read_buf(&mut bytes).await;
        let at = Instant::now();
        if !matches!(read, Ok(1..)) {
            lock(&watch).end(at);
            changes.send_replace(());
            return;
        }
        if !has_head {
            let Some(end) = find(&bytes, b"\r\n\r\n") else { continue };
            let head = String::from_utf8(bytes.drain(..end).collect()).unwrap();
            assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
            has_head = true;
        }
        let mut begin = 0;
        while let Some(length) = find(&bytes[begin..], b"\n\n") {
            let block = std::str::from_utf8(&bytes[begin..begin + length]).unwrap();
            lock(&watch).on(block, at);
            begin += length;
        }
        bytes.drain(..begin);
        changes.send_replace(());
    }
}

/// Where the bytes behind this end begin.
fn find(bytes: &[u8], end: &[u8]) -> Option<usize> {
    bytes.windows(end.len()).position(|window| window == end).map(|place| place + end.len())
}
