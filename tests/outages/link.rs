//! A line between two processes that can be cut: nothing passes, both ends stay open, and what was sent meanwhile comes
//! later.

use std::net::Ipv4Addr;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinHandle,
};

/// What a cut line holds in one direction, in bytes. The rest waits at the sender.
const HELD_MAX: usize = 16 << 20;

/// A line to a port of this machine.
pub(crate) struct Link {
    /// Where its near end listens.
    pub(crate) port: u16,
    passes: watch::Sender<bool>,
    accepts: JoinHandle<()>,
}

impl Link {
    pub(crate) async fn to(port: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let near = listener.local_addr().unwrap().port();
        let (passes, passing) = watch::channel(true);
        let accepts = tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                tokio::spawn(carry(near, port, passing.clone()));
            }
        });
        Self { port: near, passes, accepts }
    }

    /// Nothing passes from now on.
    pub(crate) fn cut(&self) {
        self.passes.send_replace(false);
    }

    /// All that waits passes, and what follows.
    pub(crate) fn heal(&self) {
        self.passes.send_replace(true);
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.accepts.abort();
    }
}

async fn carry(near: TcpStream, port: u16, mut passing: watch::Receiver<bool>) {
    if passing.wait_for(|passes| *passes).await.is_err() {
        return;
    }
    let Ok(far) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await else { return };
    for socket in [&near, &far] {
        let _ = socket.set_nodelay(true);
    }
    let ((near_reads, near_writes), (far_reads, far_writes)) = (near.into_split(), far.into_split());
    tokio::join!(pass(near_reads, far_writes, passing.clone()), pass(far_reads, near_writes, passing));
}

/// Carries one direction until its sender has closed it and all has arrived.
async fn pass(mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin, mut passing: watch::Receiver<bool>) {
    let (mut held, mut is_over) = (Vec::new(), false);
    loop {
        let passes = *passing.borrow_and_update();
        if passes && !held.is_empty() {
            if to.write_all(&held).await.is_err() {
                return;
            }
            held.clear();
        }
        if is_over && passes {
            let _ = to.shutdown().await;
            return;
        }
        tokio::select! {
            read = from.read_buf(&mut held), if !is_over && held.len() < HELD_MAX => is_over = !matches!(read, Ok(1..)),
            changed = passing.changed() => if changed.is_err() { return },
        }
    }
}
