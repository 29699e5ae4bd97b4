//! Why a websocket did not open, or ended.

use super::retry_after::retry_after;
use crate::{
    dial::{self, DialError, ProxyError},
    feed::DisconnectReason,
    market::Reason,
};
use std::{
    fmt,
    time::{Duration, SystemTime},
};
use tokio_tungstenite::tungstenite::{
    Error,
    error::{CapacityError, ProtocolError},
    http::StatusCode,
};

/// After too many requests or connections, where the answer does not say for how long: venues count by the minute.
const TOO_MANY: Duration = Duration::from_secs(60);

/// Why a websocket did not open, or ended.
#[derive(Debug)]
pub(in crate::feed) enum SocketError {
    /// The connection below it did not open.
    Dial(DialError),
    /// The venue redirects to where a feed does not follow, and why it does not.
    Redirect { to: String, why: &'static str },
    /// The websocket, its TLS or its handshake failed.
    Websocket(Error),
}

impl From<Error> for SocketError {
    fn from(error: Error) -> Self {
        Self::Websocket(error)
    }
}

impl From<DialError> for SocketError {
    fn from(error: DialError) -> Self {
        Self::Dial(error)
    }
}

impl fmt::Display for SocketError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dial(error) => write!(f, "{error}"),
            Self::Redirect { to, why } => {
                write!(f, "the venue redirects to {to}, which {why}; if it is right, set it as `url`")
            }
            Self::Websocket(error) => match tls_error(error) {
                Some(cause) => f.write_str(&dial::explain(cause)),
                None => write!(f, "{error}"),
            },
        }
    }
}

impl SocketError {
    /// The reason that is counted.
    pub(in crate::feed) fn reason(&self) -> DisconnectReason {
        match self {
            Self::Dial(DialError::LookUp { .. } | DialError::Unreachable { .. }) => DisconnectReason::Io,
            Self::Dial(DialError::Proxy { .. }) => DisconnectReason::Proxy,
            Self::Redirect { .. } => DisconnectReason::Http,
            Self::Websocket(error) => disconnect_reason(error),
        }
    }

    /// Why the venue denies access, if its answer to the handshake says so.
    pub(in crate::feed) fn denied(&self) -> Option<Reason> {
        match self {
            Self::Websocket(error) => denied(error),
            _ => None,
        }
    }

    /// The wait that a refused handshake, or the refusal of a proxy, asks for.
    pub(in crate::feed) fn retry_after(&self, now: SystemTime) -> Option<Duration> {
        match self {
            Self::Websocket(Error::Http(response)) => {
                let is_too_many = matches!(response.status().as_u16(), 429 | 418);
                retry_after(response.headers(), now).or(is_too_many.then_some(TOO_MANY))
            }
            Self::Dial(DialError::Proxy { error: ProxyError::Refused { headers, .. }, .. }) => {
                retry_after(headers, now)
            }
            _ => None,
        }
    }
}

fn tls_error(error: &Error) -> Option<&rustls::Error> {
    let Error::Io(cause) = error else { return None };
    cause.get_ref()?.downcast_ref()
}

fn disconnect_reason(error: &Error) -> DisconnectReason {
    match error {
        Error::ConnectionClosed | Error::AlreadyClosed => DisconnectReason::Closed,
        Error::Io(_) if tls_error(error).is_some() => DisconnectReason::Tls,
        Error::Io(_) | Error::Url(_) | Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => {
            DisconnectReason::Io
        }
        Error::Tls(_) => DisconnectReason::Tls,
        Error::Capacity(CapacityError::MessageTooLong { .. }) => DisconnectReason::Oversize,
        Error::Http(_) if denied(error).is_some() => DisconnectReason::Denied,
        Error::Http(_) => DisconnectReason::Http,
        Error::WriteBufferFull(_) => DisconnectReason::Stuck,
        Error::Capacity(_) | Error::Protocol(_) | Error::Utf8(_) | Error::AttackAttempt | Error::HttpFormat(_) => {
            DisconnectReason::Protocol
        }
    }
}

fn denied(error: &Error) -> Option<Reason> {
    let Error::Http(response) = error else { return None };
    match response.status() {
        StatusCode::UNAUTHORIZED => Some(Reason::Unauthorized),
        StatusCode::FORBIDDEN => Some(Reason::NotEntitled),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;
    use tokio_tungstenite::tungstenite::{Message, http::Response};

    fn refused(status: u16) -> Error {
        Error::Http(Box::new(Response::builder().status(status).body(None).unwrap()))
    }

    #[test]
    fn too_many_is_a_wait_of_a_minute_unless_the_answer_says_otherwise() {
        let now = SystemTime::UNIX_EPOCH;
        let wait = |status: u16| SocketError::Websocket(refused(status)).retry_after(now).map(|wait| wait.as_secs());
        assert_eq!([429, 418, 503, 401].map(wait), [Some(60), Some(60), None, None]);
        let response = Response::builder().status(429).header("retry-after", "7").body(None).unwrap();
        let said = SocketError::Websocket(Error::Http(Box::new(response)));
        assert_eq!(said.retry_after(now), Some(Duration::from_secs(7)));
    }

    #[test]
    fn rule_9_each_error_has_its_reason() {
        let untrusted = rustls::Error::InvalidCertificate(rustls::CertificateError::UnknownIssuer);
        for (error, reason) in [
            (Error::ConnectionClosed, DisconnectReason::Closed),
            (Error::Io(io::ErrorKind::ConnectionRefused.into()), DisconnectReason::Io),
            (Error::Io(io::Error::new(io::ErrorKind::InvalidData, untrusted)), DisconnectReason::Tls),
            (Error::Protocol(ProtocolError::ResetWithoutClosingHandshake), DisconnectReason::Io),
            (Error::Protocol(ProtocolError::NonZeroReservedBits), DisconnectReason::Protocol),
            (Error::Capacity(CapacityError::MessageTooLong { size: 2, max_size: 1 }), DisconnectReason::Oversize),
            (Error::Capacity(CapacityError::TooManyHeaders), DisconnectReason::Protocol),
            (Error::WriteBufferFull(Box::new(Message::text(""))), DisconnectReason::Stuck),
            (Error::Utf8(String::new()), DisconnectReason::Protocol),
            (refused(503), DisconnectReason::Http),
            (refused(401), DisconnectReason::Denied),
            (refused(403), DisconnectReason::Denied),
        ] {
            assert_eq!(disconnect_reason(&error), reason, "{error}");
        }
    }
}
