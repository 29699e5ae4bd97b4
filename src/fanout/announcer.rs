//! The way of changed symbols into the workers' inboxes.

use super::{client_transport::ClientTransport, pool::WorkerPool};
use crate::cache::{SymbolState, WorkerMask};
use std::sync::Arc;

/// Collects the changed symbols of a batch of updates, and enters each into the inboxes of the workers that want it.
pub struct Announcer<T = ClientTransport> {
    pool: Arc<WorkerPool<T>>,
    /// For each worker, the symbols that go into its inbox next.
    lists: Box<[Vec<Arc<SymbolState>>]>,
}

impl<T> Announcer<T> {
    /// Nothing collected yet.
    pub fn new(pool: Arc<WorkerPool<T>>) -> Self {
        let lists = pool.workers().iter().map(|_| Vec::new()).collect();
        Self { pool, lists }
    }

    /// Notes that a symbol has a new tick, which the workers of `interest` want.
    pub fn add(&mut self, state: &Arc<SymbolState>, interest: WorkerMask) {
        if interest.is_empty() {
            return;
        }
        for worker in state.marks().set(interest).indices() {
            self.lists[worker].push(state.clone());
        }
    }

    /// Announces the collected symbols to the workers. Until then they are marked but stand in no inbox: the caller
    /// must not wait for anything in between.
    pub fn flush(&mut self) {
        for (worker, list) in self.pool.workers().iter().zip(&mut self.lists) {
            if !list.is_empty() {
                worker.announce(list);
            }
        }
    }
}
