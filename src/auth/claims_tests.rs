use super::{
    super::{
        Claims, Expected, TokenError,
        signing_tests::{secret_keys, token},
        verify,
    },
    LIST_MAX,
};
use crate::market::UnixMicros;

const EXPECTED: Expected<'_> = Expected { issuer: "me", audience: "tickfan" };
const SECOND: i64 = 1_000_000;

fn read(claims: &str, micros: i64) -> Result<Claims, TokenError> {
    verify(token(claims).as_bytes(), &secret_keys(), EXPECTED, UnixMicros(micros))
}

/// The claims of a valid token with one more member.
fn with(member: &str) -> String {
    format!(r#"{{"iss":"me","aud":"tickfan","sub":"u17","exp":2000{member}}}"#)
}

#[test]
fn the_claims_of_a_token() {
    let claims = with(r#","tickfan":{"live":["@us","btc-*"],"delayed":["*"],"streams":8,"rate":10,"else":1}"#);
    let claims = read(&claims, 0).unwrap();
    assert_eq!(
        (claims.subject.as_str(), claims.expires, claims.until),
        ("u17", UnixMicros(2_000 * SECOND), UnixMicros(2_030 * SECOND))
    );
    let shown = |list: Option<Vec<super::Pattern>>| list.map(|list| list.iter().map(|p| p.to_string()).collect());
    let expected: Option<Vec<String>> = Some(vec!["@us".to_owned(), "BTC-*".to_owned()]);
    assert_eq!(shown(claims.live), expected);
    assert_eq!(shown(claims.delayed), Some(vec!["*".to_owned()]));
    assert_eq!((claims.streams, claims.rate), (Some(8), Some(10.0)));

    let plain = read(&with(""), 0).unwrap();
    assert_eq!((plain.live, plain.delayed, plain.streams, plain.rate), (None, None, None, None));
}

#[test]
fn times_at_each_edge_of_exp() {
    for (exp, micros, expected) in [
        ("2000", 2_030 * SECOND - 1, Ok(())),
        ("2000", 2_030 * SECOND, Err(TokenError::Expired)),
        ("2000.9", 2_030 * SECOND - 1, Ok(())),
        ("2000.9", 2_030 * SECOND, Err(TokenError::Expired)),
        ("2e3", 2_030 * SECOND - 1, Ok(())),
        ("0", 30 * SECOND - 1, Ok(())),
        ("0", 30 * SECOND, Err(TokenError::Expired)),
        ("-1e300", 30 * SECOND, Err(TokenError::Expired)),
        ("1e300", 0, Err(TokenError::NotSeconds("exp"))),
        ("18446744073709551615", 0, Err(TokenError::NotSeconds("exp"))),
        // The beginning of 1980 and of 2026 in milliseconds.
        ("315532800000", 0, Err(TokenError::NotSeconds("exp"))),
        ("1767225600000", 1_767_225_000 * SECOND, Err(TokenError::NotSeconds("exp"))),
        ("253402300800", 0, Err(TokenError::NotSeconds("exp"))),
        ("253402300799", 253_402_300_829 * SECOND - 1, Ok(())),
        ("253402300799", 253_402_300_829 * SECOND, Err(TokenError::Expired)),
        ("2000", i64::MIN, Ok(())),
        ("2000", i64::MAX, Err(TokenError::Expired)),
        ("1e999", 0, Err(TokenError::Malformed)),
        ("\"2000\"", 0, Err(TokenError::Claim("exp"))),
        ("null", 0, Err(TokenError::Claim("exp"))),
        ("true", 0, Err(TokenError::Claim("exp"))),
    ] {
        let claims = format!(r#"{{"iss":"me","aud":"tickfan","sub":"u17","exp":{exp}}}"#);
        let result = read(&claims, micros).map(drop);
        // A number beyond the range may be refused when it is skipped, or when it is read.
        let result = if exp == "1e999" { result.map_err(|_| TokenError::Malformed) } else { result };
        assert_eq!(result, expected, "{exp} at {micros}");
    }
    let missing = r#"{"iss":"me","aud":"tickfan","sub":"u17"}"#;
    assert_eq!(read(missing, 0), Err(TokenError::Claim("exp")));
}

#[test]
fn times_at_each_edge_of_nbf() {
    for (nbf, micros, expected) in [
        ("1000", 970 * SECOND - 1, Err(TokenError::NotYetValid)),
        ("1000", 970 * SECOND, Ok(())),
        ("999.1", 970 * SECOND - 1, Err(TokenError::NotYetValid)),
        ("999.1", 970 * SECOND, Ok(())),
        ("-5", 0, Ok(())),
        ("253402300799", 0, Err(TokenError::NotYetValid)),
        ("1767225600000", 0, Err(TokenError::NotSeconds("nbf"))),
        ("null", 0, Err(TokenError::Claim("nbf"))),
        ("\"1\"", 0, Err(TokenError::Claim("nbf"))),
    ] {
        assert_eq!(read(&with(&format!(r#","nbf":{nbf}"#)), micros).map(drop), expected, "{nbf} at {micros}");
    }
}

#[test]
fn issuer_and_audience_must_be_ours() {
    for (iss, aud, expected) in [
        (r#""me""#, r#""tickfan""#, Ok(())),
        (r#""me""#, r#"["other","tickfan"]"#, Ok(())),
        (r#""me""#, r#"["other"]"#, Err(TokenError::Audience)),
        (r#""me""#, "[]", Err(TokenError::Audience)),
        (r#""me""#, r#""Tickfan""#, Err(TokenError::Audience)),
        (r#""me""#, r#""tickfan ""#, Err(TokenError::Audience)),
        (r#""me""#, r#"["tickfan",1]"#, Err(TokenError::Claim("aud"))),
        (r#""me""#, "1", Err(TokenError::Claim("aud"))),
        (r#""me""#, "null", Err(TokenError::Claim("aud"))),
        (r#""you""#, r#""tickfan""#, Err(TokenError::Issuer)),
        (r#""ME""#, r#""tickfan""#, Err(TokenError::Issuer)),
        (r#"["me"]"#, r#""tickfan""#, Err(TokenError::Claim("iss"))),
    ] {
        let claims = format!(r#"{{"iss":{iss},"aud":{aud},"sub":"u17","exp":2000}}"#);
        assert_eq!(read(&claims, 0).map(drop), expected, "{iss} {aud}");
    }
    assert_eq!(read(r#"{"aud":"tickfan","sub":"u17","exp":2000}"#, 0), Err(TokenError::Issuer));
    assert_eq!(read(r#"{"iss":"me","sub":"u17","exp":2000}"#, 0), Err(TokenError::Audience));
    let any_issuer = Expected { issuer: "", ..EXPECTED };
    let nameless = token(r#"{"aud":"tickfan","sub":"u17","exp":2000}"#);
    assert!(verify(nameless.as_bytes(), &secret_keys(), any_issuer, UnixMicros(0)).is_ok());
}

#[test]
fn a_subject_is_needed() {
    for (sub, is_read) in [
        (format!("\"{}\"", "u".repeat(256)), true),
        (format!("\"{}\"", "u".repeat(257)), false),
        (r#""""#.to_owned(), false),
        ("17".to_owned(), false),
        ("null".to_owned(), false),
    ] {
        let claims = format!(r#"{{"iss":"me","aud":"tickfan","sub":{sub},"exp":2000}}"#);
        assert_eq!(read(&claims, 0).is_ok(), is_read, "{sub}");
    }
    assert_eq!(read(r#"{"iss":"me","aud":"tickfan","exp":2000}"#, 0), Err(TokenError::Claim("sub")));
}

#[test]
fn an_issuers_mistake_in_our_claim_is_an_error() {
    let list = |claim| Err(TokenError::NotA { claim, takes: "a list of strings" });
    let entry = |claim, number| Err(TokenError::Entry { claim, number });
    for (ours, expected) in [
        ("null", Err(TokenError::Claim("tickfan"))),
        ("[]", Err(TokenError::Claim("tickfan"))),
        ("\"*\"", Err(TokenError::Claim("tickfan"))),
        (r#"{"live":"*"}"#, list("tickfan.live")),
        (r#"{"live":null}"#, list("tickfan.live")),
        (r#"{"live":["**"]}"#, entry("tickfan.live", 1)),
        (r#"{"live":["AAPL","BTC-*",1]}"#, entry("tickfan.live", 3)),
        (r#"{"delayed":["*","@US"]}"#, entry("tickfan.delayed", 2)),
        (r#"{"streams":-1}"#, Err(super::NOT_STREAMS)),
        (r#"{"streams":1.5}"#, Err(super::NOT_STREAMS)),
        (r#"{"streams":4294967296}"#, Err(super::NOT_STREAMS)),
        (r#"{"rate":0.09}"#, Err(super::NOT_RATE)),
        (r#"{"rate":-1}"#, Err(super::NOT_RATE)),
        (r#"{"rate":"10"}"#, Err(super::NOT_RATE)),
    ] {
        let claims = with(&format!(r#","tickfan":{ours}"#));
        assert_eq!(read(&claims, 0).map(drop), expected, "{ours}");
    }
    assert_eq!(super::NOT_RATE.to_string(), "its claim `tickfan.rate` is not a number of at least 0.1");
}

#[test]
fn rule_10_a_list_has_at_most_64_patterns() {
    for (count, is_read) in [(LIST_MAX, true), (LIST_MAX + 1, false)] {
        for list in ["live", "delayed"] {
            let patterns = vec!["\"A*\""; count].join(",");
            let claims = with(&format!(r#","tickfan":{{"{list}":[{patterns}]}}"#));
            let read = read(&claims, 0);
            assert_eq!(read.is_ok(), is_read, "{count} in {list}");
            let error = read.err().map(|error| error.to_string());
            assert!(error.is_none_or(|error| error.contains(&format!("a list of at most {LIST_MAX} entries"))));
        }
    }
}
