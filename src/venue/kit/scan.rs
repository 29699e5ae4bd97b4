//! A scan of objects and lists as venues write them nearly always: plain values, no space between them.
//!
//! It takes less than JSON allows, and never anything else: what it does not take is left to a parser, which says what
//! it is.

use super::raw::{Exact, Raw};

/// The content of a string up to its closing quote, and the rest behind it. `None` if the string has escapes, or does
/// not end.
pub(in crate::venue) fn string(text: &str) -> Option<(&str, &str)> {
    let end = text.bytes().position(|byte| byte == b'"' || byte == b'\\' || byte < b' ')?;
    let rest = text[end..].strip_prefix('"')?;
    Some((&text[..end], rest))
}

/// Hands the fields of an object to `take`, in their order; returns what follows it. `None` where it holds anything
/// but plain values, or as soon as `take` returns it.
pub(in crate::venue) fn fields<'a>(
    object: &'a str,
    take: impl FnMut(&'a str, Raw<'a>) -> Option<()>,
) -> Option<&'a str> {
    each_field(object, value, take)
}

/// The same for an object that may also hold numbers with a sign, a fraction or an exponent, and lists of plain values
/// and such numbers. Numbers keep their digits.
pub(in crate::venue) fn exact_fields<'a>(
    object: &'a str,
    mut take: impl FnMut(&'a str, Exact<'a>) -> Option<()>,
) -> Option<&'a str> {
    each_field(object, exact_value, |key, value| take(key, Exact(value)))
}

fn each_field<'a>(
    object: &'a str,
    value: impl Fn(&'a str) -> Option<(Raw<'a>, &'a str)>,
    mut take: impl FnMut(&'a str, Raw<'a>) -> Option<()>,
) -> Option<&'a str> {
    self::object(object, |key, text| {
        let (value, rest) = value(text)?;
        take(key, value)?;
        Some(rest)
    })
}

/// The same for an object with lists or objects in it: `take` gets each key with the text from its value on, and
/// returns what follows the value.
pub(in crate::venue) fn object<'a>(
    object: &'a str,
    mut take: impl FnMut(&'a str, &'a str) -> Option<&'a str>,
) -> Option<&'a str> {
    let mut rest = object.strip_prefix('{')?;
    loop {
        let (key, after_key) = key(rest)?;
        let after_value = take(key, after_key)?;
        if let Some(rest) = after_value.strip_prefix('}') {
            return Some(rest);
        }
        rest = after_value.strip_prefix(',')?;
    }
}

/// Hands the text from each element of a list on to `take`, which returns what follows the element; returns what
/// follows the list. `None` as soon as `take` returns it.
pub(in crate::venue) fn list<'a>(list: &'a str, mut take: impl FnMut(&'a str) -> Option<&'a str>) -> Option<&'a str> {
    let mut rest = list.strip_prefix('[')?;
    if let Some(rest) = rest.strip_prefix(']') {
        return Some(rest);
    }
    loop {
        let after_element = take(rest)?;
        if let Some(rest) = after_element.strip_prefix(']') {
            return Some(rest);
        }
        rest = after_element.strip_prefix(',')?;
    }
}

/// The name of a field, and the text from its value on.
pub(in crate::venue) fn key(field: &str) -> Option<(&str, &str)> {
    let (name, rest) = string(field.strip_prefix('"')?)?;
    Some((name, rest.strip_prefix(':')?))
}

fn exact_value(text: &str) -> Option<(Raw<'_>, &str)> {
    match *text.as_bytes().first()? {
        b'-' | b'0'..=b'9' => number(text),
        b'[' => {
            let rest = list(text, |element| exact(element).map(|(_, rest)| rest))?;
            Some((Raw::Json(&text[..text.len() - rest.len()]), rest))
        }
        _ => value(text),
    }
}

