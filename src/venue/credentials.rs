//! The keys that a venue knows us by. Nothing prints them.

use std::fmt;

/// A string that must not be shown. Neither `Debug` nor `Display` prints it, and no error does.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Hides a string.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The string itself, for the one message to the venue that needs it.
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

/// The key of an account at a venue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The key, as the venue issued it.
    pub key: Secret,
    /// The secret that belongs to the key. Venues that need a key alone have none.
    pub secret: Option<Secret>,
}

impl Credentials {
    /// A key with its secret.
    pub fn new(key: impl Into<String>, secret: impl Into<String>) -> Self {
        Self { key: Secret::new(key), secret: Some(Secret::new(secret)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_never_printed() {
        let credentials = Credentials::new("PKTEST", "hush");
        let secret = credentials.secret.as_ref().unwrap();
        let shown = format!("{credentials:?} {credentials:#?} {} {secret}", credentials.key);
        assert!(!shown.contains("PKTEST") && !shown.contains("hush"), "{shown}");
        assert_eq!(secret.expose(), "hush");
    }
}
