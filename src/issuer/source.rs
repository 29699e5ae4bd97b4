//! Where the keys come from.

use crate::{
    auth::KeySet,
    config::{CaFile, KeySource, Proxy},
};
use http::Uri;
use rustls::pki_types::ServerName;
use std::{fmt, path::PathBuf, sync::Arc};

/// The longest address of a JWK set, in bytes.
pub const URL_BYTES_MAX: usize = 2048;

/// Where the keys come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A JWK set in a file.
    File(PathBuf),
    /// A JWK set that a server gives.
    Https(Box<KeyServer>),
    /// The secret of HS256, in a file.
    SecretFile(PathBuf),
    /// Keys that do not change while the process runs, such as a secret of a variable.
    Fixed(FixedKeys),
}

impl Source {
    /// What the configuration names.
    ///
    /// # Errors
    /// [`UrlError`]; the configuration has checked the same before.
    pub fn of(source: &KeySource) -> Result<Self, UrlError> {
        Ok(match source {
            KeySource::File { path, .. } => Self::File(path.clone()),
            KeySource::Https { url, ca_file, proxy } => {
                let url = HttpsUrl::new(url.clone())?;
                Self::Https(Box::new(KeyServer { url, ca_file: ca_file.clone(), proxy: proxy.clone() }))
            }
            KeySource::SecretFile { path, .. } => Self::SecretFile(path.clone()),
            KeySource::SecretVariable { name, keys, .. } => {
                Self::Fixed(FixedKeys { place: format!("the secret in the variable {name}"), keys: keys.clone() })
            }
        })
    }

    /// Whether it is read without a network.
    pub fn is_local(&self) -> bool {
        !matches!(self, Self::Https(_))
    }
}

/// As logs show it: without a secret, and an address without its query.
impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "file:{}", path.display()),
            Self::Https(server) => write!(f, "{}", server.url),
            Self::SecretFile(path) => write!(f, "the secret in {}", path.display()),
            Self::Fixed(keys) => f.write_str(&keys.place),
        }
    }
}

/// A server that gives a JWK set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyServer {
    /// The address of the set.
    pub url: HttpsUrl,
    /// CAs that are trusted besides the public ones.
    pub ca_file: Option<CaFile>,
    /// The way there, where there is a proxy.
    pub proxy: Option<Proxy>,
}

/// Keys that do not change. Two of the same place are equal.
#[derive(Debug, Clone)]
pub struct FixedKeys {
    /// Where they stand, for logs.
    pub place: String,
    /// The keys.
    pub keys: Arc<KeySet>,
}

impl PartialEq for FixedKeys {
    fn eq(&self, other: &Self) -> bool {
        self.place == other.place
    }
}

impl Eq for FixedKeys {}

/// The address of a JWK set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpsUrl {
    uri: Uri,
    name: ServerName<'static>,
}

/// Why an address cannot be that of a JWK set, as the end of a sentence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// More than [`URL_BYTES_MAX`].
    #[error("has more than {URL_BYTES_MAX} bytes")]
    TooLong,
    /// Another scheme, or not an address at all.
    #[error("is not an address that begins with https://")]
    NotHttps,
    /// A user, and perhaps a password, before the host.
    #[error("has a user in it, which is not supported")]
    User,
    /// The host is neither a name nor an IP address.
    #[error("has a host that is neither a name nor an IP address")]
    Host,
    /// The port is not one.
    #[error("has a port that is not a number from 1 to 65535")]
    Port,
}

impl HttpsUrl {
    /// Reads an address such as `https://login.example/.well-known/jwks.json`.
    ///
    /// # Errors
    /// [`UrlError`].
    pub fn parse(text: &str) -> Result<Self, UrlError> {
        if text.len() > URL_BYTES_MAX {
            return Err(UrlError::TooLong);
        }
        Self::new(text.parse().map_err(|_| UrlError::NotHttps)?)
    }

