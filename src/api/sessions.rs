//! `/v1/session` and `/v1/tickets`: a verified token, in the form of a cookie or of a ticket.

use super::{
    error::ApiError,
    routes::{Asked, Context},
};
use crate::{
    access::{Refusal, SignOn, bearer, cleared, cookie, lasts},
    auth::Grant,
    market::Now,
    server::{Answer, Request, Response, Rights, json},
    telemetry::catalog::AUTH_SESSIONS,
};
use http::{HeaderValue, Method, StatusCode, header};
use std::sync::Arc;

/// Sets the cookie of the request's token, or clears it.
pub(super) fn session(_: &Context, request: Request) -> Answer<Asked> {
    Answer::whole(if request.method == Method::DELETE { close(&request) } else { open(&request) })
}

fn open(request: &Request) -> Result<Response, ApiError> {
    request.query.check(&[])?;
    let grant = granted(&request.rights)?;
    let token = bearer(&request.headers).ok_or(Refusal::NoCredentials)?;
    let cookie = cookie(token, lasts(grant, Now::read().unix))?;
    AUTH_SESSIONS.handle(["opened".into()]).increment(1);
    Ok(with_cookie(cookie))
}

fn close(request: &Request) -> Result<Response, ApiError> {
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
pub(super) fn ticket(context: &Context, request: Request) -> Answer<Asked> {
    Answer::whole(issue(context, &request))
}

fn issue(context: &Context, request: &Request) -> Result<Response, ApiError> {
    request.query.check(&[])?;
    let grant = granted(&request.rights)?;
    let sign_on: &SignOn = context.sign_on.as_ref().ok_or(Refusal::Off)?;
    let ttl = context.live.current().auth.ticket_ttl;
    let ticket = sign_on.ticket(grant, ttl)?;
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
