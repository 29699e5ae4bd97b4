//! `protocol`, `files`, `speed` and `loop` of `[[feed]]`: a recording to play.

use super::{
    error::{Wrong, Wrongs, shown},
    raw::kind,
    value::{out_of_range, text},
};
use crate::{
    market::Symbol,
    recording::{FILES_MAX, Header, RecordingError, inspect},
    suggest::nearest,
    venue::{self, Playback, Spec, Speed, VENUES},
};
use std::{
    collections::HashSet,
    ops::Range,
    path::{Path, PathBuf},
};
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

/// The keys, in the order of the documentation.
pub(super) const KEYS: [&str; 4] = ["protocol", "files", "speed", "loop"];
/// The most paths and patterns of a feed.
const PATTERNS_MAX: usize = 100;

/// A recording, and the symbols that its files name.
pub(super) struct Recorded {
    pub(super) playback: Playback,
    pub(super) symbols: Vec<Symbol>,
}

/// Reads the keys where the venue plays recordings; elsewhere there must be none. Patterns are relative to the folder.
pub(super) fn read(
    fields: &DeTable<'_>,
    venue: &Spec,
    folder: &Path,
    table: Range<usize>,
) -> Result<Option<Recorded>, Wrong> {
    if !venue.plays_recordings() {
        return check_none(fields, venue).map(|()| None);
    }
    let mut wrongs = Wrongs::default();
    wrongs.take(fields.get("record").map_or(Ok(()), |value| {
        Err(Wrong::new("`record` is set, but this feed plays a recording").help("remove it").at(value.span()))
    }));
    let speed = wrongs.take(fields.get("speed").map_or(Ok(Speed::Times(1.0)), read_speed));
    let repeats = wrongs.take(fields.get("loop").map_or(Ok(false), read_loop));
    let named = wrongs.take(fields.get("protocol").map(read_protocol).transpose());
    let files = fields.get("files").ok_or_else(|| {
        Wrong::new(format!("a feed of {} requires `files`", venue.name))
            .help("write files = [\"recordings/*.txt.gz\"]; paths are relative to this file")
            .at(table.clone())
    });
    let files = wrongs.take(files.and_then(|value| Files::read(value, folder).map_err(|wrong| wrong.at(value.span()))));
    let protocol = match (named, &files) {
        (Some(Some(protocol)), Some(files)) => wrongs.take(files.check_venue(protocol).map(|()| protocol)),
        (Some(None), Some(files)) => wrongs.take(files.protocol(table)),
        _ => None,
    };
    let recorded = || {
        let Files { paths, symbols, .. } = files?;
        let playback = Playback { protocol: protocol?, url: None, files: paths, speed: speed?, repeats: repeats? };
        Some(Some(Recorded { playback, symbols }))
    };
    let recorded = recorded();
    wrongs.value(recorded)
}

/// Whether no key of a recording stands in another venue's feed.
fn check_none(fields: &DeTable<'_>, venue: &Spec) -> Result<(), Wrong> {
    let Some((name, value)) = KEYS.into_iter().find_map(|name| Some((name, fields.get(name)?))) else { return Ok(()) };
    let player = VENUES.iter().find(|spec| spec.plays_recordings()).map_or("", |spec| spec.name);
    Err(Wrong::new(format!("`{name}` is not a setting of {}", venue.name))
        .help(format!("remove it, or set venue = \"{player}\""))
        .at(value.span()))
}

