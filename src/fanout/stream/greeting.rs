//! The `hello` that a stream gets again once the numbers of a symbol have begun again: from there on all starts over.

use super::{CloseReason, Stream, Symbols};
use crate::{
    cache::Cache,
    fanout::{transport::Transport, written::Written},
    market::{Now, Symbol, Tier},
    wire::{Hello, HelloRights, hello},
};
use bytes::Bytes;
use std::time::Duration;

/// What only the worker knows of a stream's `hello`.
pub(in crate::fanout) struct Greeting {
    /// How long the client waits before it reconnects.
    pub(in crate::fanout) retry: Duration,
    /// The name by which the stream is changed.
    pub(in crate::fanout) control: String,
}

impl<T: Transport> Stream<T> {
    /// Offers a `hello`, behind the tail of the block before and the event of a change. Once a byte of it is taken, the
    /// newest tick of each symbol is due, and none before it.
    ///
    /// # Errors
    /// The reason to end the stream.
    pub(in crate::fanout) fn greet(
        &mut self,
        symbols: &mut Symbols,
        greeting: &Greeting,
        now: Now,
    ) -> Result<Written, CloseReason> {
        // Before the epochs: what begins meanwhile has a higher one.
        let generation = symbols.get(self.cursors.slots()[0].symbol).state.generation();
        // Behind it: what has begun by now, and was not announced yet, must not come behind the `hello`.
        symbols.read_new(self.cursors.slots().iter().map(|slot| slot.symbol), now);
        let hello = self.hello(symbols, greeting, now);
        let event = self.event().cloned();
        let before = self.tail.len() + event.as_ref().map_or(0, Bytes::len);
        let taken = self.offer(event.as_ref(), [&hello], now)?;
        self.advance(taken.bytes, event, &[], |_| {});
        if taken.bytes > before {
            self.tail = hello.slice(taken.bytes - before..);
            self.generation = generation;
            self.event_begun();
            self.cursors.start_over(symbols, generation);
        } else {
            self.cursors.look_at_all();
        }
        self.note_write(taken, now);
        Ok(Written { bytes: taken.bytes, more: !self.is_full(), ..Written::default() })
    }

    fn hello(&self, symbols: &Symbols, greeting: &Greeting, now: Now) -> Bytes {
        let states = || self.cursors.slots().iter().map(|slot| &symbols.get(slot.symbol).state);
        let listed: Vec<Symbol> = states().map(|state| state.symbol().clone()).collect();
        let delayed = states().filter(|state| state.tier() == Tier::Delayed);
        let delayed: Vec<Symbol> = delayed.map(|state| state.symbol().clone()).collect();
        let unlisted = self.changes.as_ref().map(|changes| &changes.unlisted);
        let until = self.rights_end.map(|end| end.unix);
        let denied = unlisted.map_or(&[][..], |unlisted| &unlisted.denied);
        let hello = hello(&Hello {
            retry: greeting.retry,
            stream: self.name,
            epoch: Cache::epoch_of(states()),
            now: now.unix,
            symbols: &listed,
            unknown: unlisted.map_or(&[], |unlisted| &unlisted.unknown),
            rights: self.has_rights.then_some(HelloRights { delayed: &delayed, denied, until }),
        });
        self.encoded(hello.with_control(&greeting.control))
    }
}
