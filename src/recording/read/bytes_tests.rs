use super::*;
use flate2::{Compression, write::GzEncoder};
use std::io::Write as _;

/// Writes a file of the test, and returns its path.
pub(in crate::recording) fn file(name: &str, bytes: &[u8]) -> std::path::PathBuf {
    let path = std::env::temp_dir().join(format!("tickfan-recording-{}-{name}", std::process::id()));
    std::fs::write(&path, bytes).unwrap();
    path
}

/// A gzip member.
pub(in crate::recording) fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

/// All lines, and how the file ends.
fn read(name: &str, bytes: &[u8]) -> (Vec<String>, io::Result<Taken>) {
    let path = file(name, bytes);
    let mut lines = Lines::open(&path).unwrap();
    let mut read = Vec::new();
    let mut line = Vec::new();
    let end = loop {
        match lines.next(&mut line) {
            Ok(Taken::Line) => read.push(String::from_utf8(line.clone()).unwrap()),
            end => break end,
        }
    };
    if let Err(error) = &end {
        assert_eq!(lines.is_cut(error), name.contains("cut"), "{error}");
    }
    std::fs::remove_file(path).unwrap();
    (read, end)
}

#[test]
fn a_file_is_decompressed_as_its_first_bytes_say() {
    let text = "one\r\ntwo\n\nlast";
    let members: Vec<u8> = ["one\r\nt", "wo\n", "", "\nlast"].into_iter().flat_map(gzip).collect();
    let frames: Vec<u8> =
        ["one\r\nt", "wo\n\nlast"].into_iter().flat_map(|part| zstd::encode_all(part.as_bytes(), 3).unwrap()).collect();
    for (name, bytes) in [
        ("plain", text.as_bytes().to_vec()),
        ("gzip", gzip(text)),
        ("members", members),
        ("zstd", zstd::encode_all(text.as_bytes(), 19).unwrap()),
        ("frames", frames),
    ] {
        let (lines, end) = read(name, &bytes);
        assert_eq!(
            (lines.as_slice(), end.unwrap()),
            (["one", "two", "", "last"].map(str::to_owned).as_slice(), Taken::End),
            "{name}"
        );
    }
    assert_eq!(read("empty", b"").0, [""; 0]);
}

#[test]
fn a_cut_file_is_read_up_to_the_cut() {
    let noise: String = (0..2_000_u32).map(|number| format!("{}\n", number.wrapping_mul(2_654_435_761))).collect();
    let whole = gzip(&noise);
    let members = [gzip("first\n"), whole[..whole.len() / 2].to_vec()].concat();
    for (name, bytes) in [
        ("cut-gzip", whole[..whole.len() / 2].to_vec()),
        ("cut-trailer", whole[..whole.len() - 4].to_vec()),
        ("cut-members", members),
        ("cut-head", [gzip("first\n"), whole[..5].to_vec()].concat()),
        ("cut-zstd", zstd::encode_all(noise.as_bytes(), 3).unwrap()[..5_000].to_vec()),
    ] {
        let (lines, end) = read(name, &bytes);
        assert!(end.is_err(), "{name}");
        assert!(name == "cut-zstd" || !lines.is_empty(), "{name}");
    }
    let (lines, end) = read("spoilt", &[gzip("first\n"), b"neither gzip".to_vec()].concat());
    assert_eq!(lines, ["first"]);
    assert!(end.is_err());
}

#[test]
fn what_was_appended_behind_a_damaged_member_is_read() {
    let noise: String = (0..2_000_u32).map(|number| format!("{}\n", number.wrapping_mul(2_654_435_761))).collect();
    let whole = gzip(&noise);
    let mut spoilt = whole.clone();
    spoilt[whole.len() / 2..][..64].fill(0xff);
    for (name, damaged) in [
        ("torn", whole[..whole.len() / 2].to_vec()),
        ("torn-head", whole[..5].to_vec()),
        ("torn-trailer", whole[..whole.len() - 4].to_vec()),
        ("torn-twice", [&whole[..100], &whole[..200]].concat()),
        ("torn-zeros", vec![0; 100_000]),
        ("torn-bits", spoilt),
    ] {
        let (lines, end) = read(name, &[gzip("first\n"), damaged, gzip("second\n"), gzip("third\n")].concat());
        assert_eq!((lines[0].as_str(), end.unwrap()), ("first", Taken::End), "{name}");
        assert_eq!(lines[lines.len() - 3..], ["", "second", "third"], "{name}: the connection was lost");
    }
}

#[test]
fn rule_10_a_line_has_a_limit_and_takes_no_memory_beyond_it() {
    // 64 MiB without an end, in 64 KiB.
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    for _ in 0..64 {
        encoder.write_all(&[b'x'; 1 << 20]).unwrap();
    }
    encoder.write_all(b"\nnext\n").unwrap();
    let path = file("bomb", &encoder.finish().unwrap());
    let mut lines = Lines::open(&path).unwrap();
    let mut line = Vec::new();
    assert_eq!(lines.next(&mut line).unwrap(), Taken::TooLong);
    assert!(line.capacity() <= BUFFER_BYTES, "{} bytes are kept", line.capacity());
    assert_eq!((lines.next(&mut line).unwrap(), line.as_slice()), (Taken::Line, b"next".as_slice()));
    std::fs::remove_file(path).unwrap();

    let longest = vec![b'x'; LINE_BYTES_MAX];
    for (name, ending, expected) in
        [("fits", "\n", Taken::Line), ("ends", "", Taken::Line), ("over", "x\n", Taken::TooLong)]
    {
        let path = file(name, &[&longest[..], ending.as_bytes()].concat());
        assert_eq!(Lines::open(&path).unwrap().next(&mut line).unwrap(), expected, "{name}");
        std::fs::remove_file(path).unwrap();
    }
}

#[test]
fn rule_10_a_zstd_file_that_asks_for_too_much_memory_is_an_error() {
    let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 3).unwrap();
    encoder.window_log(ZSTD_WINDOW_LOG_MAX + 1).unwrap();
    encoder.write_all(b"line\n").unwrap();
    let (lines, end) = read("window", &encoder.finish().unwrap());
    assert!(lines.is_empty() && end.is_err());
}
