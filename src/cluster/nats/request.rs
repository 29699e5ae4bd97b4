//! Requests to JetStream, which have one answer.

use super::link::Link;
use async_nats::{HeaderMap, Message, Request, RequestErrorKind};
use bytes::Bytes;
use serde::{Deserialize, de::DeserializeOwned};
use std::time::Duration;
use tokio::time::timeout;

/// A request waits for its answer this long: an election among the brokers takes longer.
pub(super) const REQUEST_MAX: Duration = Duration::from_millis(1_500);

/// Why a request has no answer that counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Failed {
    /// It was not sent.
    NotConnected,
    /// No broker serves the subject.
    NoResponders,
    /// No answer came in time.
    TimedOut,
    /// The answer is an error.
    Error(ApiError),
    /// The answer cannot be read, or the client failed.
    Other(String),
}

/// An error of JetStream.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct ApiError {
    /// What kind it is, in JetStream's own numbers.
    #[serde(default)]
    pub(super) err_code: u64,
    /// The same for people.
    #[serde(default)]
    pub(super) description: String,
}

#[derive(Deserialize)]
struct ErrorAnswer {
    error: Option<ApiError>,
}

impl std::fmt::Display for Failed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NotConnected => f.write_str("no broker is connected"),
            Self::NoResponders => f.write_str("no broker serves the bucket"),
            Self::TimedOut => write!(f, "no answer within {} ms", REQUEST_MAX.as_millis()),
            Self::Error(error) => write!(f, "{:?} ({})", error.description, error.err_code),
            Self::Other(error) => write!(f, "{error:?}"),
        }
    }
}

/// Sends a request on a link that is up. The inbox is its own, and ends with it.
pub(super) async fn request(
    link: &Link,
    subject: &str,
    headers: Option<HeaderMap>,
    payload: Bytes,
) -> Result<Message, Failed> {
    if !link.is_connected() {
        return Err(Failed::NotConnected);
    }
    // The limit outside also counts the wait for room.
    let mut request = Request::new().inbox(link.client.new_inbox()).timeout(None).payload(payload);
    if let Some(headers) = headers {
        request = request.headers(headers);
    }
    match timeout(REQUEST_MAX, link.client.send_request(subject.to_owned(), request)).await {
        Ok(Ok(message)) => Ok(message),
        Ok(Err(error)) if error.kind() == RequestErrorKind::NoResponders => Err(Failed::NoResponders),
        Ok(Err(error)) => Err(Failed::Other(error.to_string())),
        Err(_) => Err(Failed::TimedOut),
    }
}

/// The JSON of an answer, or its error.
pub(super) fn read_json<T: DeserializeOwned>(payload: &[u8]) -> Result<T, Failed> {
    let not_json = |error: serde_json::Error| Failed::Other(error.to_string());
    match serde_json::from_slice::<ErrorAnswer>(payload).map_err(not_json)?.error {
        Some(error) => Err(Failed::Error(error)),
        None => serde_json::from_slice(payload).map_err(not_json),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Eq, Deserialize)]
    struct Ack {
        seq: u64,
    }

    #[test]
    fn an_answer_is_an_error_or_what_was_asked_for() {
        let read = |text: &str| read_json::<Ack>(text.as_bytes());
        assert_eq!(read(r#"{"stream":"KV_x","seq":7}"#), Ok(Ack { seq: 7 }));
        let error =
            r#"{"error":{"code":400,"err_code":10071,"description":"wrong last sequence: 6"},"stream":"KV_x","seq":0}"#;
        let wrong = ApiError { err_code: 10_071, description: "wrong last sequence: 6".to_owned() };
        assert_eq!(read(error), Err(Failed::Error(wrong)));
        for text in ["", "7", "{}", r#"{"seq":"7"}"#] {
            assert!(matches!(read(text), Err(Failed::Other(_))), "{text}");
        }
    }
}
