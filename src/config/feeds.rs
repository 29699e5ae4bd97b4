//! `[[feed]]`: feeds and their symbols.

use super::{
    Feed, access,
    environment::Variables,
    error::{Wrong, Wrongs, shown},
    events, feed_keys,
    feed_limits::{CONNECTIONS_DEFAULT, CONNECTIONS_MAX, FEEDS_MAX},
    names, on_demand, outbound, playback,
    raw::kind,
    record, rotate_at, standby, symbols, tier, times,
    value::{out_of_range, text},
};
use crate::market::Symbol;
use crate::suggest::nearest;
use crate::venue::{self, ListedSymbol, Options, Playback, Script, Spec, VENUES, VenueError, VenueOption};
use std::{collections::HashMap, ops::Range, path::Path};
use symbols::Known;
use tier::FeedTier;
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

/// The feed of a configuration without any: the default venue.
pub(super) fn default_feed() -> Feed {
    Feed::new(venue::DEFAULT, symbols::default_symbols(venue::DEFAULT).collect())
}

/// The most connections of a feed that does not set a limit.
pub(super) fn connections_default(venue: &Spec) -> usize {
    CONNECTIONS_DEFAULT.min(venue.connections_max)
}

/// Reads all `[[feed]]` tables. The variables hold the keys of the feeds' venues; paths of recordings are relative to
/// the folder.
pub(super) fn read(value: &Spanned<DeValue<'_>>, variables: &Variables, folder: &Path) -> Result<Vec<Feed>, Wrong> {
    let tables = value.get_ref().as_array().ok_or_else(|| {
        Wrong::new("`feed` is not a list of feeds")
            .help("write [[feed]], with two brackets, once for each feed")
            .at(value.span())
    })?;
    let mut names = HashMap::new();
    let mut known = Known::default();
    if let Some(table) = tables.get(FEEDS_MAX) {
        return Err(Wrong::new("too many feeds").help(format!("at most {FEEDS_MAX} feeds")).at(table.span()));
    }
    let mut feeds = Vec::new();
    let mut wrongs = Wrongs::default();
    for table in tables {
        let fields = table.get_ref().as_table().ok_or_else(|| {
            Wrong::new(format!("a feed is a table, not {}", kind(table.get_ref())))
                .help("write [[feed]]")
                .at(table.span())
        });
        let feed =
            fields.and_then(|fields| read_feed(fields, table.span(), &mut names, &mut known, (variables, folder)));
        if let Some(feed) = wrongs.take(feed) {
            wrongs.take(check_account(&feed, &feeds).map_err(|wrong| wrong.at(table.span())));
            feeds.push(feed);
        }
    }
    wrongs.none()?;
    standby::check(&feeds, tables)?;
    on_demand::check(&feeds, tables)?;
    Ok(feeds)
}

/// Checks that the feeds of one account at one address stay within its venue's limit together.
pub(super) fn check_account(feed: &Feed, earlier: &[Feed]) -> Result<(), Wrong> {
    let shares_account = |other: &&Feed| {
        other.credentials.is_some()
            && other.credentials == feed.credentials
            && other.venue == feed.venue
            && other.url == feed.url
    };
    let shared: usize = earlier.iter().filter(shares_account).map(Feed::connections_at_most).sum();
    let connections = shared + feed.connections_at_most();
    if shared == 0 || connections <= feed.venue.connections_max {
        return Ok(());
    }
    let venue = feed.venue.name;
    Err(Wrong::new(format!("the feeds with one key open {connections} connections to {venue}"))
        .help(format!("{venue} accepts {} from one account", feed.venue.connections_max))
        .help("list the symbols in one feed, or give the feeds different keys"))
}

/// The names of earlier feeds, with their places.
type Names = HashMap<String, Range<usize>>;

