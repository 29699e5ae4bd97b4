//! Certificates of a CA that a test makes.

use rcgen::{
    BasicConstraints, Certificate, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, SignatureAlgorithm,
    date_time_ymd,
};
use rustls::pki_types::CertificateDer;
use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    time::SystemTime,
};
use tickfan::tls::CertificateFiles;

/// A CA.
pub struct Ca(CertifiedIssuer<'static, KeyPair>);

impl Ca {
    pub fn new(name: &str) -> Self {
        Self(CertifiedIssuer::self_signed(ca_params(name), KeyPair::generate().unwrap()).unwrap())
    }

    /// A CA below this one.
    pub fn intermediate(&self, name: &str) -> Self {
        Self(CertifiedIssuer::signed_by(ca_params(name), KeyPair::generate().unwrap(), &self.0).unwrap())
    }

    pub fn pem(&self) -> String {
        self.0.pem()
    }

    /// Its private key.
    pub fn key(&self) -> String {
        self.0.key().serialize_pem()
    }

    /// Its certificate alone, as clients that trust it have it.
    pub fn der(&self) -> CertificateDer<'static> {
        self.0.der().clone()
    }

    /// A certificate of these names and addresses, valid now.
    pub fn sign(&self, names: &[&str]) -> Leaf {
        self.sign_for(names, [2020, 2090], &rcgen::PKCS_ECDSA_P256_SHA256)
    }

    /// The same, valid for these years, with a key of this kind.
    pub fn sign_for(&self, names: &[&str], years: [i32; 2], kind: &'static SignatureAlgorithm) -> Leaf {
        let mut params = site_params(names);
        [params.not_before, params.not_after] = years.map(|year| date_time_ymd(year, 1, 1));
        self.sign_params(&params, kind)
    }

    /// The same, valid until then.
    pub fn sign_until(&self, names: &[&str], until: SystemTime) -> Leaf {
        let mut params = site_params(names);
        params.not_after = until.into();
        self.sign_params(&params, &rcgen::PKCS_ECDSA_P256_SHA256)
    }

    fn sign_params(&self, params: &CertificateParams, kind: &'static SignatureAlgorithm) -> Leaf {
        let key = KeyPair::generate_for(kind).unwrap();
        Leaf { certificate: params.signed_by(&key, &self.0).unwrap(), key }
    }
}

fn ca_params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params
}

fn site_params(names: &[&str]) -> CertificateParams {
    let mut params = CertificateParams::new(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>()).unwrap();
    params.distinguished_name.push(DnType::CommonName, *names.first().unwrap_or(&"nameless"));
    params
}

/// A certificate of a site, with its key.
pub struct Leaf {
    certificate: Certificate,
    key: KeyPair,
}

impl Leaf {
    pub fn pem(&self) -> String {
        self.certificate.pem()
    }

    pub fn key(&self) -> String {
        self.key.serialize_pem()
    }

    pub fn der(&self) -> CertificateDer<'static> {
        self.certificate.der().clone()
    }

    /// Writes both files into a folder, which is made if it is not there.
    pub fn write(&self, folder: &Path) -> CertificateFiles {
        write(folder, &self.pem(), &self.key())
    }
}

/// Writes both files into a folder, which is made if it is not there.
pub fn write(folder: &Path, chain: &str, key: &str) -> CertificateFiles {
    fs::create_dir_all(folder).unwrap();
    let files = CertificateFiles { chain: folder.join("chain.pem"), key: folder.join("key.pem") };
    fs::write(&files.chain, chain).unwrap();
    fs::write(&files.key, key).unwrap();
    fs::set_permissions(&files.key, fs::Permissions::from_mode(0o600)).unwrap();
    files
}

/// A folder for a test's files.
pub fn folder(test: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{test}-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    folder
}

/// The `[tls]` table for these files, on a free port.
pub fn table(files: &[CertificateFiles]) -> String {
    let entry = |files: &CertificateFiles| format!("{{ chain = {:?}, key = {:?} }}", files.chain, files.key);
    let entries: Vec<String> = files.iter().map(entry).collect();
    format!("[tls]\nlisten = \"127.0.0.1:0\"\ncertificates = [{}]\n", entries.join(", "))
}
