//! `key_env` and `secret_env` of `[[feed]]`: the variables that hold what a venue knows us by.

use super::{
    VenueKind,
    error::{Wrong, shown},
    value::text,
};
use std::{
    ffi::{OsStr, OsString},
    fmt,
    ops::Range,
};
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

/// The longest name of a variable that is looked for.
const NAME_LENGTH_MAX: usize = 64;
/// The longest secret, in bytes: no venue's is over 100.
const SECRET_BYTES_MAX: usize = 512;

/// The environment, as it was passed in.
pub(super) type Variables = [(OsString, OsString)];

/// A text that nobody may read. Neither `Debug` nor `Display` shows it, nor any error.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Hides a text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text, for the one message to the venue that it is for.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(hidden)")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(hidden)")
    }
}

/// What a venue knows us by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The name of the account's key, as the venue gave it.
    pub key: Secret,
    /// The key's secret.
    pub secret: Secret,
}

/// Reads the credentials that the feed's venue wants, from the variables that the feed names.
pub(super) fn read(
    fields: &DeTable<'_>,
    venue: VenueKind,
    table: Range<usize>,
    variables: &Variables,
) -> Result<Option<Credentials>, Wrong> {
    let given = ["key_env", "secret_env"].map(|name| (name, fields.get(name)));
    if !venue.needs_key() {
        return match given.iter().find_map(|(name, value)| value.map(|value| (name, value))) {
            Some((name, value)) => {
                Err(Wrong::new(format!("`{name}` is not for {}, which asks for no key", venue.name()))
                    .help("leave it out")
                    .at(value.span()))
            }
            None => Ok(None),
        };
    }
    let [key, secret] = given.map(|(name, value)| {
        value.map(|value| (name, value)).ok_or_else(|| {
            Wrong::new(format!("a feed of {} needs `{name}`", venue.name()))
                .help("it names the variable that holds it: key_env = \"ALPACA_KEY\", secret_env = \"ALPACA_SECRET\"")
                .at(table.clone())
        })
    });
    // Both are looked for before either is read: a file that is wrong is so on every machine.
    let (key, secret) = (key?, secret?);
    let [key, secret] = [key, secret].map(|(name, value)| read_secret(name, value, variables));
    Ok(Some(Credentials { key: key?, secret: secret? }))
}

fn read_secret(key: &str, value: &Spanned<DeValue<'_>>, variables: &Variables) -> Result<Secret, Wrong> {
    let name = text(key, value, "ALPACA_KEY")?;
    let is_name = |name: &str| {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        (1..=NAME_LENGTH_MAX).contains(&name.len())
            && name.bytes().all(plain)
            && !name.starts_with(|first: char| first.is_ascii_digit())
    };
    if !is_name(name) {
        // Perhaps it is the secret itself: then the line must not be shown again.
        return Err(Wrong::new(format!("`{key}` is no name of a variable"))
            .help("it names the variable that holds the text, and never is that text: a file is read by too many")
            .at(value.span())
            .without_line());
    }
    let wrong =
        |what: &str| Wrong::new(format!("the variable {}, named by `{key}`, {what}", shown(name))).at(value.span());
    let found = variables.iter().find(|(variable, _)| variable.as_os_str() == OsStr::new(name));
    let Some((_, found)) = found else {
        return Err(wrong("is not set").help(format!("set it before the start: export {name}=...")));
    };
    let found = found.to_str().unwrap_or_default().trim();
    let visible = |byte: u8| byte.is_ascii_graphic();
    if !(1..=SECRET_BYTES_MAX).contains(&found.len()) || !found.bytes().all(visible) {
        return Err(wrong("holds no key").help("a key has no blanks and only ASCII characters; it may not be empty"));
    }
    Ok(Secret::new(found))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_shows_itself_to_nobody() {
        let credentials = Credentials { key: Secret::new("PKTEST"), secret: Secret::new("hush") };
        let shown = format!("{credentials:?} {credentials:#?} {} {}", credentials.key, credentials.secret);
        assert!(!shown.contains("PKTEST") && !shown.contains("hush"), "{shown}");
        assert_eq!(credentials.secret.expose(), "hush");
    }
}
