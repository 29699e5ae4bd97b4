//! Key servers that hang, send too much or the wrong thing, and certificates that cannot be trusted.

use super::{
    key_set,
    server::{Does, Server, answer},
};
use crate::support::certificates::Ca;
use std::time::Duration;
use tickfan::{
    auth::{KEY_SET_BYTES_MAX, KEYS_MAX},
    issuer::{Failed, Fetched, Fetcher, HttpsUrl, KeyServer, Outcome, Source},
};
use tokio::{net::TcpListener, time::timeout};

const PATIENCE: Duration = Duration::from_secs(20);

async fn fetch(source: Source, step: Duration) -> Result<Fetched, Failed> {
    timeout(2 * PATIENCE, Fetcher::new(source, step).fetch()).await.expect("each step has a limit")
}

async fn fails(source: Source) -> Failed {
    fetch(source, PATIENCE).await.expect_err("it fails")
}

#[tokio::test]
async fn a_request_asks_for_the_whole_address_and_nothing_else() {
    let server = Server::start(Does::give(&key_set(&["a", "b"]))).await;
    let fetched = fetch(server.source(), PATIENCE).await.unwrap();
    let shown: Vec<_> = fetched.keys().iter().map(ToString::to_string).collect();
    assert_eq!(shown, ["a (EdDSA)", "b (EdDSA)"]);
    let expected = format!(
        "GET /keys?v=1 HTTP/1.1\r\nhost: 127.0.0.1:{}\r\nuser-agent: tickfan/{}\r\n\
         accept: application/jwk-set+json, application/json\r\naccept-encoding: identity\r\nconnection: close\r\n\r\n",
        server.port,
        env!("CARGO_PKG_VERSION")
    );
    assert_eq!(server.head(), expected);
}

#[tokio::test]
async fn an_answer_may_come_in_any_form_that_http_has() {
    let json = key_set(&["a"]);
    let (first, rest) = json.split_at(10);
    for bytes in [
        format!("HTTP/1.1 200 OK\r\n\r\n{json}"),
        format!("HTTP/1.0 200 Fine\r\ncontent-encoding: identity\r\n\r\n{json}"),
        format!(
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\na\r\n{first}\r\n{:x}\r\n{rest}\r\n0\r\n\r\n",
            rest.len()
        ),
        format!("HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{json}", json.len()),
    ] {
        let server = Server::start(Does::Answer(bytes.clone().into_bytes())).await;
        fetch(server.source(), PATIENCE).await.unwrap_or_else(|failed| panic!("{failed}: {bytes}"));
    }
}

