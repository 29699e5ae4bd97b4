//! Many files, read as one.

use super::{
    Inspection, RecordingError,
    file::{FileReader, inspect},
};
use crate::recording::line::{Entry, UnixNanos};
use std::{
    cmp::Reverse,
    collections::{BinaryHeap, VecDeque},
    path::PathBuf,
};

/// The most files that are open at once. Those of later hours wait anyway until their time has come; only more
/// connections than this at one time would be read out of order.
const OPEN_MAX: usize = 64;

/// An entry of a recording of several files.
#[derive(Debug)]
pub struct Played {
    /// The place of its file in the list of files.
    pub file: usize,
    /// What the file says there.
    pub entry: Entry,
}

/// The entries of several files in the order of their times. A file whose times step back is read on as it is.
///
/// An error is an item: it ends its file, and the others go on.
pub struct Merged {
    files: Vec<PathBuf>,
    /// Files that are not open yet, the earliest first. Those without times come last.
    waiting: VecDeque<Waiting>,
    open: BinaryHeap<Reverse<Head>>,
    /// Errors of files that could not be opened.
    errors: VecDeque<RecordingError>,
    /// The time of the last entry.
    at: UnixNanos,
}

struct Waiting {
    file: usize,
    inspection: Inspection,
}

/// The next entry of an open file.
struct Head {
    at: UnixNanos,
    file: usize,
    entry: Entry,
    reader: FileReader,
}

impl Merged {
    /// Reads these files. Each is inspected first; one that cannot be read is an error among the first items.
    pub fn new(files: Vec<PathBuf>) -> Self {
        let mut waiting = Vec::with_capacity(files.len());
        let mut errors = VecDeque::new();
        for (file, path) in files.iter().enumerate() {
            match inspect(path) {
                Ok(inspection) => waiting.push(Waiting { file, inspection }),
                Err(error) => errors.push_back(error),
            }
        }
        waiting.sort_by_key(|waiting| waiting.inspection.first_at.unwrap_or(UnixNanos::MAX));
        Self { files, waiting: waiting.into(), open: BinaryHeap::new(), errors, at: 0 }
    }

    /// Opens the files whose time has come.
    fn open_due(&mut self) {
        while self.open.len() < OPEN_MAX
            && let Some(first) = self.waiting.front()
        {
            let next = self.open.peek().map(|Reverse(head)| head.at);
            let is_due = match (first.inspection.first_at, next) {
                (_, None) => true,
                (Some(first), Some(next)) => first <= next,
                (None, Some(_)) => false,
            };
            if !is_due {
                return;
            }
            let Some(Waiting { file, inspection }) = self.waiting.pop_front() else { return };
            let at = inspection.first_at.unwrap_or(self.at);
            match FileReader::open(&self.files[file], inspection.format, at) {
                Ok(reader) => self.advance(file, reader),
                Err(error) => self.errors.push_back(error),
            }
        }
    }

    /// Reads the next entry of a file, if there is one.
    fn advance(&mut self, file: usize, mut reader: FileReader) {
        while let Some(next) = reader.next() {
            match next {
                Ok(entry) => return self.open.push(Reverse(Head { at: entry.at, file, entry, reader })),
                Err(error) => self.errors.push_back(error),
            }
        }
        // No later file can go on with it, and others play: what it said last must not look live until they end.
        if self.waiting.is_empty()
            && !self.open.is_empty()
            && let Some(entry) = reader.lost()
        {
            self.open.push(Reverse(Head { at: entry.at, file, entry, reader }));
        }
    }
}

impl Iterator for Merged {
    type Item = Result<Played, RecordingError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.open_due();
        if let Some(error) = self.errors.pop_front() {
            return Some(Err(error));
        }
        let Reverse(Head { at, file, entry, reader }) = self.open.pop()?;
        self.at = at;
        self.advance(file, reader);
        Some(Ok(Played { file, entry }))
    }
}

impl PartialEq for Head {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Head {}

impl PartialOrd for Head {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Head {
    /// At one time the earlier file comes first. A file has one entry here, so no two are equal.
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.file).cmp(&(other.at, other.file))
    }
}

#[cfg(test)]
#[path = "merge_tests.rs"]
mod tests;
