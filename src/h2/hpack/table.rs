//! The tables that indices refer to (RFC 7541, section 2.3).

use super::static_table::FIELDS;
use std::collections::VecDeque;

/// What an entry counts beside its name and value.
const ENTRY_BYTES: usize = 32;

/// The dynamic table, behind the static one.
#[derive(Debug)]
pub(super) struct Table {
    /// The newest first.
    entries: VecDeque<Entry>,
    bytes: usize,
    bytes_max: usize,
}

#[derive(Debug)]
struct Entry {
    /// The name, then the value.
    text: Box<[u8]>,
    name_bytes: usize,
}

impl Table {
    pub(super) fn new(bytes_max: usize) -> Self {
        Self { entries: VecDeque::new(), bytes: 0, bytes_max }
    }

    /// The field of an index, which counts from 1.
    pub(super) fn get(&self, index: usize) -> Option<(&[u8], &[u8])> {
        let index = index.checked_sub(1)?;
        if let Some((name, value)) = FIELDS.get(index) {
            return Some((name.as_bytes(), value.as_bytes()));
        }
        let entry = self.entries.get(index - FIELDS.len())?;
        Some(entry.text.split_at(entry.name_bytes))
    }

    /// Adds a field, and evicts the oldest until it fits. A field that never fits empties the table.
    pub(super) fn insert(&mut self, name: &[u8], value: &[u8]) {
        let bytes = name.len() + value.len() + ENTRY_BYTES;
        let Some(room) = self.bytes_max.checked_sub(bytes) else {
            self.clear();
            return;
        };
        self.evict_to(room);
        self.bytes += bytes;
        self.entries.push_front(Entry { text: [name, value].concat().into(), name_bytes: name.len() });
    }

    pub(super) fn set_bytes_max(&mut self, bytes_max: usize) {
        self.bytes_max = bytes_max;
        self.evict_to(bytes_max);
    }

    /// Evicts all, and gives their memory back.
    fn clear(&mut self) {
        self.entries = VecDeque::new();
        self.bytes = 0;
    }

    /// Gives back memory that holds no entry.
    pub(super) fn shrink(&mut self) {
        self.entries.shrink_to_fit();
    }

    fn evict_to(&mut self, bytes_max: usize) {
        while self.bytes > bytes_max
            && let Some(oldest) = self.entries.pop_back()
        {
            self.bytes -= oldest.text.len() + ENTRY_BYTES;
        }
        if self.entries.is_empty() {
            self.clear();
        }
    }

    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    #[cfg(test)]
    pub(super) fn fields(&self) -> Vec<(String, String)> {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        (FIELDS.len() + 1..).map_while(|index| self.get(index).map(|(name, value)| (text(name), text(value)))).collect()
    }
}
