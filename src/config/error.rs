//! Configuration errors at their place: the line, a caret, and what to write instead.

use std::{fmt, fmt::Write as _, ops::Range};

/// The most characters of a line that are shown, around the caret.
const LINE_SHOWN_MAX: usize = 100;
/// The most characters of a name or a value that are repeated in a message.
const WORD_SHOWN_MAX: usize = 64;

/// The most errors of a configuration that are shown.
pub const ERRORS_SHOWN_MAX: usize = 20;

/// Why a configuration is rejected: a message of several lines for each error, for the person who wrote it. At most
/// [`ERRORS_SHOWN_MAX`] are shown, and the rest is counted.
///
/// ```text
/// unknown key `max_lgg` in [fanout]
///   --> tickfan.toml:2:1
///    |
///  2 | max_lgg = "250ms"
///    | ^^^^^^^
///    = did you mean `max_lag`?
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    shown: Vec<String>,
    more: usize,
}

impl ConfigError {
    /// Adds the errors of another source.
    pub(super) fn and(mut self, mut other: Self) -> Self {
        self.more += other.more;
        let room = ERRORS_SHOWN_MAX.saturating_sub(self.shown.len());
        self.more += other.shown.len().saturating_sub(room);
        other.shown.truncate(room);
        self.shown.append(&mut other.shown);
        self
    }

    /// All errors of several sources.
    pub(super) fn all(errors: impl IntoIterator<Item = Self>) -> Option<Self> {
        errors.into_iter().reduce(Self::and)
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The caller writes "error: " before the first.
        f.write_str(&self.shown.join("\n\nerror: "))?;
        match self.more {
            0 => Ok(()),
            1 => write!(f, "\n\nand 1 more error"),
            more => write!(f, "\n\nand {more} more errors"),
        }
    }
}

impl std::error::Error for ConfigError {}

/// An error before its source is known; its place is a range of bytes. Further errors of the same source follow it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Wrong {
    what: String,
    at: Option<Range<usize>>,
    help: Vec<String>,
    also: Option<Box<(String, Range<usize>)>>,
    line_hidden: bool,
    and: Vec<Self>,
    /// How many follow that are not kept.
    more: usize,
}

impl Wrong {
    pub(super) fn new(what: impl Into<String>) -> Self {
        Self { what: what.into(), at: None, help: Vec::new(), also: None, line_hidden: false, and: Vec::new(), more: 0 }
    }

    /// Puts words in front, such as where the value comes from.
    pub(super) fn in_front(mut self, words: &str) -> Self {
        self.what.insert_str(0, words);
        self
    }

    /// Adds a line that says what to write instead.
    pub(super) fn help(mut self, line: impl Into<String>) -> Self {
        self.help.push(line.into());
        self
    }

    /// Adds the word that was probably meant, if there is one.
    pub(super) fn did_you_mean(self, word: Option<&str>) -> Self {
        match word {
            Some(word) => self.help(format!("did you mean `{word}`?")),
            None => self,
        }
    }

    /// Gives it a place, unless it has a closer one.
    pub(super) fn at(mut self, range: Range<usize>) -> Self {
        for wrong in &mut self.and {
            wrong.at.get_or_insert(range.clone());
        }
        self.at.get_or_insert(range);
        self
    }

    /// Adds another error, with those that follow it.
    fn and(mut self, mut other: Self) -> Self {
        self.more += std::mem::take(&mut other.more);
        let follow = std::mem::take(&mut other.and);
        for wrong in std::iter::once(other).chain(follow) {
            if self.and.len() + 1 < ERRORS_SHOWN_MAX {
                self.and.push(wrong);
            } else {
                self.more += 1;
            }
        }
        self
    }

    /// The values, or all errors among them.
    pub(super) fn all<T>(results: impl IntoIterator<Item = Result<T, Self>>) -> Result<Vec<T>, Self> {
        let mut wrongs = Wrongs::default();
        let values = results.into_iter().filter_map(|result| wrongs.take(result)).collect();
        wrongs.none().map(|()| values)
    }

    /// Does not show the line, which may hold a secret.
    pub(super) fn without_line(mut self) -> Self {
        self.line_hidden = true;
        self
    }

