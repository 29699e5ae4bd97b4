//! One GET of the admin listener, as plain as it comes: a terminal needs no more.

use std::{
    io::{self, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

/// How long a step of an answer may take: a look into the workers takes a second at most.
const PATIENCE: Duration = Duration::from_secs(3);
/// The longest answer: `/metrics` of a hundred feeds has a megabyte.
const ANSWER_BYTES_MAX: u64 = 8 << 20;

/// The body of a 200.
pub(super) fn get(address: SocketAddr, path: &str) -> io::Result<String> {
    let mut socket = TcpStream::connect_timeout(&address, PATIENCE)?;
    socket.set_read_timeout(Some(PATIENCE))?;
    socket.set_write_timeout(Some(PATIENCE))?;
    // HTTP/1.0: the body comes whole, up to the connection's end.
    write!(socket, "GET {path} HTTP/1.0\r\nhost: {address}\r\n\r\n")?;
    let mut answer = String::new();
    socket.take(ANSWER_BYTES_MAX).read_to_string(&mut answer)?;
    body(&answer).map(str::to_owned)
}

fn body(answer: &str) -> io::Result<&str> {
    let (head, body) = answer.split_once("\r\n\r\n").ok_or(io::ErrorKind::UnexpectedEof)?;
    let status = head.lines().next().unwrap_or_default();
    match status.split(' ').nth(1) {
        Some("200") => Ok(body),
        _ => Err(io::Error::other(format!("it answered {status:?}"))),
    }
}
