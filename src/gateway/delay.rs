//! Keeps the delay lines going, and changes them.

use super::runtimes::Background;
use crate::{
    config::DELAY_NOTES_MAX,
    delay::{DelayLines, LineChange},
    fanout::Announcer,
    market::Now,
};
use std::{io, time::Duration};
use tokio::{
    sync::{mpsc, oneshot, watch},
    task::JoinHandle,
    time::{Instant, sleep_until, timeout},
};

/// How many changes may wait. A reload makes a few for each feed, and waits for room.
const CHANGES_MAX: usize = 64;

/// How long the task may leave no room for a change: a piece of its work takes milliseconds.
const CHANGE_MAX: Duration = Duration::from_secs(5);

/// A change, and where its end is told.
pub(super) type Asked = (LineChange, oneshot::Sender<()>);

/// The task of the delay lines, from the first line on.
#[derive(Default)]
pub(super) struct DelayTask(Option<Running>);

struct Running {
    runtime: Background,
    changes_tx: mpsc::Sender<Asked>,
    stop_tx: watch::Sender<bool>,
    shows: JoinHandle<()>,
}

impl DelayTask {
    /// Changes the lines. When it returns, a symbol that has left is not shown any more.
    ///
    /// # Errors
    /// The system refuses a thread for the first line, or the task hangs.
    pub(super) async fn change(&mut self, change: LineChange, announcer: impl FnOnce() -> Announcer) -> io::Result<()> {
        let running = match &self.0 {
            Some(running) => running,
            None if !matches!(change, LineChange::Start(..)) => return Ok(()),
            None => {
                let runtime = Background::of_delay()?;
                let (changes_tx, changes_rx) = mpsc::channel(CHANGES_MAX);
                let (stop_tx, stop_rx) = watch::channel(false);
                let lines = DelayLines::new(Vec::new(), DELAY_NOTES_MAX);
                let shows = runtime.handle().spawn(show_delayed(lines, announcer(), changes_rx, stop_rx));
                self.0.insert(Running { runtime, changes_tx, stop_tx, shows })
            }
        };
        let (done_tx, done_rx) = oneshot::channel();
        let told = running.changes_tx.send_timeout((change, done_tx), CHANGE_MAX).await;
        let is_done = told.is_ok() && matches!(timeout(CHANGE_MAX, done_rx).await, Ok(Ok(())));
        if is_done { Ok(()) } else { Err(io::Error::other("the delay lines do not take the change")) }
    }

    /// Its runtime, if it runs.
    #[cfg(test)]
    pub(super) fn runtime(&self) -> Option<&tokio::runtime::Handle> {
        self.0.as_ref().map(|running| running.runtime.handle())
    }

    /// Takes another way of changes, and returns the one before. A way whose other end is gone takes none.
    #[cfg(test)]
    pub(super) fn replace_way(&mut self, way: mpsc::Sender<Asked>) -> mpsc::Sender<Asked> {
        std::mem::replace(&mut self.0.as_mut().unwrap().changes_tx, way)
    }

    /// Ends the task, and waits for its end.
    pub(super) async fn stop(&mut self) {
        if let Some(Running { runtime, stop_tx, shows, .. }) = self.0.take() {
            stop_tx.send_replace(true);
            // An error is a panic, which has ended the process.
            let _ = shows.await;
            drop(runtime);
        }
    }
}

/// Shows delayed prices when they are due, until the stop.
async fn show_delayed(
    mut lines: DelayLines,
    mut announcer: Announcer,
    mut changes: mpsc::Receiver<Asked>,
    mut stop: watch::Receiver<bool>,
) {
    loop {
        let next = lines.turn(Now::read(), &mut |state, interest| announcer.add(state, interest));
        announcer.flush();
        let wait = async {
            match next {
                Some(next) => sleep_until(Instant::from_std(next)).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = wait => {}
            Some((change, done_tx)) = changes.recv() => {
                lines.change(change);
                // One that waits no longer has its error already.
                let _ = done_tx.send(());
            }
            _ = stop.wait_for(|stop| *stop) => return,
        }
    }
}
