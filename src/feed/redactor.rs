//! Makes untrusted bytes fit for logs and operators.

use crate::venue::{Secret, in_query};
use std::{
    cmp::Reverse,
    sync::{PoisonError, RwLock},
};

/// Stands for a secret.
const HIDDEN: &str = "(hidden)";

/// Renders untrusted bytes for logs: escaped, truncated, and with our secrets redacted, since a venue may echo
/// them.
#[derive(Debug, Default)]
pub(super) struct Redactor {
    /// Without backslashes, since an echo may be escaped any number of times. The longest first: one may begin another.
    /// A std lock: read where something is logged or shown.
    secrets: RwLock<Vec<Vec<u8>>>,
}

impl Redactor {
    pub(super) fn new(secrets: &[Secret]) -> Self {
        let redactor = Self::default();
        redactor.hide(secrets);
        redactor
    }

    /// Hides these secrets too.
    pub(super) fn hide(&self, secrets: &[Secret]) {
        // A venue that wants its key in the address may echo it from there.
        let forms = secrets.iter().flat_map(|secret| [secret.expose().to_owned(), in_query(secret.expose())]);
        let plain = forms.map(|secret| secret.bytes().filter(|&byte| byte != b'\\').collect::<Vec<u8>>());
        let mut all = self.secrets.write().unwrap_or_else(PoisonError::into_inner);
        for secret in plain.filter(|secret| !secret.is_empty()) {
            if !all.contains(&secret) {
                all.push(secret);
            }
        }
        all.sort_by_key(|secret| Reverse(secret.len()));
    }

    /// Renders about `max` characters of a message of `whole` bytes that begins with `bytes`.
    pub(super) fn show(&self, bytes: &[u8], whole: usize, max: usize) -> String {
        let secrets = self.secrets.read().unwrap_or_else(PoisonError::into_inner);
        let mut text = String::new();
        let mut rest = bytes;
        while let Some(&byte) = rest.first()
            && text.len() < max
        {
            let found: Vec<Begins> = secrets.iter().map(|secret| begins(rest, secret)).collect();
            if let Some(length) = found.iter().find_map(Begins::length) {
                text.push_str(HIDDEN);
                rest = &rest[length..];
            } else if bytes.len() < whole && found.contains(&Begins::Perhaps) {
                break;
            } else {
                push_printable(&mut text, byte);
                rest = &rest[1..];
            }
        }
        if !rest.is_empty() || bytes.len() < whole {
            text.push_str(&format!("… ({whole} bytes)"));
        }
        text
    }
}

/// Whether a string begins with a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Begins {
    No,
    /// All that there is of it does.
    Perhaps,
    /// In so many bytes.
    With(usize),
}

impl Begins {
    fn length(&self) -> Option<usize> {
        if let Self::With(length) = self { Some(*length) } else { None }
    }
}

/// Compares a string with a secret, however often JSON has escaped it.
fn begins(text: &[u8], secret: &[u8]) -> Begins {
    let mut rest = text;
    for &wanted in secret {
        match unescaped(rest) {
            Some((byte, behind)) if byte == wanted => rest = behind,
            Some(_) => return Begins::No,
            None => return Begins::Perhaps,
        }
    }
    Begins::With(text.len() - rest.len())
}

/// The first character, and what is behind it: `/`, `\/`, `\\/` and `\u002f` are the same.
fn unescaped(text: &[u8]) -> Option<(u8, &[u8])> {
    let escapes = text.iter().take_while(|&&byte| byte == b'\\').count();
    let (&first, behind) = text[escapes..].split_first()?;
    let code = behind.strip_prefix(b"00").and_then(|code| code.split_at_checked(2));
    match code.filter(|_| escapes > 0 && first == b'u') {
        Some((digits, behind)) => {
            let byte = std::str::from_utf8(digits).ok().and_then(|digits| u8::from_str_radix(digits, 16).ok());
            Some((byte.unwrap_or_default(), behind))
        }
        None => Some((first, behind)),
    }
}

/// Appends what a terminal may show. Quotes stay: most messages are JSON.
fn push_printable(text: &mut String, byte: u8) {
    if byte == b' ' || byte.is_ascii_graphic() {
        text.push(char::from(byte));
    } else {
        text.push_str(&byte.escape_ascii().to_string());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MAX: usize = 160;

    fn redactor(key: &str, secret: &str) -> Redactor {
        Redactor::new(&[key, secret].map(Secret::new))
    }

    fn show(bytes: &[u8]) -> String {
        redactor("PKTEST", "hu\"sh/").show(bytes, bytes.len(), MAX)
    }

    #[test]
    fn untrusted_bytes_cannot_forge_a_line() {
        assert_eq!(show(b"a\r\n\x1b[31m\"\xff"), "a\\r\\n\\x1b[31m\"\\xff");
        assert_eq!(show(&[b'x'; 1_000]), format!("{}… (1000 bytes)", "x".repeat(MAX)));
        assert_eq!(Redactor::default().show(b"abc", 3, 2), "ab… (3 bytes)");
    }

    #[test]
    fn our_credentials_are_redacted_in_every_form_a_venue_may_echo() {
        assert_eq!(show(b"no such key: PKTEST"), "no such key: (hidden)");
        for echo in [r#"hu"sh/"#, r#"hu\"sh/"#, r#"hu\"sh\/"#, r#"hu\\\"sh\\\/"#, r#"h\u0075\u0022sh\u002F"#] {
            assert_eq!(show(format!("[{echo}]").as_bytes()), "[(hidden)]");
        }
        let in_the_address = redactor("KEY&1/x", "s");
        let echo = b"GET /?token=KEY%261%2Fx&a=KEY&1/x 403";
        assert_eq!(in_the_address.show(echo, echo.len(), MAX), "GET /?token=(hidden)&a=(hidden) 403");
        assert_eq!(show(br"\u00zz hu"), r"\u00zz hu", "a part of it is its own concern");
        let one_begins_another = redactor("PK", "PKTEST");
        assert_eq!(one_begins_another.show(b"PKTEST PK", 9, MAX), "(hidden) (hidden)");
    }

    proptest! {
        /// However often it comes back, and wherever the message is cut.
        #[test]
        fn no_part_of_a_secret_is_shown(
            before in 0_usize..200, between in 0_usize..30, echoes in 1_usize..20, max in 1_usize..300, cut in 0_usize..50,
        ) {
            let secret = "0123456789abcdefghijklmnopqrstuvwxyz";
            let redactor = redactor("PKTEST", secret);
            let echo = format!("{}{secret}", " ".repeat(between));
            let message = format!("{}{}", " ".repeat(before), echo.repeat(echoes));
            let kept = &message.as_bytes()[..message.len().min(max + cut)];
            let shown = redactor.show(kept, message.len(), max).replace(HIDDEN, "");
            let (shown, _) = shown.split_once('…').unwrap_or((&shown, ""));
            prop_assert!(shown.trim().is_empty(), "{shown}");
        }
    }
}
