//! Headers that the user adds to each request. Their values may be secrets: nothing prints them.

use std::{fmt, fs, io};

/// The longest header.
const BYTES_MAX: usize = 8 * 1024;
/// Headers that the load tester writes itself, or that would change where the request ends.
const RESERVED: [&str; 5] = ["host", "connection", "content-length", "transfer-encoding", "last-event-id"];

/// A header of each request.
#[derive(Clone, PartialEq, Eq)]
pub struct Header {
    /// In lower case.
    pub(super) name: String,
    /// At least one. Requests take turns.
    values: Vec<String>,
}

/// Why an argument is not a header. It does not show the value.
#[derive(Debug, thiserror::Error)]
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
    /// The file of its values cannot be read.
    #[error("cannot read the values of --header-file {0}: {1}")]
    File(String, io::Error),
    /// The file of its values has none.
    #[error("the file of --header-file {0} is empty")]
    Empty(String),
}

impl Header {
    /// A header of the lines of a file: `name: file`.
    ///
    /// # Errors
    /// The file cannot be read, or a line is not a value.
    pub fn of_file(argument: &str) -> Result<Self, HeaderError> {
        let (name, file) = argument.split_once(':').ok_or(HeaderError::Form)?;
        let text = fs::read_to_string(file.trim()).map_err(|error| HeaderError::File(name.to_owned(), error))?;
        let lines: Result<Vec<Self>, _> = text.lines().map(|line| format!("{name}: {line}").parse()).collect();
        let values = lines?.into_iter().flat_map(|header| header.values).collect::<Vec<_>>();
        if values.is_empty() {
            return Err(HeaderError::Empty(name.to_owned()));
        }
        Ok(Self { name: name.to_ascii_lowercase(), values })
    }

    /// The value of the request with this number.
    pub(super) fn value(&self, number: usize) -> &str {
        &self.values[number % self.values.len()]
    }
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
            Ok(Self { name, values: vec![value] })
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
        assert_eq!((header.name.as_str(), header.value(7)), ("authorization", "Bearer secret:1"));
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

    #[test]
    fn requests_take_turns_with_the_lines_of_a_file() {
        let file = std::env::temp_dir().join(format!("tickfan-headers-{}", std::process::id()));
        let read = |text: &str| {
            fs::write(&file, text).unwrap();
            Header::of_file(&format!("Authorization: {}", file.display()))
        };
        let header = read("Bearer one\nBearer two\n").unwrap();
        assert_eq!([0, 1, 2].map(|number| header.value(number)), ["Bearer one", "Bearer two", "Bearer one"]);
        assert_eq!(header.name, "authorization");
        for (text, expected) in [("", "is empty"), ("Bearer s\u{e9}cret\n", "characters")] {
            let error = read(text).unwrap_err().to_string();
            assert!(error.contains(expected) && !error.contains("cret"), "{error}");
        }
        fs::remove_file(&file).unwrap();
        assert!(Header::of_file("x: /nowhere").unwrap_err().to_string().contains("cannot read"));
    }
}
