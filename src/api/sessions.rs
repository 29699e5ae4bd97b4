//! `/v1/session` and `/v1/tickets`: a verified token, in the form of a cookie or of a ticket.

use super::error::ApiError;
use crate::{
    access::{Refusal, SignOn, bearer, cleared, cookie, lasts},
    auth::Grant,
    market::Now,
    server::{Request, Response, Rights, json},
    telemetry::catalog::AUTH_SESSIONS,
};
use http::{HeaderValue, StatusCode, header};
use std::{sync::Arc, time::Duration};

/// Sets the cookie of the request's token.
///
/// # Errors
/// The token has expired or is too long for a cookie, or clients do not sign on.
pub(super) fn open(request: &Request) -> Result<Response, ApiError> {
    request.query.check(&[])?;
    let grant = granted(&request.rights)?;
    let token = bearer(&request.headers).ok_or(Refusal::NoBearer)?;
    let cookie = cookie(token, lasts(grant, Now::read().unix)?)?;
    AUTH_SESSIONS.handle(["opened".into()]).increment(1);
    Ok(with_cookie(cookie))
}

/// Clears the cookie.
///
/// # Errors
/// The request has a parameter.
pub(super) fn close(request: &Request) -> Result<Response, ApiError> {
    request.query.check(&[])?;
    AUTH_SESSIONS.handle(["closed".into()]).increment(1);
    Ok(with_cookie(cleared()))
}

fn with_cookie(cookie: HeaderValue) -> Response {
    let mut response = Response::default();
    *response.status_mut() = StatusCode::NO_CONTENT;
    response.headers_mut().insert(header::SET_COOKIE, cookie);
    response
}

/// Issues a ticket to what the request's token allows.
///
/// # Errors
/// The subject has too many, or clients do not sign on.
pub(super) fn ticket(sign_on: Option<&SignOn>, ttl: Duration, request: &Request) -> Result<Response, ApiError> {
    request.query.check(&[])?;
    let grant = granted(&request.rights)?;
    let ticket = sign_on.ok_or(Refusal::Off)?.ticket(grant, ttl)?;
    let mut response = json(format!("{{\"ticket\":\"{ticket}\",\"expires_in\":{}}}", ttl.as_secs()));
    *response.status_mut() = StatusCode::CREATED;
    Ok(response)
}

fn granted(rights: &Rights) -> Result<&Arc<Grant>, Refusal> {
    match rights {
        Rights::Granted(grant) => Ok(grant),
        Rights::All => Err(Refusal::Off),
        Rights::Unknown => Err(Refusal::NoKeys),
    }
}
