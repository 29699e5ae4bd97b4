//! The key of a feed to its venue, which may change while the feed runs.

use super::redactor::Redactor;
use crate::venue::{Credentials, Secret};
use std::sync::Arc;
use tokio::sync::watch;

/// Sets the key of a feed, for its next connections.
#[derive(Debug, Clone)]
pub struct FeedKey {
    key: Arc<watch::Sender<Option<Credentials>>>,
    redactor: Arc<Redactor>,
}

impl FeedKey {
    pub(super) fn new(key: Option<Credentials>, redactor: Arc<Redactor>) -> Self {
        Self { key: Arc::new(watch::Sender::new(key)), redactor }
    }

    /// Connections that are open keep theirs. No log shows either.
    pub fn set(&self, key: Option<Credentials>) {
        self.redactor.hide(&secrets(&key));
        self.key.send_replace(key);
    }

    /// The key as one connection reads it. It sees each change once.
    pub(super) fn read(&self) -> watch::Receiver<Option<Credentials>> {
        self.key.subscribe()
    }

    pub(super) fn current(&self) -> Option<Credentials> {
        self.key.borrow().clone()
    }
}

/// What no log may show of a key.
pub(super) fn secrets(key: &Option<Credentials>) -> Vec<Secret> {
    key.iter().flat_map(|all| std::iter::once(&all.key).chain(&all.secret)).cloned().collect()
}
