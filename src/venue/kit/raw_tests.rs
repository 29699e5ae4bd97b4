use super::*;
use crate::telemetry::labels::Label;
use std::cell::Cell;

/// Reads `json` as a field, and says which reasons were counted. A field that is plain reads the same both ways.
fn read<T: PartialEq + fmt::Debug>(
    json: &str,
    read: impl Fn(Exact<'_>, &mut Tally<DecodeError>) -> T,
) -> (T, Vec<DecodeError>) {
    let exact = if json.is_empty() { Exact::default() } else { serde_json::from_str(json).unwrap() };
    let mut errors = Tally::default();
    let value = read(exact, &mut errors);
    if let Ok(Plain(raw)) = serde_json::from_str(json) {
        let mut errors_of_plain = Tally::default();
        assert_eq!(
            (read(Exact(raw), &mut errors_of_plain), &errors_of_plain),
            (read(exact, &mut Tally::default()), &errors)
        );
    }
    (value, DecodeError::ALL.iter().copied().filter(|&reason| errors.of(reason) > 0).collect())
}

#[test]
fn rule_6_no_number_with_a_fraction_passes_through_a_float() {
    for json in ["1.5", "1e2", "-1", "18446744073709551616", "[]", "{}", "\"a\\u0041\""] {
        assert!(serde_json::from_str::<Plain<'_>>(json).is_err(), "{json}");
    }
}

#[test]
fn rule_6_a_number_is_set_kept_cleared_or_dropped_and_counted() {
    let set = |text: &str| Field::Set(text.parse::<Decimal>().unwrap());
    for (json, field, counted) in [
        ("", Field::Keep, vec![]),
        ("null", Field::Clear, vec![]),
        ("\"\"", Field::Clear, vec![]),
        ("0", set("0"), vec![]),
        ("\"61837.63000000\"", set("61837.63"), vec![]),
        ("1e-8", set("0.00000001"), vec![]),
        ("\"a\"", Field::Clear, vec![DecodeError::Number]),
        ("true", Field::Clear, vec![DecodeError::Number]),
        ("[1]", Field::Clear, vec![DecodeError::Number]),
        ("{\"a\":1}", Field::Clear, vec![DecodeError::Number]),
        ("9223372036854775808", Field::Clear, vec![DecodeError::Range]),
        ("1e31", Field::Clear, vec![DecodeError::Range]),
    ] {
        assert_eq!(read(json, |raw, errors| raw.decimal(errors)), (field, counted), "{json}");
    }
}

#[test]
fn a_time_that_may_be_ms_or_us_is_told_by_its_size() {
    for (json, micros, counted) in [
        ("", None, vec![]),
        ("null", None, vec![]),
        ("1723161255342", Some(1_723_161_255_342_000), vec![]),
        ("1723161255342123", Some(1_723_161_255_342_123), vec![]),
        ("\"1723161255342\"", Some(1_723_161_255_342_000), vec![]),
        ("0", Some(0), vec![]),
        ("99999999999999", Some(99_999_999_999_999_000), vec![]),
        ("100000000000000", Some(100_000_000_000_000), vec![]),
        ("-1", None, vec![DecodeError::Time]),
        ("1.5", None, vec![DecodeError::Time]),
        ("\"2024-08-08T00:00:00Z\"", None, vec![DecodeError::Time]),
        ("18446744073709551615", None, vec![DecodeError::Time]),
        ("99999999999999999999", None, vec![DecodeError::Time]),
    ] {
        assert_eq!(
            read(json, |raw, errors| raw.time(TimeUnit::MillisOrMicros, errors)),
            (micros.map(UnixMicros), counted),
            "{json}"
        );
    }
}

#[test]
fn a_time_has_the_unit_of_its_protocol() {
    for (number, unit, micros) in [
        ("1653116988", TimeUnit::Seconds, Some(1_653_116_988_000_000)),
        ("1653116988123", TimeUnit::Millis, Some(1_653_116_988_123_000)),
        ("1653116988123456", TimeUnit::Micros, Some(1_653_116_988_123_456)),
        ("1653116988123456789", TimeUnit::Nanos, Some(1_653_116_988_123_456)),
        ("9223372036854775807", TimeUnit::Seconds, None),
    ] {
        let counted = if micros.is_none() { vec![DecodeError::Time] } else { vec![] };
        let expected = (micros.map(UnixMicros), counted);
        assert_eq!(read(number, |raw, errors| raw.time(unit, errors)), expected, "{number} {unit:?}");
    }
}

#[test]
fn an_id_is_a_whole_number() {
    for (json, id, counted) in [
        ("", None, vec![]),
        ("18446744073709551615", Some(u64::MAX), vec![]),
        ("\"7\"", Some(7), vec![]),
        ("18446744073709551616", None, vec![DecodeError::Number]),
        ("\"+7\"", None, vec![DecodeError::Number]),
        ("7.0", None, vec![DecodeError::Number]),
        ("{}", None, vec![DecodeError::Number]),
    ] {
        assert_eq!(read(json, |raw, errors| raw.id(errors)), (id, counted), "{json}");
    }
}

#[test]
fn a_text_may_be_escaped() {
    let text = |json: &str| read(json, |raw, _| raw.text().map(Cow::into_owned)).0;
    assert_eq!(text("\"BTC\\u0055SDT\"").as_deref(), Some("BTCUSDT"));
    assert_eq!(text("\"\"").as_deref(), Some(""));
    assert_eq!([text("5"), text("null"), text(""), text("\"\\ud800\"")], [None, None, None, None]);
}

#[test]
fn rule_10_of_an_array_of_messages_one_is_kept_at_a_time() {
    thread_local!(static ALIVE: Cell<usize> = const { Cell::new(0) });
    struct Counted;
    impl<'de> Deserialize<'de> for Counted {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            #[derive(Deserialize)]
            struct Empty {}
            Empty::deserialize(deserializer)?;
            assert_eq!(ALIVE.replace(1), 0, "two of them are kept");
            Ok(Self)
        }
    }
    impl Drop for Counted {
        fn drop(&mut self) {
            ALIVE.set(0);
        }
    }
    let read = |frame: &str| {
        let mut count = 0;
        let ended = each(frame.as_bytes(), |_: Counted| count += 1);
        (count, ended)
    };
    assert_eq!(read(&format!("[{}{{}}]", "{},".repeat(9_999))), (10_000, Ok(())));
    assert_eq!(read("[]"), (0, Ok(())));
    assert_eq!(read("[{},{},1,{}]"), (2, Err(DecodeError::Shape)));
    assert_eq!(read("[{},{},{"), (2, Err(DecodeError::Json)));
    assert_eq!(read("[{}]]"), (1, Err(DecodeError::Json)));
}

#[test]
fn json_of_another_form_is_told_from_what_is_no_json() {
    #[derive(Debug, Deserialize)]
    struct Form {
        #[expect(dead_code, reason = "only its type matters")]
        a: u8,
    }
    for (frame, reason) in [
        (&b"[1,2]"[..], DecodeError::Shape),
        (b"{\"a\":\"x\"}", DecodeError::Shape),
        (b"{\"a\":1,\"a\":1}", DecodeError::Shape),
        (b"null", DecodeError::Shape),
        (b"", DecodeError::Json),
        (b"{\"a\":1", DecodeError::Json),
        (b"{\"a\":1}}", DecodeError::Json),
        (b"\xff\xfe", DecodeError::Json),
    ] {
        assert_eq!(exact::<Form>(frame).unwrap_err(), reason, "{}", frame.escape_ascii());
    }
}

#[test]
fn a_list_inside_a_message_is_handed_over_element_by_element() {
    let elements = |json: &str| {
        let mut wholes = Vec::new();
        let list: Exact<'_> = serde_json::from_str(json).unwrap();
        let read = list.each(|value: Exact<'_>| wholes.push(value.raw()));
        (read, wholes.len())
    };
    assert_eq!(elements("[1,\"a\",{}]"), (Ok(()), 3));
    assert_eq!(elements("[]"), (Ok(()), 0));
    for json in ["{}", "7", "\"[1]\"", "null", "true"] {
        assert_eq!(elements(json), (Err(DecodeError::Shape), 0), "{json}");
    }
}

#[test]
fn rule_6_a_level_is_a_price_and_a_size_or_clears_both() {
    let level = |json: &str| read(json, |value, errors| value.level(errors));
    let set = |number: &str| Field::Set(number.parse::<Decimal>().unwrap());
    let cleared = (Field::Clear, Field::Clear);
    assert_eq!(level(r#"["182.340","7"]"#), ((set("182.340"), set("7")), vec![]));
    assert_eq!(level(r#"[182.34,7,"0","3"]"#), ((set("182.34"), set("7")), vec![]), "what follows is skipped");
    assert_eq!(level(""), ((Field::Keep, Field::Keep), vec![]));
    for json in ["null", "[]"] {
        assert_eq!(level(json), (cleared, vec![]), "{json}");
    }
    for json in ["[1]", "{}", "7", "\"7\"", "true"] {
        assert_eq!(level(json), (cleared, vec![DecodeError::Shape]), "{json}");
    }
    assert_eq!(level(r#"["1","x"]"#), ((set("1"), Field::Clear), vec![DecodeError::Number]));
}

#[test]
fn the_first_element_of_a_list_is_read_without_the_others() {
    let first = |json: &str| read(json, |value, _| format!("{:?}", value.first().raw())).0;
    for (json, expected) in [
        (r#"[["1","2"],["3","4"]]"#, r#"Json("[\"1\",\"2\"]")"#),
        ("[1]", r#"Json("1")"#),
        ("[null,1]", "Null"),
        (" [ ] ", "Null"),
        ("null", "Null"),
        ("-7", r#"Json("-7")"#),
        ("{}", r#"Json("{}")"#),
    ] {
        assert_eq!(first(json), expected, "{json}");
    }
    assert_eq!(first(""), "Absent");
}
