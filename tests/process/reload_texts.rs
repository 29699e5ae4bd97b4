//! A reload says of a wrong file what `tickfan check` says of it.

use crate::support::{Client, log_watch::looked_at, process::Process};
use std::{path::Path, process::Command};

/// What `tickfan check` writes of a file, which it must reject.
fn checked(file: &Path) -> String {
    let output = looked_at(Command::new(env!("CARGO_BIN_EXE_tickfan")).arg("check").arg(file).output().unwrap());
    assert_eq!(output.status.code(), Some(64));
    String::from_utf8(output.stderr).unwrap()
}

/// The words of a text, without the frame of lines.
fn words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn a_wrong_file_is_told_as_check_tells_it() {
    let gateway = Process::start("reload-texts", "");
    let feed =
        |more: &str| format!("[[feed]]\nname = \"one\"\nvenue = \"binance\"\nsymbols = [\"BTC-USDT\"]\n{more}\n");
    let mut told = Vec::new();
    for text in [
        "[server]\nheartbet = \"5s\"\n".to_owned(),
        "[limits]\nstreams = 0\nheads = 1\n".to_owned(),
        "[server]\nhosts = [\"ok.example\"\n".to_owned(),
        feed("mute_after = \"soon\""),
        feed("standby_for = \"two\""),
        format!("{}{}", feed(""), feed("")),
    ] {
        gateway.configure(&text);
        let expected = checked(gateway.config_file());
        let answer = Client::connect(gateway.admin).request("POST", "/reload", "content-length: 0\r\n");
        assert_eq!(answer.status, 422, "{text}");
        let detail = answer.json()["detail"].as_str().unwrap().to_owned();
        assert_eq!(words(&format!("error: {detail}")), words(&expected), "{text}");
        told.push(words(&detail));
    }
    let log = words(&gateway.drained_log().join("\n"));
    for text in told {
        assert!(log.contains(&text), "{text} is not in {log}");
    }
}
