//! Whether a stream is compressed: what its client says it can read, and the dictionary that clients fetch before.

use super::error::ApiError;
use crate::{
    server::{AcceptEncoding, Response},
    wire::Dictionary,
};
use base64::{
    Engine as _, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};

/// The content coding of a stream (RFC 9842, section 5).
const DCZ: &str = "dcz";
/// The header in which a client names the dictionary that it has.
const AVAILABLE_DICTIONARY: HeaderName = HeaderName::from_static("available-dictionary");
const USE_AS_DICTIONARY: HeaderName = HeaderName::from_static("use-as-dictionary");
/// The streams are what it is for. A pattern of a path alone fits all queries.
const MATCH: HeaderValue = HeaderValue::from_static("match=\"/v1/stream*\"");
/// A dictionary's path has its hash in it: it never changes. No hop may change its bytes, which the hash is of.
const FOREVER: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable, no-transform");
const VARY: HeaderValue = HeaderValue::from_static("accept-encoding, available-dictionary");

/// With padding or without: a byte sequence without it is read as well (RFC 9651, section 4.2.7).
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Whether a client has the dictionary, and takes what is compressed with it. A client that says something malformed
/// gets plain bytes, as it would without a word.
pub(super) fn is_wanted(request: &HeaderMap, dictionary: &Dictionary) -> bool {
    // The coding itself: `*` is not enough, since it does not name a dictionary.
    AcceptEncoding::of(request).names(DCZ) && has(request, dictionary)
}

/// Says in the head of a stream how it is encoded. `compresses`: `None` if no stream of the gateway is.
pub(super) fn describe(head: &mut HeaderMap, compresses: Option<bool>) {
    let Some(compresses) = compresses else { return };
    head.append(header::VARY, VARY);
    if compresses {
        head.insert(header::CONTENT_ENCODING, HeaderValue::from_static(DCZ));
    }
}

/// The way to the dictionary of this gateway, to be asked each time.
pub(super) fn redirect(dictionary: &Dictionary) -> Response {
    let mut response = Response::default();
    *response.status_mut() = StatusCode::TEMPORARY_REDIRECT;
    let place = format!("/v1/dictionary/{}", dictionary.name());
    let place = HeaderValue::try_from(place).expect("hexadecimal digits are a header's value");
    response.headers_mut().insert(header::LOCATION, place);
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}

