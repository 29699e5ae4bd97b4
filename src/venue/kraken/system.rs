//! Whether the venue's matching engine runs, and what each symbol was told of it.

use crate::{
    market::{FeedSymbol, Field, Halt, StatusUpdate, Update},
    venue::{Batch, Message},
};

/// What each symbol was told. A symbol resumes at once if this connection has brought data of it. Else its prices are
/// from before, and it resumes with its own next update.
#[derive(Debug)]
pub(super) struct System {
    is_online: bool,
    symbols: Vec<Told>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Told {
    is_listed: bool,
    /// This connection has brought data of the symbol.
    is_heard: bool,
    /// Its next update resumes it.
    resumes: bool,
    /// Its next update halts it: it was listed while nothing matches.
    halts: bool,
}

const HALTED: StatusUpdate = status(Field::Set(Halt::Other));
const RESUMED: StatusUpdate = status(Field::Clear);

/// The venue gives no time.
const fn status(halted: Field<Halt>) -> StatusUpdate {
    StatusUpdate {
        sequence: crate::market::Sequence { id: None, time: None, by_arrival: false },
        closed: None,
        halted,
        resume_is_reported: true,
    }
}

impl System {
    /// Of a venue that is online, until it says otherwise.
    pub(super) fn new(symbols: usize) -> Self {
        Self { is_online: true, symbols: vec![Told { is_listed: true, ..Told::default() }; symbols] }
    }

    /// The list changes: these places are left, and then these are taken.
    pub(super) fn relist(&mut self, added: impl Iterator<Item = FeedSymbol>, removed: &[FeedSymbol]) {
        for place in removed {
            // A connection that is to be replaced does not know all of them.
            if let Some(told) = self.symbols.get_mut(place.index()) {
                *told = Told::default();
            }
        }
        for place in added {
            if self.symbols.len() <= place.index() {
                self.symbols.resize(place.index() + 1, Told::default());
            }
            self.symbols[place.index()] = Told { is_listed: true, halts: !self.is_online, ..Told::default() };
        }
    }

    /// Begins a connection. What the symbols were told on the last one stands.
    pub(super) fn restart(&mut self) {
        self.symbols.iter_mut().for_each(|told| told.is_heard = false);
    }

    /// Data arrived; a symbol that waits for them resumes.
    pub(super) fn heard(&mut self, updates: &mut [Update]) {
        for update in updates {
            let told = &mut self.symbols[update.symbol.index()];
            told.is_heard = true;
            if std::mem::take(&mut told.resumes) {
                update.status = Some(RESUMED);
            }
            if std::mem::take(&mut told.halts) {
                update.status = Some(HALTED);
            }
        }
    }

    /// The venue says whether it is online; it repeats that on each connection. Halts or resumes all symbols, as many
    /// as fit into the batch; the same frame goes on with the others.
    pub(super) fn tell(&mut self, is_online: bool, batch: &mut Batch) -> Message {
        let from = std::mem::take(&mut batch.read_on);
        if from == 0 && is_online == self.is_online {
            return Message::Control;
        }
        self.is_online = is_online;
        for symbol in FeedSymbol::all(self.symbols.len()).skip(from) {
            if batch.is_full() {
                batch.read_on = symbol.index();
                break;
            }
            let told = &mut self.symbols[symbol.index()];
            told.resumes = is_online && !told.is_heard && !told.halts;
            told.halts = false;
            if told.is_listed && !told.resumes {
                let status = Some(if is_online { RESUMED } else { HALTED });
                batch.updates.push(Update { symbol, status, ..Update::default() });
            }
        }
        Message::Data
    }
}
