//! Every key of `[[feed]]`. The keys and the names of venues come from their specs.

use super::{playback, record::RECORD_BYTES_DEFAULT, units::show_bytes};
use crate::venue::{CredentialsRule, Spec, VENUES};

/// One key of `[[feed]]`.
#[derive(Debug)]
pub struct FeedKey {
    /// Its name.
    pub name: &'static str,
    /// A value, as a file has it.
    pub example: String,
    /// What it sets, and its default.
    pub about: String,
}

/// The keys of `[[feed]]` that every venue has, with an example and a text.
const COMMON: [&str; 27] = [
    "name",
    "venue",
    "url",
    "key_env",
    "secret_env",
    "symbols",
    "on_demand",
    "on_demand_symbols",
    "linger",
    "connections_max",
    "hours",
    "closed_days",
    "mute_after",
    "part_mute_after",
    "rotate_at",
    "tier",
    "delayed_by",
    "delay",
    "delay_step",
    "standby_for",
    "standby_age",
    "failback_after",
    "event",
    "proxy",
    "ca_file",
    "record",
    "record_bytes_max",
];

/// The names of all keys of `[[feed]]`, in the order of the documentation.
pub(super) fn names() -> Vec<&'static str> {
    let own = option_keys(VENUES).into_iter().map(|key| key.name);
    COMMON.into_iter().chain(playback::KEYS).chain(own).collect()
}

/// All keys of `[[feed]]`, in the order of the documentation.
pub fn feed_keys() -> Vec<FeedKey> {
    let common = COMMON.into_iter().map(|name| FeedKey { name, example: example(name), about: about(name) });
    let recorded = playback::KEYS.into_iter().map(recording_key);
    common.chain(recorded).chain(option_keys(VENUES)).collect()
}

/// The settings of single venues. Venues that share a name share the key.
fn option_keys(venues: &[&Spec]) -> Vec<FeedKey> {
    let mut keys: Vec<FeedKey> = Vec::new();
    for spec in venues {
        for option in spec.options {
            let range = format!("from {} to {}", option.range.start(), option.range.end());
            let about = format!("{}, {range}. Only for venue = \"{}\".", option.about, spec.name);
            match keys.iter_mut().find(|key| key.name == option.name) {
                Some(key) => key.about = format!("{} {about}", key.about),
                None => keys.push(FeedKey { name: option.name, example: option.default.to_string(), about }),
            }
        }
    }
    keys
}

/// The venue of the examples: one that has a value for every key.
fn example_venue() -> &'static Spec {
    let has_keys = |spec: &&&Spec| matches!(spec.credentials, CredentialsRule::KeyAndSecret { .. });
    VENUES.iter().find(has_keys).unwrap_or(&VENUES[0])
}

/// Variables for a venue's key and secret.
pub(super) fn example_variables() -> [&'static str; 2] {
    match example_venue().credentials {
        CredentialsRule::KeyAndSecret { key_env, secret_env } => [key_env, secret_env],
        CredentialsRule::Key { key_env } => [key_env, "SECRET"],
        CredentialsRule::Public => ["KEY", "SECRET"],
    }
}

fn example(name: &str) -> String {
    let [key_env, secret_env] = example_variables();
    match name {
        "name" => "\"us-stocks\"".to_owned(),
        "venue" => format!("{:?}", example_venue().name),
        "url" => "\"wss://stream.example.com/path\"".to_owned(),
        "key_env" => format!("{key_env:?}"),
        "secret_env" => format!("{secret_env:?}"),
        "symbols" => format!("{:?}", example_venue().examples),
        "on_demand" => "true".to_owned(),
        "on_demand_symbols" => "1000".to_owned(),
        "linger" => "\"60s\"".to_owned(),
        "connections_max" => "1".to_owned(),
        "hours" => "\"us-equities\"".to_owned(),
        "closed_days" => "[\"2027-01-20\"]".to_owned(),
        "part_mute_after" => "\"1m\"".to_owned(),
        "rotate_at" => "\"05:00 UTC\"".to_owned(),
        "tier" => "\"delayed\"".to_owned(),
        "delayed_by" | "delay" => "\"15m\"".to_owned(),
        "delay_step" | "standby_age" => "\"5s\"".to_owned(),
        "standby_for" => "\"us-stocks\"".to_owned(),
        "event" => "[{ at = \"10s\", do = \"halt\", symbol = \"AAPL\", lasts = \"5s\" }]".to_owned(),
        "proxy" => "\"http://proxy.example.com:3128\"".to_owned(),
        "ca_file" => "\"/etc/ssl/private-ca.pem\"".to_owned(),
        "record" => "\"/var/lib/tickfan/recordings\"".to_owned(),
        "record_bytes_max" => format!("\"{}\"", show_bytes(RECORD_BYTES_DEFAULT)),
        _ => "\"30s\"".to_owned(),
    }
}

