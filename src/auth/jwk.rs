//! One JSON Web Key (RFC 7517, RFC 7518, RFC 8037): from its members to a key that verifies.

use super::object::{Object, WrongType, base64url};
use ring::{
    agreement, hmac,
    rand::SystemRandom,
    signature::{self, RsaPublicKeyComponents, VerificationAlgorithm as _},
};
use std::{fmt, ops::RangeInclusive};

/// The shortest secret of HS256, in bytes: as many as the hash has (RFC 7518, 3.2).
pub const SECRET_BYTES_MIN: usize = 32;
/// The longest secret, in bytes: a longer one is not safer, and perhaps another file.
pub const SECRET_BYTES_MAX: usize = 1024;
/// The longest file with one, in bytes: blanks and line ends around the secret count.
pub const SECRET_FILE_BYTES_MAX: usize = 4096;
/// Shorter keys can be factored. Longer ones are rare, and each verification costs four times as much at twice the
/// length.
const RSA_BITS: RangeInclusive<usize> = 2048..=4096;
/// What ring accepts: odd, from 3, at most 33 bits.
const RSA_EXPONENT: RangeInclusive<u64> = 3..=(1 << 33) - 1;
/// The longest `kid`.
const ID_BYTES_MAX: usize = 256;
/// A coordinate of P-256, and a key of Ed25519.
const COORDINATE_BYTES: usize = 32;

/// Where a set comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyOrigin {
    /// A file of the operator's, which may hold secrets.
    File,
    /// A server's answer, which holds public keys alone.
    Network,
}

/// What a signature is made with. Each kind of key has one: it is the key's, whatever a token says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// RSA, PKCS #1 1.5, SHA-256.
    Rs256,
    /// P-256, SHA-256.
    Es256,
    /// Ed25519.
    EdDsa,
    /// HMAC, SHA-256.
    Hs256,
}

impl Algorithm {
    /// Whether a token or a key calls it so. RFC 9864 gave `EdDSA` a second name.
    pub(super) fn is_called(self, name: &str) -> bool {
        name == self.name() || (self == Self::EdDsa && name == "Ed25519")
    }