    /// The same of an address in its parts.
    ///
    /// # Errors
    /// [`UrlError`].
    pub fn new(uri: Uri) -> Result<Self, UrlError> {
        let authority = uri.authority().filter(|_| uri.scheme_str() == Some("https")).ok_or(UrlError::NotHttps)?;
        if authority.as_str().contains('@') {
            return Err(UrlError::User);
        }
        let has_port = authority.as_str().rsplit(']').next().is_some_and(|rest| rest.contains(':'));
        if has_port && uri.port_u16().is_none_or(|port| port == 0) {
            return Err(UrlError::Port);
        }
        let host = without_brackets(authority.host());
        let name = ServerName::try_from(host.to_owned()).map_err(|_| UrlError::Host)?;
        Ok(Self { uri, name })
    }

    /// Without the brackets of an IPv6 address.
    pub(super) fn host(&self) -> &str {
        without_brackets(self.uri.host().unwrap_or_default())
    }

    pub(super) fn port(&self) -> u16 {
        self.uri.port_u16().unwrap_or(443)
    }

    /// The name that the server's certificate must have.
    pub(super) fn server_name(&self) -> ServerName<'static> {
        self.name.clone()
    }

    /// What the field `Host` of a request says.
    pub(super) fn authority(&self) -> &str {
        self.uri.authority().map_or("", |authority| authority.as_str())
    }

    /// What a request asks for: the path and the query.
    pub(super) fn path(&self) -> &str {
        self.uri.path_and_query().map_or("/", |path| path.as_str())
    }
}

fn without_brackets(host: &str) -> &str {
    host.trim_start_matches('[').trim_end_matches(']')
}

/// Without its query, which some servers want a key in.
impl fmt::Display for HttpsUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "https://{}{}", self.authority(), self.uri.path())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_a_host_a_port_and_a_path() {
        for (text, host, port, authority, path) in [
            ("https://login.example/keys?v=2", "login.example", 443, "login.example", "/keys?v=2"),
            ("https://login.example", "login.example", 443, "login.example", "/"),
            ("HTTPS://login.example:8443/a/b", "login.example", 8443, "login.example:8443", "/a/b"),
            ("https://[2001:db8::1]:9/k", "2001:db8::1", 9, "[2001:db8::1]:9", "/k"),
            ("https://192.0.2.1/k", "192.0.2.1", 443, "192.0.2.1", "/k"),
        ] {
            let url = HttpsUrl::parse(text).unwrap();
            assert_eq!((url.host(), url.port(), url.authority(), url.path()), (host, port, authority, path), "{text}");
        }
        let url = HttpsUrl::parse("https://login.example/keys?secret=hush").unwrap();
        assert_eq!(url.to_string(), "https://login.example/keys");
    }

    #[test]
    fn rule_10_an_address_that_is_too_long_or_not_https_is_refused() {
        let longest = format!("https://login.example/{}", "a".repeat(URL_BYTES_MAX - 22));
        assert!(HttpsUrl::parse(&longest).is_ok());
        for (text, error) in [
            (format!("{longest}a").as_str(), UrlError::TooLong),
            ("", UrlError::NotHttps),
            ("/keys", UrlError::NotHttps),
            ("login.example", UrlError::NotHttps),
            ("http://login.example/keys", UrlError::NotHttps),
            ("https://", UrlError::NotHttps),
            ("https://log in.example/", UrlError::NotHttps),
            ("https://user:hush@login.example/", UrlError::User),
            ("https://login.example:99999/", UrlError::Port),
            ("https://login.example:0/", UrlError::Port),
            ("https://login.example:/", UrlError::Port),
            ("https://a..b/", UrlError::Host),
        ] {
            assert_eq!(HttpsUrl::parse(text), Err(error), "{text}");
        }
    }

    #[test]
    fn a_source_is_shown_by_its_place() {
        let keys = Arc::new(KeySet::of_secret(&[7; 32]).unwrap());
        for (source, shown) in [
            (Source::File("/etc/keys.json".into()), "file:/etc/keys.json"),
            (Source::SecretFile("/etc/secret".into()), "the secret in /etc/secret"),
            (Source::Fixed(FixedKeys { place: "the secret in S".to_owned(), keys }), "the secret in S"),
        ] {
            assert_eq!(source.to_string(), shown);
        }
    }
}
