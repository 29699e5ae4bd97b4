//! Why credentials do not count.

use crate::{
    auth::{TOKEN_BYTES_MAX, TokenError},
    server::{Problem, Refused},
    telemetry::{
        catalog::AUTH_REFUSALS,
        labels::{Label as _, labels},
    },
};
use http::{HeaderValue, StatusCode, header};

/// The longest token in a cookie, in bytes: browsers drop a cookie whose name, value and attributes exceed 4,096.
pub(super) const COOKIE_BYTES_MAX: usize = 3_800;

/// Why a request is refused. The message is the document's `detail`: it says what to change, and repeats nothing of the
/// credentials.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    #[error(
        "Sign on: send a token as `Authorization: Bearer`, the cookie of POST /v1/session, or, for a stream, a ticket of POST /v1/tickets."
    )]
    NoCredentials,
    #[error("Send a token as `Authorization: Bearer`: this path takes neither a cookie nor a ticket.")]
    NoBearer,
    #[error(
        "The `Authorization` of this request is not of the scheme Bearer, and does not count: send `Authorization: Bearer <token>`."
    )]
    OtherScheme,
    #[error("Get a new token: {0}.")]
    Token(TokenError),
    #[error("Get a new ticket by POST /v1/tickets: each opens one stream, within seconds.")]
    Ticket,
    #[error("Send one credential: a bearer token, the cookie or a ticket.")]
    TwoCredentials,
    #[error("A token has at most {TOKEN_BYTES_MAX} bytes; name groups instead of symbols in it.")]
    TooLong,
    #[error("A cookie has at most {max} bytes: send the token as `Authorization: Bearer`, or get a ticket.", max = COOKIE_BYTES_MAX)]
    TooLongForCookie,
    #[error(
        "A page of this origin may not use the cookie. The operator adds origins to `cors_origins` under [server]."
    )]
    WrongOrigin,
    #[error(
        "A page of another site cannot use the cookie: get a ticket by POST /v1/tickets, or send the token as `Authorization: Bearer`."
    )]
    OtherSite,
    #[error("The token does not allow any of these symbols. GET /v1/symbols says which it does.")]
    NotEntitled,
    #[error(
        "Without credentials none of these symbols may be read. Sign on, or see GET /v1/symbols for those that may."
    )]
    NotForAll,
    #[error(
        "Without credentials none of these symbols may be read. The `Authorization` of this request is not of the scheme Bearer, and does not count: send `Authorization: Bearer <token>`."
    )]
    NotForAllByOtherScheme,
    #[error("The token does not allow a stream.")]
    NoStreams,
    #[error("Use the tickets that you have, or wait until they expire.")]
    TooManyTickets,
    #[error("As many tickets are open as this gateway can have. Ask again in some seconds.")]
    NoTicketFree,
    #[error("The keys that verify tokens are not there yet. Ask again in some seconds.")]
    NoKeys,
    #[error("Clients do not sign on here: send the request without a token.")]
    Off,
}

labels! {
    /// Why a request was refused, as a metric has it.
    enum Reason {
        /// It brought no credentials.
        NoCredentials = "no_credentials",
        /// Its token is not one, or has a form that is not accepted.
        Malformed = "malformed",
        /// No key is the token's.
        UnknownKey = "unknown_key",
        /// The token's algorithm is not its key's.
        Algorithm = "algorithm",
        /// The token's signature is not its key's.
        Signature = "signature",
        /// A claim is missing or wrong.
        Claim = "claim",
        /// Another issuer made the token.
        Issuer = "issuer",
        /// The token is for another service.
        Audience = "audience",
        /// The token has expired.
        Expired = "expired",
        /// The token will be valid.
        NotYetValid = "not_yet_valid",
        /// The ticket was used, has expired, or never was.
        Ticket = "ticket",
        /// It brought two credentials.
        TwoCredentials = "two_credentials",
        /// Its token is too long.
        TooLong = "too_long",
        /// A page of another site used the cookie.
        WrongOrigin = "wrong_origin",
        /// Its token allows none of its symbols, or no stream.
        NotEntitled = "not_entitled",
        /// Its subject has as many tickets as one may have, or there are as many in all.
        TooManyTickets = "too_many_tickets",
        /// The keys are not there yet.
        NoKeys = "no_keys",
        /// Clients do not sign on.
        Off = "off",
    }
}