fn about(name: &str) -> String {
    let text = match name {
        "event" => {
            "What a simulated venue is to do: events with at, do and, as they need them, symbol, lasts and every. At most \
             100; times from 100ms to 1day. Only for simulated venues, without a url."
        }
        "name" => "A label of metrics and logs: a-z, 0-9 and '-', at most 32 characters. Default: the venue's name.",
        "venue" => return venues(),
        "url" => "Overrides the venue's own address.",
        "key_env" => "The variable that holds the key. Only for venues that require one.",
        "secret_env" => {
            "The variable that holds the secret of the key. A secret in a file would have too many readers."
        }
        "symbols" => {
            "Canonical names; each symbol belongs to one feed. Where the venue's name cannot be derived, map it: \
             { \"BTC-USD\" = \"XBT/USD\" }. Default: the venue's own list, if it has one."
        }
        "on_demand" => {
            "Whether the feed subscribes a symbol when the first stream asks for it, and drops it some time after the \
             last one has left. `symbols` are patterns then, such as [\"BTC-*\", \"*-USDT\"]: an asterisk stands for any \
             characters. Default: false; with it, `symbols` is [\"*\"], every name that the venue's can be derived from."
        }
        "on_demand_symbols" => {
            "The most symbols that the feed has on demand at a time, from 1 to 100000, as far as its connections carry \
             them. The streams of one address hold at most a quarter. Only with on_demand. Default: 1000."
        }
        "linger" => {
            "How long a symbol stays subscribed that no stream has any longer, from 1s to 1day. Only with on_demand. \
             Default: 60s."
        }
        "connections_max" => {
            "The most connections that a long symbol list is spread over, from 1 to 64. Default: 8, or the venue's own limit."
        }
        "standby_for" => {
            "The feed that this one stands in for: its symbols are those of that feed, or some of them. While the other \
             feed's price of a symbol is stale, this feed's is shown, and each tick says its `source`. Default: none."
        }
        "standby_age" => {
            "How old the standby's last update of a symbol may be for it to take over at once, from 100ms to 1day; \
             otherwise it takes over with its next update. Only with standby_for. Default: 5s."
        }
        "failback_after" => {
            "For how long the primary must have been live, without a break, until its prices are shown again, from 100ms \
             to 1day. Only with standby_for. Default: 30s."
        }
        "hours" => {
            "When it trades: always, us-equities (04:00 to 20:00 New York, without the exchange's holidays), or \
             us-overnight (20:00 to 04:00, before each of those days). Outside its hours, symbols are closed, and silence is \
             not an outage. Default: the venue's, by its address."
        }
        "closed_days" => "Days without trading that its hours do not know.",
        "rotate_at" => {
            "The time of day, from 00:00 UTC to 23:59 UTC, at which its connections are replaced, without a gap where the \
             venue accepts one connection more (docs/outages.md). Where the venue ends connections within a day, they are \
             replaced before that too. Only for venues that end connections after a time. Default: as late as the venue \
             allows."
        }
        "tier" => {
            "Whether its prices are live or delayed. Clients with a right to delayed prices alone read delayed ones; a \
             symbol may stand in one live feed and in one delayed feed. Default: delayed where the venue's data at the \
             address are late by contract, else live."
        }
        "delayed_by" => {
            "How late the venue's data are, from 1s to 1day, for clients: they read it in each tick. Only with tier = \
             \"delayed\", where the gateway does not know it by the address."
        }
        "delay" => {
            "From 1s to 1day: shows the live prices of this feed also so late, to clients with a right to delayed prices \
             alone. Default: 0s, not at all."
        }
        "delay_step" => {
            "How often the newest price of each symbol is taken, to be shown after `delay`: from 100ms to 1h, at most \
             `delay`. All feeds together keep at most 500000 such notes; beyond that the step doubles. Default: 5s."
        }
        "proxy" => {
            "An HTTP proxy to connect through: http://host:port, or http://user:password@host:port, at most 2048 \
             characters. The proxy looks the venue's name up. Default: https_proxy for wss://, http_proxy for ws://, else \
             all_proxy, in lower or upper case, unless no_proxy lists the host; without them, none."
        }
        "ca_file" => {
            "A PEM file with the certificates of private CAs, at most 1MiB. The feed trusts them besides the public ones. \
             It is read at the start. Default: none."
        }
        "record" => {
            "A folder to record the venue's frames to while the feed serves: a compressed file per connection and hour \
             (docs/recordings.md). It is made if it is not there; a relative path begins at the folder of this file. A full \
             disk ends the recording, not the feed. Default: none."
        }
        "record_bytes_max" => {
            "The most bytes of the feed's files in `record`, from 16MiB to 65536GiB. The oldest file is deleted to stay \
             within. Default: 10GiB."
        }
        "mute_after" => {
            "From 1s to 1day. After a longer silence within its hours its symbols are stale, even if the connection answers \
             pings, unless all are halted. Default: 30s; 2m for fewer than 20 symbols; 5m where the venue sends heartbeats."
        }
        _ => {
            "From 1s to 1day. If trades, quotes or statistics stop for longer while others of the connection flow, that part is \
             stale for its symbols. Default: off."
        }
    };
    text.to_owned()
}

