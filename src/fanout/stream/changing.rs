//! How the list and the options of an open stream change.

use super::{Slot, Stream};
use crate::{
    cache::{Cache, SymbolState},
    fanout::{
        change::{Change, ChangeRefused},
        cursors::{Moved, Relisted},
        options::Options,
        stream_key::StreamKey,
        symbols::Symbols,
        unlisted::Unlisted,
    },
    market::{Now, Symbol, Tier},
    wire::{Epoch, HelloRights, ListChange, stored},
};
use bytes::Bytes;
use std::sync::Arc;

/// A list of symbols.
type List = Box<[Arc<SymbolState>]>;

impl<T> Stream<T> {
    /// Whether nothing but ticks that it lacks and its goodbye is still to come.
    pub(in crate::fanout) fn is_ending(&self) -> bool {
        !self.phase.is_before_end()
    }

    /// Changes the stream. The event goes out next, behind the tail of a block that was begun: no tick of a removed
    /// symbol comes behind it, and none of an added one before it.
    ///
    /// Returns the JSON of the event, and the subscribers of other streams that have moved meanwhile.
    ///
    /// # Errors
    /// Why nothing has changed.
    pub(in crate::fanout) fn change(
        &mut self,
        key: StreamKey,
        change: &mut Change,
        symbols: &mut Symbols,
        now: Now,
    ) -> Result<(Bytes, Vec<Moved>), ChangeRefused> {
        let is_its_own = change.rights.as_ref().is_none_or(|rights| rights.subject.as_deref() == self.client.subject());
        if self.is_ending() || self.is_expired(now) || !is_its_own {
            return Err(ChangeRefused::NoSuchStream);
        }
        let streams = change.rights.as_ref().and_then(|rights| rights.streams);
        let fits = streams.is_none_or(|streams| self.permit.fits(streams));
        let changes = self.changes.get_or_insert_default();
        let rev = changes.number(change.rev)?;
        if !fits {
            return Err(ChangeRefused::TooManyStreams);
        }
        let (list, unlisted) = new_list(change, self.cursors.slots(), symbols, &changes.unlisted);
        let listed = list.as_ref().map_or(self.cursors.slots().len(), |list| list.len());
        let is_denied = listed == 0;
        if !is_denied && !self.permit.resize(listed + unlisted.len()) {
            return Err(ChangeRefused::TooManySymbols);
        }
        if let Some(held) = change.held.take() {
            self.permit.keep(held);
        }
        let change = &*change;
        let Unlisted { unknown, denied } = &unlisted;
        let event = |epoch: Epoch, symbols: &[Symbol], delayed: &[Symbol]| {
            let rights = change.rights.as_ref();
            let rights = rights.map(|rights| HelloRights { delayed, denied, until: rights.until });
            ListChange { rev, epoch, symbols, unknown, rights }.event()
        };
        if is_denied {
            let states = self.cursors.slots().iter().map(|slot| &symbols.get(slot.symbol).state);
            let json = event(Cache::epoch_of(states), &[], &[]).json;
            self.deny(now);
            return Ok((json, Vec::new()));
        }
        let before = self.options;
        self.options = changed(before, change);
        let relisted = Relisted {
            stream: key,
            options: &self.options,
            generation: self.generation,
            before: &before,
            opened: self.joined,
        };
        let mut moved = Vec::new();
        match &list {
            Some(list) => moved = self.cursors.relist(symbols, list, relisted, &mut changes.removed, now),
            None if before != self.options => self.cursors.reoption(symbols, relisted, &mut changes.removed, now),
            None => {}
        }
        let states = || self.cursors.slots().iter().map(|slot| &symbols.get(slot.symbol).state);
        let listed: Vec<Symbol> = states().map(|state| state.symbol().clone()).collect();
        let delayed = states().filter(|state| state.tier() == Tier::Delayed);
        let delayed: Vec<Symbol> = delayed.map(|state| state.symbol().clone()).collect();
        let event = event(Cache::epoch_of(states()), &listed, &delayed);
        let block = if self.options.compresses() { stored(&event.block) } else { event.block.clone() };
        changes.carried_out(rev, unlisted, block);
        if let Some(rights) = &change.rights {
            self.has_rights = true;
            self.renew(rights.until, now);
        }
        self.repace(before, now);
        Ok((event.json, moved))
    }

    /// What the client's own old rate held back comes with the event, and its new rate counts from there. But not even
    /// a change brings ticks sooner than the rights allow.
    fn repace(&mut self, before: Options, now: Now) {
        // Before its first change that is what `not_before` comes from; a change moves that, and not the write.
        let of_not_before = || self.not_before.checked_sub(before.interval().unwrap_or_default());
        let paced_at = self.changes.as_ref().and_then(|changes| changes.paced_at).or_else(of_not_before);
        let written = paced_at.unwrap_or(self.not_before);
        if let Some(changes) = &mut self.changes {
            changes.paced_at = Some(written);
        }
        let allowed = written + self.options.interval_of_rights();
        self.not_before = allowed.max(now.instant);
        self.is_urgent |= allowed <= now.instant;
    }

    /// The event of the newest change, as long as none of its bytes is written.
    pub(super) fn event(&self) -> Option<&Bytes> {
        self.changes.as_ref()?.event.as_ref()
    }

    /// The transport has taken a byte of the event.
    pub(super) fn event_begun(&mut self) {
        if let Some(changes) = &mut self.changes {
            changes.event_begun();
        }
        self.cursors.told();
    }
}

/// The list that a change brings, if it brings one, and what else its client asked for. Where the change does not
/// mention the list, its client still asks for all that it has named, live or delayed as its new rights have it: what
/// it may no longer read is denied, and what it may read by now is not denied any longer, though it takes a new list to
/// carry it.
fn new_list(change: &Change, slots: &[Slot], symbols: &Symbols, before: &Unlisted) -> (Option<List>, Unlisted) {
    if change.symbols.is_some() {
        let denied = change.rights.as_ref().map(|rights| rights.denied.clone());
        let unlisted = Unlisted { unknown: change.unknown.clone(), denied: denied.unwrap_or_default() };
        return (change.symbols.clone(), unlisted);
    }
    let Some(rights) = &change.rights else { return (None, before.clone()) };
    let mut allowed = Vec::with_capacity(slots.len());
    let mut denied = Vec::new();
    let mut is_same = true;
    for slot in slots {
        let state = &symbols.get(slot.symbol).state;
        let readable = (rights.readable)(state.symbol(), Some(state));
        is_same &= readable.as_ref().is_some_and(|readable| readable.id() == state.id());
        match readable {
            Some(readable) => allowed.push(readable),
            None => denied.push(state.symbol().clone()),
        }
    }
    denied.extend(before.denied.iter().filter(|symbol| (rights.readable)(symbol, None).is_none()).cloned());
    let list = (!is_same).then(|| allowed.into());
    (list, Unlisted { unknown: before.unknown.clone(), denied: denied.into() })
}

/// The options with what a change says of them.
fn changed(options: Options, change: &Change) -> Options {
    let changed = change.parts.map_or(options, |parts| options.on(parts));
    let changed = change.interval.map_or(changed, |own| changed.every(own));
    let changed = change.patches.map_or(changed, |patches| changed.with_patches(patches));
    change.rights.as_ref().map_or(changed, |rights| changed.allowed_every(rights.interval_min))
}
