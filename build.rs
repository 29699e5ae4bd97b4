//! Compresses the page's files while the gateway is built, so that it never does. `src/api/page/files.rs` includes the
//! table that this writes.

use flate2::{Compression, write::GzEncoder};
use foldhash::quality::FixedState;
use std::{
    env,
    error::Error,
    fmt::Write as _,
    fs,
    hash::BuildHasher,
    io::{self, Write as _},
    path::{Path, PathBuf},
};

/// The folders whose files are served, below the manifest's, each with the folder of its paths.
const FOLDERS: [(&str, &str); 4] = [
    ("src/api/page", "/"),
    ("src/api/page/view", "/view/"),
    ("src/api/page/vendor", "/vendor/"),
    ("clients/js/src", "/tickfan/"),
];
/// The page's one file whose address is not that of its content.
const PAGE: &str = "index.html";
/// Endings of files that browsers get, with the names of their types in `files.rs`.
const TYPES: [(&str, &str); 5] =
    [("html", "HTML"), ("js", "SCRIPT"), ("css", "STYLE"), ("svg", "IMAGE"), ("txt", "TEXT")];
/// The strongest levels: each file is compressed once.
const BROTLI_QUALITY: u32 = 11;
const BROTLI_WINDOW_BITS: u32 = 22;
const ZSTD_LEVEL: i32 = 19;

/// A file that browsers get.
struct Source {
    path: String,
    content_type: &'static str,
    content: Vec<u8>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let root = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?);
    let out = PathBuf::from(env::var("OUT_DIR")?);
    println!("cargo::rerun-if-changed=build.rs");
    let mut sources = Vec::new();
    for (folder, prefix) in FOLDERS {
        println!("cargo::rerun-if-changed={folder}");
        sources.extend(read(&root.join(folder), prefix)?);
    }
    sources.sort_by(|one, other| one.path.cmp(&other.path));
    let version = version(&sources);
    let mut table =
        format!("pub(super) const VERSION: &str = \"{version}\";\n\npub(super) const BUILT: &[Built] = &[\n");
    for (index, Source { path, content_type, content }) in sources.into_iter().enumerate() {
        let (path, content) = if path == format!("/{PAGE}") {
            ("/".to_owned(), versioned(&String::from_utf8(content)?, &version).into_bytes())
        } else {
            (path, content)
        };
        let tag = hash(&content);
        writeln!(
            table,
            "    Built {{\n        path: {path:?},\n        content_type: {content_type},\n        tag: \"{tag}\","
        )?;
        writeln!(table, "        forms: &[")?;
        for (coding, bytes) in forms(content)? {
            let name = format!("page-{index}-{coding}");
            fs::write(out.join(&name), bytes)?;
            writeln!(table, "            ({coding:?}, include_bytes!(concat!(env!(\"OUT_DIR\"), \"/{name}\"))),")?;
        }
        table.push_str("        ],\n    },\n");
    }
    table.push_str("];\n");
    fs::write(out.join("page_files.rs"), table)?;
    Ok(())
}

/// The files of a folder that browsers get.
fn read(folder: &Path, prefix: &str) -> Result<Vec<Source>, Box<dyn Error>> {
    let mut sources = Vec::new();
    for entry in fs::read_dir(folder)? {
        let file = entry?.path();
        let (Some(name), Some(ending)) = (file.file_name(), file.extension()) else { continue };
        let Some((_, content_type)) = TYPES.iter().find(|(known, _)| ending == *known) else { continue };
        let path = format!("{prefix}{}", name.to_str().ok_or("a file's name is not UTF-8")?);
        sources.push(Source { path, content_type, content: fs::read(&file)? });
    }
    Ok(sources)
}

/// The page with its own files at addresses that change with their content. The modules name each other by relative
/// paths, so these lead to the same version.
fn versioned(page: &str, version: &str) -> String {
    page.replace("=\"/", &format!("=\"/assets/{version}/")).replace(&format!("/assets/{version}/v1/"), "/v1/")
}

/// A hash of all files.
fn version(sources: &[Source]) -> String {
    let all: String = sources.iter().map(|source| format!("{} {}\n", source.path, hash(&source.content))).collect();
    hash(all.as_bytes())
}

/// The same content has the same hash in every build and on every machine.
fn hash(content: &[u8]) -> String {
    format!("{:016x}", FixedState::with_seed(0).hash_one(content))
}

/// The content in each coding that makes it shorter, and as it is; the shortest first.
fn forms(content: Vec<u8>) -> io::Result<Vec<(&'static str, Vec<u8>)>> {
    let mut brotli = Vec::new();
    brotli::CompressorWriter::new(&mut brotli, 4096, BROTLI_QUALITY, BROTLI_WINDOW_BITS).write_all(&content)?;
    let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
    gzip.write_all(&content)?;
    let gzip = gzip.finish()?;
    let zstd = zstd::bulk::compress(&content, ZSTD_LEVEL)?;
    let plain = content.len();
    let mut forms = vec![("br", brotli), ("zstd", zstd), ("gzip", gzip), ("identity", content)];
    forms.retain(|(coding, bytes)| bytes.len() < plain || *coding == "identity");
    forms.sort_by_key(|(_, bytes)| bytes.len());
    Ok(forms)
}
