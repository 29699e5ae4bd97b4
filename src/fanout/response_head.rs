//! The head of a stream's response, in a form that each transport can write.

use http::{HeaderName, HeaderValue};

/// The head of a stream's response: the status is 200, and these are the header fields, in their order. Fields that
/// belong to one protocol, such as `connection`, are the transport's to add.
#[derive(Debug, Clone, Default)]
pub struct ResponseHead(Box<[(HeaderName, HeaderValue)]>);

impl ResponseHead {
    /// The header fields, in their order.
    pub fn fields(&self) -> &[(HeaderName, HeaderValue)] {
        &self.0
    }
}

impl FromIterator<(HeaderName, HeaderValue)> for ResponseHead {
    fn from_iter<Fields: IntoIterator<Item = (HeaderName, HeaderValue)>>(fields: Fields) -> Self {
        Self(fields.into_iter().collect())
    }
}
