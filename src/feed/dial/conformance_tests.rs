//! The feed's websocket against Autobahn's cases, as `kosoku` has them: `KOSOKU` names that program.

use super::*;
use crate::dial::DialError;
use futures_util::{SinkExt, StreamExt};
use std::{
    net::{Ipv4Addr, TcpListener},
    path::Path,
    process::{Child, Command},
    time::Duration,
};
use tokio_tungstenite::tungstenite::Message;

const TOOL_VARIABLE: &str = "KOSOKU";
/// Framing, pings, reserved bits, opcodes, fragmentation, UTF-8, closing; auto-fragmentation.
const SECTIONS: [&str; 8] = ["1.*", "2.*", "3.*", "4.*", "5.*", "6.*", "7.*", "10.*"];
const CASES_MIN: usize = 200;
/// The default of the configuration.
const MESSAGE_BYTES_MAX: usize = 256 << 10;
/// The longest message of these cases, which is sent back; a feed sends no such message, so its own buffer is smaller.
const ECHO_BYTES_MAX: usize = 128 << 10;
const PATIENCE: Duration = Duration::from_secs(20);
/// What counts as passed: the two others are fine by Autobahn too, and are choices that the protocol leaves open.
const PASSED: [&str; 3] = ["OK", "NON-STRICT", "INFORMATIONAL"];

/// The server that plays the cases; dropping it ends it.
struct Fuzzer(Child);

impl Fuzzer {
    /// Waits until it has written its report and ended.
    async fn wait(&mut self) {
        let ending = async {
            while self.0.try_wait().unwrap().is_none() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(PATIENCE, ending).await.expect("it ends with its report");
    }
}

impl Drop for Fuzzer {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Opens a connection as a feed does.
async fn open(dialer: &Dialer, url: &str) -> Socket {
    let opening = async {
        loop {
            match dialer.open(url).await {
                // Until the server listens.
                Err(SocketError::Dial(DialError::Unreachable { .. })) => {
                    tokio::time::sleep(Duration::from_millis(20)).await
                }
                opened => return opened.unwrap(),
            }
        }
    };
    tokio::time::timeout(PATIENCE, opening).await.unwrap()
}

/// Sends back what comes until the connection ends; returns the last text.
async fn echo(mut socket: Socket) -> String {
    let mut last = String::new();
    let echoing = async {
        while let Some(Ok(message)) = socket.next().await {
            if let Message::Text(text) = &message {
                last = text.as_str().to_owned();
            }
            if message.is_text() || message.is_binary() {
                // A case may have ended the connection meanwhile.
                let _ = socket.send(message).await;
            }
        }
    };
    tokio::time::timeout(PATIENCE, echoing).await.expect("each case ends by itself");
    last
}

#[tokio::test]
async fn a_feeds_websocket_fails_none_of_autobahns_cases() {
    let Some(tool) = std::env::var_os(TOOL_VARIABLE) else {
        println!("skipped: {TOOL_VARIABLE} does not name kosoku");
        return;
    };
    let reports = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/autobahn");
    let _ = std::fs::remove_dir_all(&reports); // those of an earlier run, if there was one
    let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap();
    let mut command = Command::new(tool);
    command.args(["-m", "fuzzingserver", "-o"]).arg(&reports);
    command.args(SECTIONS.iter().flat_map(|section| ["-i", section]));
    let mut fuzzer = Fuzzer(command.arg(free.to_string()).spawn().unwrap());

    let mut dialer = Dialer::new(plain(), MESSAGE_BYTES_MAX);
    dialer.websocket = dialer.websocket.max_write_buffer_size(ECHO_BYTES_MAX);
    let count = echo(open(&dialer, &format!("ws://{free}/getCaseCount")).await).await;
    let count: usize = count.parse().unwrap();
    assert!(count >= CASES_MIN, "{count} cases");
    for case in 1..=count {
        echo(open(&dialer, &format!("ws://{free}/runCase?case={case}&agent=feed")).await).await;
    }
    echo(open(&dialer, &format!("ws://{free}/updateReports?agent=feed")).await).await;
    fuzzer.wait().await;
    let report = std::fs::read_to_string(reports.join("index.json")).unwrap();
    let report: serde_json::Value = serde_json::from_str(&report).unwrap();
    let cases = report["feed"].as_object().unwrap();
    assert_eq!(cases.len(), count);
    let failed = cases.iter().filter(|(_, outcome)| {
        ["behavior", "behaviorClose"].iter().any(|name| !PASSED.contains(&outcome[name].as_str().unwrap_or_default()))
    });
    let failed: Vec<_> = failed.collect();
    assert!(failed.is_empty(), "{failed:#?}");
    println!("{count} cases, none failed");
}
