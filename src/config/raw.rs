//! A value before it is read.

use std::path::Path;
use toml::de::DeValue;

/// Where a value comes from: the file tells strings from numbers, a variable does not.
#[derive(Debug, Clone, Copy)]
pub(super) enum Raw<'a> {
    /// The file's, with the file's folder.
    Toml(&'a DeValue<'a>, &'a Path),
    /// A variable's.
    Variable(&'a str),
}

/// The kind of a value of the file, in words.
pub(super) fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) | DeValue::Float(_) => "a number",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date or a time of day",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}
