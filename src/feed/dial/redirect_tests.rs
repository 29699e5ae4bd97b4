//! Redirects of a handshake, over real sockets.

use super::*;
use crate::feed::DisconnectReason;
use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::TcpListener,
};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

/// A server that redirects each path in its list and opens a websocket at all others.
struct Site {
    address: SocketAddr,
    /// The paths that were asked for.
    asked: Arc<Mutex<Vec<String>>>,
}

impl Site {
    async fn start(redirects: &[(&'static str, u16, &str)]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let seen = asked.clone();
        let own = |location: &str| location.replace("HERE", &address.to_string());
        let redirects: Vec<_> = redirects.iter().map(|(path, status, to)| (*path, *status, own(to))).collect();
        tokio::spawn(async move {
            while let Ok((mut tcp, _)) = listener.accept().await {
                let (path, key) = request(&mut tcp).await;
                seen.lock().unwrap().push(path.clone());
                let answer = match redirects.iter().find(|(from, ..)| *from == path) {
                    Some((_, status, to)) => format!("HTTP/1.1 {status} Moved\r\nlocation: {to}\r\n\r\n"),
                    None => format!(
                        "HTTP/1.1 101 Switching\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
                         sec-websocket-accept: {}\r\n\r\n",
                        derive_accept_key(key.as_bytes())
                    ),
                };
                tcp.write_all(answer.as_bytes()).await.unwrap();
            }
        });
        Self { address, asked }
    }

    async fn open(&self) -> Result<Socket, SocketError> {
        Dialer::new(plain(), 1 << 20).open(&format!("ws://{}/a?key=secret", self.address)).await
    }
}

/// The path and the websocket key of a request.
async fn request(tcp: &mut TcpStream) -> (String, String) {
    let (mut path, mut key) = (String::new(), String::new());
    let mut lines = BufReader::new(tcp).lines();
    while let Some(line) = lines.next_line().await.unwrap().filter(|line| !line.is_empty()) {
        if let Some(rest) = line.strip_prefix("GET ") {
            path = rest.split(' ').next().unwrap().to_owned();
        }
        if let Some((name, value)) = line.split_once(": ")
            && name.eq_ignore_ascii_case("sec-websocket-key")
        {
            key = value.to_owned();
        }
    }
    (path, key)
}

#[tokio::test]
async fn one_redirect_to_the_same_site_is_followed() {
    for status in [301, 302, 303, 307, 308] {
        for location in ["/b", "b", "ws://HERE/b", "http://HERE/b", "//HERE/b"] {
            let site = Site::start(&[("/a?key=secret", status, location)]).await;
            site.open().await.unwrap_or_else(|error| panic!("{status} {location}: {error}"));
            assert_eq!(*site.asked.lock().unwrap(), ["/a?key=secret", "/b"], "{status} {location}");
        }
    }
}

#[tokio::test]
async fn any_other_redirect_is_an_error_that_names_its_target() {
    for (location, target, why) in [
        ("wss://other.test/b?key=secret", "wss://other.test/b", "is another host"),
        ("http://127.0.0.2/b", "http://127.0.0.2/b", "is another host"),
        ("ftp://127.0.0.1/b", "ftp://127.0.0.1/b", "is not the address of a websocket"),
        ("/a?key=secret", "/a", "is the second redirect"),
        ("/c?key=secret", "/d", "is the second redirect"),
    ] {
        let site = Site::start(&[("/a?key=secret", 302, location), ("/c?key=secret", 302, "/d")]).await;
        let error = site.open().await.unwrap_err();
        let text = error.to_string();
        assert!(text.contains(&format!("redirects to {target}, which {why}")), "{location}: {text}");
        assert!(!text.contains("secret"), "{text}");
        assert_eq!(error.reason(), DisconnectReason::Http);
        assert!(site.asked.lock().unwrap().len() <= 2);
    }
}

#[tokio::test]
async fn a_redirect_without_a_target_is_an_error() {
    let site = Site::start(&[("/a?key=secret", 302, "")]).await;
    let text = site.open().await.unwrap_err().to_string();
    assert!(text.contains("which is not the address of a websocket"), "{text}");
}
