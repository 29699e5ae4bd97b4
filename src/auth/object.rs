//! JSON objects of tokens and key sets, and their base64url. Two readers of the same bytes must agree on their meaning,
//! so a member that stands twice is an error, and base64url has one spelling.

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use serde::{
    Deserialize, Deserializer,
    de::{Error as _, MapAccess, Visitor},
};
use serde_json::value::RawValue;
use std::{borrow::Cow, collections::BTreeMap, fmt, ops::Deref};

/// Decodes base64url as RFC 7515 has it: without padding, and without bits behind the last byte.
pub(super) fn base64url(text: impl AsRef<[u8]>) -> Option<Vec<u8>> {
    BASE64_URL_SAFE_NO_PAD.decode(text).ok()
}

/// A JSON object whose members have different names. The members' values are not read yet.
#[derive(Debug)]
pub(super) struct Object<'a>(BTreeMap<Cow<'a, str>, &'a RawValue>);

/// A member has another type than is expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct WrongType;

impl<'a> Object<'a> {
    /// Reads an object that is all of `json`. `None`: it is not one, or a name stands twice.
    pub(super) fn read(json: &'a [u8]) -> Option<Self> {
        serde_json::from_slice(json).ok()
    }

    /// Whether there is such a member, whatever its value.
    pub(super) fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// A member's value; `None`: the object lacks the member.
    ///
    /// # Errors
    /// [`WrongType`]: it is there, and is not a `T`. `null` is not absent.
    pub(super) fn get<T: Deserialize<'a>>(&self, name: &str) -> Result<Option<T>, WrongType> {
        self.0.get(name).map(|value| serde_json::from_str(value.get()).map_err(|_| WrongType)).transpose()
    }
}

/// A string, which is only a copy where it has escapes; a derived `Cow` would always be one.
#[derive(Debug, Deserialize)]
pub(super) struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

impl Deref for Text<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Object<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;

        impl<'de> Visitor<'de> for Members {
            type Value = Object<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = BTreeMap::new();
                while let Some((Text(name), value)) = map.next_entry::<Text<'de>, &'de RawValue>()? {
                    if members.insert(name, value).is_some() {
                        return Err(A::Error::custom("a member stands twice"));
                    }
                }
                Ok(Object(members))
            }
        }

        deserializer.deserialize_map(Members)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_has_each_member_once_and_nothing_behind_it() {
        for (json, is_read) in [
            (r#"{}"#, true),
            (r#" {"a":1,"b":{"a":[]}} "#, true),
            (r#"{"a":1,"a":1}"#, false),
            (r#"{"a":1,"\u0061":2}"#, false),
            (r#"{"a":1,"A":2}"#, true),
            (r#"{"a":1}{}"#, false),
            (r#"{"a":1,}"#, false),
            (r#"{"a":01}"#, false),
            ("{\"a\":\"\u{1}\"}", false),
            (r#"[]"#, false),
            (r#""a""#, false),
            ("", false),
            ("{\"\u{feff}\":1", false),
        ] {
            assert_eq!(Object::read(json.as_bytes()).is_some(), is_read, "{json}");
        }
        assert!(Object::read(b"{\"a\":\"\xff\"}").is_none_or(|object| object.get::<String>("a").is_err()));
    }

    #[test]
    fn a_member_is_read_as_the_type_that_is_asked_for() {
        let object = Object::read(br#"{"text":"\u0041","number":1.5,"none":null,"list":["a"]}"#).unwrap();
        assert_eq!(object.get::<String>("text"), Ok(Some("A".to_owned())));
        assert_eq!(object.get::<f64>("number"), Ok(Some(1.5)));
        assert_eq!(object.get::<u64>("number"), Err(WrongType));
        assert_eq!(object.get::<String>("none"), Err(WrongType));
        assert_eq!(object.get::<String>("list"), Err(WrongType));
        assert_eq!(object.get::<String>("absent"), Ok(None));
        assert!(object.has("none") && !object.has("absent"));
    }

    #[test]
    fn base64url_has_one_spelling() {
        assert_eq!(base64url("TQ").unwrap(), b"M");
        assert_eq!(base64url("").unwrap(), b"");
        for bad in ["TQ==", "TR", "T", "T Q", "T+Q", "T/Q", "TQ\n", "TQ.", "Tä"] {
            assert!(base64url(bad).is_none(), "{bad:?}");
        }
    }
}