/// The plain value or the number that a text begins with, and what follows it.
pub(in crate::venue) fn exact(text: &str) -> Option<(Exact<'_>, &str)> {
    let (value, rest) = match *text.as_bytes().first()? {
        b'-' | b'0'..=b'9' => number(text),
        _ => value(text),
    }?;
    Some((Exact(value), rest))
}

/// A number as JSON writes it.
fn number(text: &str) -> Option<(Raw<'_>, &str)> {
    let bytes = text.as_bytes();
    let whole = usize::from(bytes[0] == b'-');
    let mut end = digits_end(bytes, whole)?;
    if bytes[whole] == b'0' && end > whole + 1 {
        return None;
    }
    if bytes.get(end) == Some(&b'.') {
        end = digits_end(bytes, end + 1)?;
    }
    if let Some(b'e' | b'E') = bytes.get(end) {
        let signed = usize::from(matches!(bytes.get(end + 1), Some(b'+' | b'-')));
        end = digits_end(bytes, end + 1 + signed)?;
    }
    let (number, rest) = text.split_at(end);
    Some((Raw::Json(number), rest))
}

/// The end of the digits from here on. `None` where there are none.
fn digits_end(bytes: &[u8], from: usize) -> Option<usize> {
    let mut end = from;
    while let Some(b'0'..=b'9') = bytes.get(end) {
        end += 1;
    }
    (end > from).then_some(end)
}

/// The plain value that a text begins with, and what follows it.
pub(in crate::venue) fn value(text: &str) -> Option<(Raw<'_>, &str)> {
    match *text.as_bytes().first()? {
        b'"' => string(&text[1..]).map(|(text, rest)| (Raw::Text(text), rest)),
        b'0'..=b'9' => whole(text),
        b't' => Some((Raw::Flag(true), text.strip_prefix("true")?)),
        b'f' => Some((Raw::Flag(false), text.strip_prefix("false")?)),
        b'n' => Some((Raw::Null, text.strip_prefix("null")?)),
        _ => None,
    }
}

