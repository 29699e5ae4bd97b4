//! `tickfan dev-cert`: a certificate for one's own machine, and a CA to trust for it.

use clap::Args;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose,
};
use std::{
    fs::{self, OpenOptions},
    io::{self, Write as _},
    net::IpAddr,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

/// How long both certificates are valid, in days: a year and a month. Browsers apply shorter limits to public CAs only.
const VALID_DAYS: u64 = 397;
/// They are valid since then, for clients whose clock is behind.
const EARLIER: Duration = Duration::from_secs(60 * 60);
/// The names that every such certificate has.
const OWN_NAMES: [&str; 3] = ["localhost", "127.0.0.1", "::1"];
/// The most names besides.
const NAMES_MAX: usize = 32;
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// The certificate to write.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct DevCert {
    /// The folder for the files
    #[arg(long, value_name = "DIR", default_value = "dev-cert")]
    pub out: PathBuf,
    /// A name or an IP address besides localhost, 127.0.0.1 and ::1; may be repeated
    #[arg(long = "name", value_name = "NAME", value_parser = parse_name)]
    pub names: Vec<String>,
    /// Replace the files of an earlier certificate
    #[arg(long)]
    pub force: bool,
}

/// Why no certificate was written.
#[derive(Debug, thiserror::Error)]
pub enum DevCertError {
    /// There are too many names.
    #[error("a certificate has at most {NAMES_MAX} names besides its own three")]
    Names,
    /// The files are there.
    #[error("{} is there already\n   = keep it, choose another folder with --out, or replace it with --force", .0.display())]
    Exists(PathBuf),
    /// A file cannot be written.
    #[error("cannot write {}: {error}", .path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        error: io::Error,
    },
    /// The certificate cannot be made.
    #[error("cannot make a certificate: {0}")]
    Make(#[from] rcgen::Error),
}

/// A file to write: its name, who may read it, and what it holds.
struct NewFile {
    name: &'static str,
    mode: u32,
    text: String,
}

impl DevCert {
    /// Writes the files. Returns what to do with them.
    ///
    /// The key of the CA is used once and not kept: nothing else can be signed by a CA that someone trusts.
    ///
    /// # Errors
    /// [`DevCertError`]. Without `--force`, no file is changed.
    pub fn write(&self) -> Result<String, DevCertError> {
        if self.names.len() > NAMES_MAX {
            return Err(DevCertError::Names);
        }
        let ca_name = format!("tickfan development CA {:08x}", rand::random::<u32>());
        let files = self.make(&ca_name, SystemTime::now())?;
        let paths = files.iter().map(|file| self.out.join(file.name));
        if let Some(path) = paths.into_iter().find(|path| !self.force && path.symlink_metadata().is_ok()) {
            return Err(DevCertError::Exists(path));
        }
        fs::create_dir_all(&self.out).map_err(|error| DevCertError::Write { path: self.out.clone(), error })?;
        for file in &files {
            let path = self.out.join(file.name);
            write(&path, file).map_err(|error| DevCertError::Write { path, error })?;
        }
        Ok(self.guide(&ca_name))
    }

    fn names(&self) -> Vec<String> {
        let mut names = OWN_NAMES.map(str::to_owned).to_vec();
        names.extend(self.names.iter().filter(|name| !OWN_NAMES.contains(&name.as_str())).cloned());
        names
    }

    fn make(&self, ca_name: &str, now: SystemTime) -> Result<[NewFile; 4], rcgen::Error> {
        let from = now - EARLIER;
        let until = from + DAY * VALID_DAYS as u32;
        let mut ca = CertificateParams::new(Vec::new())?;
        (ca.not_before, ca.not_after) = (from.into(), until.into());
        ca.distinguished_name.push(DnType::CommonName, ca_name);
        ca.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        ca.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let ca = CertifiedIssuer::self_signed(ca, KeyPair::generate()?)?;

        let mut site = CertificateParams::new(self.names())?;
        (site.not_before, site.not_after) = (from.into(), until.into());
        site.distinguished_name.push(DnType::CommonName, "tickfan development");
        site.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        site.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        site.use_authority_key_identifier_extension = true;
        let key = KeyPair::generate()?;
        let site = site.signed_by(&key, &ca)?;
        Ok([
            NewFile { name: "ca.pem", mode: 0o644, text: ca.pem() },
            NewFile { name: "chain.pem", mode: 0o644, text: site.pem() },
            NewFile { name: "key.pem", mode: 0o600, text: key.serialize_pem() },
            NewFile { name: "tickfan.toml", mode: 0o644, text: self.config(Path::new("")) },
        ])
    }

