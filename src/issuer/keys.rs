//! The newest keys, shared by the task that fetches them and the requests that verify with them.

use super::{
    fetched::Fetched,
    fetcher::{Failed, Fetcher},
    schedule::Times,
    source::Source,
    status::KeysStatus,
};
use crate::auth::KeySet;
use std::{
    fmt,
    num::NonZero,
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
    time::Duration,
};
use tokio::sync::{Notify, mpsc, oneshot};

/// The issuer's newest keys, shared by the task that fetches them and the requests that verify with them.
#[derive(Clone)]
pub struct IssuerKeys(Arc<Shared>);

/// Takes the answer to [`IssuerKeys::renew`].
pub(super) type Answer = oneshot::Sender<Option<Duration>>;

struct Shared {
    /// Held for a copy or a swap of pointers. A panic ends the process, so a poisoned lock is never seen.
    state: RwLock<State>,
    /// Requests for a fetch; `None` where the keys are fixed.
    asks: Option<mpsc::Sender<Answer>>,
    /// Wakes the task for [`Orders`].
    orders: Notify,
}

#[derive(Default)]
struct State {
    keys: Option<Arc<KeySet>>,
    status: KeysStatus,
    orders: Orders,
}

/// What operators want of the task.
#[derive(Debug, Default)]
pub(super) struct Orders {
    /// Another source. Its keys are in force already.
    pub(super) replacement: Option<Replacement>,
    /// Whether the source is to be looked at.
    pub(super) look: bool,
}

/// Another source, with its keys. They have been fetched before they count, so a source that fails replaces nothing.
#[derive(Debug)]
pub struct Replacement {
    pub(super) fetcher: Fetcher,
    pub(super) times: Times,
    pub(super) fetched: Fetched,
}

impl Replacement {
    /// Fetches the keys of the source.
    ///
    /// # Errors
    /// [`Failed`].
    pub async fn fetch(source: Source, times: Times) -> Result<Self, Failed> {
        let fetcher = Fetcher::new(source, times.step);
        let fetched = fetcher.fetch().await?;
        Ok(Self { fetcher, times, fetched })
    }
}

impl IssuerKeys {
    /// A secret, or a fixed set. It is never renewed.
    pub fn of(keys: KeySet) -> Self {
        let state = State { keys: Some(Arc::new(keys)), ..State::default() };
        Self(Arc::new(Shared { state: RwLock::new(state), asks: None, orders: Notify::new() }))
    }

    /// No keys yet, and requests for fetches, of which so many may be unread.
    pub(super) fn kept(source: &Source, waiters_max: NonZero<usize>) -> (Self, mpsc::Receiver<Answer>) {
        let (asks_tx, asks_rx) = mpsc::channel(waiters_max.get());
        let state = State { status: KeysStatus::of_source(source.to_string()), ..State::default() };
        let shared = Shared { state: RwLock::new(state), asks: Some(asks_tx), orders: Notify::new() };
        (Self(Arc::new(shared)), asks_rx)
    }

    /// The newest keys. `None`: there are none yet, or they are older than a day.
    pub fn newest(&self) -> Option<Arc<KeySet>> {
        self.read().keys.clone()
    }

    /// For a token that names a key which is not among the newest: waits for a fetch, of which one is allowed every
    /// 30 s. `Some`: the newest are now those that the source had when this was called, or later; they may be the same
    /// as before, and a further fetch is not allowed for so long. `None`: that is not known, and the token may be good
    /// later. A fetch is not allowed now, or has failed, or it had begun before: its source may have got the key since.
    ///
    /// # Cancel safety
    /// Dropped, it only no longer waits.
    pub async fn renew(&self) -> Option<Duration> {
        // Those that never change are all that there are.
        let Some(asks) = &self.0.asks else { return Some(Duration::MAX) };
        let (answer_tx, answer_rx) = oneshot::channel();
        asks.try_send(answer_tx).ok()?;
        answer_rx.await.ok()?
    }

    /// Puts other keys in force at once; the task goes on with their source.
    pub fn replace(&self, replacement: Replacement) {
        let mut state = self.write();
        state.keys = Some(replacement.fetched.keys.clone());
        state.orders.replacement = Some(replacement);
        drop(state);
        self.0.orders.notify_one();
    }

    /// Has the source looked at now.
    pub fn look(&self) {
        self.write().orders.look = true;
        self.0.orders.notify_one();
    }

    /// Where the keys come from, and why they are not there, as long as there were none since the start.
    pub fn awaited(&self) -> Option<KeysStatus> {
        let state = self.read();
        (state.keys.is_none() && state.status.fetched.is_none()).then(|| state.status.clone())
    }

    /// What operators see of the keys.
    pub fn status(&self) -> KeysStatus {
        self.read().status.clone()
    }

    /// Waits for orders of operators.
    pub(super) async fn ordered(&self) -> Orders {
        self.0.orders.notified().await;
        std::mem::take(&mut self.write().orders)
    }

    /// Puts these keys in force, unless another source is about to replace them.
    pub(super) fn publish(&self, keys: Option<Arc<KeySet>>) {
        let mut state = self.write();
        if state.orders.replacement.is_none() {
            state.keys = keys;
        }
    }

    /// Changes what operators see.
    pub(super) fn report(&self, status: KeysStatus) {
        self.write().status = status;
    }

    fn read(&self) -> RwLockReadGuard<'_, State> {
        self.0.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.0.state.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for IssuerKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("IssuerKeys").field(&self.read().status).finish()
    }
}
