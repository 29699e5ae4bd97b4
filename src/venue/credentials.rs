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

/// The keys that a venue requires, with an example of the variables that hold them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CredentialsRule {
    /// None: the data are public.
    Public,
    /// A key.
    Key {
        /// A variable for the key.
        key_env: &'static str,
    },
    /// A key and its secret.
    KeyAndSecret {
        /// A variable for the key.
        key_env: &'static str,
        /// A variable for the secret.
        secret_env: &'static str,
    },
}

impl CredentialsRule {
    /// How to set what is required, as the second half of a sentence.
    pub(super) fn how_to_set(self) -> &'static str {
        match self {
            Self::Public => "set none",
            Self::Key { .. } => "name the variable that holds it with key_env",
            Self::KeyAndSecret { .. } => "name the variables that hold it with key_env and secret_env",
        }
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