impl Refusal {
    fn reason(self) -> Reason {
        match self {
            Self::NoCredentials | Self::NoBearer | Self::OtherScheme => Reason::NoCredentials,
            Self::Token(TokenError::TooLong) | Self::TooLong | Self::TooLongForCookie => Reason::TooLong,
            Self::Token(TokenError::Malformed | TokenError::Critical) => Reason::Malformed,
            Self::Token(TokenError::Key(_)) => Reason::UnknownKey,
            Self::Token(TokenError::Algorithm) => Reason::Algorithm,
            Self::Token(TokenError::Signature) => Reason::Signature,
            Self::Token(
                TokenError::Claim(_) | TokenError::NotSeconds(_) | TokenError::NotA { .. } | TokenError::Entry { .. },
            ) => Reason::Claim,
            Self::Token(TokenError::Issuer) => Reason::Issuer,
            Self::Token(TokenError::Audience) => Reason::Audience,
            Self::Token(TokenError::Expired) => Reason::Expired,
            Self::Token(TokenError::NotYetValid) => Reason::NotYetValid,
            Self::Ticket => Reason::Ticket,
            Self::TwoCredentials => Reason::TwoCredentials,
            Self::WrongOrigin | Self::OtherSite => Reason::WrongOrigin,
            Self::NotEntitled | Self::NotForAll | Self::NotForAllByOtherScheme | Self::NoStreams => Reason::NotEntitled,
            Self::TooManyTickets | Self::NoTicketFree => Reason::TooManyTickets,
            Self::NoKeys => Reason::NoKeys,
            Self::Off => Reason::Off,
        }
    }

    /// Counts it, once for each answer.
    pub(crate) fn count(self) {
        AUTH_REFUSALS.handle([self.reason().label().into()]).increment(1);
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let (status, kind, title) = match refusal {
            Refusal::NoCredentials | Refusal::NoBearer | Refusal::OtherScheme => {
                (StatusCode::UNAUTHORIZED, "no-credentials", "No credentials")
            }
            Refusal::Token(TokenError::Expired) => (StatusCode::UNAUTHORIZED, "expired-token", "Expired token"),
            Refusal::Token(TokenError::TooLong) | Refusal::TooLong | Refusal::TooLongForCookie => {
                (StatusCode::BAD_REQUEST, "token-too-long", "Token too long")
            }
            Refusal::Token(_) => (StatusCode::UNAUTHORIZED, "bad-token", "Bad token"),
            Refusal::Ticket => (StatusCode::UNAUTHORIZED, "bad-ticket", "Bad ticket"),
            Refusal::TwoCredentials => (StatusCode::BAD_REQUEST, "two-credentials", "Two credentials"),
            Refusal::WrongOrigin | Refusal::OtherSite => (StatusCode::FORBIDDEN, "wrong-origin", "Wrong origin"),
            Refusal::NotEntitled | Refusal::NotForAll | Refusal::NotForAllByOtherScheme | Refusal::NoStreams => {
                (StatusCode::FORBIDDEN, "not-entitled", "Not entitled")
            }
            Refusal::TooManyTickets => (StatusCode::TOO_MANY_REQUESTS, "too-many-tickets", "Too many tickets"),
            Refusal::NoTicketFree => (StatusCode::SERVICE_UNAVAILABLE, "no-ticket-free", "No ticket free"),
            Refusal::NoKeys => (StatusCode::SERVICE_UNAVAILABLE, "no-keys", "No keys yet"),
            Refusal::Off => (StatusCode::NOT_FOUND, "no-sign-on", "No sign-on"),
        };
        let header = match status {
            StatusCode::UNAUTHORIZED => Some((header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))),
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
                Some((header::RETRY_AFTER, HeaderValue::from_static("5")))
            }
            _ => None,
        };
        let claim = if let Refusal::Token(error) = refusal { error.claim() } else { None };
        let refused = Some(Box::new(Refused { reason: refusal.reason().label(), claim, expected: None }));
        Self { header, refused, ..Self::new(status, kind, title, refusal.to_string()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_line_says_why_credentials_do_not_count_and_by_which_claim() {
        for (refusal, reason, claim) in [
            (Refusal::NoCredentials, "no_credentials", None),
            (Refusal::Token(TokenError::Signature), "signature", None),
            (Refusal::Token(TokenError::Expired), "expired", Some("exp")),
            (Refusal::Token(TokenError::NotSeconds("nbf")), "claim", Some("nbf")),
            (Refusal::Token(TokenError::Claim("tickfan.streams")), "claim", Some("tickfan.streams")),
            (Refusal::Token(TokenError::Audience), "audience", Some("aud")),
            (Refusal::Token(TokenError::Issuer), "issuer", Some("iss")),
            (Refusal::NotForAll, "not_entitled", None),
        ] {
            let refused = Problem::from(refusal).refused.unwrap();
            assert_eq!((refused.reason, refused.claim), (reason, claim), "{refusal:?}");
        }
    }
}
