//! The names that the gateway answers to.
//!
//! A page of another site can reach a gateway in a private network by letting its own name point there (DNS rebinding).
//! The browser then takes the answer for the site's own, so CORS does not help. The page cannot forge `Host`.

use super::{problem::Quoted, request_error::RequestError};
use http::{Version, header, request::Parts, uri::Authority};
use std::net::{Ipv4Addr, Ipv6Addr};

/// The configured names, in lower case; `*.example.com` is every name below `example.com`. `localhost` and IP addresses
/// always pass: rebinding needs a name.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Hosts<'a>(pub(crate) &'a [String]);

impl Hosts<'_> {
    /// Checks that a request names this gateway.
    ///
    /// # Errors
    /// [`RequestError::BadHost`] if the host is missing, repeated or malformed, [`RequestError::UnknownHost`] if it is
    /// another's.
    pub(crate) fn check(self, request: &Parts) -> Result<(), RequestError> {
        // A request line with an absolute URI overrides `Host`. Both must pass, whichever of them a proxy in between
        // believed.
        if let Some(authority) = request.uri.authority() {
            self.check_name(authority)?;
        }
        let mut hosts = request.headers.get_all(header::HOST).iter();
        match (hosts.next(), hosts.next()) {
            (Some(host), None) => {
                let authority = Authority::try_from(host.as_bytes()).map_err(|_| RequestError::BadHost)?;
                self.check_name(&authority)
            }
            // Browsers speak HTTP/1.1 and always send it, so an old tool without it is not an attack.
            (None, _) if request.version < Version::HTTP_11 => Ok(()),
            _ => Err(RequestError::BadHost),
        }
    }

    fn check_name(self, authority: &Authority) -> Result<(), RequestError> {
        if authority.as_str().contains('@') {
            return Err(RequestError::BadHost);
        }
        let host = plain(authority.host());
        let is_address = host.parse::<Ipv4Addr>().is_ok()
            || host
                .strip_prefix('[')
                .and_then(|rest| rest.strip_suffix(']'))
                .is_some_and(|v6| v6.parse::<Ipv6Addr>().is_ok());
        if is_address || host == "localhost" || self.0.iter().any(|name| matches(name, &host)) {
            return Ok(());
        }
        Err(RequestError::UnknownHost { host: Quoted::new(&host) })
    }
}

/// Whether a configured name is this host, or covers it. Any number of labels may stand for the `*`, as in nginx.
fn matches(name: &str, host: &str) -> bool {
    match name.strip_prefix('*') {
        Some(parent) => host.strip_suffix(parent).is_some_and(|label| !label.is_empty()),
        None => host == name,
    }
}

/// Lower case, without the trailing dot of a fully qualified name.
fn plain(name: &str) -> String {
    name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::Request;

    fn check(uri: &str, version: Version, hosts: &[&str]) -> &'static str {
        let mut request = Request::builder().uri(uri).version(version);
        for host in hosts {
            request = request.header("host", *host);
        }
        let (parts, ()) = request.body(()).unwrap().into_parts();
        match Hosts(&["ticks.example.com".to_owned(), "*.example.org".to_owned()]).check(&parts) {
            Ok(()) => "passes",
            Err(RequestError::BadHost) => "bad",
            Err(_) => "unknown",
        }
    }

    #[test]
    fn only_known_names_localhost_and_addresses_pass() {
        for (host, outcome) in [
            ("localhost", "passes"),
            ("LOCALHOST:8080", "passes"),
            ("127.0.0.1:8080", "passes"),
            ("10.1.2.3", "passes"),
            ("[::1]:8080", "passes"),
            ("ticks.example.com", "passes"),
            ("ticks.example.com.", "passes"),
            ("TICKS.example.com:443", "passes"),
            ("evil.example.com", "unknown"),
            ("ticks.example.org", "passes"),
            ("A.Ticks.example.org.:443", "passes"),
            ("example.org", "unknown"),
            (".example.org", "unknown"),
            ("evilexample.org", "unknown"),
            ("ticks.example.org.evil.example", "unknown"),
            ("localhost.evil.example", "unknown"),
            ("127.0.0.1.evil.example", "unknown"),
            ("ticks.example.com.evil.example", "unknown"),
            ("[evil]", "unknown"),
            ("localhost@evil.example", "bad"),
            ("evil.example@localhost", "bad"),
            ("", "bad"),
            ("a b", "bad"),
        ] {
            assert_eq!(check("/", Version::HTTP_11, &[host]), outcome, "{host:?}");
        }
    }

    #[test]
    fn a_request_names_exactly_one_host() {
        assert_eq!(check("/", Version::HTTP_11, &[]), "bad");
        assert_eq!(check("/", Version::HTTP_10, &[]), "passes");
        assert_eq!(check("/", Version::HTTP_11, &["localhost", "localhost"]), "bad");
        assert_eq!(check("http://evil.example/", Version::HTTP_11, &["localhost"]), "unknown");
        assert_eq!(check("http://localhost/", Version::HTTP_11, &["evil.example"]), "unknown");
        assert_eq!(check("http://localhost:80/", Version::HTTP_11, &["localhost"]), "passes");
    }
}
