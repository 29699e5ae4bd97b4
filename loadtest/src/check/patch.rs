//! Ticks as patches: what differs from the tick before, as JSON Merge Patches (RFC 7396).

use serde_json::value::RawValue;
use std::{borrow::Cow, collections::BTreeMap};

/// How the event of a patch begins; behind it, it is like that of a whole tick.
const BEFORE: &[u8] = b"event: patch\n";

type Members<'a> = BTreeMap<Cow<'a, str>, &'a RawValue>;

/// The event of a patch without its name; `None` for any other event.
pub fn unnamed(block: &[u8]) -> Option<&[u8]> {
    block.strip_prefix(BEFORE)
}

/// The event of the whole tick that a patch makes of the data of the one before it. Its members are in another order
/// than on the wire.
///
/// # Errors
/// The patch is not one: it is not an object, or says what the tick before says.
pub(super) fn applied(before: &str, unnamed: &[u8]) -> Result<Vec<u8>, String> {
    let text = std::str::from_utf8(unnamed).map_err(|error| error.to_string())?;
    let (head, patch) = text.split_once("data: ").ok_or("a patch must have data")?;
    let mut members: Members<'_> = serde_json::from_str(before).map_err(|error| error.to_string())?;
    let patch: Members<'_> = serde_json::from_str(patch).map_err(|error| format!("the patch: {error}"))?;
    for (name, value) in patch {
        let is_key = ["symbol", "seq", "kind"].contains(&&*name);
        let before = if value.get() == "null" { members.remove(&name) } else { members.insert(name.clone(), value) };
        if !is_key && before.map(RawValue::get).unwrap_or("null") == value.get() {
            return Err(format!("the patch says what the tick before says: {name}"));
        }
    }
    let data = serde_json::to_string(&members).map_err(|error| error.to_string())?;
    Ok(format!("{head}data: {data}").into_bytes())
}

/// Whether two ticks have the same members, whatever their order.
pub(super) fn is_same(one: &str, other: &str) -> bool {
    let members = |data| serde_json::from_str::<Members<'_>>(data).ok();
    let (Some(one), Some(other)) = (members(one), members(other)) else { return false };
    one.len() == other.len()
        && one.iter().zip(&other).all(|(one, other)| one.0 == other.0 && one.1.get() == other.1.get())
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEFORE: &str = r#"{"symbol":"A","seq":1,"kind":"trade","state":"stale","since":4,"bid":1.50,"ask":2}"#;

    #[test]
    fn members_replace_or_are_removed_and_all_others_stay() {
        let patch = br#"id: e-2
data: {"symbol":"A","seq":2,"kind":"trade","state":"live","since":null,"ask":2.5,"size":1}"#;
        let whole = applied(BEFORE, patch).unwrap();
        let expected = r#"{"symbol":"A","seq":2,"kind":"trade","state":"live","bid":1.50,"ask":2.5,"size":1}"#;
        let (head, data) = std::str::from_utf8(&whole).unwrap().split_once("data: ").unwrap();
        assert_eq!(head, "id: e-2\n");
        assert!(is_same(data, expected), "{data}");
        assert!(!is_same(data, &expected.replace("2.5", "2.50")) && !is_same(data, BEFORE));
    }

    #[test]
    fn a_patch_that_says_what_is_known_is_found() {
        for (patch, is_patch) in [
            (r#"data: {"seq":2,"ask":2.5}"#, true),
            (r#"data: {"seq":2,"ask":2}"#, false),
            (r#"data: {"seq":2,"low":null}"#, false),
            (r#"data: []"#, false),
            ("id: e-2", false),
        ] {
            assert_eq!(applied(BEFORE, patch.as_bytes()).is_ok(), is_patch, "{patch}");
        }
    }
}
