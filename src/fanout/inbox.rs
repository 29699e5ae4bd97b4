//! The one place where other threads reach a worker.
//!
//! Together with [`Marks`](crate::cache::Marks) it hands changes of symbols over from publishers to workers, and must
//! lose none. `tests/loom/main.rs` compiles both files against loom and tries all interleavings.

use crate::sync::{Mutex, PoisonError};
use std::mem;

/// A worker's inbox: changed symbols and commands.
///
/// It is bounded by what goes in. A symbol enters once until its mark is cleared. A command stands for a stream, a
/// connection or a request that holds a permit, for the readiness of a stream's transport, or is one of the few that
/// the gateway itself gives.
pub struct Inbox<Symbol, Command> {
    inner: Mutex<Inner<Symbol, Command>>,
}

struct Inner<Symbol, Command> {
    changed: Vec<Symbol>,
    commands: Vec<Command>,
    /// The worker waits, or is about to. The thread that adds the first entry must wake it.
    asleep: bool,
    /// The worker has ended.
    closed: bool,
}

impl<Symbol, Command> Default for Inbox<Symbol, Command> {
    /// An empty inbox of a worker that is awake.
    fn default() -> Self {
        Self { inner: Mutex::new(Inner { changed: Vec::new(), commands: Vec::new(), asleep: false, closed: false }) }
    }
}

impl<Symbol, Command> Inbox<Symbol, Command> {
    /// Moves changed symbols in; `true`: the caller must wake the worker.
    #[must_use]
    pub fn announce(&self, changed: &mut Vec<Symbol>) -> bool {
        let mut inner = self.lock();
        inner.changed.append(changed);
        mem::take(&mut inner.asleep)
    }

    /// Adds a command; `true`: the caller must wake the worker.
    ///
    /// # Errors
    /// The command, of which no worker will ever take notice: the worker has ended.
    pub fn send(&self, command: Command) -> Result<bool, Command> {
        let mut inner = self.lock();
        if inner.closed {
            return Err(command);
        }
        inner.commands.push(command);
        Ok(mem::take(&mut inner.asleep))
    }

    /// The worker is about to end; `false`: there are new commands, so it must not.
    #[must_use]
    pub fn close(&self) -> bool {
        let mut inner = self.lock();
        inner.closed = inner.commands.is_empty();
        inner.closed
    }

    /// Moves the commands, and the changed symbols if `changed` is given, into lists that are empty. The worker is
    /// awake.
    pub fn take(&self, changed: Option<&mut Vec<Symbol>>, commands: &mut Vec<Command>) {
        let mut inner = self.lock();
        inner.asleep = false;
        if let Some(changed) = changed {
            mem::swap(&mut inner.changed, changed);
        }
        mem::swap(&mut inner.commands, commands);
    }

    /// The worker is about to wait; `false`: there are new entries, so it must not.
    #[must_use]
    pub fn sleep(&self) -> bool {
        let mut inner = self.lock();
        inner.asleep = inner.changed.is_empty() && inner.commands.is_empty();
        inner.asleep
    }

    fn lock(&self) -> impl std::ops::DerefMut<Target = Inner<Symbol, Command>> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