/// A whole number. A fraction or an exponent behind it is neither a comma nor a brace, so the object is rejected.
fn whole(text: &str) -> Option<(Raw<'_>, &str)> {
    let end = text.bytes().position(|byte| !byte.is_ascii_digit()).unwrap_or(text.len());
    let (digits, rest) = text.split_at(end);
    if digits.len() > 1 && digits.starts_with('0') {
        return None;
    }
    Some((Raw::Whole(digits.parse().ok()?), rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::venue::kit::raw::{Plain, Value as _};
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    /// An object's fields and what follows it.
    fn scanned(object: &str) -> Option<(Vec<(&str, Raw<'_>)>, &str)> {
        let mut taken = Vec::new();
        let rest = fields(object, |key, value| {
            taken.push((key, value));
            Some(())
        })?;
        Some((taken, rest))
    }

    #[test]
    fn an_object_of_plain_values_is_taken_as_it_stands() {
        let (taken, rest) =
            scanned(r#"{"e":"trade","t":0,"u":18446744073709551615,"m":true,"M":false,"é":null,"p":""}}x"#).unwrap();
        let expected = [
            ("e", Raw::Text("trade")),
            ("t", Raw::Whole(0)),
            ("u", Raw::Whole(u64::MAX)),
            ("m", Raw::Flag(true)),
            ("M", Raw::Flag(false)),
            ("é", Raw::Null),
            ("p", Raw::Text("")),
        ];
        assert_eq!((taken.as_slice(), rest), (expected.as_slice(), "}x"));
    }

    #[test]
    fn whatever_else_there_is_is_left_to_a_parser() {
        for object in [
            "",
            "{",
            "{}",
            "[]",
            "{\"a\"",
            "{\"a\":",
            "{\"a\":1",
            "{\"a\":1,",
            "{\"a\":1,}",
            "{\"a\":1;",
            "{a:1}",
            "{\"a\" :1}",
            "{ \"a\":1}",
            "{\"a\": 1}",
            "{\"a\":1 }",
            "{\"a\":01}",
            "{\"a\":-1}",
            "{\"a\":1.5}",
            "{\"a\":1e2}",
            "{\"a\":+1}",
            "{\"a\":18446744073709551616}",
            "{\"a\":{}}",
            "{\"a\":[1]}",
            "{\"a\":tru}",
            "{\"a\":True}",
            "{\"a\":nulls}",
            "{\"a\":\"b}",
            "{\"a\":\"\\u0041\"}",
            "{\"a\":\"\t\"}",
            "{\"a\\n\":1}",
            "{\"a\":}",
        ] {
            assert_eq!(scanned(object), None, "{object}");
        }
    }

    #[test]
    fn rule_6_a_number_keeps_its_digits() {
        let scanned = |number: &str| {
            let mut taken = None;
            let object = format!("{{\"a\":{number}}}");
            let rest = exact_fields(&object, |_, value| {
                taken = Some(format!("{:?}", value.raw()));
                Some(())
            });
            rest.and(taken)
        };
        for number in ["0", "-0", "0.00044780", "18446744073709551616", "-1.5e-8", "1E+2", "0e0"] {
            assert_eq!(scanned(number), Some(format!("Json({number:?})")));
        }
        for other in ["", "-", "01", "1.", ".5", "+1", "1e", "1e+", "1.e2", "--1", "1 ", "0x1", "NaN", "{}"] {
            assert_eq!(scanned(other), None, "{other:?}");
        }
    }

    #[test]
    fn a_list_of_values_is_taken_as_it_stands() {
        let taken = |list: &str| {
            let object = format!("{{\"a\":{list}}}x");
            let mut taken = None;
            let rest = exact_fields(&object, |_, value| {
                taken = Some(format!("{:?}", value.raw()));
                Some(())
            })?;
            (rest == "x").then_some(taken).flatten()
        };
        for list in ["[]", "[1]", "[-1.50,\"é\",null,true]"] {
            assert_eq!(taken(list), Some(format!("{:?}", Raw::Json(list))));
        }
        for other in ["[", "[1", "[1,]", "[,]", "[ 1]", "[1 ]", "[[1]]", "[{}]", "[\"\\n\"]", "[01]", "[1}"] {
            assert_eq!(taken(other), None, "{other}");
        }
    }

    #[test]
    fn an_object_may_hold_lists_and_objects() {
        let mut numbers = Vec::new();
        let rest = object(r#"{"a":[[1,2],[]],"b":{"c":3}}x"#, |key, text| match key {
            "a" => list(text, |text| {
                list(text, |text| {
                    let (value, rest) = value(text)?;
                    numbers.push(value);
                    Some(rest)
                })
            }),
            _ => fields(text, |_, value| {
                numbers.push(value);
                Some(())
            }),
        });
        assert_eq!((rest, numbers), (Some("x"), [1, 2, 3].map(Raw::Whole).to_vec()));
        for text in ["", "[", "[1", "[1,", "[1,]", "[,1]", "[1;2]", "[1 ]", "{}"] {
            assert_eq!(list(text, |text| Some(value(text)?.1)), None, "{text}");
        }
    }

    proptest! {
        /// What the scan takes, serde takes too, and reads the same of it.
        #[test]
        fn whatever_is_taken_is_what_a_parser_reads(object in r#"\{("[a-c\\é]{0,2}":("[0-9a\\\t.é]{0,3}"|[0-9]{1,3}|0|1844674407370955161[0-9]|-1|1\.5|1e3|true|false|null|tru|\[\]|\{\}) ?,?){1,4}\}?"#) {
            if let Some((taken, "")) = scanned(&object) {
                let parsed: BTreeMap<String, Plain<'_>> = serde_json::from_str(&object).unwrap();
                for (key, value) in &parsed {
                    let last = taken.iter().rev().find(|(taken, _)| taken == key);
                    prop_assert_eq!(last.map(|(_, value)| *value), Some(value.raw()));
                }
                prop_assert!(taken.iter().all(|(key, _)| parsed.contains_key(*key)));
            }
        }
    }
}
