//! The credentials of a request, as its head has them. Nothing is verified here.

use super::{refusal::Refusal, session::COOKIE};
use crate::{
    auth::TOKEN_BYTES_MAX,
    server::{Asks, is_listed, is_ours},
};
use http::{HeaderMap, HeaderValue, header, request::Parts};

/// What a request brings.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Credential<'a> {
    /// A token, from `Authorization` or from the cookie.
    Token(&'a [u8]),
    /// A ticket.
    Ticket(&'a str),
}

/// Finds the credential of a request, if it brings one.
///
/// # Errors
/// It brings two, one that is too long, or a cookie from a page that may not use it.
pub(super) fn read<'a>(head: &'a Parts, asks: Asks, origins: &[String]) -> Result<Option<Credential<'a>>, Refusal> {
    if asks == Asks::Nothing {
        return Ok(None);
    }
    let mut found = bearers(&head.headers).map(Credential::Token).collect::<Vec<_>>();
    let has_bearer = !found.is_empty();
    let counts_cookie = matches!(asks, Asks::Token | Asks::TokenOrTicket);
    if counts_cookie {
        found.extend(cookies(&head.headers).map(Credential::Token));
    }
    let has_cookie = counts_cookie && found.len() > usize::from(has_bearer);
    if asks == Asks::TokenOrTicket {
        found.extend(tickets(head.uri.query().unwrap_or_default()).map(Credential::Ticket));
    }
    match found[..] {
        [] => Ok(None),
        [Credential::Token(token)] if token.len() > TOKEN_BYTES_MAX => Err(Refusal::TooLong),
        [credential] => {
            if has_cookie || asks == Asks::BearerForCookie {
                check_page(head, origins)?;
            }
            Ok(Some(credential))
        }
        _ => Err(Refusal::TwoCredentials),
    }
}

/// The first token of `Authorization`.
pub(crate) fn bearer(headers: &HeaderMap) -> Option<&[u8]> {
    bearers(headers).next()
}

/// Whether there is an `Authorization`, and none of the scheme Bearer: a client that meant a token must be told so.
pub(crate) fn has_other_scheme(headers: &HeaderMap) -> bool {
    headers.contains_key(header::AUTHORIZATION) && bearer(headers).is_none()
}

/// The tokens of `Authorization`. A field of another scheme is a proxy's own affair.
fn bearers(headers: &HeaderMap) -> impl Iterator<Item = &[u8]> {
    headers.get_all(header::AUTHORIZATION).iter().filter_map(|value| {
        let value = value.as_bytes();
        let (scheme, token) = value.split_at_checked("bearer".len())?;
        let is_bearer = scheme.eq_ignore_ascii_case(b"bearer") && token.first().is_none_or(|byte| *byte == b' ');
        is_bearer.then(|| token.trim_ascii())
    })
}

/// The values of our cookie. HTTP/2 may split a field of cookies into several.
fn cookies(headers: &HeaderMap) -> impl Iterator<Item = &[u8]> {
    let pairs = headers.get_all(header::COOKIE).iter().flat_map(|field| field.as_bytes().split(|byte| *byte == b';'));
    pairs.filter_map(|pair| pair.trim_ascii().strip_prefix(COOKIE.as_bytes())?.strip_prefix(b"="))
}

/// The tickets of a query. A ticket has only characters that need no escape.
fn tickets(query: &str) -> impl Iterator<Item = &str> {
    query.split('&').filter_map(|pair| pair.strip_prefix("ticket="))
}

/// Checks that the page that made the request may use the cookie, and so be given it: one of this origin, or a listed
/// one of this site. The browser sends a `SameSite=Strict` cookie for a page of this site alone; this is the second
/// lock. From a page of another site it does not even keep one.
fn check_page(head: &Parts, origins: &[String]) -> Result<(), Refusal> {
    let mut sites = head.headers.get_all("sec-fetch-site").iter();
    let site = sites.next().map(HeaderValue::as_bytes);
    let origin = head.headers.get(header::ORIGIN);
    let is_listed = || origin.is_some_and(|origin| is_listed(origin, origins));
    let may = match (site, sites.next()) {
        (Some(b"none" | b"same-origin"), None) => true,
        (Some(b"same-site"), None) => is_listed(),
        (Some(b"cross-site"), None) => return Err(Refusal::OtherSite),
        // An old browser, or a program. The former says where a page is from, except for a simple GET.
        (None, None) => origin.is_none_or(|origin| is_ours(origin, &head.headers, &head.uri)) || is_listed(),
        _ => false,
    };
    if may { Ok(()) } else { Err(Refusal::WrongOrigin) }
}

#[cfg(test)]
#[path = "credentials_tests.rs"]
mod tests;