fn read_feed(
    fields: &DeTable<'_>,
    table: Range<usize>,
    names: &mut Names,
    known: &mut Known,
    (variables, folder): (&Variables, &Path),
) -> Result<Feed, Wrong> {
    let mut wrongs = Wrongs::default();
    wrongs.take(check_keys(fields));
    let url = wrongs.take(fields.get("url").map(read_url).transpose());
    let mute_after = wrongs.take(times::read_silence("mute_after", fields));
    let part_mute_after = wrongs.take(times::read_silence("part_mute_after", fields));
    let rotate_at = wrongs.take(rotate_at::read(fields));
    let Some(venue) = wrongs.take(fields.get("venue").map_or(Ok(venue::DEFAULT), read_venue)) else {
        // The rest is judged by the venue.
        if fields.contains_key("name") {
            wrongs.take(read_name(fields, venue::DEFAULT, &table, names));
        }
        return wrongs.value(None);
    };
    let name = wrongs.take(read_name(fields, venue, &table, names));
    let options = wrongs.take(read_options(fields, venue));
    let Some(recorded) = wrongs.take(playback::read(fields, venue, folder, table.clone())) else {
        // Whose frames they are decides the rest.
        return wrongs.value(None);
    };
    let speaks = recorded.as_ref().map_or(venue, |recorded| recorded.playback.protocol);
    let endpoint = fields.get("url").zip(url.as_ref().and_then(Option::as_deref));
    let checked = endpoint.map(|(value, url)| check_endpoint(url, speaks).map_err(|wrong| wrong.at(value.span())));
    wrongs.take(checked.unwrap_or(Ok(())));
    let schedule = wrongs.take(times::read_schedule(fields, venue, endpoint.map(|(_, url)| url)));
    let connections_max = fields.get("connections_max").map(|value| read_connections_max(value, venue));
    let connections_max = wrongs.take(connections_max.unwrap_or_else(|| Ok(connections_default(venue))));
    let tier = wrongs.take(tier::read(fields, venue, speaks, endpoint.map(|(_, url)| url)));
    let standby = wrongs.take(standby::read(fields));
    let on_demand = wrongs.take(on_demand::read(fields, venue, connections_max.unwrap_or(CONNECTIONS_DEFAULT)));
    let in_files = recorded.as_ref().map(|recorded| recorded.symbols.as_slice());
    let list = List { fields, table: table.clone(), venue, speaks, in_files, tier, connections_max };
    let (symbols, script) = list.read(known, &mut wrongs);
    let outbound = wrongs.take(outbound::read(fields));
    let record = wrongs.take(record::read(fields, folder));
    let credentials = wrongs.take(access::read(fields, venue, table.clone(), variables));
    let variable = |name: &str| fields.get(name).and_then(|value| value.get_ref().as_str()).map(str::to_owned);
    let feed = || {
        let (proxy, ca_file) = outbound?;
        let recorded_at = if recorded.is_some() { url.clone()? } else { None };
        let playback = recorded.map(|recorded| Playback { url: recorded_at, ..recorded.playback });
        Some(Feed {
            name: name?,
            venue,
            url: url?.filter(|_| playback.is_none()),
            playback,
            symbols: symbols?,
            on_demand: on_demand?,
            connections_max: connections_max?,
            options: options?,
            script,
            schedule: schedule?,
            mute_after: mute_after?,
            part_mute_after: part_mute_after?,
            rotate_at: rotate_at?,
            tier: tier?,
            standby: standby?,
            proxy,
            ca_file,
            record: record?,
            key_env: variable("key_env"),
            secret_env: variable("secret_env"),
            credentials: credentials?,
        })
    };
    let mut feed = wrongs.value(feed())?;
    rotate_at::check(&feed, fields)?;
    outbound::check(&mut feed, fields, table, variables)?;
    Ok(feed)
}

/// What decides how the list of a feed is read.
struct List<'a> {
    fields: &'a DeTable<'a>,
    table: Range<usize>,
    venue: &'static Spec,
    /// Whose names the symbols have.
    speaks: &'static Spec,
    /// The symbols of its recording, where it has one.
    in_files: Option<&'a [Symbol]>,
    tier: Option<FeedTier>,
    connections_max: Option<usize>,
}

