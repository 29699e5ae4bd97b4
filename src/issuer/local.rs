//! Keys in a file.

use super::error::FetchError;
use std::{
    fs::File,
    io::{self, Read as _},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};
use tokio::{sync::oneshot, time::timeout};

/// Reads a file of so many bytes at most. It may block.
pub(super) fn read(path: &Path, bytes_max: usize) -> Result<Vec<u8>, FetchError> {
    let mut content = Vec::new();
    let file = File::open(path).map_err(FetchError::File)?;
    file.take(bytes_max as u64 + 1).read_to_end(&mut content).map_err(FetchError::File)?;
    if content.len() > bytes_max {
        return Err(FetchError::TooLong(bytes_max));
    }
    Ok(content)
}

/// Reads files on a thread of its own, one at a time: a pipe without a writer, or a lost network drive, never ends, and
/// a runtime would wait for its own threads.
#[derive(Debug, Clone, Default)]
pub(super) struct Reader {
    /// Set while a thread reads, also after its reader gave up on it.
    is_reading: Arc<AtomicBool>,
}

impl Reader {
    /// Reads a file of so many bytes at most, for `limit` at most.
    pub(super) async fn read(&self, path: PathBuf, bytes_max: usize, limit: Duration) -> Result<Vec<u8>, FetchError> {
        let hangs = || FetchError::Timeout(format!("waiting for the file {}", path.display()));
        if self.is_reading.swap(true, Ordering::Relaxed) {
            return Err(hangs());
        }
        let is_reading = self.is_reading.clone();
        let (content_tx, content_rx) = oneshot::channel();
        let on_the_thread = {
            let path = path.clone();
            move || {
                let content = read(&path, bytes_max);
                is_reading.store(false, Ordering::Relaxed);
                // An error means that the fetch gave up.
                let _ = content_tx.send(content);
            }
        };
        if let Err(error) = thread::Builder::new().name("issuer-keys".to_owned()).spawn(on_the_thread) {
            self.is_reading.store(false, Ordering::Relaxed);
            return Err(FetchError::File(error));
        }
        match timeout(limit, content_rx).await {
            Ok(content) => content.map_err(|_| FetchError::File(io::Error::other("its thread has ended")))?,
            Err(_) => Err(hangs()),
        }
    }
}