/// The dictionary with this name.
///
/// # Errors
/// [`ApiError::NoDictionary`]: this gateway has another.
pub(super) fn content(dictionary: &Dictionary, name: &str) -> Result<Response, ApiError> {
    if name != dictionary.name() {
        return Err(ApiError::NoDictionary);
    }
    let mut response = Response::new(dictionary.content().clone().into());
    for (name, value) in [
        (header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream")),
        (header::CACHE_CONTROL, FOREVER),
        (USE_AS_DICTIONARY, MATCH),
    ] {
        response.headers_mut().insert(name, value);
    }
    Ok(response)
}

/// Whether the client has this dictionary. The header is one byte sequence of structured fields (RFC 9651).
fn has(request: &HeaderMap, dictionary: &Dictionary) -> bool {
    let mut values = request.get_all(AVAILABLE_DICTIONARY).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return false };
    let item = value.to_str().ok().and_then(|value| value.trim().strip_prefix(':'));
    let Some((hash, parameters)) = item.and_then(|item| item.split_once(':')) else { return false };
    let is_item = parameters.is_empty() || parameters.starts_with(';');
    is_item && BASE64.decode(hash).is_ok_and(|hash| hash == dictionary.hash())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(fields: &[(HeaderName, &str)]) -> HeaderMap {
        fields.iter().map(|(name, value)| (name.clone(), HeaderValue::from_str(value).unwrap())).fold(
            HeaderMap::new(),
            |mut headers, (name, value)| {
                headers.append(name, value);
                headers
            },
        )
    }

    #[test]
    fn a_stream_is_compressed_where_both_headers_say_so() {
        let dictionary = Dictionary::built_in();
        let hash = BASE64.encode(dictionary.hash());
        let ours = format!(":{hash}:");
        let other = format!(":{}:", BASE64.encode([7; 32]));
        for (encoding, available, compresses) in [
            (Some("gzip, deflate, br, zstd, dcb, dcz"), Some(ours.as_str()), true),
            (Some("dcz"), Some(&ours), true),
            (Some("DCZ;q=0.5"), Some(&ours), true),
            (Some("br;q=1 , dcz ; q=0.001"), Some(&ours), true),
            (Some("dcz"), Some(&format!("{ours};a=1")), true),
            (Some("dcz"), Some(&format!(" {ours} ")), true),
            (Some("dcz"), Some(&format!(":{}:", hash.trim_end_matches('='))), true),
            (None, Some(&ours), false),
            (Some(""), Some(&ours), false),
            (Some("*"), Some(&ours), false),
            (Some("gzip, br, zstd, dcb"), Some(&ours), false),
            (Some("dczz"), Some(&ours), false),
            (Some("dcz;q=0"), Some(&ours), false),
            (Some("dcz;q=0.0000"), Some(&ours), false),
            (Some("gzip, dcz"), None, false),
            (Some("gzip, dcz"), Some(&other), false),
            (Some("dcz"), Some(&hash), false),
            (Some("dcz"), Some(&format!(":{hash}")), false),
            (Some("dcz"), Some(&format!("{ours}x")), false),
            (Some("dcz"), Some(&format!("{other}, {ours}")), false),
            (Some("dcz"), Some("::"), false),
            (Some("dcz"), Some(":"), false),
            (Some("dcz"), Some(""), false),
        ] {
            let fields = [(header::ACCEPT_ENCODING, encoding), (AVAILABLE_DICTIONARY, available)];
            let fields: Vec<_> = fields.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
            assert_eq!(is_wanted(&headers(&fields), &dictionary), compresses, "{encoding:?} {available:?}");
        }
        let two = [(header::ACCEPT_ENCODING, "dcz"), (AVAILABLE_DICTIONARY, &ours), (AVAILABLE_DICTIONARY, &ours)];
        assert!(!is_wanted(&headers(&two), &dictionary), "the header is one item");
        let lists =
            [(header::ACCEPT_ENCODING, "gzip"), (header::ACCEPT_ENCODING, "dcz"), (AVAILABLE_DICTIONARY, &ours)];
        assert!(is_wanted(&headers(&lists), &dictionary), "lists add up");
        let against =
            [(header::ACCEPT_ENCODING, "dcz"), (header::ACCEPT_ENCODING, "dcz;q=0"), (AVAILABLE_DICTIONARY, &ours)];
        assert!(!is_wanted(&headers(&against), &dictionary), "one of them speaks against it");
    }

    #[test]
    fn a_head_says_what_decides_and_what_was_decided() {
        for (compresses, vary, encoding) in [
            (None, None, None),
            (Some(false), Some("accept-encoding, available-dictionary"), None),
            (Some(true), Some("accept-encoding, available-dictionary"), Some("dcz")),
        ] {
            let mut head = HeaderMap::new();
            describe(&mut head, compresses);
            let value = |name| head.get(name).map(|value| value.to_str().unwrap());
            assert_eq!((value(header::VARY), value(header::CONTENT_ENCODING)), (vary, encoding));
        }
    }

    #[test]
    fn the_way_to_the_dictionary_leads_to_it_and_no_other_name_does() {
        let dictionary = Dictionary::built_in();
        let way = redirect(&dictionary);
        let place = way.headers()[header::LOCATION].to_str().unwrap();
        assert_eq!(way.headers()[header::CACHE_CONTROL], "no-cache");
        let name = place.strip_prefix("/v1/dictionary/").unwrap();
        let answer = content(&dictionary, name).unwrap();
        assert_eq!(answer.headers()[USE_AS_DICTIONARY], "match=\"/v1/stream*\"");
        assert_eq!(answer.headers()[header::CACHE_CONTROL], "public, max-age=31536000, immutable, no-transform");
        for name in ["", "0", &name[1..], &name.to_uppercase(), &format!("{name}0")] {
            assert_eq!(content(&dictionary, name).err(), Some(ApiError::NoDictionary), "{name}");
        }
    }
}
