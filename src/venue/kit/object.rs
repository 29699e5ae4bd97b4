//! Objects that are filled field by field, and lists: read by the scan where they hold flat values, and flat lists of
//! these, without blanks, else by a parser. Both keep every number's own digits.

use super::{
    list::{self, Place},
    raw::{self, Exact, Raw, Value as _},
    scan,
};
use crate::venue::DecodeError;
use serde::{
    Deserialize, Deserializer,
    de::{self, MapAccess, Visitor},
};
use std::{borrow::Cow, fmt, marker::PhantomData};

/// Declares an object whose fields are those of a message that are used, each with the venue's own key.
macro_rules! object {
    ($(#[$about:meta])* $name:ident { $($field:ident = $key:literal,)+ }) => {
        $(#[$about])*
        #[derive(Debug, Default)]
        pub(super) struct $name<'a> {
            $(pub(super) $field: $crate::venue::kit::raw::Exact<'a>,)+
        }

        impl<'a> $crate::venue::kit::object::Object<'a> for $name<'a> {
            fn field(&mut self, key: &str) -> Option<&mut $crate::venue::kit::raw::Exact<'a>> {
                Some(match key {
                    $($key => &mut self.$field,)+
                    _ => return None,
                })
            }
        }
    };
}
pub(in crate::venue) use object;

/// An object of a message.
pub(in crate::venue) trait Object<'a>: Default {
    /// The field of this key. `None` if the key is not used.
    fn field(&mut self, key: &str) -> Option<&mut Exact<'a>>;
}

/// A message that is one object.
///
/// # Errors
/// [`DecodeError::Json`], or [`DecodeError::Shape`] for other JSON and for an object that repeats a field.
pub(in crate::venue) fn read<'a, T: Object<'a>>(json: &'a [u8]) -> Result<T, DecodeError> {
    let text = std::str::from_utf8(json).map_err(|_| DecodeError::Json)?;
    if let Some((object, "")) = scanned(text) {
        return Ok(object);
    }
    raw::exact::<Parsed<T>>(json).map(|Parsed(object)| object)
}

/// Hands over the objects of a list from this place on, until `take` wants no more. Returns how far it came.
///
/// # Errors
/// As for [`read`], from the first element that does not fit; those before it stand.
pub(in crate::venue) fn each<'a, T: Object<'a>>(
    json: &'a str,
    from: Place,
    take: impl FnMut(T) -> bool,
) -> Result<Place, DecodeError> {
    let read = |at: usize| {
        let text = &json[at..];
        if let Some((object, rest)) = scanned(text) {
            return Some((object, json.len() - rest.len()));
        }
        let (Parsed(object), end) = raw::parsed(serde_json::Deserializer::from_str(text), at)?;
        Some((object, end))
    };
    list::walk(json.as_bytes(), from, read, take).ok_or_else(|| raw::misfit(json.as_bytes()))
}

/// Hands over the objects of a frame that is a list, from this place on, 0 at first, until `take` wants no more.
/// Returns the place of the rest, or 0 where nothing is left. Of a frame that is not UTF-8 nothing is read.
///
/// # Errors
/// As for [`each`].
pub(in crate::venue) fn each_of_frame<'a, T: Object<'a>>(
    frame: &'a [u8],
    from: usize,
    take: impl FnMut(T) -> bool,
) -> Result<usize, DecodeError> {
    let text = std::str::from_utf8(frame).map_err(|_| DecodeError::Json)?;
    let begin = match from {
        0 => list::begin(frame, 0).ok_or_else(|| raw::misfit(frame))?,
        from => Place::Element(from),
    };
    match each(text, begin, take)? {
        Place::Element(at) => Ok(at),
        Place::End(at) if list::after_blanks(frame, at) == frame.len() => Ok(0),
        Place::End(_) => Err(raw::misfit(frame)),
    }
}

/// Hands over the objects of a list inside a message.
///
/// # Errors
/// [`DecodeError::Shape`] for anything but a list, else as for [`each`].
pub(in crate::venue) fn each_of<'a, T: Object<'a>>(
    list: Exact<'a>,
    mut take: impl FnMut(T),
) -> Result<(), DecodeError> {
    let Raw::Json(json) = list.raw() else { return Err(DecodeError::Shape) };
    let read = each_of_frame(json.as_bytes(), 0, |object| {
        take(object);
        true
    });
    read.map(|_| ())
}

/// Hands over the elements of a list inside a message: values, numbers, rarely more.
///
/// # Errors
/// As for [`each_of`].
pub(in crate::venue) fn each_value<'a>(list: Exact<'a>, mut take: impl FnMut(Exact<'a>)) -> Result<(), DecodeError> {
    let Raw::Json(json) = list.raw() else { return Err(DecodeError::Shape) };
    let read = |at: usize| match scan::exact(&json[at..]) {
        Some((value, rest)) => Some((value, json.len() - rest.len())),
        None => raw::parsed(serde_json::Deserializer::from_str(&json[at..]), at),
    };
    let take = |value| {
        take(value);
        true
    };
    let ended = list::begin(json.as_bytes(), 0).and_then(|begin| list::walk(json.as_bytes(), begin, read, take));
    match ended {
        Some(Place::End(at)) if at == json.len() => Ok(()),
        _ => Err(raw::misfit(json.as_bytes())),
    }
}

