//! Why a TLS connection ends.

use rustls::{AlertDescription, Error, PeerIncompatible};

/// Why a handshake failed, or a session ends. Where TLS has an alert for it, the alert is in the output.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The client offers only application protocols that the gateway does not speak.
    #[error("the client and the gateway share no application protocol")]
    NoCommonProtocol,
    /// The client's versions, ciphers or groups do not fit the gateway's.
    #[error("the client and the gateway share no TLS parameters: {0:?}")]
    Incompatible(PeerIncompatible),
    /// The client sent a fatal alert: often it rejects the certificate.
    #[error("the client sent the alert {0:?}")]
    Alert(AlertDescription),
    /// The client broke the protocol, or something between changed its bytes.
    #[error("the client broke TLS: {0}")]
    Broken(Error),
    /// The client sent more than a handshake, or a record, may have, or hardly any data in its records.
    #[error("the client sent more than TLS allows")]
    TooMuchInput,
    /// The keys have encrypted as many records as is safe, and TLS 1.2 cannot change them.
    #[error("the keys of the TLS 1.2 session are exhausted")]
    KeysExhausted,
    /// The session has ended before.
    #[error("the TLS session has ended")]
    Closed,
}

impl From<Error> for TlsError {
    fn from(error: Error) -> Self {
        match error {
            Error::NoApplicationProtocol => Self::NoCommonProtocol,
            Error::PeerIncompatible(reason) => Self::Incompatible(reason),
            Error::AlertReceived(alert) => Self::Alert(alert),
            error => Self::Broken(error),
        }
    }
}
