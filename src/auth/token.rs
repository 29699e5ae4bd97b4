//! A token: a compact JWS (RFC 7515) of JSON claims (RFC 7519).

use super::{
    claims::{self, Claims, Expected},
    error::{TOKEN_BYTES_MAX, TokenError},
    keys::{Key, KeySet},
    object::base64url,
    value::{Members, Value},
};
use crate::market::UnixMicros;

/// Verifies a token and returns what it says.
///
/// # Errors
/// The first check that it fails. Its claims are read only once its signature is verified.
pub fn verify(token: &[u8], keys: &KeySet, expected: Expected<'_>, now: UnixMicros) -> Result<Claims, TokenError> {
    let payload = signed_payload(token, keys)?;
    let claims = Members::read(&payload).ok_or(TokenError::Malformed)?;
    claims::read(&claims, expected, now)
}

/// The key that a token names, if it names one. Nothing of the token is verified.
pub fn named_key(token: &[u8]) -> Option<String> {
    let header = base64url(token.split(|byte| *byte == b'.').next()?)?;
    Some(Members::read(&header)?.get("kid")?.text()?.to_owned())
}

/// What the token's key has signed.
pub(super) fn signed_payload(token: &[u8], keys: &KeySet) -> Result<Vec<u8>, TokenError> {
    if token.len() > TOKEN_BYTES_MAX {
        return Err(TokenError::TooLong);
    }
    let mut parts = token.split(|byte| *byte == b'.');
    let parts = [parts.next(), parts.next(), parts.next(), parts.next()];
    let [Some(header), Some(payload), Some(signature), None] = parts else { return Err(TokenError::Malformed) };
    let signed = &token[..header.len() + 1 + payload.len()];
    let key = match keys.of_header(header) {
        Some(key) => key,
        None => named_by(header, keys)?,
    };
    let payload = base64url(payload).ok_or(TokenError::Malformed)?;
    let signature = base64url(signature).ok_or(TokenError::Malformed)?;
    if !key.verifies(signed, &signature) {
        return Err(TokenError::Signature);
    }
    key.has_verified(header);
    Ok(payload)
}

/// The key that a header names, if the header asks for nothing else than that key can do.
fn named_by<'a>(header: &[u8], keys: &'a KeySet) -> Result<&'a Key, TokenError> {
    let header = base64url(header).ok_or(TokenError::Malformed)?;
    let header = Members::read(&header).ok_or(TokenError::Malformed)?;
    if header.get("crit").is_some() {
        return Err(TokenError::Critical);
    }
    let text = |value: &Value<'_>| value.text().map(str::to_owned).ok_or(TokenError::Malformed);
    let algorithm = text(header.get("alg").ok_or(TokenError::Malformed)?)?;
    let id = header.get("kid").map(text).transpose()?;
    let key = keys.find(id.as_deref()).map_err(TokenError::Key)?;
    if key.algorithm().is_called(&algorithm) { Ok(key) } else { Err(TokenError::Algorithm) }
}
