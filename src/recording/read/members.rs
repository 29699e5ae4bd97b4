//! The members of a gzip file. Behind a damaged one the next whole one is found: a crash in the middle of a write hides
//! nothing of what a restart appended.

use flate2::bufread::GzDecoder;
use std::{
    fs::File,
    io::{self, BufRead as _, BufReader, Read, Seek as _, SeekFrom},
    path::{Path, PathBuf},
};
use tracing::warn;

/// How a member of our own begins: deflate, no flags, no time.
const BEGINNING: [u8; 8] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0];

/// Comes once in place of what is damaged; the next read goes on behind it.
#[derive(Debug, thiserror::Error)]
#[error("a damaged member was skipped")]
pub(super) struct Skipped;

/// The text of all members, one behind the other.
pub(super) struct Members {
    path: PathBuf,
    /// `None` behind the last one.
    member: Option<GzDecoder<BufReader<File>>>,
    /// Where it begins in the file.
    begins: u64,
}

impl Members {
    /// Reads a file from its beginning.
    pub(super) fn new(file: BufReader<File>, path: &Path) -> Self {
        Self { path: path.to_owned(), member: Some(GzDecoder::new(file)), begins: 0 }
    }

    /// Goes on behind a whole member. False at the end of the file.
    fn next_member(&mut self) -> io::Result<bool> {
        let Some(mut file) = self.member.take().map(GzDecoder::into_inner) else { return Ok(false) };
        if file.fill_buf()?.is_empty() {
            return Ok(false);
        }
        self.begins = file.stream_position()?;
        self.member = Some(GzDecoder::new(file));
        Ok(true)
    }

    /// Goes on with the next beginning of a member behind that of the damaged one. False where there is none.
    fn skip_damaged(&mut self, damage: &io::Error) -> io::Result<bool> {
        let Some(mut file) = self.member.take().map(GzDecoder::into_inner) else { return Ok(false) };
        file.seek(SeekFrom::Start(self.begins + 1))?;
        let Some(distance) = find_beginning(&mut file)? else { return Ok(false) };
        let damaged = self.begins;
        self.begins += 1 + distance;
        file.seek(SeekFrom::Start(self.begins))?;
        self.member = Some(GzDecoder::new(file));
        let (file, bytes) = (self.path.display(), self.begins - damaged);
        warn!(%file, "a recording is damaged: {bytes} bytes from byte {damaged} on are skipped: {damage}");
        Ok(true)
    }
}

impl Read for Members {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let Some(member) = &mut self.member else { return Ok(0) };
            match member.read(buffer) {
                Ok(0) if !buffer.is_empty() => {
                    if !self.next_member()? {
                        return Ok(0);
                    }
                }
                Err(error) if is_damage(&error) => {
                    let is_skipped = self.skip_damaged(&error)?;
                    return Err(if is_skipped { io::Error::other(Skipped) } else { error });
                }
                read => return read,
            }
        }
    }
}

/// Whether the bytes are wrong, and not the disk.
fn is_damage(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData)
}

/// How many bytes lie before the next beginning of a member.
fn find_beginning(file: &mut BufReader<File>) -> io::Result<Option<u64>> {
    let mut last = [0; BEGINNING.len()];
    let mut taken = 0;
    loop {
        let bytes = file.fill_buf()?;
        if bytes.is_empty() {
            return Ok(None);
        }
        for &byte in bytes {
            last.rotate_left(1);
            last[BEGINNING.len() - 1] = byte;
            taken += 1;
            if last == BEGINNING {
                return Ok(Some(taken - BEGINNING.len() as u64));
            }
        }
        let length = bytes.len();
        file.consume(length);
    }
}
