//! Opens one stream before all others, so that a wrong address is reported once and in words.

use crate::wire::Head;
use std::{
    io::{self, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

/// How long the server may take to connect, and for each read.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Why the server does not open a stream.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    /// The connection failed.
    #[error("no server at {address}: {source}; is the gateway running, and on this port?")]
    NoServer {
        /// The server's address.
        address: SocketAddr,
        /// The system's error.
        source: io::Error,
    },
    /// The answer is not an event stream.
    #[error("http://{address}{path} is not a stream: {what}")]
    NotAStream {
        /// The server's address.
        address: SocketAddr,
        /// The requested path.
        path: String,
        /// Why it is not a stream.
        what: String,
    },
}

/// Requests one stream, and disconnects after its head.
///
/// # Errors
/// [`ProbeError`].
pub fn probe(address: SocketAddr, host: &str, path: &str) -> Result<(), ProbeError> {
    let no_server = |source| ProbeError::NoServer { address, source };
    let mut socket = TcpStream::connect_timeout(&address, TIMEOUT).map_err(no_server)?;
    socket.set_read_timeout(Some(TIMEOUT)).map_err(no_server)?;
    let request = format!("GET {path} HTTP/1.0\r\nhost: {host}\r\naccept: text/event-stream\r\n\r\n");
    socket.write_all(request.as_bytes()).map_err(no_server)?;
    let not_a_stream = |what: String| ProbeError::NotAStream { address, path: path.to_owned(), what };
    let mut bytes = Vec::new();
    let head = loop {
        if let Some((head, length)) = Head::read(&bytes).map_err(|error| not_a_stream(error.to_string()))? {
            bytes.drain(..length);
            break head;
        }
        if read(&mut socket, &mut bytes).map_err(no_server)? == 0 {
            return Err(not_a_stream("the connection ended within the head of the answer".to_owned()));
        }
    };
    if head.status != 200 {
        // The body says why, if it arrives.
        while bytes.len() < 2_000 && read(&mut socket, &mut bytes).is_ok_and(|count| count > 0) {}
        let body = String::from_utf8_lossy(&bytes);
        return Err(not_a_stream(format!("the server answers {}: {}", head.status, body.trim())));
    }
    if !head.is_event_stream {
        return Err(not_a_stream("the server answers 200, but its content type is not text/event-stream".to_owned()));
    }
    if head.is_chunked {
        Err(not_a_stream("the answer is chunked, which the load tester does not support".to_owned()))
    } else {
        Ok(())
    }
}

fn read(socket: &mut TcpStream, bytes: &mut Vec<u8>) -> io::Result<usize> {
    let mut chunk = [0; 4_096];
    let count = socket.read(&mut chunk)?;
    bytes.extend_from_slice(&chunk[..count]);
    Ok(count)
}
