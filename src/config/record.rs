//! `record` and `record_bytes_max` of `[[feed]]`: the folder that the venue's frames are recorded to.

use super::{
    error::{Wrong, Wrongs, shown},
    raw::kind,
    units::{parse_bytes, show_bytes},
    value::{integer, out_of_range, text},
};
use rustix::fs::{Access, access};
use std::{
    fs, io,
    ops::RangeInclusive,
    path::{Path, PathBuf},
};
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

/// What `record_bytes_max` is without the key: days of a busy feed, compressed.
pub const RECORD_BYTES_DEFAULT: u64 = 10 << 30;
/// The range of `record_bytes_max`: any frame fits into the least, and no disk is larger than the most.
pub const RECORD_BYTES_RANGE: RangeInclusive<u64> = 16 << 20..=64 << 40;

/// Where a feed is recorded to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The folder. It is made if it is not there.
    pub folder: PathBuf,
    /// The most bytes of the feed's files in it.
    pub bytes_max: u64,
}

/// Reads the keys of a feed. A relative path begins at the folder of the configuration, as those of recordings that are
/// played.
pub(super) fn read(fields: &DeTable<'_>, base: &Path) -> Result<Option<Record>, Wrong> {
    let mut wrongs = Wrongs::default();
    let folder = wrongs.take(fields.get("record").map(|value| read_folder(value, base)).transpose());
    let limit = fields.get("record_bytes_max");
    if let (Some(limit), Some(None)) = (limit, &folder) {
        wrongs.push(
            Wrong::new("`record_bytes_max` is set, but the feed is not recorded")
                .help("remove it, or set `record` to a folder")
                .at(limit.span()),
        );
    }
    let bytes_max = wrongs.take(limit.map_or(Ok(RECORD_BYTES_DEFAULT), read_limit));
    let record = folder.zip(bytes_max);
    wrongs.value(record.map(|(folder, bytes_max)| folder.map(|folder| Record { folder, bytes_max })))
}

fn read_folder(value: &Spanned<DeValue<'_>>, base: &Path) -> Result<PathBuf, Wrong> {
    let folder = text("record", value, "/var/lib/tickfan/recordings")?;
    if folder.is_empty() {
        return Err(Wrong::new("`record` is empty").help("name a folder, or remove the key").at(value.span()));
    }
    let folder = base.join(folder);
    check_folder(&folder).map_err(|(what, help)| Wrong::new(what).help(help).at(value.span()))?;
    Ok(folder)
}

fn read_limit(value: &Spanned<DeValue<'_>>) -> Result<u64, Wrong> {
    let bytes = match (integer(value.get_ref()), value.get_ref().as_str()) {
        (Some(bytes), _) => Ok(bytes),
        (None, Some(text)) => parse_bytes(text),
        (None, None) => Err(Wrong::new(format!(
            "`record_bytes_max` must be a number of bytes, or a string with a size, not {}",
            kind(value.get_ref())
        ))
        .help(format!("write record_bytes_max = \"{}\"", show_bytes(RECORD_BYTES_DEFAULT)))),
    };
    let bytes = bytes.map_err(|wrong| wrong.at(value.span()))?;
    let range = RECORD_BYTES_RANGE;
    if range.contains(&bytes) {
        return Ok(bytes);
    }
    Err(out_of_range("record_bytes_max", show_bytes(*range.start()), show_bytes(*range.end())).at(value.span()))
}

/// Reads the limit of a recording, such as `10GiB`.
///
/// # Errors
/// One sentence for the person who wrote it.
pub fn parse_record_limit(text: &str) -> Result<u64, String> {
    let (min, max) = (show_bytes(*RECORD_BYTES_RANGE.start()), show_bytes(*RECORD_BYTES_RANGE.end()));
    let bytes = parse_bytes(text).ok().filter(|bytes| RECORD_BYTES_RANGE.contains(bytes));
    bytes.ok_or_else(|| format!("`{}` is not a size from {min} to {max}; write, for example, 10GiB", shown(text)))
}

/// Checks that files can be written to a folder, or that it can be made. It makes nothing: `tickfan check` changes
/// nothing.
///
/// # Errors
/// What is wrong, and what to change.
pub fn check_folder(folder: &Path) -> Result<(), (String, String)> {
    let name = shown(&folder.display().to_string());
    // The nearest part of the path that is there.
    let there = folder.ancestors().map(|part| if part.as_os_str().is_empty() { Path::new(".") } else { part });
    let there = there.into_iter().find(|part| fs::symlink_metadata(part).is_ok()).unwrap_or(Path::new("/"));
    let of_it = shown(&there.display().to_string());
    let refused = |why: &str| {
        if there == folder {
            (format!("cannot record to {name}: {why}"), "name a folder that this user can write to".to_owned())
        } else {
            (
                format!("cannot make the folder {name}: {of_it}: {why}"),
                "name a folder that this user can make".to_owned(),
            )
        }
    };
    match fs::metadata(there) {
        Ok(metadata) if metadata.is_dir() => {}
        Ok(_) => return Err(refused("it is not a folder")),
        Err(error) => return Err(refused(&error.to_string())),
    }
    access(there, Access::WRITE_OK | Access::EXEC_OK).map_err(|error| refused(&io::Error::from(error).to_string()))
}
