//! The built program as curl sees its HTTP/2.

use crate::support::{
    certificates::{Ca, folder, table},
    process::Process,
};
use std::{
    io::{BufRead, BufReader},
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
