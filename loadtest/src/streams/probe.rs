//! One stream before all others: what is wrong with an address is told once, and in words.

use crate::wire::Head;
use std::{
    io::{self, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

/// How long a server may take to answer one client.
const PATIENCE: Duration = Duration::from_secs(10);

/// Why no stream can be had.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    /// Nothing answers there.
    #[error("no server at {address}: {source}; is the gateway running, and on this port?")]
    NoServer {
        /// Where.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
    /// It answers something else than a stream.
    #[error("http://{address}{path} is no stream: {what}")]
    NoStream {
        /// Where.
        address: SocketAddr,
        /// What was asked for.
        path: String,
        /// What it is.
        what: String,
    },
}

/// Asks for one stream, and leaves once its head has come.
///
/// # Errors
/// [`ProbeError`].
pub fn probe(address: SocketAddr, host: &str, path: &str) -> Result<(), ProbeError> {
    let no_server = |source| ProbeError::NoServer { address, source };
    let mut socket = TcpStream::connect_timeout(&address, PATIENCE).map_err(no_server)?;
    socket.set_read_timeout(Some(PATIENCE)).map_err(no_server)?;
    let request = format!("GET {path} HTTP/1.0\r\nhost: {host}\r\naccept: text/event-stream\r\n\r\n");
    socket.write_all(request.as_bytes()).map_err(no_server)?;
    let no_stream = |what: String| ProbeError::NoStream { address, path: path.to_owned(), what };
    let mut bytes = Vec::new();
    let head = loop {
        if let Some((head, length)) = Head::read(&bytes).map_err(|error| no_stream(error.to_string()))? {
            bytes.drain(..length);
            break head;
        }
        if read(&mut socket, &mut bytes).map_err(no_server)? == 0 {
            return Err(no_stream("the connection ended before the head of an answer".to_owned()));
        }
    };
    if head.status != 200 {
        // The rest tells why, if it comes.
        while bytes.len() < 2_000 && read(&mut socket, &mut bytes).is_ok_and(|count| count > 0) {}
        let body = String::from_utf8_lossy(&bytes);
        return Err(no_stream(format!("the server answers {}: {}", head.status, body.trim())));
    }
    if !head.is_event_stream {
        return Err(no_stream("the server answers 200, but no text/event-stream".to_owned()));
    }
    if head.is_chunked { Err(no_stream("it is chunked, which is not read here".to_owned())) } else { Ok(()) }
}

fn read(socket: &mut TcpStream, bytes: &mut Vec<u8>) -> io::Result<usize> {
    let mut chunk = [0; 4_096];
    let count = socket.read(&mut chunk)?;
    bytes.extend_from_slice(&chunk[..count]);
    Ok(count)
}
