//! The examples of RFC 7541, appendix C, and what a peer may do wrong.

use super::{Decoder, Malformed, encode_field, encode_status, huffman};
use proptest::prelude::*;

type Fields<'a> = &'a [(&'a str, &'a str)];

fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> = hex.chars().filter_map(|digit| digit.to_digit(16)).map(|digit| digit as u8).collect();
    digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

fn owned(fields: Fields<'_>) -> Vec<(String, String)> {
    fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn decode(decoder: &mut Decoder, block: &[u8]) -> Result<Vec<(String, String)>, Malformed> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let mut fields = Vec::new();
    decoder.decode(block, |name, value| {
        fields.push((text(name), text(value)));
        Ok::<_, Malformed>(())
    })?;
    Ok(fields)
}

/// Decodes blocks with one decoder; after each, compares the fields, the dynamic table and its size.
fn check(table_bytes: usize, blocks: &[(&str, Fields<'_>, Fields<'_>, usize)]) {
    let mut decoder = Decoder::with_table(table_bytes);
    for (block, fields, table, size) in blocks {
        assert_eq!(decode(&mut decoder, &bytes(block)), Ok(owned(fields)), "{block}");
        assert_eq!(decoder.table().fields(), owned(table), "{block}");
        assert_eq!(decoder.table().bytes(), *size, "{block}");
    }
}

#[test]
fn c1_integers() {
    // An index of 10 in a prefix of 4 bits is a literal's name; longer ones are string lengths and table sizes.
    let mut decoder = Decoder::with_table(4_096);
    assert_eq!(decode(&mut decoder, &bytes("3fe1 1f")), Ok(vec![]), "C.1.2's way of 4,096 in five bits");
    assert_eq!(decode(&mut decoder, &bytes("3f9a 0a")), Ok(vec![]), "1,337");
    assert_eq!(decode(&mut decoder, &bytes("3fe2 1f")), Err(Malformed), "4,097 is above the limit");
    for (hex, why) in
        [("3f", "cut"), ("3f80", "cut"), ("3f80 8080 8001", "five more bytes"), ("ffff ffff ff7f", "huge")]
    {
        assert_eq!(decode(&mut Decoder::with_table(4_096), &bytes(hex)), Err(Malformed), "{why}");
    }
}

#[test]
fn c2_field_representations() {
    let custom = ("custom-key", "custom-header");
    check(4_096, &[("400a 6375 7374 6f6d 2d6b 6579 0d63 7573 746f 6d2d 6865 6164 6572", &[custom], &[custom], 55)]);
    check(4_096, &[("040c 2f73 616d 706c 652f 7061 7468", &[(":path", "/sample/path")], &[], 0)]);
    check(4_096, &[("1008 7061 7373 776f 7264 0673 6563 7265 74", &[("password", "secret")], &[], 0)]);
    check(4_096, &[("82", &[(":method", "GET")], &[], 0)]);
}

#[test]
fn c3_and_c4_requests_without_and_with_huffman() {
    let get = (":method", "GET");
    let http = (":scheme", "http");
    let root = (":path", "/");
    let authority = (":authority", "www.example.com");
    let no_cache = ("cache-control", "no-cache");
    let custom = ("custom-key", "custom-value");
    for [first, second, third] in [
        [
            "8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d",
            "8286 84be 5808 6e6f 2d63 6163 6865",
            "8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65",
        ],
        [
            "8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff",
            "8286 84be 5886 a8eb 1064 9cbf",
            "8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf",
        ],
    ] {
        let last = [get, (":scheme", "https"), (":path", "/index.html"), authority, custom];
        check(
            4_096,
            &[
                (first, &[get, http, root, authority], &[authority], 57),
                (second, &[get, http, root, authority, no_cache], &[no_cache, authority], 110),
                (third, &last, &[custom, no_cache, authority], 164),
            ],
        );
    }
}

