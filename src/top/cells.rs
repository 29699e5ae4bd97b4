//! Tables, and values as the strings in their cells.

use serde_json::Value;

/// A table with a title. The first row is the header.
pub(super) struct Table {
    pub(super) title: String,
    pub(super) rows: Vec<Vec<String>>,
}

impl Table {
    /// The title without what changes from poll to poll: `feeds` of `feeds, 8 of 12`.
    pub(super) fn name(&self) -> &str {
        self.title.split_once(',').map_or(self.title.as_str(), |(name, _)| name)
    }
}

/// A table with a row for each entry of a list.
pub(super) fn table(title: &str, head: &[&str], entries: &Value, row: impl Fn(&Value) -> Vec<String>) -> Table {
    let head = head.iter().map(|&name| name.to_owned()).collect();
    let rows = entries.as_array().into_iter().flatten().map(row);
    Table { title: title.to_owned(), rows: std::iter::once(head).chain(rows).collect() }
}

/// The longest string of a cell, in characters.
const CELL_CHARACTERS_MAX: usize = 48;

/// A value without control characters: a string from a venue or a client must not control the terminal.
pub(super) fn text(value: &Value) -> String {
    let text = match value {
        Value::Null => return "–".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let mut shown: String = text.chars().filter(|character| !character.is_control()).collect();
    if let Some((cut, _)) = shown.char_indices().nth(CELL_CHARACTERS_MAX) {
        shown.truncate(cut);
        shown.pop();
        shown.push('…');
    }
    shown
}

/// The upper bound of a bucket.
pub(super) fn bound(seconds: f64) -> String {
    if seconds.is_infinite() { "over 5 s".to_owned() } else { format!("under {} ms", seconds * 1e3) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_string_from_outside_cannot_control_the_terminal() {
        assert_eq!(text(&"a\u{1b}[2Jb\n".into()), "a[2Jb");
        assert_eq!(text(&Value::Null), "–");
        assert_eq!(text(&"é".repeat(48).into()), "é".repeat(48));
        assert_eq!(text(&"é".repeat(49).into()), format!("{}…", "é".repeat(47)));
    }
}