/// A key of a recording. Only one venue plays some.
fn recording_key(name: &'static str) -> FeedKey {
    let recorded = format!("{:?}", VENUES.get(1).map_or("", |spec| spec.name));
    let (example, about) = match name {
        "protocol" => {
            (recorded.as_str(), "The venue whose frames were recorded. Default: the one that the files name.")
        }
        "files" => (
            "[\"recordings/*.txt.gz\"]",
            "The recording: at most 100 paths or patterns, relative to the folder of this file, of at most 10000 files, \
             compressed with gzip or zstd or not. The times of receipt decide the order of all frames.",
        ),
        "speed" => (
            "1.0",
            "How many times as fast as recorded, from 0.01 to 1000, or \"max\", as fast as the files are read. Pauses \
             last at most 60s. Default: 1.0.",
        ),
        _ => ("false", "Whether the recording begins again when it has ended. Default: false."),
    };
    let player = VENUES.iter().find(|spec| spec.plays_recordings()).map_or("", |spec| spec.name);
    FeedKey { name, example: example.to_owned(), about: format!("{about} Only for venue = \"{player}\".") }
}

/// The list of venues, as a sentence.
fn venues() -> String {
    let names: Vec<String> = VENUES.iter().map(|spec| format!("{} ({})", spec.name, spec.about)).collect();
    format!("The source of the data: {}. Default: {}.", names.join("; "), VENUES[0].name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::venue::{DEFAULT, VenueOption};

    #[test]
    fn venues_that_share_the_name_of_a_setting_share_its_key() {
        static DEPTH: VenueOption = VenueOption { name: "depth", default: 1.0, range: 1.0..=5.0, about: "Levels" };
        static DEEPER: VenueOption = VenueOption { name: "depth", default: 9.0, range: 1.0..=9.0, about: "Rows" };
        static LEVELS: &[&VenueOption] = &[&DEPTH];
        static ROWS: &[&VenueOption] = &[&DEEPER];
        let one = Spec { name: "one", options: LEVELS, ..*DEFAULT };
        let two = Spec { name: "two", options: ROWS, ..*DEFAULT };
        let keys = option_keys(&[&one, &two]);
        let [key] = keys.as_slice() else { panic!("one key, not {keys:?}") };
        assert_eq!((key.name, key.example.as_str()), ("depth", "1"));
        let about = "Levels, from 1 to 5. Only for venue = \"one\". Rows, from 1 to 9. Only for venue = \"two\".";
        assert_eq!(key.about, about);
    }
}
