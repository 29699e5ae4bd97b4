//! Where a configuration file sets what, so that an error shows its place.

use super::{
    ConfigError, Key,
    error::{Source, Wrong},
};
use std::ops::Range;

/// Where the file sets what.
#[derive(Default)]
pub(super) struct Places {
    /// Its keys, with the places of their values.
    pub(super) keys: Vec<(&'static Key, Range<usize>)>,
    /// Its optional tables.
    pub(super) tables: Vec<(&'static str, Range<usize>)>,
    /// Its `[auth]`.
    pub(super) auth: Option<Range<usize>>,
    /// The entries of its `certificates`.
    pub(super) certificates: Vec<Range<usize>>,
}

impl Places {
    /// The place of the first key like this; `None` if only a variable sets it.
    pub(super) fn of_key(&self, is_it: impl Fn(&Key) -> bool) -> Option<Range<usize>> {
        self.keys.iter().find(|(key, _)| is_it(key)).map(|(_, place)| place.clone())
    }

    /// The place of an optional table; `None` if only variables set its keys.
    pub(super) fn of_table(&self, section: &str) -> Option<Range<usize>> {
        self.tables.iter().find(|(name, _)| *name == section).map(|(_, place)| place.clone())
    }
}

/// An error at its place, if the file has one.
pub(super) fn error(source: Source<'_>, place: Option<Range<usize>>, wrong: Wrong) -> ConfigError {
    match place {
        Some(place) => source.error(wrong.at(place)),
        None => wrong.nowhere(),
    }
}
