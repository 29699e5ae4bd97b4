//! Certificates that change while the gateway runs, and what operators see of them.

use crate::support::{
    Client,
    certificates::{Ca, Leaf, folder, table, write},
    log_watch::looked_at,
    process::Process,
};
use std::{
    fs,
    io::{BufRead as _, BufReader, Lines},
    path::PathBuf,
    process::{Child, ChildStdout, Command, Stdio},
};
use tickfan::tls::CertificateFiles;

/// A gateway with a certificate whose files it looks at every second.
struct Rig {
    ca: Ca,
    folder: PathBuf,
    files: CertificateFiles,
    gateway: Process,
}

impl Rig {
    fn start(name: &str, look: &str) -> Self {
        let ca = Ca::new("a CA");
        let folder = folder(name);
        let files = leaf(&ca, 2080).write(&folder);
        let config = format!("{}look = \"{look}\"\n", table(std::slice::from_ref(&files)));
        let gateway = Process::start(name, &config);
        Self { ca, folder, files, gateway }
    }

    fn expiry(&self) -> String {
        let metrics = Client::connect(self.gateway.admin).get("/metrics").body;
        let chain = format!("{{chain=\"{}\"}} ", self.files.chain.display());
        let series = format!("tickfan_certificate_expiry_timestamp_seconds{chain}");
        metrics.lines().find_map(|line| line.strip_prefix(&series)).unwrap_or_default().to_owned()
    }

    /// When the certificate ends that a client is shown, and trusts.
    fn shown(&self) -> String {
        let address = self.gateway.tls.unwrap().to_string();
        let ca = self.folder.join("ca.pem");
        fs::write(&ca, self.ca.pem()).unwrap();
        let mut client = Command::new("openssl");
        client.args(["s_client", "-connect", &address, "-servername", "localhost", "-verify_return_error", "-CAfile"]);
        let met = client.arg(&ca).stdin(Stdio::null()).output().expect("openssl is installed");
        assert!(met.status.success(), "{met:?}");
        let file = self.folder.join("shown.pem");
        fs::write(&file, met.stdout).unwrap();
        let read = Command::new("openssl").args(["x509", "-noout", "-enddate", "-in"]).arg(&file).output().unwrap();
        String::from_utf8(read.stdout).unwrap().trim().to_owned()
    }

    fn wait_for(&self, result: &str, count: u64) {
        self.gateway.metric_when("tickfan_certificate_reloads_total", result, |counted| counted == count);
    }
}

fn leaf(ca: &Ca, until: i32) -> Leaf {
    ca.sign_for(&["localhost"], [2020, until], &rcgen::PKCS_ECDSA_P256_SHA256)
}

/// What openssl says of a certificate that ends with the first second of a year.
fn end(year: i32) -> String {
    format!("notAfter=Jan  1 00:00:00 {year} GMT")
}

