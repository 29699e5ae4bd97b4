//! The examples of RFC 7515, appendix A.1 to A.3, and of RFC 8037, appendix A.4.

use super::{KeySet, TokenError, signing_tests::keys, token::signed_payload};
use proptest::prelude::*;

struct Vector {
    jwk: &'static str,
    token: &'static str,
    payload: &'static str,
}

const CLAIMS: &str = "{\"iss\":\"joe\",\r\n \"exp\":1300819380,\r\n \"http://example.com/is_root\":true}";

const HS256: Vector = Vector {
    jwk: r#"{"kty":"oct","k":"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"}"#,
    token: "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFt\
            cGxlLmNvbS9pc19yb290Ijp0cnVlfQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
    payload: CLAIMS,
};

const RS256: Vector = Vector {
    jwk: r#"{"kty":"RSA","e":"AQAB","n":"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ"}"#,
    token: "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290\
            Ijp0cnVlfQ.cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5juj\
            Gbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_\
            eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLI\
            hWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw",
    payload: CLAIMS,
};

const ES256: Vector = Vector {
    jwk: r#"{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}"#,
    token: "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290\
            Ijp0cnVlfQ.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q",
    payload: CLAIMS,
};

const EDDSA: Vector = Vector {
    jwk: r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#,
    token: "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhij\
            cNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg",
    payload: "Example of Ed25519 signing",
};

const VECTORS: [Vector; 4] = [HS256, RS256, ES256, EDDSA];

impl Vector {
    fn keys(&self) -> KeySet {
        keys(&[self.jwk])
    }
}

#[test]
fn the_examples_of_the_rfcs_are_verified() {
    for vector in VECTORS {
        let payload = signed_payload(vector.token.as_bytes(), &vector.keys()).unwrap();
        assert_eq!(String::from_utf8(payload).unwrap(), vector.payload);
    }
}

#[test]
fn each_example_is_refused_by_the_keys_of_the_others() {
    for (place, vector) in VECTORS.iter().enumerate() {
        for (_, other) in VECTORS.iter().enumerate().filter(|(other, _)| *other != place) {
            assert_eq!(signed_payload(vector.token.as_bytes(), &other.keys()), Err(TokenError::Algorithm));
        }
    }
}

#[test]
fn any_flipped_bit_of_a_token_is_refused() {
    for vector in VECTORS {
        let keys = vector.keys();
        let token = vector.token.as_bytes();
        for bit in 0..token.len() * 8 {
            let mut flipped = token.to_vec();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(signed_payload(&flipped, &keys).is_err(), "bit {bit} of {}", vector.token);
        }
    }
}

#[test]
fn a_token_is_refused_without_any_of_its_bytes_and_with_one_more() {
    for vector in VECTORS {
        let keys = vector.keys();
        let token = vector.token.as_bytes();
        for place in 0..token.len() {
            let shorter = [&token[..place], &token[place + 1..]].concat();
            let longer = [&token[..place], b"A", &token[place..]].concat();
            assert!(signed_payload(&shorter, &keys).is_err() && signed_payload(&longer, &keys).is_err(), "{place}");
        }
    }
}

proptest! {
    #[test]
    fn any_bytes_instead_of_a_part_are_refused(
        vector in 0..VECTORS.len(),
        place in 0..3_usize,
        bytes in prop::collection::vec(any::<u8>(), 0..300),
    ) {
        let vector = &VECTORS[vector];
        let mut parts: Vec<&[u8]> = vector.token.as_bytes().split(|byte| *byte == b'.').collect();
        prop_assume!(parts[place] != bytes);
        parts[place] = &bytes;
        prop_assert!(signed_payload(&parts.join(&b'.'), &vector.keys()).is_err());
    }
}
