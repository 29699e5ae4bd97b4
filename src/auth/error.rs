//! Why a token is refused.

use super::keys::UnknownKey;

/// The longest token, in bytes: it must fit into a request's head.
pub const TOKEN_BYTES_MAX: usize = 8 << 10;

/// Why a token is refused. It repeats nothing of the token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Longer than [`TOKEN_BYTES_MAX`].
    #[error("a token has at most {TOKEN_BYTES_MAX} bytes")]
    TooLong,
    /// Not three parts of base64url, or the first and the second are not JSON objects in which each member stands once.
    #[error("it is not a signed JWT in compact form")]
    Malformed,
    /// It asks for an extension, and none is known.
    #[error("its header has `crit`, and no extension is supported")]
    Critical,
    /// None of the keys is meant.
    #[error("{}", match .0 {
        UnknownKey::Named => "its `kid` names an unknown key",
        UnknownKey::Unnamed => "it needs a `kid`, because there are several keys",
    })]
    Key(UnknownKey),
    /// It asks for another algorithm than its key has.
    #[error("its `alg` is not that of its key")]
    Algorithm,
    /// The key did not sign it.
    #[error("its signature is not valid")]
    Signature,
    /// A claim is absent or of another type.
    #[error("its claim `{0}` is missing or wrong")]
    Claim(&'static str),
    /// A time that no clock in seconds reaches: it is in another unit, such as milliseconds.
    #[error("its `{0}` is not in seconds since 1970: it is after the year 9999")]
    NotSeconds(&'static str),
    /// A claim is of another form than it takes.
    #[error("its claim `{claim}` is not {takes}")]
    NotA {
        /// The claim.
        claim: &'static str,
        /// What it takes.
        takes: &'static str,
    },
    /// An entry of a list is not a pattern.
    #[error(
        "entry {number} of its claim `{claim}` is not a symbol, a prefix such as BTC-*, an asterisk for all, or a group such as @us"
    )]
    Entry {
        /// The claim.
        claim: &'static str,
        /// The entry's place, from 1.
        number: usize,
    },
    /// Another issuer.
    #[error("its `iss` is not the issuer that is accepted here")]
    Issuer,
    /// It is made for another service.
    #[error("its `aud` does not name this service")]
    Audience,
    /// It was valid once.
    #[error("it has expired")]
    Expired,
    /// It will be valid.
    #[error("it is not valid yet")]
    NotYetValid,
}

impl TokenError {
    /// The claim that it is about, if it is about one.
    pub fn claim(self) -> Option<&'static str> {
        match self {
            Self::Claim(claim) | Self::NotSeconds(claim) | Self::NotA { claim, .. } | Self::Entry { claim, .. } => {
                Some(claim)
            }
            Self::Issuer => Some("iss"),
            Self::Audience => Some("aud"),
            Self::Expired => Some("exp"),
            Self::NotYetValid => Some("nbf"),
            Self::TooLong | Self::Malformed | Self::Critical | Self::Key(_) | Self::Algorithm | Self::Signature => None,
        }
    }
}
