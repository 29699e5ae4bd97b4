//! One `GET` over HTTP/1.1, each step with a limit, and nothing followed: for what is asked for rarely.

use super::{DialError, Dialer};
use bytes::Bytes;
use http::{
    HeaderMap, Request, Response, StatusCode,
    header::{ACCEPT, ACCEPT_ENCODING, CONNECTION, CONTENT_ENCODING, HOST, LOCATION, USER_AGENT},
    request::Builder,
};
use http_body::Body as _;
use http_body_util::{BodyExt as _, Empty};
use hyper::{
    body::Incoming,
    client::conn::http1,
    rt::{Read, Write},
};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use std::{convert::Infallible, future::pending, io, time::Duration};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

/// The longest head of an answer, in bytes, and the most fields in it: servers send one or two KB.
const HEAD_BYTES_MAX: usize = 16 * 1024;
const FIELDS_MAX: usize = 100;

/// What is asked for, and how much of an answer is read.
#[derive(Debug)]
pub struct Get<'a> {
    /// The host, an IPv6 address without brackets.
    pub host: &'a str,
    /// Its port.
    pub port: u16,
    /// The name that its certificate must have; `None` asks without TLS.
    pub server_name: Option<ServerName<'static>>,
    /// The request, with the path alone.
    pub request: Request<Empty<Bytes>>,
    /// The longest body.
    pub body_bytes_max: usize,
    /// The longest time for each step: connecting, the handshake, the head and the body of the answer.
    pub step: Duration,
}

/// Why an answer is missing, or cannot be used.
#[derive(Debug)]
pub enum GetError {
    /// The connection did not open.
    Dial(Box<DialError>),
    /// The handshake failed.
    Tls(String),
    /// A step took too long.
    Timeout(String),
    /// The answer is not HTTP, is cut off, or is encoded.
    Http(String),
    /// The answer leads elsewhere: its `Location`, as it is.
    Redirect(String),
    /// The answer is not 200.
    Status(StatusCode, Box<HeaderMap>),
    /// The body has more bytes than the most.
    TooLong(usize),
}

impl From<DialError> for GetError {
    fn from(error: DialError) -> Self {
        Self::Dial(Box::new(error))
    }
}

/// A request for the path and query at this authority, which says who asks and expects one plain answer of these types.
pub fn request(authority: &str, path: &str, types: &'static str) -> Builder {
    Request::get(path)
        .header(HOST, authority)
        .header(USER_AGENT, concat!("tickfan/", env!("CARGO_PKG_VERSION")))
        .header(ACCEPT, types)
        .header(ACCEPT_ENCODING, "identity")
        .header(CONNECTION, "close")
}

impl Dialer {
    /// Asks a server once, and returns the body of its answer.
    ///
    /// # Errors
    /// [`GetError`].
    ///
    /// # Cancel safety
    /// Dropped, it closes the connection.
    pub async fn get(&self, get: Get<'_>) -> Result<Vec<u8>, GetError> {
        self.begin();
        let connected = timeout(get.step, self.connect(get.host, get.port)).await;
        let tcp = connected.map_err(|_| self.hangs())??;
        let content = match get.server_name.clone() {
            Some(name) => {
                let handshake = TlsConnector::from(self.tls()).connect(name, tcp);
                let secured = timeout(get.step, handshake).await.map_err(|_| self.hangs())?;
                exchange(secured.map_err(|error| GetError::Tls(explain_tls(&error)))?, get).await?
            }
            None => exchange(tcp, get).await?,
        };
        self.opened();
        Ok(content)
    }

    fn hangs(&self) -> GetError {
        GetError::Timeout(self.waits_for())
    }
}

async fn exchange<S>(socket: S, get: Get<'_>) -> Result<Vec<u8>, GetError>
where
    TokioIo<S>: Read + Write + Unpin + Send + 'static,
{
    let hangs = |waits_for: &str| GetError::Timeout(waits_for.to_owned());
    let mut settings = http1::Builder::new();
    settings.max_buf_size(HEAD_BYTES_MAX).max_headers(FIELDS_MAX);
    let (mut sender, connection) = settings.handshake(TokioIo::new(socket)).await.map_err(broken)?;
    let exchange = async {
        let answered = timeout(get.step, sender.send_request(get.request)).await;
        let answer = answered.map_err(|_| hangs("waiting for the answer"))?.map_err(broken)?;
        check(&answer)?;
        let body = body(answer.into_body(), get.body_bytes_max);
        timeout(get.step, body).await.map_err(|_| hangs("waiting for the rest of the answer"))?
    };
    // Its error also ends the exchange, which may still have bytes to read after the connection's end.
    let connection = async {
        let _ = connection.await;
        pending::<Infallible>().await
    };
    tokio::select! {
        content = exchange => content,
        never = connection => match never {},
    }
}

/// Whether the body of the answer is what was asked for.
fn check(answer: &Response<Incoming>) -> Result<(), GetError> {
    let field = |name| answer.headers().get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
    if answer.status().is_redirection()
        && let Some(to) = field(LOCATION)
    {
        return Err(GetError::Redirect(to));
    }
    if answer.status() != StatusCode::OK {
        return Err(GetError::Status(answer.status(), Box::new(answer.headers().clone())));
    }
    match field(CONTENT_ENCODING) {
        Some(encoding) if !encoding.eq_ignore_ascii_case("identity") => {
            Err(GetError::Http(format!("the answer is encoded as {}, which was not asked for", shown(&encoding))))
        }
        _ => Ok(()),
    }
}

async fn body(mut body: Incoming, bytes_max: usize) -> Result<Vec<u8>, GetError> {
    if body.size_hint().lower() > bytes_max as u64 {
        return Err(GetError::TooLong(bytes_max));
    }
    let mut content = Vec::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(broken)?.into_data() else { continue };
        if content.len() + data.len() > bytes_max {
            return Err(GetError::TooLong(bytes_max));
        }
        content.extend_from_slice(&data);
    }
    Ok(content)
}

fn explain_tls(error: &io::Error) -> String {
    match error.get_ref().and_then(|cause| cause.downcast_ref::<rustls::Error>()) {
        Some(cause) => super::explain(cause),
        None => format!("the TLS handshake failed: {error}"),
    }
}

fn broken(error: hyper::Error) -> GetError {
    GetError::Http(if error.is_parse_too_large() {
        format!("the head of the answer has more than {HEAD_BYTES_MAX} bytes or {FIELDS_MAX} fields")
    } else if error.is_parse() {
        format!("the answer is not HTTP: {error}")
    } else if error.is_incomplete_message() {
        "the server hung up before its answer was complete".to_owned()
    } else {
        // hyper leaves out the cause.
        let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}"));
        format!("the connection broke: {error}{}", cause.unwrap_or_default())
    })
}

/// The most characters of an answer's own words that are shown.
const SHOWN_CHARACTERS_MAX: usize = 200;

/// A server's own words.
pub fn shown(words: &str) -> String {
    words.chars().take(SHOWN_CHARACTERS_MAX).flat_map(char::escape_debug).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_servers_own_words_are_escaped_and_cut() {
        assert_eq!(shown("a\nb\u{1b}[31m"), r"a\nb\u{1b}[31m");
        assert_eq!(shown(&"a".repeat(1000)).len(), SHOWN_CHARACTERS_MAX);
    }
}
