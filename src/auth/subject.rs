//! A subject as the gateway knows it: a keyed hash, so that neither memory nor logs hold names of people.

use ring::hmac;
use std::fmt;

/// The key of a process. Another process gives the same subject another name.
#[derive(Debug)]
pub struct SubjectKey(hmac::Key);

/// A token's `sub`, hashed. Two are equal if their strings are.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Subject([u8; 16]);

impl SubjectKey {
    /// A key of random bytes.
    pub fn new(random: [u8; 32]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, &random))
    }

    /// The subject that a token names.
    pub fn subject(&self, sub: &str) -> Subject {
        let tag = hmac::sign(&self.0, sub.as_bytes());
        let mut hash = [0; 16];
        hash.copy_from_slice(&tag.as_ref()[..16]);
        Subject(hash)
    }
}

/// The first 64 bits, in hexadecimal digits.
impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", u128::from_be_bytes(self.0) >> 64)
    }
}

impl fmt::Debug for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subject_is_the_same_within_a_process_and_another_in_the_next() {
        let key = SubjectKey::new([1; 32]);
        let subject = key.subject("u17");
        assert_eq!(subject, key.subject("u17"));
        assert_ne!(subject, key.subject("u18"));
        assert_ne!(subject, SubjectKey::new([2; 32]).subject("u17"));
        let shown = format!("{subject} {subject:?}");
        assert_eq!(shown.len(), 33);
        assert!(!shown.contains("u17"));
    }
}