#[tokio::test]
async fn each_fault_of_an_answer_has_its_own_explanation() {
    let location =
        |status: u16, to: &str| format!("HTTP/1.1 {status} Moved\r\nlocation: {to}\r\ncontent-length: 0\r\n\r\n");
    for (bytes, outcome, said) in [
        ("HTTP/1.1 500 Oops\r\ncontent-length: 0\r\n\r\n".to_owned(), Outcome::Status, "answers with status 500"),
        ("HTTP/1.1 204 No Content\r\n\r\n".to_owned(), Outcome::Status, "answers with status 204"),
        ("HTTP/1.1 304 Not Modified\r\n\r\n".to_owned(), Outcome::Status, "answers with status 304"),
        (
            location(302, "https://u:hush@other.example/k?hush"),
            Outcome::Redirect,
            "to https://other.example/k?…, which",
        ),
        (location(301, "/login?hush"), Outcome::Redirect, "redirects to /login, which is not followed; if it is right"),
        (
            "HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\n\r\nhush".to_owned(),
            Outcome::Http,
            "is encoded as gzip, which was not asked for",
        ),
        (
            "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{".to_owned(),
            Outcome::Http,
            "end of file before message length reached",
        ),
        (String::new(), Outcome::Http, "hung up before its answer was complete"),
        ("SSH-2.0-OpenSSH_9.2\r\n\r\n".to_owned(), Outcome::Http, "the answer is not HTTP"),
        (answer_text("<html>hush</html>"), Outcome::Unreadable, "it is not a JSON object in which each member stands"),
        (answer_text(""), Outcome::Unreadable, "it is not a JSON object"),
        (answer_text("{\"keys\":[]}"), Outcome::Unreadable, "none of its 0 keys can verify a token"),
        (
            answer_text(r#"{"keys":[{"kty":"oct","k":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}]}"#),
            Outcome::Unreadable,
            "a secret (`kty` oct) is accepted from a file only",
        ),
    ] {
        let server = Server::start(Does::Answer(bytes.clone().into_bytes())).await;
        let failed = fails(server.source()).await;
        let text = failed.to_string();
        assert!(text.contains(said) && !text.contains("hush"), "{bytes}: {text}");
        assert_eq!(failed.error.outcome(), outcome, "{bytes}: {text}");
    }
}

fn answer_text(json: &str) -> String {
    String::from_utf8(answer(json)).unwrap()
}

#[tokio::test]
async fn rule_10_an_answer_has_a_longest_head_and_body_and_a_most_keys() {
    let json = key_set(&["a"]);
    let padded = |bytes: usize| json.clone() + &" ".repeat(bytes - json.len());
    let chunked = |json: &str| {
        format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{:x}\r\n{json}\r\n0\r\n\r\n", json.len())
    };
    let until_close = |json: &str| format!("HTTP/1.1 200 OK\r\n\r\n{json}");
    let ids = |count: usize| (0..count).map(|id| id.to_string()).collect::<Vec<_>>();
    let keys = |count: usize| key_set(&ids(count).iter().map(String::as_str).collect::<Vec<_>>());
    let longest = padded(KEY_SET_BYTES_MAX);
    for bytes in [answer_text(&longest), chunked(&longest), until_close(&longest), answer_text(&keys(KEYS_MAX))] {
        let server = Server::start(Does::Answer(bytes.into_bytes())).await;
        fetch(server.source(), PATIENCE).await.unwrap();
    }
    let longer = padded(KEY_SET_BYTES_MAX + 1);
    for (bytes, outcome, said) in [
        (answer_text(&longer), Outcome::TooLong, "it is longer than 64 KiB"),
        (chunked(&longer), Outcome::TooLong, "it is longer than 64 KiB"),
        (until_close(&longer), Outcome::TooLong, "it is longer than 64 KiB"),
        (answer_text(&keys(KEYS_MAX + 1)), Outcome::Unreadable, "it has 33 keys; at most 32 are read"),
        (
            format!("HTTP/1.1 200 OK\r\nx: {}\r\n\r\n", "y".repeat(64 << 10)),
            Outcome::Http,
            "the head of the answer has more than 16384 bytes or 100 fields",
        ),
        (
            format!("HTTP/1.1 200 OK\r\n{}\r\n", "x: y\r\n".repeat(101)),
            Outcome::Http,
            "the head of the answer has more than 16384 bytes or 100 fields",
        ),
    ] {
        let server = Server::start(Does::Answer(bytes.into_bytes())).await;
        let failed = fails(server.source()).await;
        assert!(failed.to_string().contains(said), "{failed}");
        assert_eq!(failed.error.outcome(), outcome, "{failed}");
    }
    // An answer that never ends is not read on.
    let endless = Server::start(Does::Hang(until_close(&longer).into_bytes())).await;
    assert_eq!(fails(endless.source()).await.error.outcome(), Outcome::TooLong);
}

#[tokio::test]
async fn each_step_of_a_server_that_hangs_has_a_limit() {
    let half = b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"keys\":".to_vec();
    for (does, waits_for) in [
        (Does::HangBeforeTls, "waiting for the handshake"),
        (Does::Hang(Vec::new()), "waiting for the answer"),
        (Does::Hang(b"HTTP/1.1 200 OK\r\nx: y".to_vec()), "waiting for the answer"),
        (Does::Hang(half), "waiting for the rest of the answer"),
    ] {
        let server = Server::start(does).await;
        let mut said = String::new();
        // On a machine that is busy, an earlier step may be what takes too long.
        for step in [100, 1_000, 5_000] {
            let failed = fetch(server.source(), Duration::from_millis(step)).await.expect_err("it hangs");
            assert_eq!(failed.error.outcome(), Outcome::Timeout, "{failed}");
            said = failed.to_string();
            if said.contains(waits_for) {
                break;
            }
        }
        let expected = format!("it takes too long: {waits_for} (127.0.0.1:{} connected)", server.port);
        assert_eq!(said, expected);
    }
}

#[tokio::test]
async fn a_server_that_cannot_be_trusted_or_reached_gives_no_keys() {
    let give = || Does::give(&key_set(&["a"]));
    let other = Ca::new("another CA");
    let server = Server::start(give()).await;
    for (source, said) in [
        (server.source_trusting_public_cas(), "the certificate's issuer is unknown; `ca_file` adds a private CA"),
        (server.source_trusting(&other), "the certificate's issuer is unknown; `ca_file` adds a private CA"),
    ] {
        let failed = fails(source).await;
        assert!(failed.to_string().starts_with(said), "{failed}");
        assert_eq!(failed.error.outcome(), Outcome::Tls);
    }
    for (names, years, said) in [
        (["127.0.0.1"], [2020, 2021], "the certificate has expired"),
        (["127.0.0.1"], [2080, 2090], "the certificate is not valid yet, or the clock of this host is behind"),
        (["127.0.0.2"], [2020, 2090], "the certificate is for another name"),
    ] {
        let ca = Ca::new("the issuer's CA");
        let leaf = ca.sign_for(&names, years, &rcgen::PKCS_ECDSA_P256_SHA256);
        let server = Server::start_with(ca, &leaf, give()).await;
        let failed = fails(server.source()).await;
        assert!(failed.to_string().starts_with(said), "{failed}");
        assert_eq!((failed.error.outcome(), server.requests()), (Outcome::Tls, 0));
    }
    for (does, said) in [
        (Does::Plain(b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec()), "the other side does not speak TLS"),
        (Does::Close, "the TLS handshake failed"),
    ] {
        let server = Server::start(does).await;
        let failed = fails(server.source()).await;
        assert!(failed.to_string().starts_with(said), "{failed}");
        assert_eq!(failed.error.outcome(), Outcome::Tls);
    }
    let nowhere = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let url = HttpsUrl::parse(&format!("https://{nowhere}/")).unwrap();
    let failed = fails(Source::Https(Box::new(KeyServer { url, ca_file: None, proxy: None }))).await;
    assert_eq!(failed.to_string(), format!("no address of 127.0.0.1 accepts a connection ({nowhere} refused)"));
    assert_eq!(failed.error.outcome(), Outcome::Unreachable);
}
