//! Verifies what [`credentials`](super::credentials) finds.

use super::{
    credentials::{self, Credential, has_other_scheme},
    missing_keys::MissingKeys,
    refusal::Refusal,
    verified::{TokenHash, VerifiedTokens},
};
use crate::{
    auth::{
        Claims, Grant, KeySet, LEEWAY, SubjectKey, Ticket, Tickets, TokenError, TooManyTickets, UnknownKey, verify,
    },
    config::{self, AuthMode, Config},
    market::{Now, UnixMicros},
    server::{self, Asks, Problem, Rights},
    telemetry::catalog::{AUTH_REFUSALS, AUTH_SESSIONS, AUTH_TICKETS, AUTH_TICKETS_OPEN},
};
use futures_util::future::BoxFuture;
use http::request::Parts;
use std::{sync::Arc, time::Duration};

/// The token names a key that is not among the newest.
const UNKNOWN_KEY: Refusal = Refusal::Token(TokenError::Key(UnknownKey::Named));

/// The keys that verify tokens.
pub trait Keys: Send + Sync {
    /// The newest; `None`: there are none, or they are too old.
    fn newest(&self) -> Option<Arc<KeySet>>;

    /// Fetches newer ones, for a token that names a key which is not among them. `Some`: the newest are now those that
    /// the issuer had when this was called, or later, and none are fetched for so long. `None`: that is not known.
    fn renew(&self) -> BoxFuture<'_, Option<Duration>>;
}

/// Verifies the credentials of clients.
pub(crate) struct SignOn {
    keys: Arc<dyn Keys>,
    missing: MissingKeys,
    verified: VerifiedTokens,
    subjects: SubjectKey,
    tickets: Tickets,
}

impl SignOn {
    /// Tokens are verified with `keys`, and subjects are hashed with random bytes of this process.
    pub(crate) fn new(keys: Arc<dyn Keys>) -> Self {
        AUTH_REFUSALS.register_all();
        AUTH_TICKETS.register_all();
        AUTH_SESSIONS.register_all();
        AUTH_TICKETS_OPEN.handle([]).set(0.0);
        let subjects = SubjectKey::new(rand::random());
        let (missing, verified) = Default::default();
        Self { keys, missing, verified, subjects, tickets: Tickets::default() }
    }

    /// A ticket to a grant, as its client carries it.
    ///
    /// # Errors
    /// [`Refusal::NoBearer`] for a grant without a subject, [`Refusal::TooManyTickets`] and [`Refusal::NoTicketFree`].
    pub(crate) fn ticket(&self, grant: &Arc<Grant>, ttl: Duration) -> Result<String, Refusal> {
        let subject = grant.subject.ok_or(Refusal::NoBearer)?;
        let ticket = Ticket::new(rand::random());
        let issued = self.tickets.issue(ticket, subject, grant.clone(), ttl, Now::read().instant);
        issued.map_err(|error| match error {
            TooManyTickets::OfSubject => Refusal::TooManyTickets,
            TooManyTickets::InAll => Refusal::NoTicketFree,
        })?;
        AUTH_TICKETS.handle(["issued".into()]).increment(1);
        self.publish_tickets();
        Ok(ticket.text())
    }

    /// Forgets the tickets that have expired.
    pub(crate) fn sweep(&self) {
        self.tickets.sweep(Now::read().instant);
        self.publish_tickets();
    }

    async fn admit(&self, head: &Parts, asks: Asks, config: &Config) -> Result<Rights, Refusal> {
        let auth = &config.auth;
        match credentials::read(head, asks, &config.server.cors_origins)? {
            _ if asks == Asks::Nothing => Ok(Rights::Unknown),
            None if matches!(asks, Asks::Bearer | Asks::BearerForCookie) => Err(missing(head, Refusal::NoBearer)),
            None if auth.mode == AuthMode::Required => Err(missing(head, Refusal::NoCredentials)),
            None => Ok(Rights::Granted(auth.policy.anonymous())),
            Some(Credential::Token(token)) => self.verified(token, auth).await.map(Rights::Granted),
            Some(Credential::Ticket(text)) => {
                let grant = self.tickets.take(text, &auth.policy, Now::read());
                self.publish_tickets();
                let grant = grant.ok_or(Refusal::Ticket)?;
                AUTH_TICKETS.handle(["used".into()]).increment(1);
                Ok(Rights::Granted(grant))
            }
        }
    }

