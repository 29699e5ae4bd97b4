//! `certificates` of `[tls]`: pairs of files.

use super::{
    error::{Wrong, Wrongs, shown},
    raw::{Raw, kind},
};
use crate::{
    suggest::nearest,
    tls::{CERTIFICATES_MAX, Certificate, CertificateFiles, CertificateSet},
};
use std::{ops::Range, path::Path};
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

/// The keys of an entry.
const KEYS: [&str; 2] = ["chain", "key"];
/// An entry, as a file has it.
pub(super) const EXAMPLE: &str = "[{ chain = \"/etc/tickfan/chain.pem\", key = \"/etc/tickfan/key.pem\" }]";

/// Reads the list. In a file a relative path begins at the folder of the file.
pub(super) fn read(raw: Raw<'_>) -> Result<Vec<CertificateFiles>, Wrong> {
    let (value, folder) = match raw {
        Raw::Toml(value, folder) => (value, folder),
        Raw::Variable(text) => return read_variable(text),
    };
    let Some(entries) = value.as_array() else {
        let wrong = Wrong::new(format!("`certificates` must be a list of tables, not {}", kind(value)));
        return Err(wrong.help(format!("write certificates = {EXAMPLE}")));
    };
    check_count(entries.len())?;
    Wrong::all(entries.iter().map(|entry| read_entry(entry, folder).map_err(|wrong| wrong.at(entry.span()))))
}

/// Loads them. An error has the place of its entry, if the entries have places.
pub(super) fn load(files: &[CertificateFiles], places: &[Range<usize>], now: i64) -> Result<CertificateSet, Wrong> {
    let load = |(number, files): (usize, &CertificateFiles)| {
        Certificate::load(files, now).map_err(|error| {
            let mut wrong = Wrong::new(error.what);
            if let Some(help) = error.help {
                wrong = wrong.help(help);
            }
            match places.get(number) {
                Some(place) => wrong.at(place.clone()),
                None => wrong,
            }
        })
    };
    Wrong::all(files.iter().enumerate().map(load)).map(CertificateSet::new)
}

/// The list of a variable: `chain:key`, separated by commas.
fn read_variable(text: &str) -> Result<Vec<CertificateFiles>, Wrong> {
    let entries: Vec<&str> = text.split(',').map(str::trim).collect();
    check_count(if text.trim().is_empty() { 0 } else { entries.len() })?;
    let pair = |entry: &str| match entry.split_once(':') {
        Some((chain, key)) if !chain.is_empty() && !key.is_empty() => {
            Ok(CertificateFiles { chain: chain.into(), key: key.into() })
        }
        _ => Err(Wrong::new("a certificate in a variable is the paths of its chain and its key, with a colon between")
            .help("write /etc/tickfan/chain.pem:/etc/tickfan/key.pem, and commas between several")),
    };
    Wrong::all(entries.into_iter().map(pair))
}

fn check_count(count: usize) -> Result<(), Wrong> {
    match count {
        0 => Err(Wrong::new("`certificates` is empty").help(format!("write certificates = {EXAMPLE}"))),
        1..=CERTIFICATES_MAX => Ok(()),
        _ => Err(Wrong::new(format!("`certificates` has {count} entries"))
            .help(format!("at most {CERTIFICATES_MAX} entries"))),
    }
}

fn read_entry(entry: &Spanned<DeValue<'_>>, folder: &Path) -> Result<CertificateFiles, Wrong> {
    let fields = entry.get_ref().as_table().ok_or_else(|| {
        Wrong::new(format!("a certificate is a table, not {}", kind(entry.get_ref())))
            .help(format!("write certificates = {EXAMPLE}"))
    })?;
    let mut wrongs = Wrongs::default();
    for (name, _) in fields.iter().filter(|(name, _)| !KEYS.contains(&name.get_ref().as_ref())) {
        let wrong = Wrong::new(format!("unknown key `{}` of a certificate", shown(name.get_ref())));
        let meant = nearest(name.get_ref(), KEYS);
        wrongs.push(wrong.did_you_mean(meant).help("the keys of a certificate are chain and key").at(name.span()));
    }
    let [chain, key] = KEYS.map(|name| wrongs.take(read_path(name, fields)));
    let files =
        chain.zip(key).map(|(chain, key)| CertificateFiles { chain: folder.join(chain), key: folder.join(key) });
    wrongs.value(files)
}

fn read_path<'a>(name: &str, fields: &'a DeTable<'_>) -> Result<&'a str, Wrong> {
    let example = format!("write {name} = \"/etc/tickfan/{name}.pem\"");
    let Some(value) = fields.get(name) else {
        return Err(Wrong::new(format!("a certificate requires `{name}`")).help(example));
    };
    match value.get_ref().as_str() {
        // The line may hold a private key.
        Some(text) if text.contains("-----BEGIN") => {
            Err(Wrong::new(format!("`{name}` is not the path of a file, but what a file holds"))
                .help(example)
                .at(value.span())
                .without_line())
        }
        Some("") => Err(Wrong::new(format!("`{name}` is empty")).help(example).at(value.span())),
        Some(path) => Ok(path),
        None => {
            let wrong = Wrong::new(format!("`{name}` must be a string, not {}", kind(value.get_ref())));
            Err(wrong.help(example).at(value.span()))
        }
    }
}