/// A stream that curl reads, over TLS.
struct TlsStream {
    curl: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl TlsStream {
    /// Opens it, and reads its first tick.
    fn open(rig: &Rig) -> Self {
        let port = rig.gateway.tls.unwrap().port();
        let mut curl = Command::new("curl");
        curl.args(["--silent", "--no-buffer", "--max-time", "60", "--cacert"]).arg(rig.folder.join("ca.pem"));
        curl.arg(format!("https://localhost:{port}/v1/stream/AAPL")).stdout(Stdio::piped());
        let mut curl = curl.spawn().expect("curl is installed");
        let lines = BufReader::new(curl.stdout.take().unwrap()).lines();
        let mut stream = Self { curl, lines };
        stream.next_tick();
        stream
    }

    fn next_tick(&mut self) {
        let is_tick = |line: &String| line.contains("\"seq\"");
        self.lines.by_ref().map_while(Result::ok).find(is_tick).expect("the stream goes on");
    }
}

impl Drop for TlsStream {
    fn drop(&mut self) {
        let _ = self.curl.kill();
        let _ = self.curl.wait();
    }
}

/// The first second of a year.
fn year(year: i32) -> String {
    rcgen::date_time_ymd(year, 1, 1).unix_timestamp().to_string()
}

#[test]
fn renewed_files_come_into_force_without_a_signal_and_a_mistake_changes_nothing() {
    let rig = Rig::start("renewed", "1s");
    assert_eq!((rig.expiry(), rig.shown()), (year(2080), end(2080)));
    let mut stream = TlsStream::open(&rig);
    leaf(&rig.ca, 2081).write(&rig.folder);
    rig.wait_for("applied", 1);
    assert_eq!((rig.expiry(), rig.shown()), (year(2081), end(2081)));

    let [new, other] = [leaf(&rig.ca, 2082), leaf(&rig.ca, 2083)];
    write(&rig.folder, &new.pem(), &other.key());
    rig.wait_for("rejected", 1);
    assert_eq!((rig.expiry(), rig.shown()), (year(2081), end(2081)), "what was in force stays");
    write(&rig.folder, &new.pem(), &new.key());
    rig.wait_for("applied", 2);
    assert_eq!((rig.expiry(), rig.shown()), (year(2082), end(2082)));
    stream.next_tick();
    let log = rig.gateway.drained_log();
    let said = |words: &str| log.iter().filter(|line| line.contains(words)).count();
    assert_eq!(said("does not belong to the certificate of"), 1, "{log:#?}");
    assert_eq!(said("loaded a certificate"), 2, "{log:#?}");
}

#[test]
fn a_reload_of_the_configuration_loads_certificates_too() {
    let rig = Rig::start("reloaded", "1h");
    let [renewed, other] = [leaf(&rig.ca, 2081), leaf(&rig.ca, 2083)];
    renewed.write(&rig.folder);
    let reload = || Client::connect(rig.gateway.admin).request("POST", "/reload", "");
    let answer = reload();
    let changed = &answer.json()["changed"];
    assert_eq!(changed[0]["key"], "tls.certificates", "{}", answer.body);
    assert_eq!(changed[0]["to"], "expires 2081-01-01T00:00:00Z");
    assert_eq!((changed.as_array().unwrap().len(), rig.expiry()), (1, year(2081)));
    rig.wait_for("applied", 1);

    write(&rig.folder, &other.pem(), &renewed.key());
    let answer = reload();
    assert_eq!(answer.status, 422);
    assert!(answer.body.contains("does not belong to the certificate of"), "{}", answer.body);
    assert_eq!(rig.expiry(), year(2081));

    // Files of other names: the series of the old ones is not a number any more.
    renewed.write(&rig.folder);
    let moved = rig.folder.join("moved");
    let files = other.write(&moved);
    rig.gateway.configure(&format!("{}look = \"30m\"\n", table(&[files])));
    let answer = reload();
    let keys: Vec<_> =
        answer.json()["changed"].as_array().unwrap().iter().map(|change| change["key"].clone()).collect();
    assert_eq!(keys, ["tls.certificates", "tls.look"]);
    assert_eq!(rig.expiry(), "NaN");
    rig.wait_for("applied", 2);
}

#[test]
fn a_reload_that_moves_a_certificate_looks_at_its_new_files() {
    let mut rig = Rig::start("moved-unchanged", "1s");
    let moved = rig.folder.join("moved");
    fs::create_dir_all(&moved).unwrap();
    let files = CertificateFiles { chain: moved.join("chain.pem"), key: moved.join("key.pem") };
    fs::copy(&rig.files.chain, &files.chain).unwrap();
    fs::copy(&rig.files.key, &files.key).unwrap();
    rig.gateway.configure(&format!("{}look = \"1s\"\n", table(std::slice::from_ref(&files))));
    let answer = Client::connect(rig.gateway.admin).request("POST", "/reload", "");
    assert_eq!(answer.json()["changed"][0]["key"], "tls.certificates", "{}", answer.body);
    assert_eq!(rig.expiry(), "NaN", "the series has the name of the file");
    let old = std::mem::replace(&mut rig.files, files);
    assert_eq!((rig.expiry(), rig.shown()), (year(2080), end(2080)));
    rig.wait_for("applied", 1);

    fs::remove_file(&old.chain).unwrap();
    leaf(&rig.ca, 2081).write(&moved);
    rig.wait_for("applied", 2);
    assert_eq!((rig.expiry(), rig.shown()), (year(2081), end(2081)));
    let log = rig.gateway.drained_log();
    assert!(!log.iter().any(|line| line.contains("did not load a changed certificate")), "{log:#?}");
}

#[test]
fn a_reload_that_shortens_the_look_applies_at_once() {
    let rig = Rig::start("shorter-look", "1h");
    rig.gateway.configure(&format!("{}look = \"1s\"\n", table(std::slice::from_ref(&rig.files))));
    let answer = Client::connect(rig.gateway.admin).request("POST", "/reload", "");
    assert_eq!(answer.json()["changed"][0]["key"], "tls.look", "{}", answer.body);
    leaf(&rig.ca, 2081).write(&rig.folder);
    rig.wait_for("applied", 1);
    assert_eq!(rig.shown(), end(2081));
}

#[test]
fn a_certificate_that_expires_soon_is_announced() {
    let ca = Ca::new("a CA");
    let folder = folder("expires");
    let day = std::time::Duration::from_secs(24 * 60 * 60);
    let now = std::time::SystemTime::now();
    let write_until = |days: u32| ca.sign_until(&["localhost"], now + day * days).write(&folder);
    let files = write_until(8);
    let path = folder.join("tickfan.toml");
    fs::write(&path, table(std::slice::from_ref(&files))).unwrap();
    let check = || {
        let output = looked_at(Command::new(env!("CARGO_BIN_EXE_tickfan")).arg("check").arg(&path).output().unwrap());
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stderr).unwrap()
    };
    assert_eq!(check(), "");
    write_until(6);
    let said = check();
    assert!(said.starts_with("warning: the certificate of ") && said.contains("chain.pem expires at 20"), "{said}");
    let gateway = Process::start("expires", &table(&[files]));
    let log = &gateway.first_lines;
    assert!(log.iter().any(|line| line.contains("WARN") && line.contains("a certificate expires soon")), "{log:#?}");
}
