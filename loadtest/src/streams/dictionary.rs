//! Fetches the gateway's dictionary, as a browser does before its first compressed stream.

use super::setup::Setup;
use crate::{tls::ClientTls, wire::Decoder};
use std::{
    fmt::Write as _,
    io::{self, Read as _, Write as _},
    net::TcpStream,
    time::Duration,
};

/// How long each step may take.
const TIMEOUT: Duration = Duration::from_secs(10);
/// The longest answer: a dictionary has at most 256 KiB.
const ANSWER_BYTES_MAX: usize = 512 * 1024;
const PATH: &str = "/v1/dictionary";

/// Asks the first target for the way to the dictionary, and follows it.
///
/// # Errors
/// The server does not answer, or has no dictionary, or its bytes are not those of its name.
pub(super) fn fetch(setup: &Setup) -> io::Result<Decoder> {
    let (status, location, _) = get(setup, PATH)?;
    let Some(path) = location.filter(|_| matches!(status, 302 | 307)) else {
        return Err(io::Error::other(format!("the server answers {status} at {PATH}: it does not compress streams")));
    };
    let (status, _, content) = get(setup, &path)?;
    let decoder = Decoder::new(&content);
    if status != 200 || path.strip_prefix(PATH).and_then(|rest| rest.strip_prefix('/')) != Some(&decoder.name()) {
        return Err(io::Error::other(format!("the server answers {status} at {path}, not with that dictionary")));
    }
    Ok(decoder)
}

/// The status of an answer, where it leads, and its body.
fn get(setup: &Setup, path: &str) -> io::Result<(u16, Option<String>, Vec<u8>)> {
    // With HTTP/1.0 the answer ends with the connection and is not chunked.
    let mut request = format!("GET {path} HTTP/1.0\r\nhost: {}\r\n", setup.host);
    for header in &setup.headers {
        let _ = write!(request, "{}: {}\r\n", header.name, header.value(0));
    }
    request.push_str("\r\n");
    let mut socket = TcpStream::connect_timeout(&setup.targets[0], TIMEOUT)?;
    socket.set_read_timeout(Some(TIMEOUT))?;
    socket.set_write_timeout(Some(TIMEOUT))?;
    let answer = match &setup.tls {
        Some(tls) => exchange_tls(&mut socket, tls, request.as_bytes())?,
        None => {
            socket.write_all(request.as_bytes())?;
            let mut answer = Vec::new();
            socket.take(ANSWER_BYTES_MAX as u64).read_to_end(&mut answer)?;
            answer
        }
    };
    parsed(&answer).ok_or_else(|| io::Error::other(format!("the server's answer at {path} is not HTTP")))
}

fn exchange_tls(socket: &mut TcpStream, tls: &ClientTls, request: &[u8]) -> io::Result<Vec<u8>> {
    let mut session = tls.session(false).map_err(io::Error::other)?;
    let (mut answer, mut out, mut is_requested) = (Vec::new(), Vec::new(), false);
    session.open(&mut [], &mut answer, &mut out).map_err(io::Error::other)?;
    loop {
        if !is_requested && !session.is_handshaking() {
            session.seal(request, &mut out).map_err(io::Error::other)?;
            is_requested = true;
        }
        socket.write_all(&out)?;
        out.clear();
        let mut chunk = [0; 16 * 1024];
        let count = if session.is_closed() || answer.len() > ANSWER_BYTES_MAX { 0 } else { socket.read(&mut chunk)? };
        if count == 0 {
            return Ok(answer);
        }
        let mut input = [session.rest(), &chunk[..count]].concat();
        session.open(&mut input, &mut answer, &mut out).map_err(io::Error::other)?;
    }
}

fn parsed(answer: &[u8]) -> Option<(u16, Option<String>, Vec<u8>)> {
    let end = memchr::memmem::find(answer, b"\r\n\r\n")?;
    let mut lines = std::str::from_utf8(&answer[..end]).ok()?.split("\r\n");
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let mut fields = lines.filter_map(|line| line.split_once(':'));
    let location = fields.find(|(name, _)| name.eq_ignore_ascii_case("location"));
    Some((status, location.map(|(_, value)| value.trim().to_owned()), answer[end + 4..].to_vec()))
}
