//! A GET of the admin listener, over a plain socket.

use std::{
    io::{self, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

/// How long each step of a request may take; the gateway asks its workers for at most a second.
const STEP_TIMEOUT: Duration = Duration::from_secs(3);
/// The longest response: `/metrics` of a hundred feeds is a megabyte.
const RESPONSE_BYTES_MAX: u64 = 8 << 20;

/// A response.
pub(super) struct Response {
    pub(super) status: u16,
    pub(super) body: String,
}

/// Returns the body of a 200; any other status is an error.
pub(super) fn get(address: SocketAddr, path: &str) -> io::Result<String> {
    let Response { status, body } = request(address, path)?;
    if status == 200 { Ok(body) } else { Err(io::Error::other(format!("{path} was answered {status}"))) }
}

/// Returns the response, whatever its status.
pub(super) fn request(address: SocketAddr, path: &str) -> io::Result<Response> {
    let mut socket = TcpStream::connect_timeout(&address, STEP_TIMEOUT)?;
    socket.set_read_timeout(Some(STEP_TIMEOUT))?;
    socket.set_write_timeout(Some(STEP_TIMEOUT))?;
    // HTTP/1.0: the body ends with the connection.
    write!(socket, "GET {path} HTTP/1.0\r\nhost: {address}\r\n\r\n")?;
    let mut response = String::new();
    socket.take(RESPONSE_BYTES_MAX).read_to_string(&mut response)?;
    parse(&response)
}

fn parse(response: &str) -> io::Result<Response> {
    let (head, body) = response.split_once("\r\n\r\n").ok_or(io::ErrorKind::UnexpectedEof)?;
    let line = head.lines().next().unwrap_or_default();
    match line.strip_prefix("HTTP/1.").and_then(|line| line.get(2..5)?.parse().ok()) {
        Some(status) => Ok(Response { status, body: body.to_owned() }),
        None => Err(io::Error::other(format!("the response was {line:?}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_http_is_an_error() {
        let parsed = |response: &str| parse(response).map(|response| (response.status, response.body));
        assert_eq!(
            parsed("HTTP/1.1 503 Service Unavailable\r\na: b\r\n\r\nno\r\n\r\n").unwrap(),
            (503, "no\r\n\r\n".into())
        );
        assert_eq!(parsed("HTTP/1.0 200 OK\r\n\r\n").unwrap(), (200, String::new()));
        for other in ["", "HTTP/1.1 200 OK\r\n", "HTTP/1.1\r\n\r\n", "HTTP/1.1 2\u{e9}0\r\n\r\n", "SSH-2.0-x\r\n\r\n"] {
            assert!(parsed(other).is_err(), "{other:?}");
        }
    }
}
