//! The built program as curl sees its HTTP/2.

use crate::support::{
    PATIENCE,
    certificates::{Ca, folder, table},
    h2_peer::{self, H2Peer},
    process::Process,
    tls::{self, TlsClient},
};
use rustls::pki_types::{CertificateDer, pem::PemObject};
use std::{
    io::{BufRead, BufReader},
    net::TcpStream,
    path::PathBuf,
    process::{Child, ChildStdout, Command, Output, Stdio},
};

/// A gateway of simulated data, with a certificate of a CA that clients trust.
struct Rig {
    ca: PathBuf,
    gateway: Process,
}

impl Rig {
    fn start(name: &str, settings: &str) -> Self {
        let authority = Ca::new("a CA");
        let folder = folder(name);
        let files = authority.sign(&["localhost"]).write(&folder);
        let ca = folder.join("ca.pem");
        std::fs::write(&ca, authority.pem()).unwrap();
        Self { ca, gateway: Process::start(name, &format!("{}{settings}", table(&[files]))) }
    }

    fn url(&self, path: &str) -> String {
        format!("https://localhost:{}{path}", self.gateway.tls.unwrap().port())
    }

    fn curl(&self, options: &[&str]) -> Command {
        let mut curl = Command::new("curl");
        curl.args(["--silent", "--show-error", "--max-time", "20", "--http2"]).arg("--cacert").arg(&self.ca);
        curl.arg("--resolve").arg(format!("localhost:{}:127.0.0.1", self.gateway.tls.unwrap().port())).args(options);
        curl
    }

    fn ask(&self, path: &str, options: &[&str]) -> Output {
        self.curl(options).arg(self.url(path)).output().expect("curl is installed")
    }

    /// A client of a stream.
    fn stream(&self, path: &str) -> (Child, BufReader<ChildStdout>) {
        let mut curl = self.curl(&["--no-buffer"]).arg(self.url(path)).stdout(Stdio::piped()).spawn().unwrap();
        let output = BufReader::new(curl.stdout.take().unwrap());
        (curl, output)
    }

    /// A client that sends what a test wants.
    fn peer(&self) -> (TlsClient, H2Peer) {
        self.peer_with(&[])
    }

    /// The same, with these settings.
    fn peer_with(&self, settings: &[(u16, u32)]) -> (TlsClient, H2Peer) {
        let socket = TcpStream::connect(self.gateway.tls.unwrap()).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut config = tls::client_config_of(CertificateDer::from_pem_file(&self.ca).unwrap(), &tls::VERSIONS);
        config.alpn_protocols = vec![b"h2".to_vec()];
        (tls::client(socket, config), H2Peer::new(settings))
    }
}

/// The limit `h2_streams`.
#[test]
fn rule_10_a_stream_too_many_of_a_connection_is_refused() {
    let rig = Rig::start("h2-streams", "h2_streams = 2\n");
    let mut client = rig.peer();
    let streams = [(); 3].map(|()| client.1.get("/v1/stream/AAPL"));
    client.1.until(&mut client.0, |peer| streams.iter().all(|stream| peer.streams.contains_key(stream)));
    assert_eq!(streams.map(|stream| client.1.streams[&stream].reset), [None, None, Some(7)]);
    rig.gateway.metric_when("tickfan_streams", "", |streams| streams == 2);
    client.1.reset(streams[0], 8);
    let again = client.1.get("/v1/stream/AAPL");
    client.1.until(&mut client.0, |peer| peer.streams.get(&again).is_some_and(|stream| !stream.body.is_empty()));
}

