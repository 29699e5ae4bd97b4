//! The built program as curl and OpenSSL see its TLS.

use crate::support::{
    certificates::{Ca, folder, table},
    process::Process,
};
use std::{
    io::{BufRead, BufReader, Write},
    net::SocketAddr,
    path::PathBuf,
    process::{Command, Output, Stdio},
};

/// A gateway of simulated data, with a certificate of a CA that clients trust.
struct Rig {
    ca: PathBuf,
    gateway: Process,
    address: SocketAddr,
}

impl Rig {
    fn start(name: &str, settings: &str) -> Self {
        Self::start_with(name, settings, &[])
    }

    /// With these variables in its environment.
    fn start_with(name: &str, settings: &str, variables: &[(&str, &str)]) -> Self {
        let authority = Ca::new("a CA");
        let folder = folder(name);
        let files = authority.sign(&["localhost"]).write(&folder);
        let ca = folder.join("ca.pem");
        std::fs::write(&ca, authority.pem()).unwrap();
        let gateway = Process::start_with(name, &format!("{}{settings}", table(&[files])), variables);
        let address = gateway.tls.unwrap();
        Self { ca, gateway, address }
    }

    /// What curl says of an address, with these options.
    fn curl(&self, scheme: &str, path: &str, options: &[&str]) -> Output {
        let port = self.address.port();
        let mut curl = Command::new("curl");
        curl.args(["--silent", "--show-error", "--max-time", "20", "--http1.1"]).arg("--cacert").arg(&self.ca);
        curl.arg("--resolve").arg(format!("localhost:{port}:127.0.0.1")).args(options);
        curl.arg(format!("{scheme}://localhost:{port}{path}")).output().expect("curl is installed")
    }

    fn openssl(&self, options: &[&str]) -> Command {
        let mut openssl = Command::new("openssl");
        openssl.args(["s_client", "-connect", &self.address.to_string(), "-servername", "localhost"]);
        openssl.arg("-CAfile").arg(&self.ca).args(["-verify_return_error"]).args(options);
        openssl
    }
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

#[test]
fn curl_gets_answers_and_streams_over_each_version() {
    let rig = Rig::start("tls-curl", "");
    for version in [["--tlsv1.2", "--tls-max", "1.2"], ["--tlsv1.3", "--tls-max", "1.3"]] {
        let output = rig.curl("https", "/v1/symbols?limit=1", &version);
        assert!(text(&output.stdout).contains("\"symbols\":[{"), "{output:?}");
        // It ends the stream itself, after a while.
        let output = rig.curl("https", "/v1/stream/AAPL", &[&version[..], &["--max-time", "1"]].concat());
        assert!(
            text(&output.stdout).contains("event: hello") && text(&output.stdout).contains("\"AAPL\""),
            "{output:?}"
        );
    }
    let old = rig.curl("https", "/", &["--tls-max", "1.1"]);
    assert!(!old.status.success(), "{old:?}");
    let plain = rig.curl("http", "/", &["--include"]);
    assert!(text(&plain.stdout).starts_with("HTTP/1.1 400 Bad Request\r\n"), "{plain:?}");
    assert!(text(&plain.stdout).contains("Write https://"), "{plain:?}");
    rig.gateway.metric_when("tickfan_streams", "", |streams| streams == 0);
    assert!(rig.gateway.metric("tickfan_tls_sessions_total", "version=\"1.2\"") >= 2);
}

#[test]
fn a_clients_mistake_in_a_handshake_is_not_in_the_log_unless_that_asks_for_it() {
    for (filter, is_told) in [("info", false), ("info,rustls=warn", true)] {
        let rig = Rig::start_with("tls-mistakes", "", &[("TICKFAN_LOG", filter)]);
        // An address is not a name that a client may ask for.
        let mut client = rig.openssl(&["-servername", "192.0.2.1"]);
        let output = client.stdin(Stdio::null()).output().expect("openssl is installed");
        assert!(text(&output.stdout).contains("BEGIN CERTIFICATE"), "{output:?}");
        rig.gateway.metric_when("tickfan_tls_handshakes_total", "", |handshakes| handshakes > 0);
        let log = rig.gateway.log();
        assert_eq!(log.iter().any(|line| line.contains("Illegal SNI extension")), is_told, "{filter}: {log:#?}");
    }
}

#[test]
fn openssl_is_refused_what_is_not_safe() {
    let rig = Rig::start("tls-unsafe", "");
    // Blocks that are chained, keys without forward secrecy, and older versions.
    for options in [
        &["-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-SHA256"][..],
        &["-tls1_2", "-cipher", "AES128-GCM-SHA256"],
        &["-tls1_1", "-cipher", "DEFAULT@SECLEVEL=0"],
    ] {
        let output = rig.openssl(options).stdin(Stdio::null()).output().expect("openssl is installed");
        assert!(!output.status.success(), "{options:?}: {output:?}");
    }
    // A renegotiation, by which a client could make the server work for ever.
    let mut client = rig.openssl(&["-tls1_2"]);
    let mut client = client.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    client.stdin.take().unwrap().write_all(b"R\n").unwrap();
    let output = client.wait_with_output().unwrap();
    assert!(text(&output.stderr).contains("no renegotiation"), "{output:?}");
    assert!(text(&rig.curl("https", "/v1/symbols", &[]).stdout).starts_with('{'));
}

#[test]
fn openssl_may_change_keys_in_the_midst_of_a_stream() {
    let rig = Rig::start("tls-keys", "");
    let mut client = rig.openssl(&["-tls1_3"]);
    let mut client = client.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut input = client.stdin.take().unwrap();
    let mut lines = BufReader::new(client.stdout.take().unwrap()).lines();
    let mut until = |wanted: &str| {
        let line = lines.find(|line| line.as_ref().is_ok_and(|line| line.contains(wanted)));
        assert!(line.is_some(), "it ended before {wanted}");
    };
    input.write_all(b"GET /v1/stream/AAPL HTTP/1.1\r\nhost: localhost\r\n\r\n").unwrap();
    until("\"seq\"");
    for command in ["K\n", "k\n", "K\n"] {
        input.write_all(command.as_bytes()).unwrap();
        for _ in 0..5 {
            until("data: {\"symbol\":\"AAPL\"");
        }
    }
    client.kill().unwrap();
    client.wait().unwrap();
}
