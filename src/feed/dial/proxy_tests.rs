//! The way through an HTTP proxy, over real sockets: proxies that let through, refuse, hang up, hang and babble.

use super::*;
use crate::{config::Proxy, dial::LookUp, feed::DisconnectReason, venue::Secret};
use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::{Duration, SystemTime},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional},
    net::TcpListener,
    time::timeout,
};
use tokio_tungstenite::accept_async;

const PATIENCE: Duration = Duration::from_secs(20);

/// What a proxy does with a request.
#[derive(Clone)]
enum Does {
    /// Connects to this address, whatever is asked for.
    Connect(SocketAddr),
    /// Answers so, and hangs up.
    Answer(Vec<u8>),
    /// Never answers.
    Hang,
}

/// A proxy on a free port, and the heads that it was sent.
pub(super) struct Listening {
    pub(super) address: SocketAddr,
    heads: Arc<Mutex<Vec<String>>>,
}

async fn start(does: Does) -> Listening {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let heads = Arc::new(Mutex::new(Vec::new()));
    let seen = heads.clone();
    tokio::spawn(async move {
        while let Ok((tcp, _)) = listener.accept().await {
            tokio::spawn(serve(tcp, does.clone(), seen.clone()));
        }
    });
    Listening { address, heads }
}

/// A proxy that connects to this address, whatever is asked for.
pub(super) async fn leads_to(venue: SocketAddr) -> Listening {
    start(Does::Connect(venue)).await
}

async fn serve(mut tcp: TcpStream, does: Does, seen: Arc<Mutex<Vec<String>>>) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(tcp.read_u8().await.unwrap());
    }
    seen.lock().unwrap().push(String::from_utf8(head).unwrap());
    match does {
        Does::Connect(venue) => {
            let mut venue = TcpStream::connect(venue).await.unwrap();
            // In two parts: a head need not come whole.
            tcp.write_all(b"HTTP/1.1 200 Connection esta").await.unwrap();
            tokio::task::yield_now().await;
            tcp.write_all(b"blished\r\nvia: a proxy\r\n\r\n").await.unwrap();
            let _ = copy_bidirectional(&mut tcp, &mut venue).await;
        }
        Does::Answer(bytes) => {
            let _ = tcp.write_all(&bytes).await;
            let _ = tcp.shutdown().await;
            let _ = tcp.read_to_end(&mut Vec::new()).await;
        }
        Does::Hang => {
            let _ = tcp.read_to_end(&mut Vec::new()).await;
        }
    }
}

/// A venue without TLS that opens one websocket.
async fn venue() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (tcp, _) = listener.accept().await.unwrap();
        accept_async(tcp).await.unwrap();
    });
    address
}

pub(super) fn through(address: SocketAddr, authorization: Option<&str>) -> Proxy {
    Proxy {
        host: "proxy.test".to_owned(),
        port: address.port(),
        authorization: authorization.map(Secret::new),
        password: None,
        is_of_file: true,
    }
}

/// A dialer whose look-up knows the proxy alone.
pub(super) fn dialer(proxy: Proxy, dialing: Dialing) -> Dialer {
    let look_up = LookUp::new(|host, port| {
        assert_eq!(host, "proxy.test", "the proxy looks all other names up");
        Ok(vec![SocketAddr::from(([127, 0, 0, 1], port))])
    });
    Dialer::new(dialing.with_proxy(proxy).with_look_up(look_up), 1 << 20)
}

#[tokio::test]
async fn a_feed_connects_through_its_proxy_which_looks_the_venue_up() {
    for (url, authority) in [
        ("ws://venue.test/ws?key=a", "venue.test:80"),
        ("ws://venue.test:9001/ws", "venue.test:9001"),
        ("ws://[2001:db8::1]/ws", "[2001:db8::1]:80"),
    ] {
        let proxy = leads_to(venue().await).await;
        let dialer = dialer(through(proxy.address, Some("Basic dXNlcjpodXNo")), plain());
        timeout(PATIENCE, dialer.open(url)).await.unwrap().unwrap();
        let head = format!(
            "CONNECT {authority} HTTP/1.1\r\nhost: {authority}\r\nproxy-authorization: Basic dXNlcjpodXNo\r\n\r\n"
        );
        assert_eq!(*proxy.heads.lock().unwrap(), [head]);
        assert_eq!(dialer.tried(), format!("{} connected", proxy.address));
    }
}