    /// Names a second place.
    pub(super) fn also(mut self, what: impl Into<String>, range: Range<usize>) -> Self {
        self.also = Some(Box::new((what.into(), range)));
        self
    }

    /// Without a place.
    pub(super) fn nowhere(self) -> ConfigError {
        let mut text = self.what;
        for line in self.help {
            let _ = write!(text, "\n   = {line}");
        }
        ConfigError { shown: vec![text], more: 0 }
    }
}

/// Gathers errors, so that the first does not hide the others.
#[derive(Debug, Default)]
pub(super) struct Wrongs(Option<Wrong>);

impl Wrongs {
    /// The value, or nothing after an error.
    pub(super) fn take<T>(&mut self, result: Result<T, Wrong>) -> Option<T> {
        result.map_err(|wrong| self.push(wrong)).ok()
    }

    /// Adds an error.
    pub(super) fn push(&mut self, wrong: Wrong) {
        self.0 = Some(match self.0.take() {
            Some(first) => first.and(wrong),
            None => wrong,
        });
    }

    /// The value, which is there unless there was an error.
    ///
    /// # Errors
    /// All that were gathered.
    pub(super) fn value<T>(self, value: Option<T>) -> Result<T, Wrong> {
        match (self.0, value) {
            (None, Some(value)) => Ok(value),
            (wrong, _) => Err(wrong.expect("without an error each value is there")),
        }
    }

    /// # Errors
    /// All that were gathered.
    pub(super) fn none(self) -> Result<(), Wrong> {
        self.0.map_or(Ok(()), Err)
    }
}

/// The source of an error: the file, or the value of a variable.
#[derive(Debug, Clone, Copy)]
pub(super) enum Source<'a> {
    /// The file's name and all of its text.
    File(&'a str, &'a str),
    /// The variable's name and its value.
    Variable(&'a str, &'a str),
}

impl Source<'_> {
    /// Shows the errors at their places, in the order of the source.
    pub(super) fn error(self, mut wrong: Wrong) -> ConfigError {
        let more = wrong.more;
        let mut wrongs = std::mem::take(&mut wrong.and);
        wrongs.insert(0, wrong);
        wrongs.sort_by_key(|wrong| wrong.at.as_ref().map_or(0, |range| range.start));
        ConfigError { shown: wrongs.into_iter().map(|wrong| self.one(wrong)).collect(), more }
    }

    /// Shows one error at its place.
    fn one(self, wrong: Wrong) -> String {
        let (Self::File(name, text) | Self::Variable(name, text)) = self;
        let name = shown(name);
        let range = wrong.at.clone().unwrap_or(0..text.len());
        let place = Place::find(text, range);
        let (where_, number) = match self {
            Self::File(..) => (format!("{name}:{}:{}", place.line, place.column), place.line.to_string()),
            Self::Variable(..) => (name.clone(), String::new()),
        };
        let margin = " ".repeat(number.len());
        let mut report = wrong.what;
        // Writing into a String cannot fail.
        let _ = write!(report, "\n {margin}--> {where_}");
        if !wrong.line_hidden && !place.may_tell_a_secret {
            let _ = write!(report, "\n {margin} |\n {number} | {}", place.shown);
            let _ = write!(report, "\n {margin} | {}{}", " ".repeat(place.before), "^".repeat(place.width));
        }
        for line in wrong.help {
            let _ = write!(report, "\n {margin} = {line}");
        }
        if let Some((what, range)) = wrong.also.map(|also| *also) {
            let also = Place::find(text, range);
            let _ = write!(report, "\n {margin} = {what}: {name}:{}:{}", also.line, also.column);
        }
        report
    }
}

/// A range of a text, ready to be shown. Lines and columns count from 1, columns in characters.
struct Place {
    line: usize,
    column: usize,
    shown: String,
    before: usize,
    width: usize,
    may_tell_a_secret: bool,
}