#[test]
fn c5_and_c6_answers_without_and_with_huffman_in_a_table_of_256_bytes() {
    let found = (":status", "302");
    let moved = (":status", "307");
    let private = ("cache-control", "private");
    let date = ("date", "Mon, 21 Oct 2013 20:13:21 GMT");
    let later = ("date", "Mon, 21 Oct 2013 20:13:22 GMT");
    let location = ("location", "https://www.example.com");
    let gzip = ("content-encoding", "gzip");
    let cookie = ("set-cookie", "foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1");
    for [first, second, third] in [
        [
            "4803 3330 3258 0770 7269 7661 7465 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3120 \
             474d 546e 1768 7474 7073 3a2f 2f77 7777 2e65 7861 6d70 6c65 2e63 6f6d",
            "4803 3330 37c1 c0bf",
            "88c1 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3220 474d 54c0 5a04 677a 6970 7738 \
             666f 6f3d 4153 444a 4b48 514b 425a 584f 5157 454f 5049 5541 5851 5745 4f49 553b 206d 6178 2d61 6765 3d33 \
             3630 303b 2076 6572 7369 6f6e 3d31",
        ],
        [
            "4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6 2d1b ff6e 919d 29ad 1718 \
             63c7 8f0b 97c8 e9ae 82ae 43d3",
            "4883 640e ffc1 c0bf",
            "88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab 77ad 94e7 821d d7f2 e6c7 \
             b335 dfdf cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f 9587 3160 65c0 03ed 4ee5 b106 3d50 07",
        ],
    ] {
        check(
            256,
            &[
                (first, &[found, private, date, location], &[location, date, private, found], 222),
                (second, &[moved, private, date, location], &[moved, location, date, private], 222),
                (third, &[(":status", "200"), private, later, location, gzip, cookie], &[cookie, gzip, later], 215),
            ],
        );
    }
}

#[test]
fn a_malformed_block_is_refused() {
    for (hex, why) in [
        ("80", "index 0"),
        ("be", "behind the static table"),
        ("ff00", "far behind it"),
        ("7e01 61", "a name behind the static table"),
        ("40", "a literal without a name"),
        ("4001", "a name that is cut"),
        ("4001 61", "a literal without a value"),
        ("4001 6105 62", "a value that is cut"),
        ("8221", "a size update behind a field"),
        ("0085 f2b2 4a84 ff84 4950 9fff", "padding of 8 bits and more"),
        ("0085 f2b2 4a84 ff83 4950 90", "padding with zeros"),
        ("0085 f2b2 4a87 ffff fffd 2542 7f", "the end symbol in a string"),
        ("0084 ffff ffff 00", "only the end symbol"),
        ("0081 ff00", "a name of padding alone, 8 bits"),
    ] {
        assert_eq!(decode(&mut Decoder::new(), &bytes(hex)), Err(Malformed), "{why}");
    }
    assert_eq!(decode(&mut Decoder::new(), &bytes("0080 80")), Ok(owned(&[("", "")])), "empty strings are well-formed");
}

#[test]
fn size_updates_stand_at_the_start_and_evict() {
    let mut decoder = Decoder::new();
    let custom = "400a 6375 7374 6f6d 2d6b 6579 0d63 7573 746f 6d2d 6865 6164 6572";
    decode(&mut decoder, &bytes(custom)).unwrap();
    assert_eq!(decode(&mut decoder, &bytes("be")).map(|fields| fields.len()), Ok(1));
    // To 0 and back: both stand before the first field.
    assert_eq!(decode(&mut decoder, &bytes("203f e11f 82")), Ok(owned(&[(":method", "GET")])));
    assert_eq!(decode(&mut decoder, &bytes("be")), Err(Malformed));
}

#[test]
fn a_field_above_the_table_empties_it() {
    let mut decoder = Decoder::with_table(64);
    let mut block = bytes("4001 6101 62");
    decode(&mut decoder, &block).unwrap();
    assert_eq!(decoder.table().bytes(), 34);
    block = bytes("4001 61");
    block.push(32);
    block.extend([b'x'; 32]);
    decode(&mut decoder, &block).unwrap();
    assert_eq!((decoder.table().bytes(), decoder.table().fields()), (0, vec![]));
}

#[test]
fn a_name_may_come_from_the_entry_that_its_field_evicts() {
    let mut decoder = Decoder::with_table(64);
    decode(&mut decoder, &bytes("4003 6162 6301 62")).unwrap();
    // Index 62 names `abc`; the new field needs its room.
    let mut block = bytes("7e1c");
    block.extend([b'y'; 28]);
    assert_eq!(decode(&mut decoder, &block), Ok(vec![("abc".to_owned(), "y".repeat(28))]));
    assert_eq!(decoder.table().fields(), vec![("abc".to_owned(), "y".repeat(28))]);
}

#[test]
fn rule_10_the_table_has_4_096_bytes_until_the_client_knows_of_none() {
    let mut decoder = Decoder::new();
    for number in 0..100_u8 {
        let mut block = bytes("4003");
        block.extend([b'n', number / 10 + b'0', number % 10 + b'0']);
        block.push(100);
        block.extend([number; 100]);
        decode(&mut decoder, &block).unwrap();
        assert!(decoder.table().bytes() <= 4_096);
    }
    assert_eq!(decoder.table().fields().len(), 4_096 / 135);
    decoder.acknowledged();
    assert_eq!(decoder.table().fields().len(), 4_096 / 135);
    // The client says that it knows. From then on nothing is kept.
    assert_eq!(decode(&mut decoder, &bytes("2040 0161 0162")), Ok(owned(&[("a", "b")])));
    assert_eq!(decoder.table().fields(), vec![]);
    assert_eq!(decode(&mut decoder, &bytes("be")), Err(Malformed));
    assert_eq!(decode(&mut decoder, &bytes("21")), Err(Malformed), "a size above the announced one");
}

