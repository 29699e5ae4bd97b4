//! The keys of a feed with the values in force, as people see them. Keys and passwords are never shown.

use super::{Feed, FeedTier, feed_keys, show_bytes, show_duration, without_secrets};
use crate::venue::{Act, ScriptedEvent};
use std::fmt::Display;

/// Every key that a feed of this venue can have, with its value as a file has it. `None` is the value without the key.
/// Addresses are shown without the parts that may hold a secret.
pub fn feed_in_force(feed: &Feed) -> Vec<(&'static str, Option<String>)> {
    feed_keys::names().into_iter().filter_map(|name| Some((name, value(feed, name)?))).collect()
}

/// `None` where the key belongs to another venue.
fn value(feed: &Feed, name: &str) -> Option<Option<String>> {
    let playback = feed.playback.as_ref();
    let recorded_at = playback.and_then(|playback| playback.url.as_deref());
    let value = match name {
        "protocol" => Some(quoted(playback?.protocol.name)),
        "files" => list(playback?.files.iter().map(|file| quoted(file.display()))),
        "speed" => Some(playback?.speed.to_string()),
        "loop" => Some(playback?.repeats.to_string()),
        "name" => Some(quoted(&feed.name)),
        "venue" => Some(quoted(feed.venue.name)),
        "url" => recorded_at.or(feed.url.as_deref()).map(|url| quoted(without_secrets(url))),
        "key_env" => feed.key_env.as_ref().map(quoted),
        "secret_env" => feed.secret_env.as_ref().map(quoted),
        "symbols" => Some(symbols(feed)),
        "on_demand" => Some(feed.on_demand.is_some().to_string()),
        "on_demand_symbols" => feed.on_demand.as_ref().map(|on_demand| on_demand.symbols_max.to_string()),
        "linger" => feed.on_demand.as_ref().map(|on_demand| quoted(show_duration(on_demand.linger))),
        "connections_max" => Some(feed.connections_max.to_string()),
        "hours" => Some(quoted(feed.schedule.hours().name())),
        "closed_days" => list(feed.schedule.closed_days().iter().map(quoted)),
        "mute_after" => Some(quoted(show_duration(feed.mute_limit()))),
        "part_mute_after" => feed.part_mute_after.map(|after| quoted(show_duration(after))),
        "rotate_at" => feed.rotate_at.map(quoted),
        "tier" => Some(quoted(feed.tier.tier().name())),
        "delayed_by" => match feed.tier {
            FeedTier::Delayed { by } => Some(quoted(show_duration(by))),
            FeedTier::Live | FeedTier::LiveAndDelayed(_) => None,
        },
        "delay" => feed.tier.line().map(|line| quoted(show_duration(line.delay))),
        "delay_step" => feed.tier.line().map(|line| quoted(show_duration(line.step))),
        "standby_for" => feed.standby.as_ref().map(|standby| quoted(&standby.primary)),
        "standby_age" => feed.standby.as_ref().map(|standby| quoted(show_duration(standby.limits.age))),
        "failback_after" => feed.standby.as_ref().map(|standby| quoted(show_duration(standby.limits.failback_after))),
        "event" => list(feed.script.0.iter().map(event)),
        "proxy" => feed.proxy.as_ref().map(|proxy| quoted(proxy.url())),
        "ca_file" => feed.ca_file.as_ref().map(|file| quoted(&file.path)),
        "record" => feed.record.as_ref().map(|record| quoted(record.folder.display())),
        "record_bytes_max" => feed.record.as_ref().map(|record| quoted(show_bytes(record.bytes_max))),
        option => {
            let option = feed.venue.options.iter().find(|known| known.name == option)?;
            Some(feed.options.get(option).to_string())
        }
    };
    Some(value)
}

/// A list, or a table where a venue's name is given.
fn symbols(feed: &Feed) -> String {
    if let Some(on_demand) = &feed.on_demand {
        return list(on_demand.patterns.iter().map(quoted)).unwrap_or_default();
    }
    if feed.symbols.iter().all(|listed| listed.venue_name.is_none()) {
        return list(feed.symbols.iter().map(|listed| quoted(&listed.symbol))).unwrap_or_default();
    }
    let named = feed.symbols.iter().map(|listed| {
        let name = listed.venue_name.clone().or_else(|| (feed.speaks().derive)(&listed.symbol)).unwrap_or_default();
        format!("{} = {}", quoted(&listed.symbol), quoted(name))
    });
    format!("{{ {} }}", named.collect::<Vec<_>>().join(", "))
}

fn event(event: &ScriptedEvent) -> String {
    let name = Act::NAMES.iter().find(|(act, _)| *act == event.act).map_or("", |(_, name)| name);
    let mut text = format!("{{ at = {}, do = {}", quoted(show_duration(event.at)), quoted(name));
    if let Some(symbol) = &event.symbol {
        text += &format!(", symbol = {}", quoted(symbol));
    }
    for (key, duration) in [("lasts", event.lasts), ("every", event.every)] {
        if let Some(duration) = duration {
            text += &format!(", {key} = {}", quoted(show_duration(duration)));
        }
    }
    text + " }"
}

fn quoted(text: impl Display) -> String {
    format!("{:?}", text.to_string())
}

/// `None` where it is empty.
fn list(entries: impl Iterator<Item = String>) -> Option<String> {
    let entries = entries.collect::<Vec<_>>();
    (!entries.is_empty()).then(|| format!("[{}]", entries.join(", ")))
}
