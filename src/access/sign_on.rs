//! Verifies what [`credentials`](super::credentials) finds.

use super::{
    credentials::{self, Asks, Credential},
    refusal::Refusal,
};
use crate::{
    auth::{Claims, Grant, KeySet, LEEWAY, SubjectKey, Ticket, Tickets, TokenError, UnknownKey, verify},
    config::{self, AuthMode, Config},
    market::{Now, UnixMicros},
    server::{self, Problem, Rights},
    telemetry::catalog::{AUTH_REFUSALS, AUTH_SESSIONS, AUTH_TICKETS, AUTH_TICKETS_OPEN},
};
use futures_util::future::BoxFuture;
use http::{Method, request::Parts};
use std::{sync::Arc, time::Duration};

/// The keys that verify tokens.
pub trait Keys: Send + Sync {
    /// The newest; `None`: there are none, or they are too old.
    fn newest(&self) -> Option<Arc<KeySet>>;

    /// Fetches newer ones, for a token that names a key which is not among them. Returns whether the newest are now
    /// those that the issuer has; `false`: not now, or the fetch failed.
    fn renew(&self) -> BoxFuture<'_, bool>;
}

/// Verifies the credentials of clients.
pub(crate) struct SignOn {
    keys: Arc<dyn Keys>,
    subjects: SubjectKey,
    tickets: Tickets,
    asks: fn(&Method, &str) -> Asks,
}

impl SignOn {
    /// Tokens are verified with `keys`, subjects are hashed with random bytes of this process, and `asks` says which
    /// credentials a path asks for.
    pub(crate) fn new(keys: Arc<dyn Keys>, asks: fn(&Method, &str) -> Asks) -> Self {
        AUTH_REFUSALS.register_all();
        AUTH_TICKETS.register_all();
        AUTH_SESSIONS.register_all();
        AUTH_TICKETS_OPEN.handle([]).set(0.0);
        let subjects = SubjectKey::new(rand::random());
        Self { keys, subjects, tickets: Tickets::default(), asks }
    }

    /// A ticket to a grant, as its client carries it.
    ///
    /// # Errors
    /// [`Refusal::NoCredentials`] for a grant without a subject, and [`Refusal::TooManyTickets`].
    pub(crate) fn ticket(&self, grant: &Arc<Grant>, ttl: Duration) -> Result<String, Refusal> {
        let subject = grant.subject.ok_or(Refusal::NoCredentials)?;
        let ticket = Ticket::new(rand::random());
        let issued = self.tickets.issue(ticket, subject, grant.clone(), ttl, Now::read().instant);
        issued.map_err(|_| Refusal::TooManyTickets)?;
        AUTH_TICKETS.handle(["issued".into()]).increment(1);
        self.publish_tickets();
        Ok(ticket.text())
    }

    /// Forgets the tickets that have expired.
    pub(crate) fn sweep(&self) {
        self.tickets.sweep(Now::read().instant);
        self.publish_tickets();
    }

    async fn admit(&self, head: &Parts, config: &Config) -> Result<Rights, Refusal> {
        let auth = &config.auth;
        let asks = (self.asks)(&head.method, head.uri.path());
        match credentials::read(head, asks, &config.server.cors_origins)? {
            _ if asks == Asks::Nothing => Ok(Rights::Unknown),
            None if asks == Asks::Bearer || auth.mode == AuthMode::Required => Err(Refusal::NoCredentials),
            None => Ok(Rights::Granted(auth.policy.anonymous())),
            Some(Credential::Token(token)) => self.verified(token, auth).await.map(Rights::Granted),
            Some(Credential::Ticket(text)) => {
                let grant = self.tickets.take(text, Now::read());
                self.publish_tickets();
                let grant = grant.ok_or(Refusal::Ticket)?;
                AUTH_TICKETS.handle(["used".into()]).increment(1);
                Ok(Rights::Granted(grant))
            }
        }
    }

    /// The grant of a token.
    async fn verified(&self, token: &[u8], auth: &config::Auth) -> Result<Arc<Grant>, Refusal> {
        let claims = match self.claims(token, auth) {
            // The issuer may have a new key. While that is not known, the token is not refused for good.
            Err(Refusal::Token(TokenError::Key(UnknownKey::Named))) => match self.keys.renew().await {
                true => self.claims(token, auth),
                false => Err(Refusal::NoKeys),
            },
            claims => claims,
        }?;
        Ok(auth.policy.grant(&claims, &self.subjects))
    }

    fn claims(&self, token: &[u8], auth: &config::Auth) -> Result<Claims, Refusal> {
        let keys = self.keys.newest().ok_or(Refusal::NoKeys)?;
        verify(token, &keys, auth.expected(), Now::read().unix).map_err(Refusal::Token)
    }

    fn publish_tickets(&self) {
        AUTH_TICKETS_OPEN.handle([]).set(self.tickets.len() as f64);
    }
}

/// How long a token lasts that this grant was made of.
pub(crate) fn lasts(grant: &Grant, now: UnixMicros) -> Duration {
    let until = grant.until.unwrap_or(now).0.saturating_sub(now.0);
    Duration::from_micros(u64::try_from(until).unwrap_or_default()).saturating_sub(LEEWAY)
}

impl server::SignOn for SignOn {
    fn rights<'a>(&'a self, head: &'a Parts, config: &'a Config) -> BoxFuture<'a, Result<Rights, Problem>> {
        Box::pin(async {
            match self.admit(head, config).await {
                Ok(rights) => Ok(rights),
                // A route decides what to answer: a stream must not end for good.
                Err(Refusal::NoKeys) => Ok(Rights::Unknown),
                Err(refusal) => {
                    refusal.count();
                    Err(refusal.into())
                }
            }
        })
    }
}