#[tokio::test]
async fn each_failure_of_a_proxy_has_its_own_explanation() {
    let fields = "x: y\r\n".repeat(100);
    for (answer, explanation) in [
        (
            "HTTP/1.1 407 Proxy Authentication Required\r\n\r\n",
            "it asks for a user and a password (407): write its address as http://user:password@host:port",
        ),
        ("HTTP/1.1 403 Forbidden\r\ncontent-length: 2\r\n\r\nno", "it does not allow this address (403 Forbidden)"),
        ("HTTP/1.1 502 Bad Gateway\r\n\r\n", "it does not reach the address (502 Bad Gateway)"),
        ("HTTP/1.0 504 Gateway Timeout\r\n\r\n", "it does not reach the address (504 Gateway Timeout)"),
        ("HTTP/1.1 302 Found\r\nlocation: http://login.test\r\n\r\n", "it refuses (302 Found)"),
        ("HTTP/1.1 405\r\n\r\n", "it refuses (405 )"),
        ("", "it hung up without an answer"),
        ("HTTP/1.1 200 OK\r\nvia: a", "it hung up without an answer"),
        ("SSH-2.0-OpenSSH_9.2\r\n", "its answer is not HTTP"),
        ("\u{5}\u{0}garbage\r\n\r\n", "its answer is not HTTP"),
        (&format!("HTTP/1.1 200 OK\r\nx: {}", "y".repeat(1 << 20)), "its answer has no end within 8192 bytes"),
        (&format!("HTTP/1.1 200 OK\r\n{fields}\r\n"), "its answer has no end within 8192 bytes and 64 fields"),
        ("HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 101 Switching\r\n\r\n", "it sent more than its answer"),
    ] {
        let proxy = start(Does::Answer(answer.as_bytes().to_vec())).await;
        let dialer = dialer(through(proxy.address, Some("Basic dXNlcjpodXNo")), plain());
        let error = timeout(PATIENCE, dialer.open("ws://venue.test/ws")).await.expect("an error").unwrap_err();
        let text = error.to_string();
        let begin = format!("the proxy proxy.test:{} fails: {explanation}", proxy.address.port());
        assert!(text.starts_with(&begin), "{answer:.80}: {text}");
        // A proxy's refusal says nothing of the symbols.
        assert_eq!((error.reason(), error.denied()), (DisconnectReason::Proxy, None));
        assert!(!text.contains("dXNlcjpodXNo"));
    }
}

#[tokio::test]
async fn a_retry_after_of_a_proxy_counts_as_one_of_the_venue() {
    const DATES: &str = "date: Sun, 06 Nov 1994 08:48:37 GMT\r\nRetry-After: Sun, 06 Nov 1994 08:49:37 GMT";
    for (answer, seconds) in [
        ("HTTP/1.1 503 Busy\r\nretry-after: 120", Some(120)),
        ("HTTP/1.1 407 Proxy Authentication Required\r\nRetry-After: 5\r\nretry-after: 300", Some(300)),
        (&format!("HTTP/1.1 429 Too Many Requests\r\n{DATES}"), Some(60)),
        ("HTTP/1.1 502 Bad Gateway\r\nretry-after: soon", None),
        ("HTTP/1.1 502 Bad Gateway\r\nx-retry-after: 9", None),
    ] {
        let proxy = start(Does::Answer(format!("{answer}\r\n\r\n").into())).await;
        let dialer = dialer(through(proxy.address, None), plain());
        let error = timeout(PATIENCE, dialer.open("ws://venue.test/ws")).await.expect("an error").unwrap_err();
        assert_eq!(error.retry_after(SystemTime::now()).map(|wait| wait.as_secs()), seconds, "{answer}");
    }
}

#[tokio::test]
async fn an_attempt_at_a_proxy_that_hangs_or_refuses_connections_says_so() {
    let proxy = start(Does::Hang).await;
    let hanging = dialer(through(proxy.address, None), plain());
    let attempt = {
        let dialer = hanging.clone();
        tokio::spawn(async move { drop(dialer.open("ws://venue.test/ws").await) })
    };
    while proxy.heads.lock().unwrap().is_empty() {
        tokio::task::yield_now().await;
    }
    attempt.abort();
    assert_eq!(hanging.waits_for(), "waiting for the proxy's answer");
    assert_eq!(hanging.tried(), format!("{} connected", proxy.address));

    let refuses = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let refused = dialer(through(refuses, None), plain());
    let error = refused.open("ws://venue.test/ws").await.unwrap_err().to_string();
    assert_eq!(error, "no address of proxy.test accepts a connection");
    assert_eq!(refused.tried(), format!("{refuses} refused"));
}
