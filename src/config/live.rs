//! The settings in force, which a reload replaces as a whole.

use super::Config;
use std::sync::{Arc, PoisonError, RwLock};

/// The settings in force. A clone shares them.
///
/// Code that needs several settings reads them from one snapshot, so that a reload between two of them changes nothing.
/// The lock is held for a copy or a swap of a pointer; a panic ends the process, so a poisoned lock is never seen.
#[derive(Debug, Clone)]
pub struct Live(Arc<RwLock<Arc<Config>>>);

impl Live {
    /// These settings, until the first reload.
    pub fn new(config: Config) -> Self {
        Self(Arc::new(RwLock::new(Arc::new(config))))
    }

    /// The settings in force at this moment.
    pub fn current(&self) -> Arc<Config> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Replaces all settings at once. Who holds a snapshot keeps it.
    pub fn replace(&self, next: Config) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(next);
    }
}
