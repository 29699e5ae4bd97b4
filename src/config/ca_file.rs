//! `ca_file` of `[[feed]]`: the certificates of private CAs.

use super::error::{Wrong, shown};
use rustls::{
    RootCertStore,
    pki_types::{CertificateDer, pem::PemObject as _},
};
use std::{
    fmt,
    fs::File,
    io::{self, Read as _},
};

/// The longest file, in bytes: the list of all public CAs has 220 KB.
pub const CA_FILE_BYTES_MAX: usize = 1 << 20;

/// CAs that a feed trusts besides the public ones.
#[derive(Clone, PartialEq, Eq)]
pub struct CaFile {
    /// Where it was read.
    pub path: String,
    /// Its certificates.
    pub certificates: Vec<CertificateDer<'static>>,
}

impl fmt::Debug for CaFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({} certificates)", self.path, self.certificates.len())
    }
}

/// Reads a PEM file. Whatever else it holds, such as a key, is ignored. `base` says in words where a relative path
/// begins.
pub(super) fn read(path: &str, base: &str) -> Result<CaFile, Wrong> {
    let name = shown(path);
    let failed = |error: io::Error| {
        let wrong = Wrong::new(format!("cannot read {name}: {error}"));
        match error.kind() {
            io::ErrorKind::NotFound => wrong.help(format!("a relative path begins at {base}")),
            _ => wrong,
        }
    };
    let mut bytes = Vec::new();
    let limit = CA_FILE_BYTES_MAX as u64 + 1;
    File::open(path).and_then(|file| file.take(limit).read_to_end(&mut bytes)).map_err(failed)?;
    if bytes.len() > CA_FILE_BYTES_MAX {
        let limit = super::show_bytes(CA_FILE_BYTES_MAX as u64);
        return Err(Wrong::new(format!("{name} is too large for certificates")).help(format!("at most {limit}")));
    }
    let certificates: Vec<CertificateDer<'static>> =
        CertificateDer::pem_slice_iter(&bytes)
            .collect::<Result<_, _>>()
            .map_err(|error| Wrong::new(format!("{name} is not a valid PEM file: {error}")))?;
    if certificates.is_empty() {
        let wrong = Wrong::new(format!("{name} does not hold a certificate in PEM form"));
        return Err(wrong
            .help("a certificate begins with -----BEGIN CERTIFICATE-----")
            .help("`openssl x509 -inform der -in FILE -out FILE.pem` converts one in DER form"));
    }
    for (place, certificate) in certificates.iter().enumerate() {
        RootCertStore::empty()
            .add(certificate.clone())
            .map_err(|error| Wrong::new(format!("certificate {} of {name} is not valid: {error}", place + 1)))?;
    }
    Ok(CaFile { path: path.to_owned(), certificates })
}
