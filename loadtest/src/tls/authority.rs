//! A certificate for a gateway that the load tester starts, from an authority of its own.

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use std::{
    fs::{DirBuilder, File},
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

/// The names that a gateway on this host has.
const NAMES: [&str; 3] = ["localhost", "127.0.0.1", "::1"];

/// The files of an authority and of a certificate from it, for an ECDSA key on P-256.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The authority, which clients trust.
    pub ca: PathBuf,
    /// The certificate.
    pub chain: PathBuf,
    /// Its key.
    pub key: PathBuf,
}

impl TlsFiles {
    /// Writes new ones into a folder, for this host and for further names and addresses.
    ///
    /// # Errors
    /// A name is not one, or the files cannot be written.
    pub fn write(folder: &Path, names: &[String]) -> io::Result<Self> {
        let names: Vec<String> = NAMES.into_iter().map(str::to_owned).chain(names.iter().cloned()).collect();
        let (ca, chain, key) = certify(names).map_err(io::Error::other)?;
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        let write = |name: &str, pem: &str| {
            let path = folder.join(name);
            let mut file = File::options().write(true).create(true).truncate(true).mode(0o600).open(&path)?;
            file.write_all(pem.as_bytes()).map(|()| path)
        };
        let key = write("key.pem", &key)?;
        Ok(Self { ca: write("ca.pem", &ca)?, chain: write("chain.pem", &chain)?, key })
    }
}

/// The authority, the certificate and its key, in PEM form.
fn certify(names: Vec<String>) -> Result<(String, String, String), rcgen::Error> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, "tickfan-loadtest");
    let ca = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
    let key = KeyPair::generate()?;
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name.push(DnType::CommonName, "tickfan under load");
    let certificate = params.signed_by(&key, &ca)?;
    Ok((ca.pem(), certificate.pem(), key.serialize_pem()))
}
