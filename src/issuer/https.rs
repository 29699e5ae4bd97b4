//! Keys from a server: one request over https, each step with a limit.

use super::{error::FetchError, source::HttpsUrl};
use crate::{
    auth::KEY_SET_BYTES_MAX,
    config::without_secrets,
    dial::{self, Dialer},
};
use bytes::Bytes;
use http::{
    Request, Response, StatusCode,
    header::{ACCEPT, ACCEPT_ENCODING, CONNECTION, CONTENT_ENCODING, HOST, LOCATION, USER_AGENT},
};
use http_body::Body as _;
use http_body_util::{BodyExt as _, Empty};
use hyper::{body::Incoming, client::conn::http1};
use hyper_util::rt::TokioIo;
use std::{convert::Infallible, future::pending, io, time::Duration};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

/// The longest head of an answer, in bytes, and the most fields in it: servers send one or two KB.
const HEAD_BYTES_MAX: usize = 16 * 1024;
const FIELDS_MAX: usize = 100;
/// The most characters of an answer's own words that are shown.
const SHOWN_CHARACTERS_MAX: usize = 200;

/// Asks the server once. Connecting, the handshake, the head and the body of the answer take `step` each at most.
///
/// # Cancel safety
/// Dropped, it closes the connection.
pub(super) async fn fetch(dialer: &Dialer, url: &HttpsUrl, step: Duration) -> Result<Vec<u8>, FetchError> {
    let hangs = |waits_for: &str| FetchError::Timeout(waits_for.to_owned());
    dialer.begin();
    let connected = timeout(step, dialer.connect(url.host(), url.port())).await;
    let tcp = connected.map_err(|_| hangs(&dialer.waits_for()))??;
    let handshake = TlsConnector::from(dialer.tls()).connect(url.server_name(), tcp);
    let secured = timeout(step, handshake).await.map_err(|_| hangs(&dialer.waits_for()))?;
    let tls = secured.map_err(|error| FetchError::Tls(explain_tls(&error)))?;
    let mut settings = http1::Builder::new();
    settings.max_buf_size(HEAD_BYTES_MAX).max_headers(FIELDS_MAX);
    let (mut sender, connection) = settings.handshake(TokioIo::new(tls)).await.map_err(broken)?;
    let exchange = async {
        let answered = timeout(step, sender.send_request(request(url)?)).await;
        let answer = answered.map_err(|_| hangs("waiting for the answer"))?.map_err(broken)?;
        check(&answer)?;
        timeout(step, body(answer.into_body())).await.map_err(|_| hangs("waiting for the rest of the answer"))?
    };
    // Its error also ends the exchange, which may still have bytes to read after the connection's end.
    let connection = async {
        let _ = connection.await;
        pending::<Infallible>().await
    };
    let content = tokio::select! {
        content = exchange => content?,
        never = connection => match never {},
    };
    dialer.opened();
    Ok(content)
}

fn request(url: &HttpsUrl) -> Result<Request<Empty<Bytes>>, FetchError> {
    let request = Request::get(url.path())
        .header(HOST, url.authority())
        .header(USER_AGENT, concat!("tickfan/", env!("CARGO_PKG_VERSION")))
        .header(ACCEPT, "application/jwk-set+json, application/json")
        .header(ACCEPT_ENCODING, "identity")
        .header(CONNECTION, "close")
        .body(Empty::new());
    request.map_err(|error| FetchError::Http(error.to_string()))
}

/// Whether the body of the answer is what was asked for.
fn check(answer: &Response<Incoming>) -> Result<(), FetchError> {
    let field = |name| answer.headers().get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
    if answer.status().is_redirection()
        && let Some(to) = field(LOCATION)
    {
        return Err(FetchError::Redirect { to: shown(&without_query(&to)) });
    }
    if answer.status() != StatusCode::OK {
        return Err(FetchError::Status(answer.status().as_u16()));
    }
    match field(CONTENT_ENCODING) {
        Some(encoding) if !encoding.eq_ignore_ascii_case("identity") => {
            Err(FetchError::Http(format!("the answer is encoded as {}, which was not asked for", shown(&encoding))))
        }
        _ => Ok(()),
    }
}

async fn body(mut body: Incoming) -> Result<Vec<u8>, FetchError> {
    if body.size_hint().lower() > KEY_SET_BYTES_MAX as u64 {
        return Err(FetchError::TooLong(KEY_SET_BYTES_MAX));
    }
    let mut content = Vec::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(broken)?.into_data() else { continue };
        if content.len() + data.len() > KEY_SET_BYTES_MAX {
            return Err(FetchError::TooLong(KEY_SET_BYTES_MAX));
        }
        content.extend_from_slice(&data);
    }
    Ok(content)
}

fn explain_tls(error: &io::Error) -> String {
    match error.get_ref().and_then(|cause| cause.downcast_ref::<rustls::Error>()) {
        Some(cause) => dial::explain(cause),
        None => format!("the TLS handshake failed: {error}"),
    }
}

fn broken(error: hyper::Error) -> FetchError {
    FetchError::Http(if error.is_parse_too_large() {
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

/// The target of a redirect, without what may be a secret.
fn without_query(location: &str) -> String {
    if location.contains("://") {
        return without_secrets(location);
    }
    location.split(['?', '#']).next().unwrap_or_default().to_owned()
}

/// A server's own words.
fn shown(words: &str) -> String {
    words.chars().take(SHOWN_CHARACTERS_MAX).flat_map(char::escape_debug).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_target_of_a_redirect_is_shown_without_a_secret() {
        for (location, target) in [
            ("https://other.example/keys?token=hush#a", "https://other.example/keys?…"),
            ("https://user:hush@other.example/keys", "https://other.example/keys"),
            ("/login?token=hush", "/login"),
            ("keys#hush", "keys"),
            ("", ""),
        ] {
            assert_eq!(without_query(location), target, "{location}");
        }
        assert_eq!(shown("a\nb\u{1b}[31m"), r"a\nb\u{1b}[31m");
        assert_eq!(shown(&"a".repeat(1000)).len(), SHOWN_CHARACTERS_MAX);
    }
}
