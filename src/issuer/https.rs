//! Keys from a server: one request over https, each step with a limit.

use super::{error::FetchError, source::HttpsUrl};
use crate::{
    auth::KEY_SET_BYTES_MAX,
    config::without_secrets,
    dial::{self, Dialer, Get, GetError},
};
use http_body_util::Empty;
use std::time::Duration;

/// Asks the server once. Connecting, the handshake, the head and the body of the answer take `step` each at most.
///
/// # Cancel safety
/// Dropped, it closes the connection.
pub(super) async fn fetch(dialer: &Dialer, url: &HttpsUrl, step: Duration) -> Result<Vec<u8>, FetchError> {
    let request = dial::request(url.authority(), url.path(), "application/jwk-set+json, application/json")
        .body(Empty::new())
        .map_err(|error| FetchError::Http(error.to_string()))?;
    let get = Get {
        host: url.host(),
        port: url.port(),
        server_name: Some(url.server_name()),
        request,
        body_bytes_max: KEY_SET_BYTES_MAX,
        step,
    };
    Ok(dialer.get(get).await?)
}

impl From<GetError> for FetchError {
    fn from(error: GetError) -> Self {
        match error {
            GetError::Dial(error) => Self::Dial(error),
            GetError::Tls(why) => Self::Tls(why),
            GetError::Timeout(waits_for) => Self::Timeout(waits_for),
            GetError::Http(why) => Self::Http(why),
            GetError::Redirect(to) => Self::Redirect { to: dial::shown(&without_query(&to)) },
            GetError::Status(status, _) => Self::Status(status.as_u16()),
            GetError::TooLong(bytes) => Self::TooLong(bytes),
        }
    }
}

/// The target of a redirect, without what may be a secret.
fn without_query(location: &str) -> String {
    if location.contains("://") {
        return without_secrets(location);
    }
    location.split(['?', '#']).next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_target_of_a_redirect_is_shown_without_a_secret() {
        for (location, target) in [
            ("https://other.example/keys?token=hush#a", "https://other.example/keys?…"),
            ("https://user:hush@other.example/keys", "https://other.example/keys"),
            ("/login?token=hush", "/login"),
            ("keys#hush", "keys"),
            ("", ""),
        ] {
            assert_eq!(without_query(location), target, "{location}");
        }
    }
}
