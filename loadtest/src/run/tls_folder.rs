//! A folder with the certificate of a gateway that the load tester starts, for as long as it runs.

use crate::tls::{ClientTls, TlsFiles, Trust, TrustError};
use std::{
    fs::DirBuilder,
    io,
    os::unix::fs::DirBuilderExt as _,
    path::PathBuf,
    sync::atomic::{AtomicU32, Ordering},
};

/// Counts the folders of this process.
static CREATED: AtomicU32 = AtomicU32::new(0);
/// The name that clients ask for, and that the certificate has.
const HOST: &str = "localhost";

/// A folder with a certificate; dropping it removes the folder.
#[derive(Debug)]
pub struct TlsFolder {
    path: PathBuf,
    /// The files.
    pub files: TlsFiles,
}

impl TlsFolder {
    /// Creates one in the system's folder for temporary files.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn create() -> io::Result<Self> {
        let number = CREATED.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("tickfan-loadtest-{}-tls-{number}", std::process::id()));
        // It must be ours alone: keys go into it.
        DirBuilder::new().mode(0o700).create(&path)?;
        let files = TlsFiles::write(&path, &[])?;
        Ok(Self { path, files })
    }

    /// Clients that trust its authority.
    ///
    /// # Errors
    /// [`TrustError`].
    pub fn clients(&self) -> Result<ClientTls, TrustError> {
        ClientTls::new(HOST, Trust::File(self.files.ca.clone()))
    }
}

impl Drop for TlsFolder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.path);
    }
}
