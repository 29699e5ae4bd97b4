//! From a file, variables and flags to a valid [`Config`], or to an error that shows its place.
//! The start calls it, and each reload.

use super::{
    Config, ConfigError, KEYS, Key, Machine, Weight, auth_files,
    certificates::{self, EXAMPLE},
    check_together, cluster, dictionary,
    environment::Variables,
    error::{Source, Wrong, Wrongs, shown},
    feeds,
    places::{self, Places},
    raw::{Raw, kind},
    setting::{OPTIONAL_SECTIONS, Setting},
    value,
    variables::{self, CERTIFICATES_VARIABLE, CONFIG_VARIABLE, variable_name},
};
use crate::{market::Now, suggest::nearest};
use std::{
    ffi::OsString,
    fs::File,
    io::{self, Read as _},
    net::SocketAddr,
    ops::Range,
    path::{Path, PathBuf},
    sync::Arc,
};
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

/// The longest file, in bytes: room for 100,000 symbols with their venues' names.
pub const FILE_BYTES_MAX: usize = 16 << 20;

/// The tables of the file.
const SECTIONS: [&str; 8] = ["server", "feed", "fanout", "limits", "history", "tls", "auth", "cluster"];
/// The table within `[auth]` that has keys of its own. `[auth.groups]` is a key.
const ANONYMOUS: &str = "auth.anonymous";

/// What flags set, over the file and the variables.
#[derive(Debug, Clone, Default)]
pub struct Overrides {
    /// Instead of `[server] listen`.
    pub listen: Option<SocketAddr>,
    /// Instead of `[server] admin_listen`.
    pub admin_listen: Option<SocketAddr>,
    /// What a file would hold, in place of one.
    pub text: Option<String>,
}

/// Where the configuration comes from. A reload reads the same file again; variables and flags stay as at the start.
#[derive(Debug, Clone, Default)]
pub struct Loader {
    /// The file, if there is one.
    pub file: Option<PathBuf>,
    /// The environment.
    pub variables: Vec<(OsString, OsString)>,
    /// The flags.
    pub overrides: Overrides,
}

impl Loader {
    /// The file is the one that a flag names, else the variable. An empty variable names none.
    pub fn new(flag: Option<PathBuf>, variables: Vec<(OsString, OsString)>, overrides: Overrides) -> Self {
        let of_variable = variables.iter().find(|(name, value)| name == CONFIG_VARIABLE && !value.is_empty());
        let file = flag.or_else(|| of_variable.map(|(_, value)| value.into()));
        Self { file, variables, overrides }
    }

    /// Reads the configuration.
    ///
    /// # Errors
    /// As [`load`].
    pub fn load(&self) -> Result<Config, ConfigError> {
        load(self.file.as_deref(), self.variables.iter().cloned(), &self.overrides)
    }
}

/// Reads the configuration: the defaults, overridden by the file, by the `variables` whose names begin with
/// `TICKFAN_`, and by the flags, in this order. Feeds name the variables that hold their keys. Without any `[[feed]]`
/// there is one, of the default venue.
///
/// # Errors
/// [`ConfigError`], for the person who wrote the file, if it cannot be read, or a key, a value or a variable is wrong.
pub fn load(
    file: Option<&Path>,
    variables: impl IntoIterator<Item = (OsString, OsString)>,
    overrides: &Overrides,
) -> Result<Config, ConfigError> {
    let mut config = Config::default();
    let (name, text) = text_of(file, overrides)?;
    let source = Source::File(&name, &text);
    let variables: Vec<_> = variables.into_iter().collect();
    let mut places = Places::default();
    let folder = file.and_then(Path::parent).unwrap_or(Path::new(""));
    let in_toml = read_toml(&mut config, &text, (&variables, folder), &mut places).map_err(|wrong| source.error(wrong));
    let of_file = contradiction(&config);
    let in_variables = variables::apply(&mut config, variables.iter().cloned());
    if let Some(error) = ConfigError::all([in_toml, in_variables].into_iter().filter_map(Result::err)) {
        return Err(error);
    }
    check_required(&config, source, &places, &variables)?;
    config.server.listen = overrides.listen.unwrap_or(config.server.listen);
    config.server.admin_listen = overrides.admin_listen.unwrap_or(config.server.admin_listen);
    if config.feeds.is_empty() {
        config.feeds.push(feeds::default_feed());
    }
    load_files(&mut config, source, &places, &variables)?;
    if let Some((wrong, keys)) = contradiction(&config) {
        // If the file alone has the same contradiction, the file is the place to change.
        let in_file = of_file.is_some_and(|(of_file, _)| of_file == wrong);
        let place = keys.iter().find_map(|name| places.of_key(|key| key.is_called(name))).filter(|_| in_file);
        return Err(places::error(source, place, wrong));
    }
    load_certificates(&mut config, source, &places.certificates, &variables)?;
    Ok(config)
}

