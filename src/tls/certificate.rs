//! One certificate: its files are read, and checked as far as a server can, so that clients find no mistake first.

use super::{
    certificate_error::{CertificateError, wrong},
    pem::{self, Pem},
    x509::{self, Facts},
};
use rustls::{
    Error, InconsistentKeys,
    crypto::{CryptoProvider, ring},
    pki_types::{CertificateDer, PrivateKeyDer},
    sign::CertifiedKey,
};
use std::{
    fmt,
    hash::{DefaultHasher, Hash, Hasher as _},
    net::IpAddr,
    path::PathBuf,
    sync::Arc,
    time::{Duration, UNIX_EPOCH},
};

/// The most certificates in a chain: public ones have two to four.
pub const CHAIN_LENGTH_MAX: usize = 10;

/// The files of a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateFiles {
    /// The certificate, followed by those that lead to a CA. PEM.
    pub chain: PathBuf,
    /// Its private key. PEM.
    pub key: PathBuf,
}

/// A certificate with its key, both checked. Times are in seconds since 1970.
pub struct Certificate {
    /// Where it was read.
    pub files: CertificateFiles,
    /// Its DNS names in lower case, wildcards among them.
    pub names: Vec<String>,
    /// Its IP addresses.
    pub addresses: Vec<IpAddr>,
    /// When it expires.
    pub expires: i64,
    /// Whether every user of the machine can read the key.
    pub key_is_public: bool,
    /// What the files held.
    content: u64,
    pub(super) signed: Arc<CertifiedKey>,
}

impl Certificate {
    /// Reads the files and checks them.
    ///
    /// # Errors
    /// [`CertificateError`] names the file and says what would be right.
    pub fn load(files: &CertificateFiles, now: i64) -> Result<Self, CertificateError> {
        let chain = Pem::read(&files.chain)?;
        let key = Pem::read(&files.key)?;
        let certificates = certificates(&chain)?;
        let facts = facts(&chain, &certificates)?;
        check_order(&chain, &facts)?;
        let leaf = &facts[0];
        check_dates(&chain, leaf, now)?;
        check_names(&chain, leaf)?;
        let signed = sign(&chain, &certificates, &key)?;
        Ok(Self {
            files: files.clone(),
            names: leaf.names.clone(),
            addresses: leaf.addresses.clone(),
            expires: leaf.not_after,
            key_is_public: key.is_public,
            content: content(&chain, &key),
            signed: Arc::new(signed),
        })
    }

    /// Whether the files hold something else now, or cannot be read.
    pub(super) fn has_changed(&self) -> bool {
        let [chain, key] = [&self.files.chain, &self.files.key].map(|path| Pem::read(path));
        !matches!((chain, key), (Ok(chain), Ok(key)) if content(&chain, &key) == self.content)
    }

    /// Whether both files hold the same.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.content == other.content
    }

    /// A name that people know it by.
    pub fn name(&self) -> String {
        let address = || self.addresses.first().map(IpAddr::to_string);
        self.names.first().cloned().or_else(address).unwrap_or_default()
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.files.chain.display(), self.name())
    }
}

/// A time, as people read it.
pub fn show_time(unix: i64) -> String {
    // The last moment that can be written.
    const LAST: u64 = 253_402_300_799;
    let since = Duration::from_secs(u64::try_from(unix).unwrap_or(0).min(LAST));
    humantime::format_rfc3339_seconds(UNIX_EPOCH + since).to_string()
}

fn content(chain: &Pem, key: &Pem) -> u64 {
    let mut hasher = DefaultHasher::new();
    (&chain.bytes, &key.bytes).hash(&mut hasher);
    hasher.finish()
}

fn certificates(file: &Pem) -> Result<Vec<CertificateDer<'static>>, CertificateError> {
    let certificates = file.certificates()?;
    if certificates.is_empty() {
        return Err(pem::without_certificate(file));
    }
    if certificates.len() > CHAIN_LENGTH_MAX {
        return Err(wrong(format!("{file} holds {} certificates", certificates.len()))
            .help(format!("a chain has at most {CHAIN_LENGTH_MAX}: that of the site, and those that lead to a CA")));
    }
    Ok(certificates)
}

