//! One file of a recording.

use super::{
    FIRST_LINES, FRAME_BYTES_MAX, RecordingError,
    bytes::{Lines, Taken},
    format::Format,
};
use crate::recording::line::{Entry, Header, Record, UnixNanos};
use std::{
    io,
    path::{Path, PathBuf},
};

/// How much of a line an error shows, in characters.
const SHOWN_MAX: usize = 60;
/// Between two frames of a file without times: a hundred a second.
const BARE_PAUSE: UnixNanos = 10_000_000;

/// What the first lines of a file say of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inspection {
    /// How its lines are built.
    pub format: Format,
    /// Its header, if it is one of ours and has one.
    pub header: Option<Header>,
    /// The time of its first entry; `None` where its first lines have none.
    pub first_at: Option<UnixNanos>,
    /// Whether there is anything to play among its first lines.
    pub has_entries: bool,
}

/// Looks at the first lines of a file, which decide what it is.
///
/// # Errors
/// [`RecordingError`] where the file cannot be read, or is not a recording.
pub fn inspect(path: &Path) -> Result<Inspection, RecordingError> {
    let mut reader = LineReader::open(path)?;
    let mut format = None;
    let mut header = None;
    let mut first_at = None;
    let mut has_entries = false;
    for _ in 0..FIRST_LINES {
        match reader.next() {
            Ok(Taken::Line) => {}
            Ok(Taken::TooLong) => return Err(reader.too_long()),
            Ok(Taken::End) => break,
            // The lines before the cut decide; the player tells of it when it gets there.
            Err(RecordingError::Cut { .. }) => break,
            Err(error) => return Err(error),
        }
        if let Some(found) = reader.header()? {
            format = Some(Format::Own);
            header = Some(found);
            continue;
        }
        if format.is_none() && !Format::is_common(&reader.line) {
            format = Some(Format::of(&reader.line).ok_or_else(|| reader.unknown())?);
        }
        let read = format.map_or(Ok(None), |format| format.parse(&reader.line).map_err(|()| reader.unlike(format)))?;
        if let Some((at, _)) = read {
            has_entries = true;
            first_at = first_at.or(at);
        }
    }
    Ok(Inspection { format: format.unwrap_or(Format::Own), header, first_at, has_entries })
}

/// The entries of a file.
pub(super) struct FileReader {
    reader: LineReader,
    format: Format,
    /// The time of the last entry.
    at: UnixNanos,
    /// Whether the last entry was a lost connection: an empty line behind it says the same.
    is_closed: bool,
    /// Whether the file could not be read on.
    has_failed: bool,
}

impl FileReader {
    /// Opens a file that was inspected before. Entries before the first time have `at`.
    pub(super) fn open(path: &Path, format: Format, at: UnixNanos) -> Result<Self, RecordingError> {
        Ok(Self { reader: LineReader::open(path)?, format, at, is_closed: false, has_failed: false })
    }

    /// A lost connection at the time of the last entry, unless that was one.
    pub(super) fn lost(&mut self) -> Option<Entry> {
        let is_told = std::mem::replace(&mut self.is_closed, true);
        (!is_told).then(|| Entry { at: self.at, record: Record::Closed(String::new()) })
    }

    /// The next entry, or an error, behind which stands a lost connection alone: what the file said last is old then.
    /// `None` at its end.
    pub(super) fn next(&mut self) -> Option<Result<Entry, RecordingError>> {
        if self.has_failed {
            return self.lost().map(Ok);
        }
        loop {
            let parsed = match self.reader.next() {
                Ok(Taken::Line) => self.format.parse(&self.reader.line),
                Ok(Taken::TooLong) => Err(()),
                Ok(Taken::End) => return None,
                Err(error) => {
                    self.has_failed = true;
                    return Some(Err(error));
                }
            };
            let (at, record) = match parsed {
                Ok(None) => continue,
                Ok(Some((at, Record::Frame(frame)))) if frame.len() > FRAME_BYTES_MAX => (at, Record::Unreadable),
                Ok(Some(entry)) => entry,
                Err(()) => (None, Record::Unreadable),
            };
            if !self.format.has_times() {
                self.at += BARE_PAUSE;
            }
            self.at = at.unwrap_or(self.at);
            let is_closed = matches!(record, Record::Closed(_));
            if std::mem::replace(&mut self.is_closed, is_closed) && is_closed {
                continue;
            }
            return Some(Ok(Entry { at: self.at, record }));
        }
    }
}

/// The lines of a file, counted.
struct LineReader {
    path: PathBuf,
    lines: Lines,
    line: Vec<u8>,
    number: u64,
}

impl LineReader {
    fn open(path: &Path) -> Result<Self, RecordingError> {
        let lines = Lines::open(path).map_err(|error| RecordingError::Open { file: path.to_owned(), error })?;
        Ok(Self { path: path.to_owned(), lines, line: Vec::new(), number: 0 })
    }

    fn next(&mut self) -> Result<Taken, RecordingError> {
        self.number += 1;
        self.lines.next(&mut self.line).map_err(|error| self.failed(error))
    }

    fn failed(&self, error: io::Error) -> RecordingError {
        let (file, line) = (self.path.clone(), self.number);
        if self.lines.is_cut(&error) {
            RecordingError::Cut { file, line }
        } else {
            RecordingError::Read { file, line, error }
        }
    }

    /// The header, if the line is one.
    fn header(&self) -> Result<Option<Header>, RecordingError> {
        let Ok(line) = std::str::from_utf8(&self.line) else { return Ok(None) };
        Header::parse(line).map_err(|version| RecordingError::Version {
            file: self.path.clone(),
            line: self.number,
            version,
        })
    }

    fn too_long(&self) -> RecordingError {
        RecordingError::TooLong { file: self.path.clone(), line: self.number }
    }

    fn unknown(&self) -> RecordingError {
        RecordingError::Unknown { file: self.path.clone(), line: self.number, found: self.shown() }
    }

    fn unlike(&self, format: Format) -> RecordingError {
        RecordingError::Unlike { file: self.path.clone(), line: self.number, found: self.shown(), format }
    }

    /// The line's beginning, without characters that would act on a terminal.
    fn shown(&self) -> String {
        let text = String::from_utf8_lossy(&self.line);
        let harmless = |character: char| if character.is_control() { '\u{fffd}' } else { character };
        let mut shown: String = text.chars().take(SHOWN_MAX).map(harmless).collect();
        if text.chars().nth(SHOWN_MAX).is_some() {
            shown.push('…');
        }
        shown
    }
}
