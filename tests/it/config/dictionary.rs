//! The dictionary that `[server]` names.

use super::*;

fn load_with(name: &str, content: Option<&[u8]>) -> Result<Config, String> {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("dictionary-{name}.txt"));
    let _ = fs::remove_file(&path);
    if let Some(content) = content {
        fs::write(&path, content).unwrap();
    }
    load_text(&format!("dictionary-{name}"), format!("[server]\ndictionary = {path:?}\n"))
}

#[test]
fn a_file_is_read_at_the_start_and_without_one_it_is_that_of_the_build() {
    let content = [b'x'; 300];
    let config = load_with("good", Some(&content)).unwrap();
    assert_eq!(config.server.loaded_dictionary.content()[..], content);
    let config = load_text("dictionary-none", "[server]\n").unwrap();
    assert!(config.server.compress && config.fanout.compress_min_streams == 8);
    assert!(config.server.loaded_dictionary.content().len() > 10_000, "that of the build");
}

#[test]
fn rule_10_a_file_that_cannot_be_a_dictionary_is_an_error_with_its_place() {
    let with_tables = [&[0x37, 0xa4, 0x30, 0xec][..], &[b'x'; 300]].concat();
    for (name, content, said) in [
        ("absent", None, "No such file or directory"),
        ("short", Some(vec![b'x'; 255]), "has 256 to 262144 bytes, and this file has 255"),
        ("long", Some(vec![b'x'; (256 << 10) + 1]), "is too large"),
        ("tables", Some(with_tables), "browsers cannot use"),
    ] {
        let error = load_with(name, content.as_deref()).unwrap_err();
        assert!(error.contains(said) && error.contains("dictionary = "), "{name}: {error}");
    }
}