    fn name(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Es256 => "ES256",
            Self::EdDsa => "EdDSA",
            Self::Hs256 => "HS256",
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Why a key of a set is not used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyFault {
    /// Another JSON value, or a member stands twice.
    #[error("it is not a JSON object in which each member stands once")]
    NotAnObject,
    /// A member that this kind of key needs is absent, or not a string.
    #[error("`{0}` must be a string")]
    Member(&'static str),
    /// A kind that verifies no token.
    #[error("`kty` is not RSA, EC, OKP or oct")]
    Kind,
    /// Another curve.
    #[error("`crv` is not {0}")]
    Curve(&'static str),
    /// The key is for another algorithm.
    #[error("`alg` is not {0}, the only one that is accepted for this kind of key")]
    Algorithm(Algorithm),
    /// The key is for encryption.
    #[error("`use` is not sig")]
    Use,
    /// The key must not verify.
    #[error("`key_ops` is not a list with verify")]
    Operations,
    /// A private key: all who can read the set could sign with it.
    #[error("it holds a private key in `{0}`: publish its public members alone")]
    Private(&'static str),
    /// A number or a secret is written wrongly.
    #[error("`{0}` is not base64url without padding")]
    Base64(&'static str),
    /// A number has another length, or begins with a zero byte.
    #[error("`{0}` does not have the length that its kind needs, or begins with a zero byte")]
    Length(&'static str),
    /// The RSA key can be broken, or takes too long to verify with.
    #[error("the modulus has {0} bits; it must have {min} to {max}", min = RSA_BITS.start(), max = RSA_BITS.end())]
    Modulus(usize),
    /// The exponent is even, 1, or too large.
    #[error("the exponent `e` is not an odd number from 3 to 2^33")]
    Exponent,
    /// The point is not one of the curve.
    #[error("`x` and `y` are not a point of the curve")]
    Point,
    /// A secret must not come over a network.
    #[error("a secret (`kty` oct) is accepted from a file only")]
    SecretFromNetwork,
    /// The secret could be guessed, or is not one.
    #[error("the secret has {0} bytes; it must have {SECRET_BYTES_MIN} to {SECRET_BYTES_MAX}")]
    SecretLength(usize),
    /// The name is too long.
    #[error("`kid` has more than {ID_BYTES_MAX} bytes")]
    IdLength,
    /// An earlier key has the same name.
    #[error("an earlier key has the same `kid`")]
    RepeatedId,
}

/// What verifies a signature.
#[derive(Debug)]
pub(super) enum Material {
    Rsa(RsaPublicKeyComponents<Vec<u8>>),
    /// An uncompressed point.
    P256(Vec<u8>),
    Ed25519(Vec<u8>),
    Secret(hmac::Key),
}

impl Material {
    /// The only algorithm that this kind of key verifies.
    pub(super) fn algorithm(&self) -> Algorithm {
        match self {
            Self::Rsa(_) => Algorithm::Rs256,
            Self::P256(_) => Algorithm::Es256,
            Self::Ed25519(_) => Algorithm::EdDsa,
            Self::Secret(_) => Algorithm::Hs256,
        }
    }

    /// Whether the signature of the message is this key's.
    pub(super) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        match self {
            Self::Rsa(key) => key.verify(&signature::RSA_PKCS1_2048_8192_SHA256, message, signature).is_ok(),
            Self::P256(point) => signature::ECDSA_P256_SHA256_FIXED
                .verify(point.as_slice().into(), message.into(), signature.into())
                .is_ok(),
            Self::Ed25519(key) => {
                signature::ED25519.verify(key.as_slice().into(), message.into(), signature.into()).is_ok()
            }
            Self::Secret(key) => hmac::verify(key, message, signature).is_ok(),
        }
    }

    /// The key of HS256.
    ///
    /// # Errors
    /// [`KeyFault::SecretLength`].
    pub(super) fn secret(secret: &[u8]) -> Result<Self, KeyFault> {
        if !(SECRET_BYTES_MIN..=SECRET_BYTES_MAX).contains(&secret.len()) {
            return Err(KeyFault::SecretLength(secret.len()));
        }
        Ok(Self::Secret(hmac::Key::new(hmac::HMAC_SHA256, secret)))
    }
}

/// A key's name and numbers.
///
/// # Errors
/// Why it cannot be used.
pub(super) fn read(jwk: &Object<'_>, origin: KeyOrigin) -> Result<(Option<String>, Material), KeyFault> {
    let id: Option<String> = jwk.get("kid").map_err(|WrongType| KeyFault::Member("kid"))?;
    if id.as_ref().is_some_and(|id| id.len() > ID_BYTES_MAX) {
        return Err(KeyFault::IdLength);
    }
    if jwk.has("use") && jwk.get::<String>("use") != Ok(Some("sig".to_owned())) {
        return Err(KeyFault::Use);
    }
    let operations = jwk.get::<Vec<String>>("key_ops").map_err(|WrongType| KeyFault::Operations)?;
    if operations.is_some_and(|operations| !operations.iter().any(|operation| operation == "verify")) {
        return Err(KeyFault::Operations);
    }
    let material = match string(jwk, "kty")?.as_str() {
        "RSA" => rsa(jwk),
        "EC" => p256(jwk),
        "OKP" => ed25519(jwk),
        "oct" => secret(jwk, origin),
        _ => Err(KeyFault::Kind),
    }?;
    let algorithm = jwk.get::<String>("alg").map_err(|WrongType| KeyFault::Member("alg"))?;
    if algorithm.is_some_and(|name| !material.algorithm().is_called(&name)) {
        return Err(KeyFault::Algorithm(material.algorithm()));
    }
    Ok((id, material))
}

fn rsa(jwk: &Object<'_>) -> Result<Material, KeyFault> {
    has_no_private(jwk)?;
    let n = number(jwk, "n")?;
    let e = number(jwk, "e")?;
    let bits = n.len() * 8 - n.first().map_or(0, |first| first.leading_zeros() as usize);
    if !RSA_BITS.contains(&bits) || n.last().is_none_or(|last| last % 2 == 0) {
        return Err(KeyFault::Modulus(bits));
    }
    let exponent = e.iter().take(9).fold(0_u64, |sum, byte| sum.saturating_mul(256).saturating_add((*byte).into()));
    if !RSA_EXPONENT.contains(&exponent) || exponent % 2 == 0 {
        return Err(KeyFault::Exponent);
    }
    Ok(Material::Rsa(RsaPublicKeyComponents { n, e }))
}

fn p256(jwk: &Object<'_>) -> Result<Material, KeyFault> {
    has_no_private(jwk)?;
    if string(jwk, "crv")? != "P-256" {
        return Err(KeyFault::Curve("P-256"));
    }
    // Both have their full length, leading zeros included (RFC 7518, 6.2.1.2).
    let x = coordinate(jwk, "x")?;
    let y = coordinate(jwk, "y")?;
    let point = [&[4], x.as_slice(), &y].concat();
    // ring says whether a point is on the curve only where it computes with it.
    let ours = agreement::EphemeralPrivateKey::generate(&agreement::ECDH_P256, &SystemRandom::new());
    let theirs = agreement::UnparsedPublicKey::new(&agreement::ECDH_P256, &point);
    match ours.and_then(|ours| agreement::agree_ephemeral(ours, &theirs, |_| ())) {
        Ok(()) => Ok(Material::P256(point)),
        Err(_) => Err(KeyFault::Point),
    }
}

fn ed25519(jwk: &Object<'_>) -> Result<Material, KeyFault> {
    has_no_private(jwk)?;
    if string(jwk, "crv")? != "Ed25519" {
        return Err(KeyFault::Curve("Ed25519"));
    }
    coordinate(jwk, "x").map(Material::Ed25519)
}

fn secret(jwk: &Object<'_>, origin: KeyOrigin) -> Result<Material, KeyFault> {
    match origin {
        KeyOrigin::Network => Err(KeyFault::SecretFromNetwork),
        KeyOrigin::File => Material::secret(&bytes(jwk, "k")?),
    }
}

fn has_no_private(jwk: &Object<'_>) -> Result<(), KeyFault> {
    match ["d", "p", "q", "dp", "dq", "qi", "oth"].into_iter().find(|name| jwk.has(name)) {
        Some(name) => Err(KeyFault::Private(name)),
        None => Ok(()),
    }
}

fn string(jwk: &Object<'_>, name: &'static str) -> Result<String, KeyFault> {
    jwk.get(name).ok().flatten().ok_or(KeyFault::Member(name))
}

fn bytes(jwk: &Object<'_>, name: &'static str) -> Result<Vec<u8>, KeyFault> {
    base64url(string(jwk, name)?).ok_or(KeyFault::Base64(name))
}

/// A number of RSA, in as few bytes as it needs (RFC 7518, 2).
fn number(jwk: &Object<'_>, name: &'static str) -> Result<Vec<u8>, KeyFault> {
    bytes(jwk, name)
        .and_then(|number| if number.first() == Some(&0) { Err(KeyFault::Length(name)) } else { Ok(number) })
}

fn coordinate(jwk: &Object<'_>, name: &'static str) -> Result<Vec<u8>, KeyFault> {
    bytes(jwk, name)
        .and_then(|bytes| if bytes.len() == COORDINATE_BYTES { Ok(bytes) } else { Err(KeyFault::Length(name)) })
}
