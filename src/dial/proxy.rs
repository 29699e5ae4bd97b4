//! The way through an HTTP proxy: `CONNECT`, and its answer.
//!
//! hyper-util's `Tunnel` reports neither the proxy's status nor its reason, so the head is read here.

use super::record::{SharedRecord, Step};
use crate::config::Proxy;
use http::{
    HeaderMap, HeaderValue,
    header::{DATE, RETRY_AFTER},
};
use std::{fmt, io};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// The longest head of an answer, in bytes, and the most fields in it: proxies send a few hundred bytes.
const HEAD_BYTES_MAX: usize = 8 * 1024;
const FIELDS_MAX: usize = 64;
/// The most characters of the proxy's own reason that are kept.
const REASON_CHARACTERS_MAX: usize = 80;

/// Why a proxy does not lead to a host.
#[derive(Debug)]
pub enum ProxyError {
    /// It answered so.
    Refused {
        /// The status of its answer.
        status: u16,
        /// Its own words.
        reason: String,
        /// When to come back, if it says so.
        headers: HeaderMap,
    },
    /// It hung up without an answer.
    HungUp,
    /// Its answer is not HTTP.
    NotHttp,
    /// Its answer has no end within the limit.
    TooLong,
    /// It sent more than its answer, before the host could.
    SentMore,
    /// The connection to it broke.
    Io(io::Error),
}

impl fmt::Display for ProxyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused { status: 407, .. } => f.write_str(
                "it asks for a user and a password (407): write its address as http://user:password@host:port, or correct them",
            ),
            Self::Refused { status: 403, reason, .. } => {
                write!(f, "it does not allow this address (403 {reason})")
            }
            Self::Refused { status: status @ 500.., reason, .. } => {
                write!(f, "it does not reach the address ({status} {reason})")
            }
            Self::Refused { status, reason, .. } => write!(f, "it refuses ({status} {reason})"),
            Self::HungUp => f.write_str("it hung up without an answer"),
            Self::NotHttp => f.write_str("its answer is not HTTP: is it the port of an HTTP proxy?"),
            Self::TooLong => write!(f, "its answer has no end within {HEAD_BYTES_MAX} bytes and {FIELDS_MAX} fields"),
            Self::SentMore => f.write_str("it sent more than its answer"),
            Self::Io(error) => write!(f, "{error}"),
        }
    }
}

impl From<io::Error> for ProxyError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => Self::HungUp,
            _ => Self::Io(error),
        }
    }
}

/// Asks the proxy for a way to the target, a host and its port. Then the socket leads there.
pub(super) async fn tunnel(
    socket: &mut TcpStream,
    proxy: &Proxy,
    target: (&str, u16),
    record: &SharedRecord,
) -> Result<(), ProxyError> {
    record.step(Step::Proxy);
    socket.write_all(request(proxy, target).as_bytes()).await?;
    let mut head = Vec::with_capacity(512);
    loop {
        let room = HEAD_BYTES_MAX - head.len();
        if room == 0 {
            return Err(ProxyError::TooLong);
        }
        if (&mut *socket).take(room as u64).read_buf(&mut head).await? == 0 {
            return Err(ProxyError::HungUp);
        }
        if let Some(answer) = read_answer(&head) {
            return answer;
        }
    }
}

fn request(proxy: &Proxy, (host, port): (&str, u16)) -> String {
    let authority = if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") };
    let field = |value: &str| format!("proxy-authorization: {value}\r\n");
    let authorization = proxy.authorization.as_ref().map(|value| field(value.expose())).unwrap_or_default();
    format!("CONNECT {authority} HTTP/1.1\r\nhost: {authority}\r\n{authorization}\r\n")
}

/// What the proxy says; nothing while its head is not complete.
fn read_answer(head: &[u8]) -> Option<Result<(), ProxyError>> {
    let mut fields = [httparse::EMPTY_HEADER; FIELDS_MAX];
    let mut answer = httparse::Response::new(&mut fields);
    let length = match answer.parse(head) {
        Ok(httparse::Status::Partial) => return None,
        Ok(httparse::Status::Complete(length)) => length,
        Err(httparse::Error::TooManyHeaders) => return Some(Err(ProxyError::TooLong)),
        Err(_) => return Some(Err(ProxyError::NotHttp)),
    };
    let reason = || answer.reason.unwrap_or_default().chars().take(REASON_CHARACTERS_MAX).collect();
    Some(match answer.code.unwrap_or_default() {
        200..=299 if head.len() > length => Err(ProxyError::SentMore),
        200..=299 => Ok(()),
        status => Err(ProxyError::Refused { status, reason: reason(), headers: waits(answer.headers) }),
    })
}

/// The fields that say when to come back.
fn waits(fields: &[httparse::Header<'_>]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for field in fields {
        let name = [RETRY_AFTER, DATE].into_iter().find(|name| field.name.eq_ignore_ascii_case(name.as_str()));
        if let (Some(name), Ok(value)) = (name, HeaderValue::from_bytes(field.value)) {
            headers.append(name, value);
        }
    }
    headers
}
