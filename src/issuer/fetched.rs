//! Keys as a source gave them.

use super::{error::FetchError, source::Source};
use crate::auth::{Algorithm, KeyOrigin, KeySet, SkippedKey};
use ring::digest;
use std::{fmt, sync::Arc};

/// The most characters of a key's name that are shown.
const ID_CHARACTERS_MAX: usize = 64;

/// Keys as a source gave them.
#[derive(Debug, Clone)]
pub struct Fetched {
    pub(super) keys: Arc<KeySet>,
    pub(super) skipped: Vec<SkippedKey>,
    /// The hash of what was read, to see whether it has changed.
    content: [u8; digest::SHA256_OUTPUT_LEN],
}

/// A key as operators see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedKey {
    /// Its name, `kid`, escaped and truncated; `None` where it has none.
    pub id: Option<String>,
    /// What it verifies.
    pub algorithm: Algorithm,
}

impl fmt::Display for ListedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.id.as_deref().unwrap_or("without a name"), self.algorithm)
    }
}

/// The keys, and those that were skipped.
impl fmt::Display for Fetched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, key) in self.keys().iter().enumerate() {
            write!(f, "{}{key}", if place == 0 { "" } else { ", " })?;
        }
        self.skipped.iter().try_for_each(|skipped| write!(f, "; skipped {skipped}"))
    }
}

impl Fetched {
    /// Reads what the source holds.
    pub(super) fn read(source: &Source, content: &[u8]) -> Result<Self, FetchError> {
        let (keys, skipped) = match source {
            Source::File(_) => set(content, KeyOrigin::File)?,
            Source::Https(_) => set(content, KeyOrigin::Network)?,
            // As in a variable, blanks and line ends around a secret do not belong to it.
            Source::SecretFile(_) => (Arc::new(KeySet::of_secret(content.trim_ascii())?), Vec::new()),
            Source::Fixed(fixed) => (fixed.keys.clone(), Vec::new()),
        };
        let hash = digest::digest(&digest::SHA256, content);
        let content = hash.as_ref().try_into().expect("SHA-256 has this length");
        Ok(Self { keys, skipped, content })
    }

    /// Whether both were read from the same bytes.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.content == other.content
    }

    /// The keys that verify.
    pub fn keys(&self) -> Vec<ListedKey> {
        let shown = |id: &str| id.chars().take(ID_CHARACTERS_MAX).flat_map(char::escape_debug).collect();
        self.keys.listed().map(|(id, algorithm)| ListedKey { id: id.map(shown), algorithm }).collect()
    }

    /// The keys that do not, and why.
    pub fn skipped(&self) -> &[SkippedKey] {
        &self.skipped
    }
}

fn set(json: &[u8], origin: KeyOrigin) -> Result<(Arc<KeySet>, Vec<SkippedKey>), FetchError> {
    let read = KeySet::read(json, origin)?;
    Ok((Arc::new(read.keys), read.skipped))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        auth::{KeyFault, KeySetError, SECRET_BYTES_MIN},
        issuer::{HttpsUrl, KeyServer},
    };

    const OCT: &str = r#"{"kty":"oct","kid":"a\nb","k":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}"#;

    fn https() -> Source {
        let url = HttpsUrl::parse("https://login.example/").unwrap();
        Source::Https(Box::new(KeyServer { url, ca_file: None, proxy: None }))
    }

    #[test]
    fn keys_are_listed_with_their_names_and_what_was_skipped() {
        let json = format!(r#"{{"keys":[{OCT},{{"kty":"none"}}]}}"#);
        let fetched = Fetched::read(&Source::File("a".into()), json.as_bytes()).unwrap();
        assert_eq!(fetched.keys()[0].to_string(), r"a\nb (HS256)");
        assert_eq!(fetched.skipped()[0].to_string(), "key 2: `kty` is not RSA, EC, OKP or oct");
        let error = Fetched::read(&https(), json.as_bytes()).unwrap_err();
        assert!(matches!(error, FetchError::Keys(KeySetError::NoneUsable(_))), "a secret from a network: {error}");
    }

    #[test]
    fn a_secret_is_what_the_file_holds_without_the_blanks_around_it() {
        let secret = "s".repeat(SECRET_BYTES_MIN);
        let read = |text: &str| Fetched::read(&Source::SecretFile("a".into()), text.as_bytes());
        let first = read(&secret).unwrap();
        assert!(first.is_same(&read(&secret).unwrap()) && !first.is_same(&read(&format!("{secret}\n")).unwrap()));
        assert!(read(&format!("{secret}\r\n")).is_ok());
        for short in [&secret[1..], &format!("{}\n", &secret[1..]), &format!("{}\r\n", &secret[1..]), ""] {
            assert!(matches!(read(short), Err(FetchError::Secret(KeyFault::SecretLength(_)))), "{short:?}");
        }
    }
}
