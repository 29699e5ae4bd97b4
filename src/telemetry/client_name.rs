//! A client as operators see it.

use percent_encoding::{AsciiSet, CONTROLS, percent_encode};
use std::net::IpAddr;

/// The most characters of a client's id: a UUID with a prefix, or a short name.
pub const CLIENT_ID_CHARACTERS_MAX: usize = 64;
/// The end of an id that was cut.
const CUT: &str = "...";
/// What could end a log line, or its field. Bytes beyond ASCII are always encoded.
const ENCODED: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'\\').add(b'%');

/// A client's name in logs and on debug pages. It decides nothing: who may do what follows from the address alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientName {
    /// The client's address, behind trusted proxies.
    pub address: IpAddr,
    /// A stream without any of it spends one word.
    known: Option<Box<Known>>,
}

/// What is known of a client beside its address.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Known {
    id: Option<String>,
    subject: Option<String>,
}

impl ClientName {
    /// The same client with the id that a header carries. Bytes that are not visible ASCII, quotes, backslashes and
    /// percent signs become `%XX`; an empty value is none.
    pub fn with_id(self, header: &[u8]) -> Self {
        // Each byte becomes at least one character.
        let read = &header[..header.len().min(CLIENT_ID_CHARACTERS_MAX + 1)];
        let mut id = percent_encode(read.trim_ascii(), ENCODED).to_string();
        if id.len() > CLIENT_ID_CHARACTERS_MAX {
            id.truncate(CLIENT_ID_CHARACTERS_MAX - CUT.len());
            id.push_str(CUT);
        }
        if id.is_empty() {
            return self;
        }
        let known = Known { id: Some(id), ..self.known.map(|known| *known).unwrap_or_default() };
        Self { known: Some(Box::new(known)), ..self }
    }

    /// The same client with the subject of its token, which must be hashed.
    pub fn with_subject(self, hashed: String) -> Self {
        let known = Known { subject: Some(hashed), ..self.known.map(|known| *known).unwrap_or_default() };
        Self { known: Some(Box::new(known)), ..self }
    }

    /// The id that its header carried: at most [`CLIENT_ID_CHARACTERS_MAX`] visible ASCII characters.
    pub fn id(&self) -> Option<&str> {
        self.known.as_ref()?.id.as_deref()
    }

    /// The subject of its token, as a keyed hash.
    pub fn subject(&self) -> Option<&str> {
        self.known.as_ref()?.subject.as_deref()
    }
}

/// A client without an id. An IPv4 address mapped into IPv6 becomes IPv4.
impl From<IpAddr> for ClientName {
    fn from(address: IpAddr) -> Self {
        Self { address: address.to_canonical(), known: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rule_10_an_id_is_short_and_forges_neither_a_line_nor_a_field() {
        let client = || ClientName::from("::ffff:192.0.2.1".parse::<IpAddr>().unwrap());
        assert_eq!(client().address.to_string(), "192.0.2.1");
        let long = "x".repeat(65);
        for (header, id) in [
            (&b""[..], None),
            (b" \t ", None),
            (b"acme-7f3", Some("acme-7f3".to_owned())),
            (b" acme ", Some("acme".to_owned())),
            (b"a\r\nlevel=ERROR\x1b[31m\0", Some("a%0D%0Alevel=ERROR%1B[31m%00".to_owned())),
            (b"a\" reason=\"left", Some("a%22%20reason=%22left".to_owned())),
            (b"100%41\\", Some("100%2541%5C".to_owned())),
            ("Müller".as_bytes(), Some("M%C3%BCller".to_owned())),
            (b"\xff", Some("%FF".to_owned())),
            (&long.as_bytes()[..64], Some("x".repeat(64))),
            (long.as_bytes(), Some(format!("{}...", "x".repeat(61)))),
        ] {
            assert_eq!(client().with_id(header).id(), id.as_deref());
        }
        let both = client().with_id(b"acme").with_subject("5f".to_owned());
        assert_eq!((both.id(), both.subject(), client().subject()), (Some("acme"), Some("5f"), None));
        let id = client().with_id("ü".repeat(9_999).as_bytes());
        assert_eq!(id.id().unwrap().len(), CLIENT_ID_CHARACTERS_MAX);
    }
}