/// The text of the configuration, and what errors call it.
fn text_of(file: Option<&Path>, overrides: &Overrides) -> Result<(String, String), ConfigError> {
    match (&overrides.text, file) {
        (Some(text), _) => Ok(("command line".to_owned(), text.clone())),
        (None, Some(path)) => {
            let name = shown(&path.display().to_string());
            read_file(path, &name).map(|text| (name, text))
        }
        (None, None) => Ok((String::new(), String::new())),
    }
}

/// Checks that tables have the keys that they cannot do without.
fn check_required(
    config: &Config,
    source: Source<'_>,
    places: &Places,
    variables: &Variables,
) -> Result<(), ConfigError> {
    if is_without_mode(places, variables) {
        let wrong = Wrong::new("[auth] requires `mode`: without it clients do not sign on, and its other keys do nothing")
            .help("write mode = \"required\", or \"optional\" to serve clients without credentials what [auth.anonymous] allows")
            .help("write mode = \"off\" to serve all symbols to all clients");
        return Err(match &places.auth {
            Some(table) => source.error(wrong.at(table.clone())),
            None => wrong.help("in the environment: TICKFAN_AUTH_MODE=required").nowhere(),
        });
    }
    if config.tls.as_ref().is_some_and(|tls| tls.certificates.is_empty()) {
        let wrong = Wrong::new("[tls] requires `certificates`").help(format!("write certificates = {EXAMPLE}"));
        return Err(places::error(source, places.of_table("tls"), wrong));
    }
    Ok(())
}

/// Loads the files and the keys that the configuration names, but for certificates.
fn load_files(
    config: &mut Config,
    source: Source<'_>,
    places: &Places,
    variables: &Variables,
) -> Result<(), ConfigError> {
    if let Err(wrong) = dictionary::load(&mut config.server) {
        return Err(places::error(source, places.of_key(|key| key.is_called("dictionary")), wrong));
    }
    if let Err(auth_files::Of(name, wrong)) = auth_files::load(&mut config.auth, variables) {
        let place = places.of_key(|key| key.section.starts_with("auth") && key.name == name);
        return Err(places::error(source, place, *wrong));
    }
    if let Some(cluster) = &mut config.cluster {
        let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
        if let Err(cluster::Of(name, wrong)) = cluster::load(cluster, variables, &host) {
            let place = places.of_key(|key| key.section == "cluster" && Some(key.name) == name);
            return Err(places::error(source, place.or_else(|| places.of_table("cluster")), *wrong));
        }
    }
    Ok(())
}

/// Whether something is set of `[auth]`, but not whether clients sign on: the default would leave the gateway open to
/// all without a word.
fn is_without_mode(places: &Places, variables: &Variables) -> bool {
    let is_set = |key: &Key| {
        let is_variable = |(name, value): &(OsString, OsString)| *name == *variable_name(key) && !value.is_empty();
        let in_file = places.keys.iter().any(|(set, _)| (set.section, set.name) == (key.section, key.name));
        in_file || variables.iter().any(is_variable)
    };
    let mut set = KEYS.iter().filter(|key| key.section.starts_with("auth") && is_set(key)).peekable();
    set.peek().is_some() && set.all(|key| key.name != "mode")
}

/// Loads the certificates, at the end: what a file says is judged before what other files hold.
fn load_certificates(
    config: &mut Config,
    source: Source<'_>,
    places: &[Range<usize>],
    variables: &Variables,
) -> Result<(), ConfigError> {
    let Some(tls) = &mut config.tls else { return Ok(()) };
    let variable = variables.iter().find(|(name, _)| name == CERTIFICATES_VARIABLE).map(|(_, value)| value);
    let now = Now::read().unix.0 / 1_000_000;
    let loaded = match variable.and_then(|value| value.to_str()) {
        None => certificates::load(&tls.certificates, places, now).map_err(|wrong| source.error(wrong)),
        Some(text) => certificates::load(&tls.certificates, &[], now)
            .map_err(|wrong| Source::Variable(CERTIFICATES_VARIABLE, text).error(wrong)),
    };
    tls.loaded = Arc::new(loaded?);
    Ok(())
}

