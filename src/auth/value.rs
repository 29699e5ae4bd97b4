//! The JSON of tokens: headers and claims, read in one pass. [`Object`](super::object::Object) reads key sets, whose
//! members have more forms.

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, SeqAccess, Visitor},
};
use std::{borrow::Cow, fmt};

/// A value, as far as a member of a token may have it.
#[derive(Debug)]
pub(super) enum Value<'a> {
    Text(Cow<'a, str>),
    /// A whole number from 0.
    Whole(u64),
    /// Any other number.
    Number(f64),
    List(Vec<Value<'a>>),
    Object(Members<'a>),
    /// `null`, `true`, `false`, or an object in which a member stands twice.
    Other,
}

/// The members of an object. Their names are different, and in order.
#[derive(Debug, Default)]
pub(super) struct Members<'a>(Vec<(Cow<'a, str>, Value<'a>)>);

impl<'a> Members<'a> {
    /// Reads an object that is all of `json`. `None`: it is not one, or a name stands twice.
    pub(super) fn read(json: &'a [u8]) -> Option<Self> {
        match serde_json::from_slice(json) {
            Ok(Value::Object(members)) => Some(members),
            _ => None,
        }
    }

    /// A member's value; `None`: the object lacks the member.
    pub(super) fn get(&self, name: &str) -> Option<&Value<'a>> {
        let place = self.0.binary_search_by(|(member, _)| (**member).cmp(name)).ok()?;
        Some(&self.0[place].1)
    }
}

impl Value<'_> {
    /// The string, if it is one.
    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The number, if it is one.
    pub(super) fn number(&self) -> Option<f64> {
        match *self {
            Self::Whole(number) => Some(number as f64),
            Self::Number(number) => Some(number),
            _ => None,
        }
    }
}

impl<'de> Deserialize<'de> for Value<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Value<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Value::Text(Cow::Borrowed(text)))
    }

    /// One with escapes.
    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Value::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Self::Value, E> {
        Ok(Value::Whole(number))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Self::Value, E> {
        Ok(Value::Number(number as f64))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Self::Value, E> {
        Ok(Value::Number(number))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Ok(Value::Other)
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Value::Other)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut values: A) -> Result<Self::Value, A::Error> {
        let mut list = Vec::new();
        while let Some(value) = values.next_element()? {
            list.push(value);
        }
        Ok(Value::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::new();
        while let Some(name) = map.next_key::<Value<'de>>()? {
            let value = map.next_value()?;
            // A name is a string.
            if let Value::Text(name) = name {
                members.push((name, value));
            }
        }
        members.sort_unstable_by(|one, other| one.0.cmp(&other.0));
        let is_doubled = members.windows(2).any(|pair| pair[0].0 == pair[1].0);
        Ok(if is_doubled { Value::Other } else { Value::Object(Members(members)) })
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
            (r#"{"b":1,"a":1,"c":1,"\u0061":2}"#, false),
            (r#"{"a":1,"A":2}"#, true),
            (r#"{"a":1}{}"#, false),
            (r#"{"a":1,}"#, false),
            (r#"{"a":01}"#, false),
            ("{\"a\":\"\u{1}\"}", false),
            (r#"{1:1}"#, false),
            (r#"[]"#, false),
            (r#""a""#, false),
            ("", false),
            ("{\"\u{feff}\":1", false),
        ] {
            assert_eq!(Members::read(json.as_bytes()).is_some(), is_read, "{json}");
        }
        assert!(Members::read(b"{\"a\":\"\xff\"}").is_none());
        let deep = format!("{{\"a\":{}{}}}", "[".repeat(5_000), "]".repeat(5_000));
        assert!(Members::read(deep.as_bytes()).is_none(), "a stack has an end");
    }

    #[test]
    fn a_member_is_what_its_value_is() {
        let json = br#"{"text":"\u0041","plain":"b","whole":2,"less":-2,"number":1.5,"none":null,"list":["a",1],"twice":{"a":1,"a":1}}"#;
        let members = Members::read(json).unwrap();
        let text = |name| members.get(name).unwrap().text();
        let number = |name| members.get(name).unwrap().number();
        assert_eq!((text("text"), text("plain"), text("whole")), (Some("A"), Some("b"), None));
        assert_eq!(["whole", "less", "number", "text"].map(number), [Some(2.0), Some(-2.0), Some(1.5), None]);
        assert!(matches!(members.get("whole"), Some(Value::Whole(2))));
        assert!(matches!(members.get("less"), Some(Value::Number(_))));
        assert!(matches!(members.get("list"), Some(Value::List(list)) if list.len() == 2));
        assert!(matches!(members.get("none"), Some(Value::Other)));
        assert!(matches!(members.get("twice"), Some(Value::Other)));
        assert!(members.get("absent").is_none());
    }
}
