//! The files of a feed's recording in their folder: their names, which of them go, and the I/O.

use super::member::Hour;
use crate::market::Date;
use std::{
    cmp::Reverse,
    fs::{self, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::PathBuf,
};

const SUFFIX: &str = ".txt.gz";
/// Who may read a file: its owner and group. Venues license their data to some, not to all.
const MODE: u32 = 0o640;

/// A file of a feed's recording.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RecordedFile {
    pub(super) name: String,
    /// Its hour, as in its name: `20261128T17`.
    stamp: String,
    pub(super) bytes: u64,
}

impl RecordedFile {
    /// The file, if this is a name that a recording of the feed gives.
    fn new(feed: &str, name: String, bytes: u64) -> Option<Self> {
        let middle = name.strip_prefix(feed)?.strip_prefix('.')?.strip_suffix(SUFFIX)?;
        let (connection, stamp) = middle.split_once('-')?;
        let (date, hour) = stamp.split_once('T')?;
        let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        let is_ours = !connection.is_empty()
            && (date.len(), hour.len()) == (8, 2)
            && [connection, date, hour].into_iter().all(is_digits);
        let stamp = stamp.to_owned();
        is_ours.then_some(Self { name, stamp, bytes })
    }
}

/// The name of the file of a connection, counted from 0, and an hour.
pub(super) fn file_name(feed: &str, connection: usize, hour: Hour) -> String {
    let date = Date::of(hour.begins()).to_string().replace('-', "");
    format!("{feed}.{}-{date}T{:02}{SUFFIX}", connection + 1, hour.of_day())
}

/// Removes from the list, and returns, the files that have to go so that the others have this many bytes at most: the
/// oldest first, and within an hour the largest.
pub(super) fn take_surplus(files: &mut Vec<RecordedFile>, bytes_max: u64) -> Vec<RecordedFile> {
    files.sort_by(|one, other| (&one.stamp, Reverse(one.bytes)).cmp(&(&other.stamp, Reverse(other.bytes))));
    let mut total: u64 = files.iter().map(|file| file.bytes).sum();
    let go = files.iter().take_while(|file| {
        let goes = total > bytes_max;
        total -= if goes { file.bytes } else { 0 };
        goes
    });
    let count = go.count();
    files.drain(..count).collect()
}

/// The folder of a feed's recording. No file stays open, so that any may be moved or deleted at any time.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    feed: String,
}

impl Folder {
    /// Makes the folder if it is not there.
    pub(super) fn open(path: PathBuf, feed: String) -> io::Result<Self> {
        fs::create_dir_all(&path)?;
        Ok(Self { path, feed })
    }

    /// The feed's files.
    pub(super) fn files(&self) -> io::Result<Vec<RecordedFile>> {
        let mut files = Vec::new();
        for entry in fs::read_dir(&self.path)? {
            let entry = entry?;
            let Ok(name) = entry.file_name().into_string() else { continue };
            // Without a size where it has been deleted meanwhile.
            let bytes = entry.metadata().map_or(0, |metadata| metadata.len());
            files.extend(RecordedFile::new(&self.feed, name, bytes));
        }
        Ok(files)
    }

    /// Whether a file is empty, or not there.
    pub(super) fn is_empty(&self, name: &str) -> bool {
        fs::metadata(self.path.join(name)).map_or(true, |metadata| metadata.len() == 0)
    }

    /// Appends to a file. If that fails, as on a full disk, the file ends where it did.
    pub(super) fn append(&self, name: &str, block: &[u8]) -> io::Result<()> {
        let mut file = OpenOptions::new().append(true).create(true).mode(MODE).open(self.path.join(name))?;
        let before = file.metadata()?.len();
        file.write_all(block).inspect_err(|_| {
            // A half member at the end of a file does no harm.
            let _ = file.set_len(before);
        })
    }

    /// Deletes a file, unless it is gone already.
    pub(super) fn remove(&self, name: &str) -> io::Result<()> {
        match fs::remove_file(self.path.join(name)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            removed => removed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::market::UnixMicros;

    fn file(name: &str, bytes: u64) -> RecordedFile {
        RecordedFile::new("crypto", name.to_owned(), bytes).unwrap()
    }

    #[test]
    fn a_name_has_feed_connection_day_and_hour_of_utc() {
        for (micros, name) in [
            (0, "crypto.1-19700101T00.txt.gz"),
            (1_795_885_199_999_999, "crypto.1-20261128T16.txt.gz"),
            (1_795_885_200_000_000, "crypto.1-20261128T17.txt.gz"),
        ] {
            let hour = Hour::of(UnixMicros(micros));
            assert_eq!(file_name("crypto", 0, hour), name);
            assert_eq!(file(name, 1).name, name);
        }
    }

    #[test]
    fn only_files_of_the_feeds_own_recording_are_its_own() {
        for name in [
            "crypto-2.1-20261128T17.txt.gz",
            "crypto.1-20261128T17.txt",
            "crypto.x-20261128T17.txt.gz",
            "crypto.-20261128T17.txt.gz",
            "crypto.1-2026112T17.txt.gz",
            "crypto.1-20261128T7.txt.gz",
            "crypto.1-20261128T17-copy.txt.gz",
            "crypto.txt.gz",
            "notes.txt",
        ] {
            assert_eq!(RecordedFile::new("crypto", name.to_owned(), 1), None, "{name}");
        }
    }

    #[test]
    fn rule_10_the_oldest_files_go_until_the_others_fit() {
        let all = [
            file("crypto.10-20261128T09.txt.gz", 300),
            file("crypto.2-20261128T10.txt.gz", 500),
            file("crypto.1-20261128T10.txt.gz", 100),
            file("crypto.1-20261127T23.txt.gz", 200),
        ];
        for (bytes_max, gone) in [
            (1_100, vec![]),
            (1_099, vec![3]),
            (900, vec![3]),
            (600, vec![3, 0]),
            (599, vec![3, 0, 1]),
            (0, vec![3, 0, 1, 2]),
        ] {
            let mut files = all.to_vec();
            let surplus = take_surplus(&mut files, bytes_max);
            let expected: Vec<_> = gone.iter().map(|&place: &usize| all[place].clone()).collect();
            assert_eq!(surplus, expected, "{bytes_max}");
            assert_eq!(files.len() + surplus.len(), all.len());
        }
    }
}
