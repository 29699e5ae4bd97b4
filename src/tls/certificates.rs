//! The certificates of a gateway: one is chosen by the name that a client asks for, and all are replaced at once.

use super::{
    certificate::{Certificate, CertificateFiles},
    certificate_error::CertificateError,
};
use rustls::{
    SignatureScheme,
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};
use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, PoisonError, RwLock},
};

/// The most certificates of a gateway.
pub const CERTIFICATES_MAX: usize = 32;

/// Certificates that were loaded together. They do not change.
#[derive(Default)]
pub struct CertificateSet {
    all: Vec<Arc<Certificate>>,
    /// Their places by name; several certificates of a name differ in their keys.
    by_name: HashMap<String, Vec<usize>>,
}

/// What a look at the files of certificates has found.
#[derive(Debug)]
pub struct Changes {
    /// The certificates with the changed ones among them; `None` if no file that can be served holds something else.
    pub set: Option<CertificateSet>,
    /// Why changed files are not served. Their certificates stay as they were.
    pub mistakes: Vec<CertificateError>,
}

impl CertificateSet {
    /// These certificates. The first is for clients that ask for another name, or for none.
    pub fn new(all: Vec<Certificate>) -> Self {
        Self::of(all.into_iter().map(Arc::new).collect())
    }

    fn of(all: Vec<Arc<Certificate>>) -> Self {
        let mut by_name: HashMap<String, Vec<usize>> = HashMap::new();
        for (place, certificate) in all.iter().enumerate() {
            for name in &certificate.names {
                by_name.entry(name.clone()).or_default().push(place);
            }
        }
        Self { all, by_name }
    }

    /// Reads and checks all of them.
    ///
    /// # Errors
    /// [`CertificateError`] of the first that cannot be served.
    pub fn load(files: &[CertificateFiles], now: i64) -> Result<Self, CertificateError> {
        files.iter().map(|files| Certificate::load(files, now)).collect::<Result<_, _>>().map(Self::new)
    }

    /// Reads and checks those again whose files hold something else than they did. A mistake in one keeps that one as
    /// it was, and does not delay the others.
    pub fn load_changed(&self, now: i64) -> Changes {
        let mut mistakes = Vec::new();
        let mut has_changed = false;
        let mut all = Vec::with_capacity(self.all.len());
        for certificate in &self.all {
            if !certificate.has_changed() {
                all.push(certificate.clone());
                continue;
            }
            match Certificate::load(&certificate.files, now) {
                Ok(loaded) => {
                    has_changed = true;
                    all.push(Arc::new(loaded));
                }
                Err(mistake) => {
                    mistakes.push(mistake);
                    all.push(certificate.clone());
                }
            }
        }
        Changes { set: has_changed.then(|| Self::of(all)), mistakes }
    }

    /// The certificates, in the order of the configuration.
    pub fn all(&self) -> &[Arc<Certificate>] {
        &self.all
    }

    /// Whether both hold the same, whatever their files are called.
    pub fn is_same(&self, other: &Self) -> bool {
        self.all.len() == other.all.len() && self.all.iter().zip(&other.all).all(|(one, other)| one.is_same(other))
    }

    /// Whether both hold the same and were read from the same files, which are looked at again.
    pub fn has_same_files_as(&self, other: &Self) -> bool {
        self.is_same(other) && self.all.iter().zip(&other.all).all(|(one, other)| one.files == other.files)
    }

    /// The certificate for a name. A client that cannot check its signature gets another of the same name, if there is
    /// one.
    fn choose(&self, name: Option<&str>, schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        let exact = name.and_then(|name| self.by_name.get(name));
        // A wildcard stands for one label (RFC 6125).
        let parent = name.and_then(|name| name.split_once('.')).map(|(_, parent)| format!("*.{parent}"));
        let named = exact.or_else(|| self.by_name.get(&parent?));
        let candidates: Vec<&Certificate> = match named {
            Some(places) => places.iter().map(|place| self.all[*place].as_ref()).collect(),
            None => self.all.iter().map(AsRef::as_ref).collect(),
        };
        let can_sign = |one: &&&Certificate| one.signed.key.choose_scheme(schemes).is_some();
        let chosen = candidates.iter().find(can_sign).or(candidates.first())?;
        Some(chosen.signed.clone())
    }
}

impl fmt::Debug for CertificateSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.all.fmt(f)
    }
}

/// The certificates in force, shared by all handshakes. A handshake that has begun keeps the one that it chose, and an
/// open connection needs none.
#[derive(Debug)]
pub struct Certificates(RwLock<Arc<CertificateSet>>);

impl Certificates {
    /// These, until they are replaced.
    pub fn new(set: Arc<CertificateSet>) -> Arc<Self> {
        Arc::new(Self(RwLock::new(set)))
    }

    /// Those in force. A panic ends the process, so a poisoned lock is never seen.
    pub fn current(&self) -> Arc<CertificateSet> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Replaces all at once.
    pub fn replace(&self, set: Arc<CertificateSet>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = set;
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.current().choose(hello.server_name(), hello.signature_schemes())
    }
}