    /// A configuration with the certificate.
    fn config(&self, folder: &Path) -> String {
        let [chain, key] = ["chain.pem", "key.pem"].map(|name| folder.join(name));
        let hosts = self.names.iter().filter(|name| name.parse::<IpAddr>().is_err() && *name != "localhost");
        let hosts: Vec<&String> = hosts.collect();
        let server = if hosts.is_empty() { String::new() } else { format!("[server]\nhosts = {hosts:?}\n\n") };
        format!("{server}[tls]\nlisten = \"127.0.0.1:8443\"\ncertificates = [{{ chain = {chain:?}, key = {key:?} }}]\n")
    }

    fn guide(&self, ca_name: &str) -> String {
        let out = self.out.display();
        let [ca, config] = ["ca.pem", "tickfan.toml"].map(|name| shell_word(&self.out.join(name)));
        let whole = fs::canonicalize(&self.out).unwrap_or_else(|_| self.out.clone());
        let table: String = self.config(&whole).lines().map(|line| format!("  {line}\n")).collect();
        format!(
            "wrote ca.pem, chain.pem, key.pem and tickfan.toml into {out}, for {names}, valid for {VALID_DAYS} days\n\
             \n\
             Serve https://localhost:8443/ with a simulated market:\n\
             \x20 tickfan --config {config}\n\
             or put this into your own configuration:\n\
             {table}\n\
             Trust the CA, on your own machine alone:\n\
             \x20 curl      curl --cacert {ca} https://localhost:8443/v1/stream/AAPL\n\
             \x20 Node      NODE_EXTRA_CA_CERTS={ca} node app.mjs\n\
             \x20 Chromium  mkdir -p $HOME/.pki/nssdb\n\
             \x20           [ -e $HOME/.pki/nssdb/cert9.db ] || certutil -d sql:$HOME/.pki/nssdb -N --empty-password\n\
             \x20           certutil -d sql:$HOME/.pki/nssdb -A -t C,, -n '{ca_name}' -i {ca}\n\
             \x20 Firefox   Settings, Privacy & Security, View Certificates, Authorities, Import: {out}/ca.pem\n",
            names = self.names().join(", ")
        )
    }
}

/// A path as one word of a shell.
fn shell_word(path: &Path) -> String {
    let text = path.display().to_string();
    let is_plain = |character: char| character.is_alphanumeric() || "/._-+@%,:=".contains(character);
    if text.chars().all(is_plain) { text } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

/// A new file: one that is there is removed, since its mode would stay.
fn write(path: &Path, file: &NewFile) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut written = OpenOptions::new().write(true).create_new(true).mode(file.mode).open(path)?;
    written.write_all(file.text.as_bytes())
}

fn parse_name(text: &str) -> Result<String, String> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._*".contains(&byte);
    let is_name = !text.is_empty() && text.len() <= 253 && text.bytes().all(is_plain);
    if is_name || text.parse::<IpAddr>().is_ok() {
        return Ok(text.to_ascii_lowercase());
    }
    Err(format!("`{text}` is neither a name nor an IP address; write it without scheme, port and path"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{Args, Command};
    use clap::Parser as _;

    fn parse(arguments: &[&str]) -> Result<DevCert, String> {
        let parsed = Args::try_parse_from([&["tickfan", "dev-cert"], arguments].concat());
        match parsed.map_err(|error| error.to_string())?.command {
            Some(Command::DevCert(dev_cert)) => Ok(dev_cert),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn names_are_those_of_this_machine_and_those_that_are_asked_for() {
        let plain = parse(&[]).unwrap();
        assert_eq!((plain.out.to_str(), plain.force, plain.names().len()), (Some("dev-cert"), false, 3));
        let more = parse(&["--name", "Ticks.Test", "--name", "192.0.2.1", "--name", "localhost"]).unwrap();
        assert_eq!(more.names()[3..], ["ticks.test", "192.0.2.1"]);
        assert!(more.config(Path::new("")).starts_with("[server]\nhosts = [\"ticks.test\"]\n\n[tls]\n"));
        for bad in ["", "https://a", "a:80", "a b", "a/b", "é"] {
            assert!(parse(&["--name", bad]).unwrap_err().contains("neither a name nor an IP address"), "{bad}");
        }
    }
}
