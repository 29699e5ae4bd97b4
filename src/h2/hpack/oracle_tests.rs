//! Header blocks as another implementation writes and reads them.

use super::{Decoder, Malformed, encode_field, encode_status, encode_table_size, huffman};
use loona_hpack::decoder::DecoderError;
use proptest::{prelude::*, test_runner::RngSeed};

type Fields = Vec<(Vec<u8>, Vec<u8>)>;

fn decode(decoder: &mut Decoder, block: &[u8]) -> Result<Fields, Malformed> {
    let mut fields = Vec::new();
    decoder.decode(block, |name, value| {
        fields.push((name.to_vec(), value.to_vec()));
        Ok::<_, Malformed>(())
    })?;
    Ok(fields)
}

/// Fields of which some repeat, and some stand in the static table.
fn fields() -> impl Strategy<Value = Fields> {
    let name = prop_oneof![
        prop::sample::select(&[":path", ":authority", "cookie", "accept-encoding", "x-a", "x-b"][..])
            .prop_map(String::from),
        "[a-z-]{1,40}",
    ];
    let value = prop_oneof![
        prop::sample::select(&["", "/", "gzip, deflate", "a=1; b=2"][..]).prop_map(String::from),
        "[ -~]{0,200}",
    ];
    prop::collection::vec((name.prop_map(String::into_bytes), value.prop_map(String::into_bytes)), 0..10)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, rng_seed: RngSeed::Fixed(7541), ..ProptestConfig::default() })]

    #[test]
    fn what_they_write_is_read(blocks in prop::collection::vec(fields(), 1..6)) {
        let mut theirs = loona_hpack::Encoder::new();
        let mut ours = Decoder::new();
        for fields in blocks {
            let block = theirs.encode(fields.iter().map(|(name, value)| (name.as_slice(), value.as_slice())));
            prop_assert_eq!(decode(&mut ours, &block), Ok(fields));
        }
    }

    #[test]
    fn they_read_what_is_written(fields in fields(), says_size: bool) {
        let mut block = Vec::new();
        if says_size {
            encode_table_size(0, &mut block);
        }
        encode_status("200", &mut block);
        for (name, value) in &fields {
            encode_field(std::str::from_utf8(name).unwrap(), value, name.len() % 2 == 0, &mut block);
        }
        let read = loona_hpack::Decoder::new().decode(&block).map_err(|error| TestCaseError::fail(format!("{error:?}")))?;
        prop_assert_eq!(&read[0], &(b":status".to_vec(), b"200".to_vec()));
        prop_assert_eq!(&read[1..], &fields[..]);
    }

    #[test]
    fn any_bytes_mean_the_same_to_both(blocks in prop::collection::vec(any_block(), 0..5)) {
        let mut theirs = loona_hpack::Decoder::new();
        theirs.set_max_allowed_table_size(4_096);
        let mut ours = Decoder::new();
        for block in blocks {
            match (decode(&mut ours, &block), theirs.decode(&block)) {
                (Ok(ours), Ok(theirs)) => prop_assert_eq!(ours, theirs),
                (Err(Malformed), Err(_)) => return Ok(()),
                // RFC 7541, section 4.2, has them at the beginning, and does not ask for a field behind them.
                (Ok(_), Err(DecoderError::SizeUpdateAtEnd)) => return Ok(()),
                (Err(Malformed), Ok(_)) if may_resize_behind_a_field(&block) => return Ok(()),
                (ours, theirs) => {
                    return Err(TestCaseError::fail(format!("{block:02x?}: {ours:?}, {theirs:?}")));
                }
            }
        }
    }
}

/// Short blocks often go without a size update behind a field, where they differ.
fn any_block() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![prop::collection::vec(any::<u8>(), 0..8), prop::collection::vec(any::<u8>(), 0..100)]
}

fn may_resize_behind_a_field(block: &[u8]) -> bool {
    let first = block.iter().position(|byte| byte & 0xe0 != 0x20).unwrap_or(block.len());
    block[first..].iter().any(|byte| byte & 0xe0 == 0x20)
}

/// Each byte's code, and its length: another symbol follows it.
#[test]
fn they_have_the_same_huffman_code_for_each_byte() {
    for byte in 0..=u8::MAX {
        let string = [byte, b'0', byte, byte];
        let code = huffman::encode(&string);
        let block = [&[0x00, 1, b'x', 0x80 | code.len() as u8][..], &code].concat();
        let read = loona_hpack::Decoder::new().decode(&block);
        assert_eq!(read.unwrap_or_default(), [(b"x".to_vec(), string.to_vec())], "{byte}");
    }
}
