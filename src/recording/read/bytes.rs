//! The bytes of a file: decompressed as its first bytes say, and cut into lines of a limited length.

use super::{
    LINE_BYTES_MAX,
    members::{Members, Skipped},
};
use std::{
    fs::File,
    io::{self, BufRead, BufReader, Read as _},
    path::Path,
};

/// For what comes from the disk, and for what comes from a decompressor.
const BUFFER_BYTES: usize = 64 << 10;
const GZIP: [u8; 2] = [0x1f, 0x8b];
const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
/// The memory that a zstd file may ask for is 2 to this power, 8 MiB: what every level below 20 needs, unless `--long`
/// raises it.
const ZSTD_WINDOW_LOG_MAX: u32 = 23;

/// A line, or what stands in its place.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Taken {
    /// The line is in the buffer.
    Line,
    /// The line is too long. Nothing of it is kept.
    TooLong,
    /// The file ends here.
    End,
}

/// The lines of a file.
pub(super) struct Lines {
    reader: Box<dyn BufRead + Send>,
    /// Whether a file may break off in the middle of a line.
    is_compressed: bool,
}

impl Lines {
    /// Opens a file. Its first bytes say how it is compressed.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let mut file = BufReader::with_capacity(BUFFER_BYTES, File::open(path)?);
        let first = file.fill_buf()?;
        if first.starts_with(&GZIP) {
            return Ok(Self::compressed(Members::new(file, path)));
        }
        if first.starts_with(&ZSTD) {
            let mut decoder = zstd::stream::read::Decoder::with_buffer(file)?;
            decoder.window_log_max(ZSTD_WINDOW_LOG_MAX)?;
            return Ok(Self::compressed(decoder));
        }
        Ok(Self { reader: Box::new(file), is_compressed: false })
    }

    fn compressed(decoder: impl io::Read + Send + 'static) -> Self {
        Self { reader: Box::new(BufReader::with_capacity(BUFFER_BYTES, decoder)), is_compressed: true }
    }

    /// Reads the next line into the buffer, without its end. A last line without an end counts. In place of what is
    /// damaged stands an empty line, which says that the connection was lost.
    ///
    /// # Errors
    /// The disk's or the decompressor's; [`io::ErrorKind::UnexpectedEof`] where a compressed file breaks off.
    pub(super) fn next(&mut self, line: &mut Vec<u8>) -> io::Result<Taken> {
        line.clear();
        let limit = LINE_BYTES_MAX as u64 + 1;
        let read = match (&mut self.reader).take(limit).read_until(b'\n', line) {
            Err(error) if is_skipped(&error) => {
                line.clear();
                return Ok(Taken::Line);
            }
            read => read?,
        };
        if read == 0 {
            return Ok(Taken::End);
        }
        if line.last() == Some(&b'\n') {
            line.pop();
            if line.last() == Some(&b'\r') {
                line.pop();
            }
            return Ok(Taken::Line);
        }
        if line.len() <= LINE_BYTES_MAX {
            return Ok(Taken::Line);
        }
        line.clear();
        line.shrink_to(BUFFER_BYTES);
        match self.reader.skip_until(b'\n') {
            Err(error) if !is_skipped(&error) => Err(error),
            _ => Ok(Taken::TooLong),
        }
    }

    /// Whether an error means that the file breaks off.
    pub(super) fn is_cut(&self, error: &io::Error) -> bool {
        self.is_compressed && error.kind() == io::ErrorKind::UnexpectedEof
    }
}

/// Whether a damaged part is over, and not the file.
fn is_skipped(error: &io::Error) -> bool {
    error.get_ref().is_some_and(|inner| inner.is::<Skipped>())
}

#[cfg(test)]
#[path = "bytes_tests.rs"]
pub(super) mod tests;