/// An attack: its name, what it is counted as, the client's settings, and what it sends.
type Attack = (&'static str, &'static str, &'static [(u16, u32)], fn(&mut H2Peer));

/// Sends a frame again and again.
fn repeat(peer: &mut H2Peer, send: impl Fn(&mut H2Peer)) {
    (0..1_100).for_each(|_| send(peer));
}

/// All but one of the limits of a client's frames. Replies that are not read have a limit too: a client that sends no
/// more than the others admit needs minutes for it, which the tests of `src/fanout/h2/connection/` have.
const ATTACKS: &[Attack] = &[
    ("rapid reset", "resets", &[], |peer| {
        repeat(peer, |peer| {
            let stream = peer.get("/v1/quotes/AAPL");
            peer.reset(stream, 8);
        });
    }),
    ("requests that are refused", "resets", &[], |peer| repeat(peer, |peer| _ = peer.ask_as(&[], &[], true))),
    ("PING", "control_frames", &[], |peer| repeat(peer, |peer| peer.frame(h2_peer::PING, 0, 0, &[0; 8]))),
    ("SETTINGS", "control_frames", &[], |peer| repeat(peer, |peer| peer.settings(&[]))),
    ("PRIORITY", "control_frames", &[], |peer| {
        repeat(peer, |peer| peer.frame(h2_peer::PRIORITY, 0, 3, &[0, 0, 0, 0, 1]));
    }),
    ("unknown frames", "control_frames", &[], |peer| repeat(peer, |peer| peer.frame(77, 0, 0, &[]))),
    ("empty DATA", "control_frames", &[], |peer| {
        let stream = peer.ask("POST", "/v1/symbols", &[], false);
        repeat(peer, |peer| peer.frame(h2_peer::DATA, 0, stream, &[]));
    }),
    ("WINDOW_UPDATE", "window_updates", &[], |peer| repeat(peer, |peer| peer.window_update(0, 1))),
    // Each byte is given back as it comes.
    ("windows of one byte", "window_updates", &[(h2_peer::INITIAL_WINDOW_SIZE, 1)], |peer| {
        peer.get("/v1/stream/AAPL");
    }),
    ("CONTINUATION", "continuations", &[], |peer| {
        let stream = peer.next_stream();
        peer.frame(h2_peer::HEADERS, h2_peer::END_STREAM, stream, &[]);
        (0..9).for_each(|_| peer.frame(h2_peer::CONTINUATION, 0, stream, &[]));
    }),
    ("a header block", "header_block", &[], |peer| {
        let stream = peer.next_stream();
        peer.frame(h2_peer::HEADERS, h2_peer::END_STREAM, stream, &[0; 16_384]);
        peer.frame(h2_peer::CONTINUATION, 0, stream, &[0]);
    }),
    ("fields", "header_fields", &[], |peer| _ = peer.ask("GET", "/v1/symbols", &[("x", "y"); 97], true)),
];

/// An attack on a connection beside one that is good, which misses nothing; and the operators see why it ended.
#[test]
fn rule_10_a_flood_ends_its_own_connection_and_is_counted() {
    let rig = Rig::start("h2-flood", "");
    let mut good = rig.peer();
    let kept = good.1.get("/v1/stream/AAPL");
    good.1.until(&mut good.0, |peer| peer.streams.get(&kept).is_some_and(|stream| !stream.body.is_empty()));
    for (name, reason, settings, attack) in ATTACKS {
        let label = format!("reason=\"{reason}\"");
        let before = rig.gateway.metric("tickfan_h2_connections_closed_total", &label);
        let mut hostile = rig.peer_with(settings);
        attack(&mut hostile.1);
        hostile.1.until(&mut hostile.0, |peer| !peer.go_aways.is_empty());
        assert_eq!(hostile.1.go_aways[0].1, 11, "{name}: ENHANCE_YOUR_CALM");
        rig.gateway.metric_when("tickfan_h2_connections_closed_total", &label, |count| count == before + 1);
    }
    let had = good.1.streams[&kept].body.len();
    good.1.until(&mut good.0, |peer| peer.streams[&kept].body.len() > had);
    let text = good.1.streams[&kept].text();
    let seqs: Vec<u64> =
        text.split("\"seq\":").skip(1).map(|rest| rest.split(',').next().unwrap().parse().unwrap()).collect();
    assert!(seqs.windows(2).all(|pair| pair[1] == pair[0] + 1), "{seqs:?}");
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

#[test]
fn curl_gets_whole_answers_problems_and_heads() {
    let rig = Rig::start("h2-answers", "");
    for (path, options, status, body) in [
        ("/v1/symbols?limit=1", &[][..], "200", "{\"more\":"),
        ("/v1/quotes/AAPL", &[], "200", "{\"epoch\":"),
        ("/", &[], "200", "<!doctype html>"),
        ("/v1/symbols", &["--head"], "200", ""),
        ("/v1/stream/AAPL", &["--head"], "200", ""),
        ("/v1/symbols", &["--request", "OPTIONS"], "204", ""),
        ("/v1/symbol", &[], "404", "{\"detail\":"),
        ("/v1/symbols", &["--data", "a body"], "400", "{\"detail\":\"Send the request without a body"),
        ("/v1/symbols", &["--header", "host: evil.example"], "421", "{\"detail\":"),
        ("/v1/stream/NONE", &[], "404", "{\"detail\":"),
    ] {
        let output = rig.ask(path, &[options, &["--include"]].concat());
        let answer = text(&output.stdout);
        let (head, rest) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{path} {options:?}: {output:?}"));
        assert!(head.starts_with(&format!("HTTP/2 {status}")), "{path} {options:?}: {answer}");
        assert!(head.contains("\r\ndate: ") && !head.contains("\r\nconnection"), "{head}");
        assert!(rest.starts_with(body) && rest.is_empty() == body.is_empty(), "{path} {options:?}: {answer}");
    }
    assert!(rig.gateway.metric("tickfan_http_requests_total", "route=\"quotes\"") >= 1);
}

#[test]
fn rule_12_streams_of_a_stopping_gateway_end_with_a_goodbye() {
    let rig = Rig::start("h2-stop", "[server]\ndrain = \"100ms\"\n");
    let clients: Vec<_> = (0..5).map(|_| rig.stream("/v1/stream/AAPL")).collect();
    let mut clients: Vec<_> = clients
        .into_iter()
        .map(|(curl, mut output)| {
            let mut line = String::new();
            while !line.starts_with("id: ") {
                line.clear();
                assert!(output.read_line(&mut line).unwrap() > 0, "the stream ended");
            }
            (curl, output)
        })
        .collect();
    rig.gateway.metric_when("tickfan_h2_connections", "", |connections| connections == 5);
    assert!(rig.gateway.terminate().success());
    for (curl, output) in &mut clients {
        let lines: Vec<String> = output.lines().map(Result::unwrap).collect();
        assert!(lines.iter().any(|line| line == "event: bye"), "{lines:?}");
        assert!(curl.wait().unwrap().success(), "the end is in order");
    }
}
