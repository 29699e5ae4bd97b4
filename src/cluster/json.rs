//! JSON between nodes: short, and of one version.

use serde::Deserialize;

/// Why bytes cannot be read: the second half of a sentence.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JsonError {
    /// More bytes than there may be.
    #[error("has {length} bytes; it may have at most {length_max}")]
    Length {
        /// How many there are.
        length: usize,
        /// How many there may be.
        length_max: usize,
    },
    /// Not JSON, or not of the expected form.
    #[error("is not of the expected form: {0}")]
    Form(String),
    /// Another version wrote it.
    #[error("is of version {found}; this node reads version {reads}")]
    Version {
        /// The version.
        found: u32,
        /// The only version that this node reads.
        reads: u32,
    },
}

impl JsonError {
    /// Whether another version wrote the bytes.
    pub(super) fn is_version(&self) -> bool {
        matches!(self, Self::Version { .. })
    }

    /// A value that does not have the expected form.
    pub(super) fn form(error: impl ToString) -> Self {
        Self::Form(error.to_string())
    }
}

#[derive(Deserialize)]
struct Versioned {
    v: u32,
}

/// Reads a value with the member `v`, its version. Members that are not known are skipped.
///
/// # Errors
/// [`JsonError`] if there are too many bytes, or if another version wrote them, or if they are not of the form.
pub(super) fn read<'a, T: Deserialize<'a>>(bytes: &'a [u8], length_max: usize, version: u32) -> Result<T, JsonError> {
    if bytes.len() > length_max {
        return Err(JsonError::Length { length: bytes.len(), length_max });
    }
    // The version alone comes first: another version may have another form.
    let Versioned { v: found } = serde_json::from_slice(bytes).map_err(JsonError::form)?;
    if found != version {
        return Err(JsonError::Version { found, reads: version });
    }
    serde_json::from_slice(bytes).map_err(JsonError::form)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Deserialize)]
    struct Name<'a> {
        name: &'a str,
    }

    #[test]
    fn a_value_of_the_version_is_read_and_anything_else_says_why_not() {
        assert_eq!(read(br#"{"v":1,"name":"a","more":2}"#, 100, 1), Ok(Name { name: "a" }));
        for (json, error) in [
            (r#"{"v":2}"#, "is of version 2; this node reads version 1"),
            (r#"{"v":1}"#, "is not of the expected form: missing field `name` at line 1 column 7"),
            (r#"{"name":"a"}"#, "is not of the expected form: missing field `v` at line 1 column 12"),
            ("", "is not of the expected form: EOF while parsing a value at line 1 column 0"),
        ] {
            assert_eq!(read::<Name<'_>>(json.as_bytes(), 100, 1).unwrap_err().to_string(), error);
        }
    }

    #[test]
    fn rule_10_a_value_is_short() {
        let json = br#"{"v":1,"name":"a"}"#;
        assert_eq!(read(json, 18, 1), Ok(Name { name: "a" }));
        let error = read::<Name<'_>>(json, 17, 1).unwrap_err();
        assert_eq!(error.to_string(), "has 18 bytes; it may have at most 17");
    }
}
