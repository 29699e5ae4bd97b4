//! The messages of the player: a head of a few bytes, and what follows it.

use crate::recording::Record;
use std::{
    collections::HashMap,
    path::{Path, PathBuf},
};

/// The most sources that are told apart: each has a reader with the names of all symbols. More than these share
/// readers; then holes are counted that are none.
pub(super) const SOURCES_MAX: u8 = 16;
/// A letter, a number of two digits and a blank.
pub(super) const HEAD_BYTES_MAX: usize = 4;

/// What a message of the player is, and of which source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Head {
    /// A frame follows.
    Frame(u8),
    /// A connection was opened.
    Opened(u8),
    /// It was lost; the reason follows.
    Lost(u8),
    /// Frames are missing.
    Dropped(u8),
    /// A line that cannot be read.
    Unreadable(u8),
    /// The recording begins again.
    StartsOver,
    /// It is over.
    Ended,
}

/// The message that says that the recording begins again.
pub(super) const STARTS_OVER: &[u8] = b"n";
/// The message that says that it is over.
pub(super) const ENDED: &[u8] = b"e";

/// Writes what a recording says.
pub(super) fn write(source: u8, record: &Record) -> Vec<u8> {
    let (letter, rest): (char, &[u8]) = match record {
        Record::Frame(frame) => ('f', frame),
        Record::Opened => ('o', b""),
        Record::Closed(reason) => ('c', reason.as_bytes()),
        Record::Dropped(_) => ('d', b""),
        Record::Unreadable => ('x', b""),
    };
    let mut message = Vec::with_capacity(HEAD_BYTES_MAX + rest.len());
    message.extend_from_slice(format!("{letter}{source} ").as_bytes());
    message.extend_from_slice(rest);
    message
}

/// The head of a message, and what follows it.
pub(super) fn read(message: &[u8]) -> Option<(Head, &[u8])> {
    match message {
        STARTS_OVER => return Some((Head::StartsOver, b"")),
        ENDED => return Some((Head::Ended, b"")),
        _ => {}
    }
    let (letter, rest) = message.split_first()?;
    let blank = rest.iter().take(HEAD_BYTES_MAX).position(|byte| *byte == b' ')?;
    let source = std::str::from_utf8(&rest[..blank]).ok()?.parse().ok()?;
    let head = match letter {
        b'f' => Head::Frame(source),
        b'o' => Head::Opened(source),
        b'c' => Head::Lost(source),
        b'd' => Head::Dropped(source),
        b'x' => Head::Unreadable(source),
        _ => return None,
    };
    Some((head, &rest[blank + 1..]))
}

/// The source of each file: files of consecutive hours of one connection are one.
pub(super) fn sources(files: &[PathBuf]) -> Vec<u8> {
    let mut known: HashMap<PathBuf, usize> = HashMap::new();
    let source = |file: &PathBuf| {
        let next = known.len();
        let number = *known.entry(connection_of(file)).or_insert(next);
        (number % usize::from(SOURCES_MAX)) as u8
    };
    files.iter().map(source).collect()
}

/// A file's path without the hour in its name: `crypto.1-20261128T17.txt.gz` is of `crypto.1`.
fn connection_of(file: &Path) -> PathBuf {
    let name = file.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let of_hour = name.rsplit_once('-').filter(|(_, rest)| {
        let hour = rest.split('.').next().unwrap_or_default().as_bytes();
        hour.len() == 11
            && hour[8] == b'T'
            && hour.iter().enumerate().all(|(at, byte)| at == 8 || byte.is_ascii_digit())
    });
    of_hour.map_or_else(|| file.to_owned(), |(connection, _)| file.with_file_name(connection))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_read_as_it_was_written() {
        for (source, record, head, rest) in [
            (0, Record::Frame(b"{\"a\": 1}".to_vec()), Head::Frame(0), "{\"a\": 1}"),
            (15, Record::Frame(b"e".to_vec()), Head::Frame(15), "e"),
            (15, Record::Frame(Vec::new()), Head::Frame(15), ""),
            (1, Record::Opened, Head::Opened(1), ""),
            (2, Record::Closed("io".to_owned()), Head::Lost(2), "io"),
            (2, Record::Closed(String::new()), Head::Lost(2), ""),
            (3, Record::Dropped(9), Head::Dropped(3), ""),
            (4, Record::Unreadable, Head::Unreadable(4), ""),
        ] {
            let message = write(source, &record);
            assert_eq!(read(&message), Some((head, rest.as_bytes())), "{record:?}");
        }
        assert_eq!(read(STARTS_OVER), Some((Head::StartsOver, b"".as_slice())));
        assert_eq!(read(ENDED), Some((Head::Ended, b"".as_slice())));
        for message in ["", "{\"a\":1}", "f", "f0", "fx ", "f999 x", "pong", "e0"] {
            assert_eq!(read(message.as_bytes()), None, "{message}");
        }
    }

    #[test]
    fn the_files_of_one_connection_are_one_source() {
        let files = [
            "rec/crypto.1-20261128T17.txt.gz",
            "rec/crypto.2-20261128T17.txt.gz",
            "rec/crypto.1-20261128T18.txt",
            "other/crypto.1-20261128T18.txt",
            "tardis-2024-08-08.gz",
            "tardis-2024-08-09.gz",
        ]
        .map(PathBuf::from);
        assert_eq!(sources(&files), [0, 1, 0, 2, 3, 4]);
    }

    #[test]
    fn rule_10_sources_have_a_limit() {
        let files: Vec<PathBuf> = (0..40).map(|number| PathBuf::from(number.to_string())).collect();
        assert_eq!(sources(&files).into_iter().max(), Some(SOURCES_MAX - 1));
    }
}
