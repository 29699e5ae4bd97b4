//! The owner's table, as its messages name it, and which symbols of the book are in it.

use super::book::{Book, Place};

/// What an index of the owner's table means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Entry {
    /// No message has named it.
    Unnamed,
    /// A symbol that this node does not have.
    Unknown,
    /// A symbol of the book.
    Known(Place),
}

/// The owner's table, as far as its messages have named it. It is at most as long as
/// [`TABLE_MAX`](crate::cluster::message::TABLE_MAX), which bounds the indices of a message.
#[derive(Debug, Default)]
pub(super) struct Table {
    entries: Vec<Entry>,
    /// For each place of the book, whether the owner has the symbol.
    is_carried: Vec<bool>,
}

impl Table {
    pub(super) fn clear(&mut self) {
        self.entries.clear();
        self.is_carried.clear();
    }

    /// Notes what an index means.
    pub(super) fn name(&mut self, index: u32, place: Option<Place>) {
        put(&mut self.entries, index, place.map_or(Entry::Unknown, Entry::Known), Entry::Unnamed);
        if let Some(place) = place {
            put(&mut self.is_carried, place.0, true, false);
        }
    }

    pub(super) fn get(&self, index: u32) -> Entry {
        self.entries.get(index as usize).copied().unwrap_or(Entry::Unnamed)
    }

    /// Tells the book which of its symbols the owner does not have.
    pub(super) fn report_absent(&self, book: &mut impl Book) {
        for place in 0..book.len() {
            if !self.is_carried.get(place as usize).copied().unwrap_or(false) {
                book.absent(Place(place));
            }
        }
    }
}

fn put<T: Clone>(list: &mut Vec<T>, place: u32, value: T, filler: T) {
    let place = place as usize;
    if list.len() <= place {
        list.resize(place + 1, filler);
    }
    list[place] = value;
}
