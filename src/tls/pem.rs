//! A PEM file.

use super::certificate_error::{CertificateError, wrong};
use rustls::pki_types::{
    CertificateDer, PrivateKeyDer,
    pem::{self, PemObject},
};
use std::{
    fmt,
    fs::File,
    io::{self, Read as _},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

/// The longest file, in bytes: ten certificates with a hundred names each.
pub const PEM_BYTES_MAX: usize = 64 << 10;

/// The bit of a file's mode that lets every user read it.
const READ_BY_ALL: u32 = 0o004;

/// What a file holds.
pub(super) struct Pem {
    path: PathBuf,
    pub(super) bytes: Vec<u8>,
    /// Whether every user of the machine can read it.
    pub(super) is_public: bool,
}

impl fmt::Display for Pem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.path.display().fmt(f)
    }
}

impl Pem {
    pub(super) fn read(path: &Path) -> Result<Self, CertificateError> {
        let failed = |error: io::Error| {
            let wrong = wrong(format!("cannot read {}: {error}", path.display()));
            match error.kind() {
                io::ErrorKind::NotFound => wrong.help(
                    "a relative path begins at the folder of the configuration, or, in a variable, at the working directory",
                ),
                io::ErrorKind::PermissionDenied => {
                    wrong.help("let the user of the gateway read it, for example through its group: chmod g+r")
                }
                io::ErrorKind::IsADirectory => wrong.help("name a file in it"),
                _ => wrong,
            }
        };
        let file = File::open(path).map_err(failed)?;
        let mode = file.metadata().map_err(failed)?.permissions().mode();
        let mut bytes = Vec::new();
        file.take(PEM_BYTES_MAX as u64 + 1).read_to_end(&mut bytes).map_err(failed)?;
        if bytes.len() > PEM_BYTES_MAX {
            return Err(wrong(format!("{} is too large for a certificate or a key", path.display()))
                .help(format!("at most {} KiB", PEM_BYTES_MAX >> 10)));
        }
        Ok(Self { path: path.to_owned(), bytes, is_public: mode & READ_BY_ALL != 0 })
    }

    pub(super) fn certificates(&self) -> Result<Vec<CertificateDer<'static>>, CertificateError> {
        self.all()
    }

    /// The one private key.
    pub(super) fn private_key(&self) -> Result<PrivateKeyDer<'static>, CertificateError> {
        // Before its bytes are read: what is encrypted has another form.
        if self.mentions("ENCRYPTED") {
            return Err(wrong(format!("the private key of {self} is encrypted")).help(format!(
                "`openssl pkey -in {self} -out plain.pem` writes it without a password; chmod 600 protects it"
            )));
        }
        let mut keys = self.all::<PrivateKeyDer<'static>>()?;
        match (keys.pop(), keys.len()) {
            (Some(key), 0) => Ok(key),
            (Some(_), more) => Err(wrong(format!("{self} holds {} private keys", more + 1)).help("leave one of them")),
            (None, _) if self.mentions("-----BEGIN CERTIFICATE-----") => {
                Err(wrong(format!("{self} holds a certificate, and not a private key"))
                    .help("`chain` names the file of the certificate, `key` that of its private key"))
            }
            (None, _) => Err(wrong(format!("{self} does not hold a private key in PEM form"))
                .help("one begins with -----BEGIN PRIVATE KEY-----, or with RSA or EC before the last two words")),
        }
    }

    fn all<T: PemObject>(&self) -> Result<Vec<T>, CertificateError> {
        let all = T::pem_slice_iter(&self.bytes).collect::<Result<_, pem::Error>>();
        // The error may hold bytes of a key, so it is not shown.
        all.map_err(|_| wrong(format!("{self} is not a valid PEM file")).help("write it again, from its source"))
    }

    fn mentions(&self, words: &str) -> bool {
        self.bytes.windows(words.len()).any(|part| part == words.as_bytes())
    }
}

/// What a file without certificates holds instead.
pub(super) fn without_certificate(file: &Pem) -> CertificateError {
    if file.mentions("PRIVATE KEY-----") {
        return wrong(format!("{file} holds a private key, and not a certificate"))
            .help("`chain` names the file of the certificate, `key` that of its private key");
    }
    if file.mentions("CERTIFICATE REQUEST-----") {
        return wrong(format!("{file} holds a request for a certificate, and not a certificate"))
            .help("send it to a CA, and name the file that the CA returns");
    }
    wrong(format!("{file} does not hold a certificate in PEM form"))
        .help(format!("`openssl x509 -inform der -in {file} -out {file}.pem` converts one in DER form"))
}