/// An object inside a message that a parser reads.
///
/// # Errors
/// The parser's, for anything but an object, and for one that repeats a field.
pub(in crate::venue) fn parse<'de, T: Object<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    Parsed::deserialize(deserializer).map(|Parsed(object)| object)
}

/// An object as venues write it nearly always, and what follows it.
pub(in crate::venue) fn scanned<'a, T: Object<'a>>(text: &'a str) -> Option<(T, &'a str)> {
    let mut object = T::default();
    let rest = scan::exact_fields(text, |key, value| set(&mut object, key, value))?;
    Some((object, rest))
}

/// Sets a field, if it is used. `None` if it is set already: the object does not say which value it means.
fn set<'a>(object: &mut impl Object<'a>, key: &str, value: Exact<'a>) -> Option<()> {
    let Some(field) = object.field(key) else { return Some(()) };
    (!field.is_there()).then(|| *field = value)
}

/// An object that a parser fills.
struct Parsed<T>(T);

impl<'de, T: Object<'de>> Deserialize<'de> for Parsed<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields<T>(PhantomData<T>);
        impl<'de, T: Object<'de>> Visitor<'de> for Fields<T> {
            type Value = T;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut fields: M) -> Result<T, M::Error> {
                let mut object = T::default();
                while let Some((Key(key), value)) = fields.next_entry()? {
                    set(&mut object, &key, value).ok_or_else(|| de::Error::custom("a field is repeated"))?;
                }
                Ok(object)
            }
        }
        deserializer.deserialize_map(Fields(PhantomData)).map(Self)
    }
}

