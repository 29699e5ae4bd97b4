//! The cookie of a session: the token itself, for a browser's own EventSource, which cannot send a header.

use super::refusal::{COOKIE_BYTES_MAX, Refusal};
use http::HeaderValue;
use std::time::Duration;

/// The cookie's name. Browsers accept this prefix only from https, for all paths and without a domain, so neither
/// another host of the site nor a page over plain http can set it.
pub(super) const COOKIE: &str = "__Host-tickfan";
/// Neither scripts of the page nor pages of other sites get it.
const ATTRIBUTES: &str = "Path=/; Secure; HttpOnly; SameSite=Strict";

/// The cookie with a verified token, which lasts as long as the streams of the token.
///
/// # Errors
/// [`Refusal::TooLongForCookie`].
pub(crate) fn cookie(token: &[u8], lasts: Duration) -> Result<HeaderValue, Refusal> {
    if token.len() > COOKIE_BYTES_MAX {
        return Err(Refusal::TooLongForCookie);
    }
    let start = format!("{COOKIE}=");
    let end = format!("; Max-Age={}; {ATTRIBUTES}", lasts.as_secs());
    let mut value = HeaderValue::from_bytes(&[start.as_bytes(), token, end.as_bytes()].concat())
        .expect("a verified token has only characters of base64url");
    value.set_sensitive(true);
    Ok(value)
}

/// What clears it.
pub(crate) fn cleared() -> HeaderValue {
    HeaderValue::try_from(format!("{COOKIE}=; Max-Age=0; {ATTRIBUTES}")).expect("it is a constant")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_lasts_as_long_as_its_token_and_no_script_and_no_other_site_gets_it() {
        let attributes = "Path=/; Secure; HttpOnly; SameSite=Strict";
        let set = cookie(b"a.b.c", Duration::from_millis(59_900)).unwrap();
        assert_eq!(set.to_str().unwrap(), format!("__Host-tickfan=a.b.c; Max-Age=59; {attributes}"));
        assert!(set.is_sensitive());
        assert_eq!(cleared().to_str().unwrap(), format!("__Host-tickfan=; Max-Age=0; {attributes}"));
    }

    #[test]
    fn rule_10_a_token_that_is_too_long_for_a_cookie_is_refused() {
        assert!(cookie(&[b'x'; COOKIE_BYTES_MAX], Duration::ZERO).is_ok());
        assert_eq!(cookie(&[b'x'; COOKIE_BYTES_MAX + 1], Duration::ZERO), Err(Refusal::TooLongForCookie));
    }
}
