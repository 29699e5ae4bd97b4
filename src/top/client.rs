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

/// Returns the body of a 200; any other status is an error.
pub(super) fn get(address: SocketAddr, path: &str) -> io::Result<String> {
    let mut socket = TcpStream::connect_timeout(&address, STEP_TIMEOUT)?;
    socket.set_read_timeout(Some(STEP_TIMEOUT))?;
    socket.set_write_timeout(Some(STEP_TIMEOUT))?;
    // HTTP/1.0: the body ends with the connection.
    write!(socket, "GET {path} HTTP/1.0\r\nhost: {address}\r\n\r\n")?;
    let mut response = String::new();
    socket.take(RESPONSE_BYTES_MAX).read_to_string(&mut response)?;
    body(&response).map(str::to_owned)
}

fn body(response: &str) -> io::Result<&str> {
    let (head, body) = response.split_once("\r\n\r\n").ok_or(io::ErrorKind::UnexpectedEof)?;
    let status = head.lines().next().unwrap_or_default();
    match status.split(' ').nth(1) {
        Some("200") => Ok(body),
        _ => Err(io::Error::other(format!("the response was {status:?}"))),
    }
}
