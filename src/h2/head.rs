//! Fields to the head of a request (RFC 9113, sections 8.1 to 8.3), in the form that a request of HTTP/1.1 has.

use super::{ConnectionError, Reason, guard::FIELDS_MAX};
use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Request, Uri, Version, header,
    request::Parts,
    uri::{Authority, PathAndQuery},
};

/// What a field counts beside its name and value (RFC 9113, section 6.5.2).
const FIELD_BYTES: usize = 32;

/// The fields are not a request, or not trailers: the stream is reset.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Malformed;

/// A head, and what it declares of the body.
#[derive(Debug)]
pub(super) struct Head {
    /// How large it is, decoded.
    pub(super) bytes: usize,
    pub(super) parts: Box<Parts>,
    pub(super) content_length: Option<u64>,
}

/// Collects the fields of a header block. A malformed one is still read to its end, for the compression needs it.
#[derive(Debug)]
pub(super) struct Fields {
    bytes: usize,
    bytes_max: usize,
    count: usize,
    is_malformed: bool,
    pseudo: Option<Pseudo>,
    map: HeaderMap,
    cookie: Option<Vec<u8>>,
}

/// The pseudo-header fields, while they may come.
#[derive(Debug, Default)]
struct Pseudo {
    method: Option<Method>,
    scheme: Option<()>,
    path: Option<PathAndQuery>,
    authority: Option<Authority>,
    is_over: bool,
}

impl Fields {
    /// Those of a request's head; `bytes_max` after decoding.
    pub(super) fn of_head(bytes_max: usize) -> Self {
        Self { pseudo: Some(Pseudo::default()), ..Self::of_trailers(bytes_max) }
    }

    /// Those behind a body.
    pub(super) fn of_trailers(bytes_max: usize) -> Self {
        Self { bytes: 0, bytes_max, count: 0, is_malformed: false, pseudo: None, map: HeaderMap::new(), cookie: None }
    }

    /// Takes the next field.
    ///
    /// # Errors
    /// There are too many, or their bytes are.
    pub(super) fn add(&mut self, name: &[u8], value: &[u8]) -> Result<(), ConnectionError> {
        self.count += 1;
        self.bytes += name.len() + value.len() + FIELD_BYTES;
        if self.count > FIELDS_MAX || self.bytes > self.bytes_max {
            return Err(ConnectionError::calm(Reason::HeaderFields));
        }
        if !self.is_malformed && self.try_add(name, value).is_err() {
            self.is_malformed = true;
        }
        Ok(())
    }

    fn try_add(&mut self, name: &[u8], value: &[u8]) -> Result<(), Malformed> {
        if let Some(name) = name.strip_prefix(b":") {
            return self.pseudo.as_mut().ok_or(Malformed)?.add(name, value);
        }
        if let Some(pseudo) = &mut self.pseudo {
            pseudo.is_over = true;
        }
        if value.first().is_some_and(is_blank) || value.last().is_some_and(is_blank) {
            return Err(Malformed);
        }
        // Upper case is malformed too.
        let name = HeaderName::from_lowercase(name).map_err(|_| Malformed)?;
        if is_connection_specific(&name) || (name == header::TE && value != b"trailers") {
            return Err(Malformed);
        }
        let value = HeaderValue::from_bytes(value).map_err(|_| Malformed)?;
        if name == header::COOKIE {
            match &mut self.cookie {
                Some(crumbs) => {
                    crumbs.extend_from_slice(b"; ");
                    crumbs.extend_from_slice(value.as_bytes());
                }
                None => self.cookie = Some(value.as_bytes().to_vec()),
            }
        } else if name == header::CONTENT_LENGTH && self.map.contains_key(&name) {
            // Repeated, it is the same number.
            if self.map.get(&name) != Some(&value) {
                return Err(Malformed);
            }
        } else {
            self.map.append(name, value);
        }
        Ok(())
    }

    /// The end of trailers.
    ///
    /// # Errors
    /// They are malformed.
    pub(super) fn finish_trailers(self) -> Result<(), Malformed> {
        if self.is_malformed { Err(Malformed) } else { Ok(()) }
    }

    /// The end of a head.
    ///
    /// # Errors
    /// It is malformed, or incomplete.
    pub(super) fn finish_head(self) -> Result<Head, Malformed> {
        let pseudo = self.pseudo.filter(|_| !self.is_malformed).ok_or(Malformed)?;
        let mut map = self.map;
        let content_length = match map.get(header::CONTENT_LENGTH) {
            Some(length) => Some(number(length.as_bytes()).ok_or(Malformed)?),
            None => None,
        };
        if let Some(cookie) = self.cookie {
            map.insert(header::COOKIE, HeaderValue::from_maybe_shared(Bytes::from(cookie)).map_err(|_| Malformed)?);
        }
        let (mut parts, ()) = Request::new(()).into_parts();
        (parts.method, parts.uri) = pseudo.finish(&mut map)?;
        parts.version = Version::HTTP_2;
        parts.headers = map;
        Ok(Head { bytes: self.bytes, parts: parts.into(), content_length })
    }
}

impl Pseudo {
    fn add(&mut self, name: &[u8], value: &[u8]) -> Result<(), Malformed> {
        if self.is_over {
            return Err(Malformed);
        }
        match name {
            b"method" => set(&mut self.method, Method::from_bytes(value).ok()),
            // Nothing else is spoken on this port.
            b"scheme" => set(&mut self.scheme, value.eq_ignore_ascii_case(b"https").then_some(())),
            b"path" if value.starts_with(b"/") || value == b"*" => {
                set(&mut self.path, PathAndQuery::try_from(value).ok())
            }
            b"authority" if !value.contains(&b'@') => set(&mut self.authority, Authority::try_from(value).ok()),
            _ => Err(Malformed),
        }
    }

    /// The method and the URI. The authority goes to the `host` field, which must equal it if it is there.
    fn finish(self, map: &mut HeaderMap) -> Result<(Method, Uri), Malformed> {
        let method = self.method.ok_or(Malformed)?;
        if let Some(authority) = &self.authority {
            let value = HeaderValue::from_str(authority.as_str()).map_err(|_| Malformed)?;
            let is_other = |host: &HeaderValue| !host.as_bytes().eq_ignore_ascii_case(value.as_bytes());
            if map.get_all(header::HOST).iter().any(is_other) {
                return Err(Malformed);
            }
            map.insert(header::HOST, value);
        }
        let uri = match (self.scheme, self.path, self.authority) {
            (None, None, Some(authority)) if method == Method::CONNECT => authority.into(),
            (Some(()), Some(path), _) if method != Method::CONNECT && (path != "*" || method == Method::OPTIONS) => {
                path.into()
            }
            _ => return Err(Malformed),
        };
        Ok((method, uri))
    }
}

/// Sets what must be valid, and come once.
fn set<T>(place: &mut Option<T>, value: Option<T>) -> Result<(), Malformed> {
    if place.is_some() || value.is_none() {
        return Err(Malformed);
    }
    *place = value;
    Ok(())
}

/// Fields that speak of a connection of HTTP/1.1 (RFC 9113, section 8.2.2).
pub(super) fn is_connection_specific(name: &HeaderName) -> bool {
    const OTHERS: [&str; 2] = ["keep-alive", "proxy-connection"];
    [header::CONNECTION, header::TRANSFER_ENCODING, header::UPGRADE].contains(name) || OTHERS.contains(&name.as_str())
}

fn is_blank(byte: &u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

fn number(digits: &[u8]) -> Option<u64> {
    let is_plain = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    is_plain.then(|| std::str::from_utf8(digits).ok()?.parse().ok()).flatten()
}