fn facts(file: &Pem, certificates: &[CertificateDer<'static>]) -> Result<Vec<Facts>, CertificateError> {
    let read = |(place, certificate): (usize, &CertificateDer<'static>)| {
        x509::read(certificate).ok_or_else(|| {
            wrong(format!("certificate {} of {file} is not valid", place + 1)).help("write it again, from its source")
        })
    };
    certificates.iter().enumerate().map(read).collect()
}

fn check_order(file: &Pem, chain: &[Facts]) -> Result<(), CertificateError> {
    for (place, pair) in chain.windows(2).enumerate() {
        let [one, next] = pair else { continue };
        if one.issuer != next.subject {
            return Err(wrong(format!(
                "the certificates of {file} are not in order: number {} (`{}`) is signed by `{}`, and number {} is `{}`",
                place + 1,
                one.subject.common,
                one.issuer.common,
                place + 2,
                next.subject.common
            ))
            .help("write that of the site first, then the one that signed it, and so on: cat site.pem ca.pem > chain.pem"));
        }
    }
    Ok(())
}

fn check_dates(file: &Pem, leaf: &Facts, now: i64) -> Result<(), CertificateError> {
    if now > leaf.not_after {
        return Err(wrong(format!("the certificate of {file} expired at {}", show_time(leaf.not_after)))
            .help("clients would refuse it; renew it"));
    }
    if now < leaf.not_before {
        return Err(wrong(format!("the certificate of {file} is not valid before {}", show_time(leaf.not_before)))
            .help(format!("by the clock of this machine it is {}", show_time(now))));
    }
    Ok(())
}

fn check_names(file: &Pem, leaf: &Facts) -> Result<(), CertificateError> {
    if leaf.names.is_empty() && leaf.addresses.is_empty() {
        return Err(wrong(format!("the certificate of {file} has no name of a site"))
            .help("clients look for one in its subjectAltName only, not in its common name. If this is a CA's certificate, put the site's certificate before it in the file"));
    }
    Ok(())
}

/// Ties the chain to its key.
fn sign(chain: &Pem, certificates: &[CertificateDer<'static>], key: &Pem) -> Result<CertifiedKey, CertificateError> {
    let private = key.private_key()?;
    let provider = ring::default_provider();
    if provider.key_provider.load_private_key(private.clone_key()).is_err() {
        return Err(wrong(format!("{key} holds a private key that cannot sign"))
            .help("RSA of 2048 bits or more, ECDSA with P-256 or P-384, and Ed25519 can"));
    }
    let tie = |leaf: usize| tie(&certificates[leaf..], private.clone_key(), &provider);
    match tie(0) {
        Ok(signed) => Ok(signed),
        Err(Error::InconsistentKeys(InconsistentKeys::KeyMismatch)) => {
            let fits = (1..certificates.len()).find(|place| tie(*place).is_ok());
            Err(mismatch(chain, key, fits))
        }
        Err(error) => Err(wrong(format!("clients would refuse the certificate of {chain}: {error}"))
            .help("ask the CA for another one")),
    }
}

fn tie(
    chain: &[CertificateDer<'static>],
    key: PrivateKeyDer<'static>,
    provider: &CryptoProvider,
) -> Result<CertifiedKey, Error> {
    CertifiedKey::from_der(chain.to_vec(), key, provider)
}

fn mismatch(chain: &Pem, key: &Pem, fits: Option<usize>) -> CertificateError {
    match fits {
        Some(place) => wrong(format!("{key} holds the key of certificate {} of {chain}", place + 1))
            .help("the certificate of the site is the first one, with a key of its own"),
        None => wrong(format!("the private key of {key} does not belong to the certificate of {chain}")).help(format!(
            "`openssl x509 -pubkey -noout -in {chain}` and `openssl pkey -pubout -in {key}` must print the same"
        )),
    }
}
