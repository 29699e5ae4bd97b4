//! What a line has noted of some of its symbols at one moment.

use crate::cache::Tick;
use std::{sync::Arc, time::Instant};

/// The newest tick of a symbol, to be shown later.
pub(super) struct Note {
    /// The symbol's place in its slice.
    pub(super) place: u32,
    pub(super) tick: Arc<Tick>,
}

/// The notes of one slice of a line's symbols. There is at least one.
pub(super) struct Round {
    pub(super) slice: u32,
    /// From then on none of its ticks is too young to be shown.
    pub(super) due: Instant,
    /// In the order of their places.
    pub(super) notes: Vec<Note>,
}

impl Round {
    /// Takes in an earlier round of the same slice. Of a symbol that is in both, the newer note stays.
    pub(super) fn take_in(&mut self, earlier: Self) {
        let newer = std::mem::take(&mut self.notes);
        let mut notes = Vec::with_capacity(newer.len() + earlier.notes.len());
        let mut older = earlier.notes.into_iter().peekable();
        for note in newer {
            while let Some(earlier) = older.next_if(|earlier| earlier.place < note.place) {
                notes.push(earlier);
            }
            older.next_if(|earlier| earlier.place == note.place);
            notes.push(note);
        }
        notes.extend(older);
        notes.shrink_to_fit();
        self.notes = notes;
    }
}