impl List<'_> {
    /// Reads the symbols, and the events that name them. A feed on demand lists none.
    fn read(self, known: &mut Known, wrongs: &mut Wrongs) -> (Option<Vec<ListedSymbol>>, Script) {
        let Self { fields, table, venue, speaks, in_files, tier, connections_max } = self;
        let named = fields.get("symbols");
        let place = named.map_or(table.clone(), Spanned::span);
        let symbols = if on_demand::is_set(fields).is_ok_and(|is_set| is_set) {
            Some(Vec::new())
        } else {
            let tier = tier.unwrap_or(FeedTier::Live);
            let symbols = symbols::read(named, speaks, in_files, table);
            let is_standby = fields.contains_key("standby_for");
            wrongs.take(symbols.and_then(|symbols| known.take(symbols, speaks, tier, is_standby)))
        };
        if let (Some(symbols), Some(connections_max)) = (&symbols, connections_max) {
            wrongs.take(check_count(symbols.len(), connections_max, venue).map_err(|wrong| wrong.at(place)));
        }
        let script = match (fields.get("event"), &symbols) {
            (Some(value), Some(symbols)) => events::read(value, venue, fields.contains_key("url"), symbols, wrongs),
            _ => Script::default(),
        };
        (symbols, script)
    }
}

fn check_keys(fields: &DeTable<'_>) -> Result<(), Wrong> {
    let names = feed_keys::names();
    let unknown = fields.iter().filter(|(key, _)| !names.contains(&key.get_ref().as_ref()));
    let unknown = unknown.map(|(key, _)| {
        Err(Wrong::new(format!("unknown key `{}` in [[feed]]", shown(key.get_ref())))
            .did_you_mean(nearest(key.get_ref(), names.iter().copied()))
            .help(format!("the keys of a feed are {}", names.join(", ")))
            .at(key.span()))
    });
    Wrong::all::<()>(unknown).map(drop)
}

fn read_name(fields: &DeTable<'_>, venue: &Spec, table: &Range<usize>, names: &mut Names) -> Result<String, Wrong> {
    let name = match fields.get("name") {
        Some(value) => {
            let name = text("name", value, "us-stocks")?;
            names::feed(name).map_err(|wrong| wrong.at(value.span()))?
        }
        None => venue.name.to_owned(),
    };
    let place = fields.get("name").map_or(table.clone(), Spanned::span);
    match names.insert(name.clone(), place.clone()) {
        Some(first) => Err(Wrong::new(format!("two feeds are named `{name}`"))
            .help("give each feed its own name: it is a label in metrics, and defaults to the venue's name")
            .also("the first one", first)
            .at(place)),
        None => Ok(name),
    }
}