    /// The grant of a token.
    async fn verified(&self, token: &[u8], auth: &config::Auth) -> Result<Arc<Grant>, Refusal> {
        let keys = self.newest()?;
        let hash = TokenHash::of(token);
        if let Some(grant) = self.verified.grant(&hash, &keys, auth, Now::read().unix) {
            return Ok(grant);
        }
        let claims = match claims(token, &keys, auth) {
            Err(UNKNOWN_KEY) if !self.missing.has(token, &keys, Now::read().instant) => {
                let claims = self.claims_of_new_key(token, auth).await?;
                return Ok(auth.policy.grant(&claims, &self.subjects));
            }
            claims => claims?,
        };
        let grant = auth.policy.grant(&claims, &self.subjects);
        self.verified.note(hash, &keys, auth, &claims, &grant);
        Ok(grant)
    }

    /// What a token says whose key is not known: the issuer may have it by now. While that is not settled, the token is
    /// not refused for good.
    async fn claims_of_new_key(&self, token: &[u8], auth: &config::Auth) -> Result<Claims, Refusal> {
        let settled = self.keys.renew().await;
        let keys = self.newest()?;
        match (claims(token, &keys, auth), settled) {
            (Err(UNKNOWN_KEY), None) => Err(Refusal::NoKeys),
            (Err(UNKNOWN_KEY), Some(settled)) => {
                self.missing.note(token, &keys, Now::read().instant, settled);
                Err(UNKNOWN_KEY)
            }
            (claims, _) => claims,
        }
    }

    fn newest(&self) -> Result<Arc<KeySet>, Refusal> {
        self.keys.newest().ok_or(Refusal::NoKeys)
    }

    fn publish_tickets(&self) {
        AUTH_TICKETS_OPEN.handle([]).set(self.tickets.len() as f64);
    }
}

fn claims(token: &[u8], keys: &KeySet, auth: &config::Auth) -> Result<Claims, Refusal> {
    verify(token, keys, auth.expected(), Now::read().unix).map_err(Refusal::Token)
}

/// The refusal, or one that says that the request's `Authorization` does not count.
fn missing(head: &Parts, refusal: Refusal) -> Refusal {
    if has_other_scheme(&head.headers) { Refusal::OtherScheme } else { refusal }
}

/// The answer, with the configured value for the log where a claim has another: the token's own is a client's.
fn problem(refusal: Refusal, auth: &config::Auth) -> Problem {
    let expected = match refusal {
        Refusal::Token(TokenError::Issuer) => Some(auth.issuer.clone()),
        Refusal::Token(TokenError::Audience) => Some(auth.audience.clone()),
        _ => None,
    };
    let mut problem = Problem::from(refusal);
    if let Some(refused) = &mut problem.refused {
        refused.expected = expected;
    }
    problem
}

/// How long the cookie of a token lasts that this grant was made of: as long as the grant.
///
/// # Errors
/// The token has expired, and counts only because clocks may differ.
pub(crate) fn lasts(grant: &Grant, now: UnixMicros) -> Result<Duration, Refusal> {
    let until = grant.until.unwrap_or(now).0.saturating_sub(now.0);
    let left = Duration::from_micros(u64::try_from(until).unwrap_or_default());
    if left > LEEWAY { Ok(left) } else { Err(Refusal::Token(TokenError::Expired)) }
}

impl server::SignOn for SignOn {
    fn rights<'a>(&'a self, head: &'a Parts, asks: Asks, config: &'a Config) -> BoxFuture<'a, Result<Rights, Problem>> {
        Box::pin(async move {
            match self.admit(head, asks, config).await {
                Ok(rights) => Ok(rights),
                // A route decides what to answer: a stream must not end for good.
                Err(Refusal::NoKeys) => Ok(Rights::Unknown),
                Err(refusal) => {
                    refusal.count();
                    Err(problem(refusal, &config.auth))
                }
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_names_the_issuer_and_the_audience_that_are_configured() {
        let mut auth = Config::default().auth;
        (auth.issuer, auth.audience) = ("https://login.example".to_owned(), "prices".to_owned());
        for (error, expected) in [
            (TokenError::Issuer, Some("https://login.example")),
            (TokenError::Audience, Some("prices")),
            (TokenError::Expired, None),
        ] {
            let refused = problem(Refusal::Token(error), &auth).refused.unwrap();
            assert_eq!(refused.expected.as_deref(), expected, "{error:?}");
        }
    }
}