fn read_protocol(value: &Spanned<DeValue<'_>>) -> Result<&'static Spec, Wrong> {
    let name = text("protocol", value, venue::DEFAULT.name)?;
    let known = || VENUES.iter().copied().filter(|spec| !spec.plays_recordings());
    known().find(|spec| spec.name == name).ok_or_else(|| {
        let names: Vec<&str> = known().map(|spec| spec.name).collect();
        Wrong::new(format!("unknown protocol `{}`", shown(name)))
            .did_you_mean(nearest(name, names.iter().copied()))
            .help(format!("`protocol` is the venue whose frames were recorded: {}", names.join(", ")))
            .at(value.span())
    })
}

fn read_speed(value: &Spanned<DeValue<'_>>) -> Result<Speed, Wrong> {
    let digits = match value.get_ref() {
        DeValue::Integer(integer) if integer.radix() == 10 => integer.as_str(),
        DeValue::Float(float) => float.as_str(),
        other if other.as_str() == Some("max") => return Ok(Speed::Max),
        other => {
            let found = other.as_str().map_or_else(|| kind(other).to_owned(), |text| format!("`{}`", shown(text)));
            return Err(Wrong::new(format!("`speed` must be a number or \"max\", not {found}"))
                .help("write speed = 1.0 for the pace of the recording, or speed = \"max\"")
                .at(value.span()));
        }
    };
    // `nan` and `1e999` are outside of the range.
    let times: f64 = digits.parse().unwrap_or(f64::NAN);
    if Speed::RANGE.contains(&times) {
        return Ok(Speed::Times(times));
    }
    let [min, max] = [*Speed::RANGE.start(), *Speed::RANGE.end()];
    Err(out_of_range("speed", min, max).help("or \"max\", as fast as the files are read").at(value.span()))
}

fn read_loop(value: &Spanned<DeValue<'_>>) -> Result<bool, Wrong> {
    value.get_ref().as_bool().ok_or_else(|| {
        Wrong::new(format!("`loop` must be true or false, not {}", kind(value.get_ref())))
            .help("write loop = true to begin again at the end")
            .at(value.span())
    })
}

/// The files of a recording, and what their headers say.
#[derive(Default)]
struct Files {
    paths: Vec<PathBuf>,
    symbols: Vec<Symbol>,
    /// The same paths and symbols: thousands of files may name thousands of symbols each.
    known_paths: HashSet<PathBuf>,
    known_symbols: HashSet<Symbol>,
    /// The venue that each header names, with its file and the place of its pattern.
    venues: Vec<(String, PathBuf, Range<usize>)>,
    has_entries: bool,
}

impl Files {
    /// Finds all files, and looks at the first lines of each.
    fn read(value: &Spanned<DeValue<'_>>, folder: &Path) -> Result<Self, Wrong> {
        let patterns = value.get_ref().as_array().ok_or_else(|| {
            Wrong::new(format!("`files` must be a list, not {}", kind(value.get_ref())))
                .help("write files = [\"recordings/*.txt.gz\"]")
        })?;
        if patterns.is_empty() {
            return Err(Wrong::new("`files` is empty").help("name the files of the recording"));
        }
        if patterns.len() > PATTERNS_MAX {
            return Err(Wrong::new(format!("`files` has {} entries", patterns.len()))
                .help(format!("at most {PATTERNS_MAX} entries; a pattern such as \"*.txt.gz\" names many files")));
        }
        let mut files = Self::default();
        let read = patterns.iter().map(|pattern| files.add(pattern, folder).map_err(|wrong| wrong.at(pattern.span())));
        Wrong::all(read.collect::<Vec<_>>())?;
        if !files.has_entries {
            return Err(Wrong::new("`files` hold no frame").help("name files with at least one frame"));
        }
        Ok(files)
    }

    /// Adds the files of one path or pattern.
    fn add(&mut self, pattern: &Spanned<DeValue<'_>>, folder: &Path) -> Result<(), Wrong> {
        let text = pattern.get_ref().as_str().ok_or_else(|| {
            Wrong::new(format!("a file must be a string, not {}", kind(pattern.get_ref()))).help("write it in quotes")
        })?;
        for path in find(text, folder)? {
            if self.known_paths.contains(&path) {
                continue;
            }
            if self.paths.len() == FILES_MAX {
                return Err(Wrong::new("too many files").help(format!("at most {FILES_MAX} files")));
            }
            let inspection = inspect(&path).map_err(|error| unreadable(&error))?;
            self.has_entries |= inspection.has_entries;
            if let Some(header) = inspection.header {
                self.take_header(header, &path, pattern.span());
            }
            self.known_paths.insert(path.clone());
            self.paths.push(path);
        }
        Ok(())
    }

    fn take_header(&mut self, header: Header, path: &Path, at: Range<usize>) {
        for symbol in header.symbols.iter().filter_map(|name| name.parse::<Symbol>().ok()) {
            if self.known_symbols.insert(symbol.clone()) {
                self.symbols.push(symbol);
            }
        }
        if !header.venue.is_empty() {
            self.venues.push((header.venue, path.to_owned(), at));
        }
    }

    /// Checks that no file was recorded from another venue.
    fn check_venue(&self, protocol: &Spec) -> Result<(), Wrong> {
        match self.venues.iter().find(|(venue, ..)| venue != protocol.name) {
            Some((venue, path, at)) => {
                let what = format!("{} was recorded from {}, not from {}", path.display(), shown(venue), protocol.name);
                Err(Wrong::new(what)
                    .help(format!("set protocol = \"{}\", or name other files", shown(venue)))
                    .at(at.clone()))
            }
            None => Ok(()),
        }
    }

    /// The venue that the headers name.
    fn protocol(&self, table: Range<usize>) -> Result<&'static Spec, Wrong> {
        let named = self.venues.first().and_then(|(venue, ..)| venue::find(venue));
        let protocol = named.ok_or_else(|| {
            let names = VENUES.iter().filter(|spec| !spec.plays_recordings()).map(|spec| spec.name);
            Wrong::new("these files do not say whose frames they hold")
                .help(format!("set protocol to one of {}", names.collect::<Vec<_>>().join(", ")))
                .at(table)
        })?;
        self.check_venue(protocol).map(|()| protocol)
    }
}

/// The files of a path or a pattern, in the order of their names.
fn find(text: &str, folder: &Path) -> Result<Vec<PathBuf>, Wrong> {
    let path = folder.join(text);
    if path.is_dir() {
        return Err(Wrong::new(format!("`{}` is a directory", shown(text)))
            .help(format!("write \"{}/*.txt.gz\"", shown(text.trim_end_matches('/')))));
    }
    // A name may have the characters of a pattern.
    if path.exists() {
        return Ok(vec![path]);
    }
    let bad = |why: String| Wrong::new(format!("`{}` is not a pattern: {why}", shown(text)));
    let pattern = path.to_str().ok_or_else(|| bad("it is not UTF-8".to_owned()))?;
    let matches = glob::glob(pattern).map_err(|error| bad(error.msg.to_owned()))?;
    let found: Vec<PathBuf> =
        matches.filter_map(Result::ok).filter(|path| path.is_file()).take(FILES_MAX + 1).collect();
    if found.is_empty() {
        return Err(Wrong::new(format!("no file matches `{}`", shown(text)))
            .help("a path or a pattern such as \"recordings/*.txt.gz\", relative to the folder of the configuration"));
    }
    Ok(found)
}

fn unreadable(error: &RecordingError) -> Wrong {
    let wrong = Wrong::new(error.to_string());
    match error {
        RecordingError::Unknown { .. } => wrong
            .help("expected a line of tickfan, tardis, cryptofeed or crypto-crawler, or a frame alone; see docs/recordings.md"),
        _ => wrong,
    }
}