fn read_venue(value: &Spanned<DeValue<'_>>) -> Result<&'static Spec, Wrong> {
    let known = || VENUES.iter().map(|spec| spec.name);
    let name = text("venue", value, venue::DEFAULT.name)?;
    venue::find(name).ok_or_else(|| {
        Wrong::new(format!("unknown venue `{}`", shown(name)))
            .did_you_mean(nearest(name, known()))
            .help(format!("the venues are {}", known().collect::<Vec<_>>().join(", ")))
            .at(value.span())
    })
}

fn read_url(value: &Spanned<DeValue<'_>>) -> Result<String, Wrong> {
    let url = text("url", value, "wss://stream.example.com")?;
    names::url(url).map_err(|wrong| wrong.at(value.span()))
}

/// Checks that data of the venue can come from this address.
fn check_endpoint(url: &str, venue: &Spec) -> Result<(), Wrong> {
    (venue.check_url)(url).map_err(|error| match error {
        VenueError::WrongEndpoint { why, instead, .. } => {
            Wrong::new(format!("this address of {} {why}", venue.name)).help(instead)
        }
        other => Wrong::new(other.to_string()),
    })
}

/// Reads the settings that only some venues have.
fn read_options(fields: &DeTable<'_>, venue: &Spec) -> Result<Options, Wrong> {
    let is_its_own = |name: &str| venue.options.iter().any(|own| own.name == name);
    for spec in VENUES {
        for option in spec.options.iter().filter(|option| !is_its_own(option.name)) {
            let Some(value) = fields.get(option.name) else { continue };
            return Err(Wrong::new(format!("`{}` is not a setting of {}", option.name, venue.name))
                .help(format!("remove it, or set venue = \"{}\"", spec.name))
                .at(value.span()));
        }
    }
    let mut options = Options::default();
    for option in venue.options {
        if let Some(value) = fields.get(option.name) {
            options = options.with(option.name, read_option(value, option)?);
        }
    }
    Ok(options)
}

fn read_option(value: &Spanned<DeValue<'_>>, option: &VenueOption) -> Result<f64, Wrong> {
    let digits = match value.get_ref() {
        DeValue::Integer(integer) if integer.radix() == 10 => integer.as_str(),
        DeValue::Float(float) => float.as_str(),
        other => {
            return Err(Wrong::new(format!("`{}` must be a number, not {}", option.name, kind(other)))
                .help(format!("write {} = {}", option.name, option.default))
                .at(value.span()));
        }
    };
    // `nan` and `1e999` are outside of every range.
    let number: f64 = digits.parse().unwrap_or(f64::NAN);
    if option.range.contains(&number) {
        return Ok(number);
    }
    Err(out_of_range(option.name, option.range.start(), option.range.end()).help(lower(option.about)).at(value.span()))
}

/// A sentence as the second half of another.
fn lower(text: &str) -> String {
    let mut characters = text.chars();
    characters.next().map_or_else(String::new, |first| first.to_lowercase().chain(characters).collect())
}

fn read_connections_max(value: &Spanned<DeValue<'_>>, venue: &Spec) -> Result<usize, Wrong> {
    let max = CONNECTIONS_MAX.min(venue.connections_max);
    let digits = value.get_ref().as_integer().filter(|integer| integer.radix() == 10).ok_or_else(|| {
        Wrong::new(format!("`connections_max` must be a whole number, not {}", kind(value.get_ref())))
            .help("write connections_max = 1")
            .at(value.span())
    })?;
    match digits.as_str().parse() {
        Ok(count) if (1..=max).contains(&count) => Ok(count),
        _ if max == 1 => Err(Wrong::new("`connections_max` is out of range")
            .help(format!("remove it: {} accepts one connection", venue.name))
            .at(value.span())),
        _ => Err(out_of_range("connections_max", 1, max)
            .help(format!(
                "{} accepts {} connections, and a feed opens at most {CONNECTIONS_MAX}",
                venue.name, venue.connections_max
            ))
            .at(value.span())),
    }
}

/// Checks that the connections of a feed carry its symbols.
fn check_count(symbols: usize, connections_max: usize, venue: &Spec) -> Result<(), Wrong> {
    let carried = venue.symbols_per_connection * connections_max;
    if symbols <= carried {
        return Ok(());
    }
    let needed = symbols.div_ceil(venue.symbols_per_connection);
    let wrong = Wrong::new(format!("{symbols} symbols are too many for this feed")).help(format!(
        "a connection to {} carries {} symbols, and the feed may open {connections_max}",
        venue.name, venue.symbols_per_connection
    ));
    Err(if needed <= CONNECTIONS_MAX.min(venue.connections_max) {
        wrong.help(format!("set connections_max = {needed}"))
    } else {
        wrong.help("split the symbols over several feeds, or remove some")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_has_the_range_of_its_own_venue_where_several_share_its_name() {
        let shared = venue::DEFAULT.options[0];
        let own = VenueOption { name: shared.name, default: 1.0, range: 0.0..=1e12, about: "More" };
        let own: &'static VenueOption = Box::leak(Box::new(own));
        let venue = Spec { name: "other", options: Box::leak(Box::new([own])), ..*venue::DEFAULT };
        let file = format!("{} = 1e12", shared.name);
        let fields = DeTable::parse(&file).unwrap();
        assert_eq!(read_options(fields.get_ref(), &venue).unwrap().get(own), 1e12);
        assert!(read_options(fields.get_ref(), venue::DEFAULT).is_err(), "it is outside of the other range");
    }
}