fn read_file(path: &Path, name: &str) -> Result<String, ConfigError> {
    let failed = |error: io::Error| {
        let wrong = Wrong::new(format!("cannot read {name}: {error}"));
        match error.kind() {
            io::ErrorKind::NotFound => wrong
                .help(format!("`tickfan --print-config > {name}` writes one, with every default"))
                .help("without --config tickfan serves a simulated market"),
            io::ErrorKind::IsADirectory => {
                let file = path.join("tickfan.toml");
                wrong.help(format!("it is a directory; name a file in it, such as {}", file.display()))
            }
            _ => wrong,
        }
        .nowhere()
    };
    let mut bytes = Vec::new();
    // Read up to the limit instead of trusting a length: a device or a pipe has none.
    File::open(path).and_then(|file| file.take(FILE_BYTES_MAX as u64 + 1).read_to_end(&mut bytes)).map_err(failed)?;
    if bytes.len() > FILE_BYTES_MAX {
        let limit = super::show_bytes(FILE_BYTES_MAX as u64);
        return Err(Wrong::new(format!("{name} is too large for a configuration"))
            .help(format!("at most {limit}"))
            .nowhere());
    }
    String::from_utf8(bytes).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        let text = String::from_utf8_lossy(error.as_bytes());
        // What comes before is valid, so the place is the same in the repaired text.
        let wrong = Wrong::new("the file is not UTF-8").help("save it as UTF-8").at(valid..valid + 1);
        Source::File(name, &text).error(wrong)
    })
}

fn read_toml(
    config: &mut Config,
    text: &str,
    (variables, folder): (&Variables, &Path),
    places: &mut Places,
) -> Result<(), Wrong> {
    // What is not TOML may hide or invent keys, so those are judged once all of it can be read.
    let (document, errors) = DeTable::parse_recoverable(text);
    Wrong::all::<()>(errors.iter().map(|error| Err(no_toml(error))))?;
    let mut wrongs = Wrongs::default();
    for (name, value) in in_order(document.get_ref()) {
        match name.get_ref().as_ref() {
            "feed" => {
                if let Some(feeds) = wrongs.take(feeds::read(value, variables, folder)) {
                    config.feeds = feeds;
                }
            }
            section if SECTIONS.contains(&section) => {
                wrongs.take(read_section(config, section, value, (folder, places)));
            }
            other => wrongs.push(unknown_section(other, name.span(), value.get_ref())),
        }
    }
    wrongs.none()
}

