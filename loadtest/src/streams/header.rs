//! Headers that the user adds to each request. Their values may be secrets: nothing prints them.

use std::fmt;

/// The longest header.
const BYTES_MAX: usize = 8 * 1024;
/// Headers that the load tester writes itself, or that would change where the request ends.
const RESERVED: [&str; 5] = ["host", "connection", "content-length", "transfer-encoding", "last-event-id"];

/// A header of each request.
#[derive(Clone, PartialEq, Eq)]
pub struct Header {
    /// In lower case.
    pub(super) name: String,
    pub(super) value: String,
}

/// Why an argument is not a header. It does not show the value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HeaderError {
    /// It has no colon, or its name has other characters than a name may have.
    #[error("a --header is not written 'Name: value'")]
    Form,
    /// The load tester writes this header itself.
    #[error("--header {0} cannot be set: the load tester writes it itself")]
    Reserved(String),
    /// It is too long.
    #[error("--header {0} is longer than {BYTES_MAX} bytes")]
    Long(String),
    /// Its value has characters that a value may not have.
    #[error("the value of --header {0} holds characters that are not visible ASCII")]
    Value(String),
}

impl std::str::FromStr for Header {
    type Err = HeaderError;

    fn from_str(argument: &str) -> Result<Self, HeaderError> {
        let (name, value) = argument.split_once(':').ok_or(HeaderError::Form)?;
        let name = name.to_ascii_lowercase();
        let is_of_name = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        if name.is_empty() || !name.bytes().all(is_of_name) {
            return Err(HeaderError::Form);
        }
        let value = value.trim().to_owned();
        if RESERVED.contains(&name.as_str()) {
            Err(HeaderError::Reserved(name))
        } else if argument.len() > BYTES_MAX {
            Err(HeaderError::Long(name))
        } else if !value.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
            Err(HeaderError::Value(name))
        } else {
            Ok(Self { name, value })
        }
    }
}

impl fmt::Debug for Header {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: …", self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_read_and_never_shows_its_value() {
        let header: Header = "Authorization: Bearer secret:1 ".parse().unwrap();
        assert_eq!((header.name.as_str(), header.value.as_str()), ("authorization", "Bearer secret:1"));
        assert_eq!(format!("{header:?}"), "authorization: …");
        let long = format!("x: {}", "secret".repeat(2_000));
        for (argument, expected) in [
            ("secret", "not written 'Name: value'"),
            (": secret", "not written"),
            ("a b: secret", "not written"),
            ("Host: secret", "--header host cannot be set"),
            ("x: secret\r\ny: z", "the value of --header x holds characters"),
            (&long, "--header x is longer than 8192 bytes"),
        ] {
            let error = argument.parse::<Header>().unwrap_err().to_string();
            assert!(error.contains(expected) && !error.contains("secret"), "{error}");
        }
    }
}