impl Place {
    fn find(text: &str, range: Range<usize>) -> Self {
        let start = text.floor_char_boundary(range.start);
        let line_start = text[..start].rfind('\n').map_or(0, |at| at + 1);
        let line_end = text[start..].find('\n').map_or(text.len(), |at| start + at);
        let end = text.ceil_char_boundary(range.end).clamp(start, line_end);
        let before = text[line_start..start].chars().count();
        let width = text[start..end].chars().count();
        // A line of a megabyte is cut: some characters before the caret, and what fits behind it.
        let skipped =
            if before + width.min(LINE_SHOWN_MAX / 2) > LINE_SHOWN_MAX { before - LINE_SHOWN_MAX / 4 } else { 0 };
        let whole = text[line_start..line_end].trim_end_matches('\r');
        let line = whole.chars().skip(skipped).take(LINE_SHOWN_MAX);
        let before_shown = before - skipped;
        Self {
            line: 1 + text[..line_start].matches('\n').count(),
            column: before + 1,
            shown: line.map(harmless).collect(),
            before: before_shown,
            width: width.clamp(1, (LINE_SHOWN_MAX - before_shown).max(1)),
            may_tell_a_secret: may_tell_a_secret(whole),
        }
    }
}

/// Whether a line may hold a secret that must not reach a log: a key under a name that is not ours, or one in the
/// query of an address.
fn may_tell_a_secret(line: &str) -> bool {
    let name = line.split('=').next().unwrap_or_default().trim().to_ascii_lowercase();
    let is_secret = ["key", "secret", "token", "password"].iter().any(|word| name.contains(word));
    (is_secret && !name.ends_with("_env")) || (line.contains("://") && line.contains(['?', '@']))
}

/// A word of the user's, cut to a sane length and without characters that would act on a terminal.
pub(super) fn shown(word: &str) -> String {
    let mut text: String = word.chars().take(WORD_SHOWN_MAX).map(harmless).collect();
    if word.chars().nth(WORD_SHOWN_MAX).is_some() {
        text.push('…');
    }
    text
}

/// Every character stays one character, so that the caret stays under what it points to.
fn harmless(character: char) -> char {
    match character {
        '\t' => ' ',
        character if character.is_control() => '\u{fffd}',
        // Marks that turn the direction of what follows could show another text than the one that was read.
        '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => '\u{fffd}',
        character => character,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, range: Range<usize>, expected: &str) {
        let error = Source::File("f.toml", text).error(Wrong::new("wrong").at(range));
        assert_eq!(error.to_string(), format!("wrong\n{expected}"));
    }

    #[test]
    fn the_caret_is_under_its_characters() {
        check("a = 1\nbé = 2\r\n", 6..9, "  --> f.toml:2:1\n   |\n 2 | bé = 2\n   | ^^");
        check("a\té\x1b = 1", 4..5, "  --> f.toml:1:4\n   |\n 1 | a é\u{fffd} = 1\n   |    ^");
    }

    #[test]
    fn a_line_that_may_hold_a_secret_is_not_shown() {
        for line in ["secret = \"hush\"", "api_key=\"hush\"", "url = \"wss://a?hush", "x = { url = \"wss://hush@a\" }"]
        {
            check(&format!("{line}\n"), 0..3, "  --> f.toml:1:1");
        }
    }

    #[test]
    fn a_place_at_the_end_or_past_it_has_a_caret_too() {
        check("a =", 3..3, "  --> f.toml:1:4\n   |\n 1 | a =\n   |    ^");
        check("", 9..12, "  --> f.toml:1:1\n   |\n 1 | \n   | ^");
    }

    #[test]
    fn a_range_over_several_lines_ends_with_its_first() {
        check("a = [\n1]", 4..8, "  --> f.toml:1:5\n   |\n 1 | a = [\n   |     ^");
    }

    #[test]
    fn a_long_line_is_cut_around_the_caret() {
        let text = format!("{}BAD{}", "é".repeat(10_000), "x".repeat(10_000));
        let shown = Source::File("f", &text).error(Wrong::new("w").at(20_000..20_003)).to_string();
        assert!(shown.contains("--> f:1:10001") && shown.chars().count() < 300, "{shown}");
        let lines: Vec<&str> = shown.lines().collect();
        let column = lines[4].find('^').unwrap();
        assert_eq!(lines[3].chars().skip(column).take(3).collect::<String>(), "BAD");
    }
}
