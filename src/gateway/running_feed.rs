//! A feed of the gateway while it runs: its task, its runtime, and the states that it feeds.

use super::{
    runtimes::Background,
    wiring::{FeedRun, ListChanges, Wired},
};
use crate::{
    admin::DebugFeed,
    cache::SymbolState,
    config,
    feed::{ListChange, Timing, VenueKey},
};
use std::{
    io,
    sync::{Arc, OnceLock},
    time::Duration,
};
use tokio::{
    sync::{mpsc, watch},
    task::JoinHandle,
    time::timeout,
};
use tracing::warn;

/// How long the end of a feed may take: a frame that is being sent, the closing of its connections, and the last bytes
/// of its recording. What hangs then is left behind.
pub(super) const STOP_MAX: Duration = Duration::from_secs(7);

/// How long a feed may leave no room for a change of its list: it takes changes between two batches of frames.
const CHANGE_MAX: Duration = Duration::from_secs(5);

/// Takes the ends of feeds that should run for ever.
pub(super) type Died = mpsc::Sender<io::Result<()>>;

/// A feed, wired or running.
pub(super) struct RunningFeed {
    pub(super) config: config::Feed,
    /// As operators see it, with the states of its symbols; where it is a standby, those of its primary.
    debug: Arc<DebugFeed>,
    /// Sets its key.
    pub(super) key: VenueKey,
    /// Where its list may change.
    changes: Option<ListChanges>,
    /// Changes of its list that its connections do not know.
    pending: Vec<ListChange<Arc<SymbolState>>>,
    /// The states that `pending` removes: until its connections know, they may speak of them.
    leaving: Vec<Arc<SymbolState>>,
    /// How many symbols were live before this reload restarted it.
    pub(super) live_before: usize,
    runtime: Background,
    task: Task,
}

enum Task {
    /// It has not begun.
    Wired(FeedRun),
    Runs {
        stop_tx: watch::Sender<bool>,
        ended: JoinHandle<()>,
    },
    Over,
}

impl RunningFeed {
    /// A feed that is wired, on a runtime of its own.
    pub(super) fn new(config: &config::Feed, wired: Wired) -> io::Result<Self> {
        let Wired { task, status, key, symbols, changes, standby_for, on_demand: _ } = wired;
        let runtime = Background::of_feed(&config.name)?;
        let name = config.name.as_str().into();
        let on_demand = OnceLock::new();
        let venue = config.venue.name;
        let debug = Arc::new(DebugFeed { name, venue, status, symbols, on_demand, standby_for });
        Ok(Self {
            config: config.clone(),
            debug,
            key,
            changes,
            pending: Vec::new(),
            leaving: Vec::new(),
            live_before: 0,
            runtime,
            task: Task::Wired(task),
        })
    }

    /// Gives it other waits, before it begins.
    pub(super) fn set_timing(&mut self, timing: Timing) {
        if let Task::Wired(run) = std::mem::replace(&mut self.task, Task::Over) {
            self.task = Task::Wired(run.with_timing(timing));
        }
    }

    /// Begins. If it ends by itself, `died` is told: the gateway ends too, whether the feed was there at the start or
    /// came with a reload.
    ///
    /// # Errors
    /// What it needs cannot begin.
    pub(super) fn launch(&mut self, died: Died) -> io::Result<()> {
        let Task::Wired(run) = std::mem::replace(&mut self.task, Task::Over) else { return Ok(()) };
        let (stop_tx, stop_rx) = watch::channel(false);
        let handle = self.runtime.handle();
        let run = {
            let _within = handle.enter();
            run.begun()?
        };
        let stopped = stop_rx.clone();
        let runs = handle.spawn(run.run(stop_rx));
        let ended = handle.spawn(async move {
            // A task of its own: a panic is an end, too.
            let outcome = runs.await.unwrap_or_else(|panic| Err(io::Error::other(panic)));
            if !*stopped.borrow() || outcome.is_err() {
                // One end is enough.
                let _ = died.try_send(outcome);
            }
        });
        self.task = Task::Runs { stop_tx, ended };
        Ok(())
    }

    /// Asks it to end.
    pub(super) fn ask_to_stop(&self) {
        if let Task::Runs { stop_tx, .. } = &self.task {
            stop_tx.send_replace(true);
        }
    }

    /// Ends it, and waits for its end.
    pub(super) async fn stop(&mut self) {
        self.ask_to_stop();
        if let Task::Runs { ended, .. } = &mut self.task {
            if timeout(STOP_MAX, ended).await.is_err() {
                warn!(feed = self.config.name, "the feed did not end in time, and is left behind");
            }
            self.task = Task::Over;
        }
    }

    /// Changes its list, after which it has these states. Its connections learn of it with [`flush`](Self::flush).
    pub(super) fn list(
        &mut self,
        changes: impl Iterator<Item = ListChange<Arc<SymbolState>>>,
        states: Vec<Arc<SymbolState>>,
    ) {
        self.pending.extend(changes);
        let DebugFeed { name, venue, status, standby_for, on_demand, .. } = &*self.debug;
        self.debug = Arc::new(DebugFeed {
            name: name.clone(),
            venue,
            status: status.clone(),
            symbols: states,
            on_demand: on_demand.clone(),
            standby_for: standby_for.clone(),
        });
    }

    /// Its list loses these states.
    pub(super) fn leave(&mut self, states: &[Arc<SymbolState>]) {
        self.leaving.extend_from_slice(states);
    }

    /// The states that its list has lost, and of which its connections may speak.
    pub(super) fn leaving(&self) -> &[Arc<SymbolState>] {
        &self.leaving
    }

    /// Tells its connections of all changes of its list at once: one that loses its last symbol would be closed.
    /// `false`: the feed does not take them.
    pub(super) async fn flush(&mut self) -> bool {
        let pending = std::mem::take(&mut self.pending);
        let is_told = match &self.changes {
            _ if pending.is_empty() => true,
            Some(changes_tx) => changes_tx.send_timeout(pending, CHANGE_MAX).await.is_ok(),
            None => false,
        };
        if is_told {
            self.leaving.clear();
        }
        is_told
    }

    /// As operators see it.
    pub(super) fn debug(&self) -> &Arc<DebugFeed> {
        &self.debug
    }

    /// The states of its symbols.
    pub(super) fn states(&self) -> &[Arc<SymbolState>] {
        &self.debug.symbols
    }

    /// Where it runs.
    #[cfg(test)]
    pub(super) fn runtime(&self) -> &tokio::runtime::Handle {
        self.runtime.handle()
    }
}
