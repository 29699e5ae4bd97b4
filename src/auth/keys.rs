//! The keys that tokens are verified with: a JWK set, or one secret.

use super::{
    jwk::{self, Algorithm, KeyFault, KeyOrigin, Material},
    object::Object,
};
use serde_json::value::RawValue;
use std::{collections::HashSet, fmt, sync::OnceLock};

/// The longest JWK set, in bytes: 32 RSA keys of 4,096 bits with their certificates have 60 KB.
pub const KEY_SET_BYTES_MAX: usize = 64 << 10;
/// The most keys of a set: an issuer that rotates has two or three of each kind.
pub const KEYS_MAX: usize = 32;

/// A key that verifies.
#[derive(Debug)]
pub(super) struct Key {
    id: Option<String>,
    material: Material,
    /// The header of the first token that it verified, as the token has it. An issuer writes the same one into each, so
    /// that the next ones need not be read.
    header: OnceLock<Box<[u8]>>,
}

impl Key {
    fn new(id: Option<String>, material: Material) -> Self {
        Self { id, material, header: OnceLock::new() }
    }

    /// A token with this header names it, asks for its algorithm and for no extension, and it has signed that.
    pub(super) fn has_verified(&self, header: &[u8]) {
        // Of two headers the first one stays.
        self.header.get_or_init(|| header.into());
    }

    pub(super) fn algorithm(&self) -> Algorithm {
        self.material.algorithm()
    }

    pub(super) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        self.material.verifies(message, signature)
    }
}

/// At least one key. No two have the same name.
#[derive(Debug)]
pub struct KeySet(Vec<Key>);

/// A set, and what it holds besides.
#[derive(Debug)]
pub struct ReadKeys {
    /// The keys that verify.
    pub keys: KeySet,
    /// Those that do not.
    pub skipped: Vec<SkippedKey>,
}

/// A key of a set that is not used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SkippedKey {
    /// Its place in the set, from 1.
    pub place: usize,
    /// Why.
    pub fault: KeyFault,
}

impl fmt::Display for SkippedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "key {}: {}", self.place, self.fault)
    }
}

/// Why a JWK set cannot be used at all.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeySetError {
    /// Longer than [`KEY_SET_BYTES_MAX`].
    #[error("a JWK set has at most {} KiB", KEY_SET_BYTES_MAX >> 10)]
    TooLong,
    /// Not JSON, not an object, or a member stands twice.
    #[error("it is not a JSON object in which each member stands once")]
    NotAnObject,
    /// There is not a list.
    #[error("it does not have a list `keys`: a JWK set is {{\"keys\": [...]}}")]
    NoKeys,
    /// More than [`KEYS_MAX`].
    #[error("it has {0} keys; at most {KEYS_MAX} are read")]
    TooMany(usize),
    /// Each key was skipped, or there are none.
    #[error("none of its {} keys can verify a token{}", .0.len(), listed(.0))]
    NoneUsable(Vec<SkippedKey>),
}

fn listed(skipped: &[SkippedKey]) -> String {
    skipped.iter().map(|key| format!("; {key}")).collect()
}

/// Why none of the keys is the token's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnknownKey {
    /// The token names a key that the set does not have.
    Named,
    /// There are several keys, and the token names none.
    Unnamed,
}

impl KeySet {
    /// Reads a JWK set. A key that cannot be used is skipped, so that one of a new kind does not lock everybody out.
    ///
    /// # Errors
    /// [`KeySetError`] if no key is left, or the set is not one.
    pub fn read(json: &[u8], origin: KeyOrigin) -> Result<ReadKeys, KeySetError> {
        if json.len() > KEY_SET_BYTES_MAX {
            return Err(KeySetError::TooLong);
        }
        let set = Object::read(json).ok_or(KeySetError::NotAnObject)?;
        let listed = set.get::<Vec<&RawValue>>("keys").ok().flatten().ok_or(KeySetError::NoKeys)?;
        if listed.len() > KEYS_MAX {
            return Err(KeySetError::TooMany(listed.len()));
        }
        let mut keys: Vec<Key> = Vec::new();
        let mut skipped = Vec::new();
        let mut ids = HashSet::new();
        for (place, json) in (1..).zip(listed) {
            match read_key(json, origin, &mut ids) {
                Ok(key) => keys.push(key),
                Err(fault) => skipped.push(SkippedKey { place, fault }),
            }
        }
        if keys.is_empty() {
            return Err(KeySetError::NoneUsable(skipped));
        }
        Ok(ReadKeys { keys: Self(keys), skipped })
    }

    /// The set of one secret, for HS256.
    ///
    /// # Errors
    /// [`KeyFault::SecretLength`].
    pub fn of_secret(secret: &[u8]) -> Result<Self, KeyFault> {
        Ok(Self(vec![Key::new(None, Material::secret(secret)?)]))
    }

    /// The algorithms of its keys.
    pub fn algorithms(&self) -> impl Iterator<Item = Algorithm> {
        self.0.iter().map(Key::algorithm)
    }

    /// The name of each key, where it has one, and its algorithm.
    pub fn listed(&self) -> impl Iterator<Item = (Option<&str>, Algorithm)> {
        self.0.iter().map(|key| (key.id.as_deref(), key.algorithm()))
    }

    /// The key of the tokens that have this header, where one of them was verified before.
    pub(super) fn of_header(&self, header: &[u8]) -> Option<&Key> {
        self.0.iter().find(|key| key.header.get().is_some_and(|known| **known == *header))
    }

    /// The key that a token names. Where there is one alone, the token need not name it, and a key without a name goes
    /// by any.
    pub(super) fn find(&self, id: Option<&str>) -> Result<&Key, UnknownKey> {
        match (self.0.as_slice(), id) {
            ([only], None) => Ok(only),
            ([only], Some(_)) if only.id.is_none() => Ok(only),
            (_, None) => Err(UnknownKey::Unnamed),
            (keys, Some(id)) => keys.iter().find(|key| key.id.as_deref() == Some(id)).ok_or(UnknownKey::Named),
        }
    }
}

fn read_key(json: &RawValue, origin: KeyOrigin, ids: &mut HashSet<String>) -> Result<Key, KeyFault> {
    let jwk = Object::read(json.get().as_bytes()).ok_or(KeyFault::NotAnObject)?;
    let (id, material) = jwk::read(&jwk, origin)?;
    if id.as_ref().is_some_and(|id| !ids.insert(id.clone())) {
        return Err(KeyFault::RepeatedId);
    }
    Ok(Key::new(id, material))
}

#[cfg(test)]
#[path = "keys_tests.rs"]
mod tests;