#[test]
fn a_client_that_ignores_the_announced_size_refers_to_what_it_sent_before_and_since() {
    let mut decoder = Decoder::new();
    decode(&mut decoder, &bytes("4001 6101 62")).unwrap();
    decoder.acknowledged();
    assert_eq!(decode(&mut decoder, &bytes("be")), Ok(owned(&[("a", "b")])));
    decode(&mut decoder, &bytes("4001 6301 64")).unwrap();
    assert_eq!(decode(&mut decoder, &bytes("bebf")), Ok(owned(&[("c", "d"), ("a", "b")])));
    // It never has more than it had from the start.
    for _ in 0..100 {
        let mut block = bytes("4001 6e7f 51"); // a value of 208 bytes
        block.extend([b'v'; 208]);
        decode(&mut decoder, &block).unwrap();
        assert!(decoder.table().bytes() <= 4_096);
    }
}

#[test]
fn the_huffman_code_is_that_of_the_rfc() {
    // Appendix B, some of each length; the decoder's lengths define the rest, in order.
    for (symbol, code, length) in [
        (b'0'.into(), 0x0, 5),
        (b't'.into(), 0x9, 5),
        (b' '.into(), 0x14, 6),
        (b'u'.into(), 0x2d, 6),
        (b':'.into(), 0x5c, 7),
        (b'z'.into(), 0x7b, 7),
        (b'&'.into(), 0xf8, 8),
        (b'Z'.into(), 0xfd, 8),
        (b'!'.into(), 0x3f8, 10),
        (b'|'.into(), 0x7fc, 11),
        (b'#'.into(), 0xffa, 12),
        (0, 0x1ff8, 13),
        (b'~'.into(), 0x1ffd, 13),
        (b'^'.into(), 0x3ffc, 14),
        (b'<'.into(), 0x7ffc, 15),
        (b'\\'.into(), 0x7fff0, 19),
        (128, 0xfffe6, 20),
        (153, 0x1fffdc, 21),
        (129, 0x3fffd2, 22),
        (1, 0x7fffd8, 23),
        (9, 0xffffea, 24),
        (199, 0x1ffffec, 25),
        (192, 0x3ffffe0, 26),
        (203, 0x7ffffde, 27),
        (2, 0xfffffe2, 28),
        (10, 0x3ffffffc, 30),
        (256, 0x3fffffff, 30),
    ] {
        assert_eq!(huffman::code(symbol), (code, length), "{symbol}");
    }
}

proptest! {
    #[test]
    fn every_string_comes_through_the_huffman_code(string: Vec<u8>) {
        let mut decoded = Vec::new();
        prop_assert_eq!(huffman::decode(&huffman::encode(&string), &mut decoded), Ok(()));
        prop_assert_eq!(decoded, string);
    }

    #[test]
    fn a_huffman_string_has_one_form(string: Vec<u8>) {
        let mut decoded = Vec::new();
        if huffman::decode(&string, &mut decoded).is_ok() {
            prop_assert_eq!(huffman::encode(&decoded), string);
        }
    }

    #[test]
    fn an_answers_head_is_read_as_it_was_written(
        status in 100_u16..1_000,
        fields in prop::collection::vec(("[a-z-]{1,200}", "[ -~]{0,300}", any::<bool>()), 0..8),
    ) {
        let mut block = Vec::new();
        encode_status(&status.to_string(), &mut block);
        let mut expected = vec![(":status".to_owned(), status.to_string())];
        for (name, value, is_secret) in &fields {
            encode_field(name, value.as_bytes(), *is_secret, &mut block);
            expected.push((name.clone(), value.clone()));
        }
        let mut decoder = Decoder::with_table(0);
        prop_assert_eq!(decode(&mut decoder, &block), Ok(expected));
    }

    #[test]
    fn no_bytes_panic_and_the_table_stays_within_its_limit(blocks: Vec<Vec<u8>>) {
        let mut decoder = Decoder::new();
        for block in blocks {
            let _ = decode(&mut decoder, &block);
            prop_assert!(decoder.table().bytes() <= 4_096);
        }
    }
}
