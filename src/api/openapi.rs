//! The API as a document for machines: a file, served as it is.

/// OpenAPI 3.2, the first version that can describe the events of a stream.
pub const OPENAPI: &str = include_str!("openapi.json");