/// A key, borrowed where it has no escapes.
#[derive(Deserialize)]
struct Key<'k>(#[serde(borrow)] Cow<'k, str>);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[derive(Debug, Default)]
    struct Pair<'a> {
        a: Exact<'a>,
        b: Exact<'a>,
    }

    impl<'a> Object<'a> for Pair<'a> {
        fn field(&mut self, key: &str) -> Option<&mut Exact<'a>> {
            match key {
                "a" => Some(&mut self.a),
                "b" => Some(&mut self.b),
                _ => None,
            }
        }
    }

    impl<'a> Pair<'a> {
        fn raw(&self) -> (Raw<'a>, Raw<'a>) {
            (self.a.raw(), self.b.raw())
        }
    }

    fn pair(json: &str) -> Result<(Raw<'_>, Raw<'_>), DecodeError> {
        read::<Pair<'_>>(json.as_bytes()).map(|pair| pair.raw())
    }

    #[test]
    fn an_object_is_read_the_same_however_it_is_written() {
        for json in [
            r#"{"a":1.50,"b":"x"}"#,
            r#" { "b" : "x" , "a" : 1.50 } "#,
            r#"{"c":[1,{"a":2}],"a":1.50,"b":"x","d":{}}"#,
            r#"{"\u0061":1.50,"b":"x"}"#,
        ] {
            assert_eq!(pair(json), Ok((Raw::Json("1.50"), Raw::Text("x"))), "{json}");
        }
        assert_eq!(pair("{}"), Ok((Raw::Absent, Raw::Absent)));
        for (json, reason) in [
            (r#"{"a":1,"a":1}"#, DecodeError::Shape),
            ("[]", DecodeError::Shape),
            ("1", DecodeError::Shape),
            (r#"{"a":1}x"#, DecodeError::Json),
            (r#"{"a":01}"#, DecodeError::Json),
            (r#"{"a":1"#, DecodeError::Json),
            ("", DecodeError::Json),
        ] {
            assert_eq!(pair(json), Err(reason), "{json}");
        }
        assert_eq!(read::<Pair<'_>>(b"\xff").map(|pair| pair.raw()), Err(DecodeError::Json));
    }

    #[test]
    fn a_list_is_read_in_slices_whether_its_objects_are_scanned_or_parsed() {
        let list = r#"x[{"a":1},{ "a" : 2 } , {"a":3,"c":[1]},{"a":"4"}]y"#;
        let mut place = list::begin(list.as_bytes(), 1).unwrap();
        let mut slices = Vec::new();
        while let Place::Element(_) = place {
            let mut slice = Vec::new();
            place = each(list, place, |pair: Pair<'_>| {
                slice.push(pair.raw().0);
                slice.len() < 3
            })
            .unwrap();
            slices.push(slice);
        }
        assert_eq!(slices, [vec![Raw::Json("1"), Raw::Json("2"), Raw::Json("3")], vec![Raw::Text("4")]]);
        assert_eq!(place, Place::End(list.len() - 1));
        assert_eq!(list::begin(b" [ ] ", 0), Some(Place::End(4)));
        for text in ["", "{}", "[", "7"] {
            assert_eq!(list::begin(text.as_bytes(), 0), None, "{text}");
        }
        for (text, count, reason) in [
            (r#"[{"a":1},2]"#, 1, DecodeError::Shape),
            (r#"[{"a":1},{"a":1,"a":1}]"#, 1, DecodeError::Shape),
            (r#"[{"a":1},{"a":1}"#, 2, DecodeError::Json),
            (r#"[{"a":1},]"#, 1, DecodeError::Json),
            (r#"[{"a":1}x]"#, 1, DecodeError::Json),
        ] {
            let mut read = 0;
            let ended = each(text, Place::Element(1), |_: Pair<'_>| {
                read += 1;
                true
            });
            assert_eq!((ended, read), (Err(reason), count), "{text}");
        }
    }

    #[test]
    fn a_frame_that_is_a_list_is_read_to_its_end() {
        for (frame, expected) in [
            (r#"[]"#, Ok(0)),
            (r#" [ {"a":1} , {"a":2} ] "#, Ok(2)),
            (r#"[{"a":1},{"a":[1]}]"#, Ok(2)),
            (r#"[{"a":1}] x"#, Err(DecodeError::Json)),
            (r#"[{"a":1},[2]]"#, Err(DecodeError::Shape)),
            (r#"{"a":1}"#, Err(DecodeError::Shape)),
            ("", Err(DecodeError::Json)),
        ] {
            let (mut from, mut count) = (0, 0);
            // An element at a time.
            let read = loop {
                let take = |_: Pair<'_>| {
                    count += 1;
                    false
                };
                match each_of_frame(frame.as_bytes(), from, take) {
                    Ok(0) => break Ok(count),
                    Ok(rest) => from = rest,
                    Err(reason) => break Err(reason),
                }
            };
            assert_eq!(read, expected, "{frame}");
        }
        let broken = each_of_frame(b"[{\"a\":1},\xff]", 0, |_: Pair<'_>| true);
        assert_eq!(broken, Err(DecodeError::Json));
    }

    #[test]
    fn the_elements_of_a_list_inside_a_message_are_handed_over() {
        let values = |list: &'static str| {
            let mut found = Vec::new();
            let read = each_value(Exact::from(Raw::Json(list)), |value| found.push(value.raw()));
            (read, found)
        };
        assert_eq!(values("[]"), (Ok(()), vec![]));
        let mixed = values(r#"[1, "a",-0.5 ,[2],null]"#);
        let expected = [Raw::Json("1"), Raw::Text("a"), Raw::Json("-0.5"), Raw::Json("[2]"), Raw::Null];
        assert_eq!(mixed, (Ok(()), expected.to_vec()));
        assert_eq!(values(r#"["\u0061"]"#).1, [Raw::Json(r#""\u0061""#)]);
        assert_eq!(values("[1,]"), (Err(DecodeError::Json), vec![Raw::Json("1")]));
        assert_eq!(values("1"), (Err(DecodeError::Shape), vec![]));
        assert_eq!(each_value(Exact::NULL, |_| ()), Err(DecodeError::Shape));
        let mut sizes = Vec::new();
        let list = Exact::from(Raw::Json(r#"[{"a":1},{ "a" : 2 }]"#));
        assert_eq!(each_of(list, |pair: Pair<'_>| sizes.push(pair.raw().0)), Ok(()));
        assert_eq!(sizes, [Raw::Json("1"), Raw::Json("2")]);
        assert_eq!(each_of(Exact::NULL, |_: Pair<'_>| ()), Err(DecodeError::Shape));
    }

    proptest! {
        /// The scan and the parser read the same of an object.
        #[test]
        fn what_is_scanned_is_what_a_parser_reads(json in r#"\{("[abc]":(-?[0-9]{1,3}(\.[0-9]{0,2})?(e[+-]?[0-9]?)?|"[0-9a\\\té]{0,2}"|true|null|\[((1|-0\.5|"\\?a"|\[\]) ?,?){0,3}\]) ?,?){1,4}\}?"#) {
            if let Some((pair, "")) = scanned::<Pair<'_>>(&json) {
                let parsed = raw::exact::<Parsed<Pair<'_>>>(json.as_bytes()).map(|Parsed(pair)| pair.raw());
                prop_assert_eq!(parsed, Ok(pair.raw()));
            }
        }

        #[test]
        fn rule_9_no_text_panics(text in ".{0,60}", near in r#"[\[\]{},:"ab1. ]{0,40}"#) {
            for text in [&text, &near] {
                let _ = pair(text);
                if let Some(place) = list::begin(text.as_bytes(), 0) {
                    let _ = each(text, place, |_: Pair<'_>| true);
                }
            }
        }
    }
}
