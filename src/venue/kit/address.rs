//! A venue's address, from the config or its own.

use crate::venue::{Secret, VenueError};
use http::Uri;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// `base` with `path` where it has none of its own.
pub(in crate::venue) fn join(base: &str, path: &str) -> Result<String, VenueError> {
    let bad = || VenueError::BadUrl { url: without_query(base).to_owned() };
    let uri: Uri = base.parse().map_err(|_| bad())?;
    let websocket = matches!(uri.scheme_str(), Some("ws" | "wss"));
    if !websocket || uri.host().is_none_or(str::is_empty) {
        return Err(bad());
    }
    if !matches!(uri.path(), "" | "/") {
        return Ok(base.to_owned());
    }
    let (host, query) = base.split_once('?').unzip();
    let joined = format!("{}{path}", host.unwrap_or(base).trim_end_matches('/'));
    let sign = if path.contains('?') { '&' } else { '?' };
    Ok(match query {
        Some(query) => format!("{joined}{sign}{query}"),
        None => joined,
    })
}

/// A value as it stands in the query of an address: all but letters, digits, `-`, `_` and `.` is percent-encoded (RFC
/// 3986, section 2.1).
pub fn in_query(value: &str) -> String {
    const ENCODED: AsciiSet = NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.');
    utf8_percent_encode(value, &ENCODED).to_string()
}

/// An address with this field in its query.
pub(in crate::venue) fn with_field(address: &str, name: &str, value: &str) -> String {
    let sign = if address.contains('?') { '&' } else { '?' };
    format!("{address}{sign}{name}={}", in_query(value))
}

/// An address with the key in this field of its query, where a venue wants it there.
pub(in crate::venue) fn with_key(address: &str, field: &str, key: &Secret) -> String {
    with_field(address, field, key.expose())
}

/// The value of this field in an address's query.
pub(in crate::venue) fn field<'a>(address: &'a str, name: &str) -> Option<&'a str> {
    let query = address.split_once('?')?.1.split('#').next()?;
    query.split('&').find_map(|field| field.split_once('=').filter(|(key, _)| *key == name)).map(|(_, value)| value)
}

/// An address up to its query, where some venues want a key.
pub(in crate::venue) fn without_query(address: &str) -> &str {
    address.split(['?', '#']).next().unwrap_or_default()
}

/// The host of an address, in lower case, and the segments of its path.
pub(in crate::venue) fn parts(url: &str) -> (String, Vec<&str>) {
    let address = without_query(url);
    let rest = address.split_once("://").map_or(address, |(_, rest)| rest);
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let authority = authority.rsplit('@').next().unwrap_or_default();
    let host = authority.split(':').next().unwrap_or_default().trim_end_matches('.').to_ascii_lowercase();
    (host, path.split('/').filter(|segment| !segment.is_empty()).collect())
}

/// Whether a host is this domain, or within it.
pub(in crate::venue) fn is_within(host: &str, domain: &str) -> bool {
    host.strip_suffix(domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

/// The error of an address that can never carry the data, and what to write instead.
pub(in crate::venue) fn wrong(url: &str, why: &'static str, instead: &'static str) -> VenueError {
    VenueError::WrongEndpoint { url: without_query(url).to_owned(), why, instead }
}

/// Where a venue's own stream is.
#[derive(Debug)]
pub(in crate::venue) struct Home {
    pub(in crate::venue) domain: &'static str,
    /// The first part of its host.
    pub(in crate::venue) host: &'static str,
    /// The segments of its path, which an address may leave out.
    pub(in crate::venue) path: &'static [&'static str],
    /// Why another address of the domain is wrong, and what to write instead.
    pub(in crate::venue) why: &'static str,
    pub(in crate::venue) instead: &'static str,
}

impl Home {
    /// Rejects what can never carry the stream. Another host than the venue's own has paths of its own.
    pub(in crate::venue) fn check(&self, url: &str) -> Result<(), VenueError> {
        let (host, path) = parts(url);
        if !is_within(&host, self.domain) {
            return Ok(());
        }
        if host.split('.').next() != Some(self.host) || !(path.is_empty() || path == self.path) {
            return Err(wrong(url, self.why, self.instead));
        }
        check_tls(url)
    }
}

/// Rejects an address of the venue's own that is not served without TLS.
pub(in crate::venue) fn check_tls(url: &str) -> Result<(), VenueError> {
    let is_encrypted = url.to_ascii_lowercase().starts_with("wss://");
    is_encrypted.then_some(()).ok_or_else(|| wrong(url, "is not served without TLS", "write wss:// in front of it"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_in_a_query_is_one_field_whatever_it_holds() {
        for (address, whole) in [
            ("wss://a.example", "wss://a.example?token=Ab-9%26x%3D%23%20"),
            ("wss://a.example/x?b=1", "wss://a.example/x?b=1&token=Ab-9%26x%3D%23%20"),
        ] {
            let made = with_key(address, "token", &Secret::new("Ab-9&x=# "));
            assert_eq!(made, whole);
            assert_eq!(field(&made, "token"), Some("Ab-9%26x%3D%23%20"));
            assert_eq!(field(&made, "tok"), None);
        }
        assert_eq!(field("wss://a.example/x", "x"), None);
    }

    #[test]
    fn a_base_gets_the_venues_path_and_a_full_address_keeps_its_own() {
        for (base, joined) in [
            ("wss://venue.example:9443", "wss://venue.example:9443/stream?a=b"),
            ("ws://127.0.0.1:1/", "ws://127.0.0.1:1/stream?a=b"),
            ("wss://venue.example/ws", "wss://venue.example/ws"),
        ] {
            assert_eq!(join(base, "/stream?a=b").as_deref(), Ok(joined));
        }
        for (base, path, joined) in [
            ("wss://venue.example:9443?id=9", "/stream", "wss://venue.example:9443/stream?id=9"),
            ("wss://venue.example/?id=9", "/stream?a=b", "wss://venue.example/stream?a=b&id=9"),
            ("wss://venue.example?id=9", "", "wss://venue.example?id=9"),
            ("wss://venue.example/ws?id=9", "/stream?a=b", "wss://venue.example/ws?id=9"),
        ] {
            assert_eq!(join(base, path).as_deref(), Ok(joined), "a query is not a path");
        }
        let with_query = join("https://venue.example/?token=hush", "/");
        assert_eq!(
            with_query,
            Err(VenueError::BadUrl { url: "https://venue.example/".to_owned() }),
            "a query may hold a key"
        );
        for bad in ["", "venue.example", "https://venue.example", "wss://", "wss:///x", "wss://a b", "ws://\u{0}"] {
            assert_eq!(join(bad, "/"), Err(VenueError::BadUrl { url: bad.to_owned() }));
        }
    }
}