/// The keys that a valid file sets in its tables, each with its line. A feed's table is called after its place.
pub(super) fn lines_of_file(path: &Path) -> Result<Vec<(String, String, usize)>, ConfigError> {
    let text = read_file(path, &shown(&path.display().to_string()))?;
    let document = DeTable::parse_recoverable(&text).0;
    let line = |at: usize| 1 + text.as_bytes()[..at].iter().filter(|byte| **byte == b'\n').count();
    let mut tables: Vec<(String, &DeTable<'_>)> = Vec::new();
    for (section, value) in document.get_ref() {
        match value.get_ref() {
            DeValue::Table(table) => {
                if section.get_ref() == "auth"
                    && let Some(DeValue::Table(anonymous)) = table.get("anonymous").map(Spanned::get_ref)
                {
                    tables.push((ANONYMOUS.to_owned(), anonymous));
                }
                tables.push((section.get_ref().to_string(), table));
            }
            DeValue::Array(feeds) => tables.extend(
                feeds
                    .iter()
                    .enumerate()
                    .filter_map(|(place, feed)| Some((feed_section(place), feed.get_ref().as_table()?))),
            ),
            _ => {}
        }
    }
    let keys = tables.iter().flat_map(|(section, table)| table.iter().map(move |(key, _)| (section, key)));
    Ok(keys.map(|(section, key)| (section.clone(), key.get_ref().to_string(), line(key.span().start))).collect())
}

/// What [`lines_of_file`] calls the table of a feed.
pub(super) fn feed_section(place: usize) -> String {
    format!("feed {place}")
}

fn no_toml(error: &toml::de::Error) -> Wrong {
    let wrong = Wrong::new(format!("not valid TOML: {}", error.message().trim().replace('\n', "; ")));
    wrong.at(error.span().unwrap_or(0..0)).help("strings need quotes, and a table may have each key only once")
}

fn read_section(
    config: &mut Config,
    section: &str,
    value: &Spanned<DeValue<'_>>,
    (folder, places): (&Path, &mut Places),
) -> Result<(), Wrong> {
    let table = value.get_ref().as_table().ok_or_else(|| {
        Wrong::new(format!("`{section}` must be a table, not {}", kind(value.get_ref())))
            .help(format!("write [{section}]"))
            .at(value.span())
    })?;
    if let Some(optional) = OPTIONAL_SECTIONS.into_iter().find(|optional| *optional == section) {
        places.tables.push((optional, value.span()));
        // A table without keys is there, too.
        match optional {
            "tls" => drop(config.tls.get_or_insert_default()),
            _ => drop(config.cluster.get_or_insert_default()),
        }
    }
    if section == "auth" {
        places.auth = Some(value.span());
    }
    let set = in_order(table).into_iter().map(|(name, value)| {
        if section == "auth" && name.get_ref() == "anonymous" {
            return read_section(config, ANONYMOUS, value, (folder, &mut *places));
        }
        let key = KEYS.iter().find(|key| key.section == section && key.name == name.get_ref());
        let key = key.ok_or_else(|| unknown_key(section, name))?;
        value::set(key, config, Raw::Toml(value.get_ref(), folder)).map_err(|wrong| wrong.at(value.span()))?;
        places.keys.push((key, value.span()));
        if let (Setting::Certificates { .. }, Some(entries)) = (&key.setting, value.get_ref().as_array()) {
            places.certificates = entries.iter().map(Spanned::span).collect();
        }
        Ok(())
    });
    Wrong::all(set).map(drop)
}

/// A table's entries in the order of the file, so that its first mistake is the one that is shown.
fn in_order<'a, 'b>(table: &'a DeTable<'b>) -> Vec<(&'a Spanned<std::borrow::Cow<'b, str>>, &'a Spanned<DeValue<'b>>)> {
    let mut entries: Vec<_> = table.iter().collect();
    entries.sort_by_key(|(name, _)| name.span().start);
    entries
}

fn unknown_key(section: &str, name: &Spanned<std::borrow::Cow<'_, str>>) -> Wrong {
    let word = name.get_ref();
    let wrong = Wrong::new(format!("unknown key `{}` in [{section}]", shown(word))).at(name.span());
    if let Some(elsewhere) = KEYS.iter().find(|key| key.name == word) {
        return wrong.help(format!("`{word}` belongs to [{}]", elsewhere.section));
    }
    let known: Vec<&str> = KEYS.iter().filter(|key| key.section == section).map(|key| key.name).collect();
    wrong
        .did_you_mean(nearest(word, known.iter().copied()))
        .help(format!("the keys of [{section}] are {}", known.join(", ")))
}

fn unknown_section(name: &str, at: Range<usize>, value: &DeValue<'_>) -> Wrong {
    let is_section = value.is_table() || value.is_array();
    let what = if is_section { "table" } else { "key" };
    let wrong = Wrong::new(format!("unknown {what} `{}`", shown(name))).at(at);
    let key = |key: &&Key| key.name == name;
    if let Some(key) = KEYS.iter().find(key) {
        return wrong.help(format!("`{name}` belongs to [{}]", key.section));
    }
    wrong
        .did_you_mean(nearest(name, SECTIONS))
        .help("the tables are [server], [[feed]], [fanout], [limits], [history], [tls], [auth] and [cluster]")
}

/// Finds values that contradict each other, and their keys.
fn contradiction(config: &Config) -> Option<(Wrong, &'static [&'static str])> {
    let found = check_together(config, &Machine::default());
    let refused = found.into_iter().find(|found| found.pair.weight == Weight::Refused)?;
    Some((Wrong::new(refused.what).help(refused.help), refused.pair.keys))
}
