//! Where a websocket is opened, and which redirects are followed.

use http::{Uri, uri::Scheme};
use std::fmt;

/// The address of a websocket, in its parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) uri: Uri,
    /// Without the brackets of an IPv6 address.
    pub(super) host: String,
    pub(super) port: u16,
    is_tls: bool,
}

/// The address without its query, where some venues want a key.
impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(without_query(&self.uri.to_string()))
    }
}

/// Why a redirect is not followed, as the end of a sentence.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refusal(pub(super) &'static str);

impl Target {
    /// Reads `ws://` and `wss://`; nothing else is an address of a websocket.
    pub(super) fn parse(url: &str) -> Option<Self> {
        let uri: Uri = url.parse().ok()?;
        let is_tls = match uri.scheme_str()? {
            "ws" => false,
            "wss" => true,
            _ => return None,
        };
        let host = uri.host()?.trim_start_matches('[').trim_end_matches(']').to_owned();
        let authority = uri.authority()?.as_str();
        let has_port = authority.rsplit(['@', ']']).next()?.contains(':');
        if has_port && uri.port_u16().is_none() {
            return None;
        }
        let port = uri.port_u16().unwrap_or(if is_tls { 443 } else { 80 });
        (!host.is_empty()).then_some(Self { uri, host, port, is_tls })
    }

    /// Where a redirect from here leads. Another host is another site, which the configuration does not name; and a
    /// login must not leave TLS.
    pub(super) fn redirected(&self, location: &str) -> Result<Self, Refusal> {
        let next = Self::parse(&self.resolve(location)).ok_or(Refusal("is not the address of a websocket"))?;
        if next.uri.authority().is_some_and(|authority| authority.as_str().contains('@')) {
            return Err(Refusal("has a user in it"));
        }
        if next.name() != self.name() {
            return Err(Refusal("is another host"));
        }
        if self.is_tls && !next.is_tls {
            return Err(Refusal("leaves TLS"));
        }
        Ok(next)
    }

    /// The host, for comparisons.
    fn name(&self) -> String {
        self.host.trim_end_matches('.').to_ascii_lowercase()
    }

    /// The address that a `Location` means. Servers write `http` for `ws`.
    fn resolve(&self, location: &str) -> String {
        let location = location.trim().split('#').next().unwrap_or_default();
        let scheme = self.uri.scheme().map_or("", Scheme::as_str);
        let authority = self.uri.authority().map_or("", |authority| authority.as_str());
        let path = self.uri.path();
        if let Some((scheme, rest)) = location.split_once("://").filter(|(scheme, _)| !scheme.contains(['/', '?'])) {
            return match scheme.to_ascii_lowercase().as_str() {
                "http" => format!("ws://{rest}"),
                "https" => format!("wss://{rest}"),
                other => format!("{other}://{rest}"),
            };
        }
        match location.as_bytes() {
            [] => String::new(),
            [b'/', b'/', ..] => format!("{scheme}:{location}"),
            [b'/', ..] => format!("{scheme}://{authority}{location}"),
            [b'?', ..] => format!("{scheme}://{authority}{path}{location}"),
            _ => {
                let folder = path.rfind('/').map_or("/", |end| &path[..=end]);
                format!("{scheme}://{authority}{folder}{location}")
            }
        }
    }
}

/// An address as logs may show it.
pub(in crate::feed) fn without_query(url: &str) -> &str {
    url.split(['?', '#']).next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_a_host_and_a_port() {
        for (url, host, port) in [
            ("ws://venue.test/a?b=c", "venue.test", 80),
            ("wss://venue.test", "venue.test", 443),
            ("wss://[::1]:9/", "::1", 9),
            ("ws://127.0.0.1:8080/ws", "127.0.0.1", 8080),
        ] {
            let target = Target::parse(url).unwrap();
            assert_eq!((target.host.as_str(), target.port), (host, port), "{url}");
        }
        for url in ["", "venue.test", "https://venue.test", "ws://", "/a", "ws://venue.test:99999"] {
            assert_eq!(Target::parse(url), None, "{url}");
        }
        assert_eq!(Target::parse("wss://venue.test/a?key=secret").unwrap().to_string(), "wss://venue.test/a");
    }

    #[test]
    fn a_redirect_within_the_site_is_followed_and_any_other_refused() {
        let followed = |from: &str, location: &str, to: &str| {
            let next = Target::parse(from).unwrap().redirected(location).unwrap();
            assert_eq!(next.uri, to.parse::<Uri>().unwrap(), "{from} → {location}");
        };
        for (location, to) in [
            ("/v2/ws", "wss://venue.test/v2/ws"),
            ("wss://venue.test:9443/v2", "wss://venue.test:9443/v2"),
            ("https://venue.test/v2?a=b", "wss://venue.test/v2?a=b"),
            ("WSS://VENUE.test./v2", "wss://VENUE.test./v2"),
            ("//venue.test/v2", "wss://venue.test/v2"),
            ("?a=b", "wss://venue.test/v1/ws?a=b"),
            (" v2#there ", "wss://venue.test/v1/v2"),
            ("/login?next=https://other.test/", "wss://venue.test/login?next=https://other.test/"),
        ] {
            followed("wss://venue.test/v1/ws?old", location, to);
        }
        followed("ws://venue.test", "https://venue.test/", "wss://venue.test/");
        followed("ws://[::1]:80/a", "b", "ws://[::1]:80/b");
        for (location, why) in [
            ("wss://other.test/v2", "is another host"),
            ("wss://eu.venue.test/v2", "is another host"),
            ("//other.test/v2", "is another host"),
            ("wss://venue.test.evil.test/", "is another host"),
            ("wss://venue.test@other.test/", "has a user in it"),
            ("wss://key@venue.test/", "has a user in it"),
            ("ws://venue.test/v2", "leaves TLS"),
            ("http://venue.test:443/v2", "leaves TLS"),
            ("ftp://venue.test/", "is not the address of a websocket"),
            ("wss:///v2", "is not the address of a websocket"),
            ("/v2 ws", "is not the address of a websocket"),
            ("", "is not the address of a websocket"),
        ] {
            let refused = Target::parse("wss://venue.test/v1/ws").unwrap().redirected(location);
            assert_eq!(refused, Err(Refusal(why)), "{location}");
        }
    }
}
