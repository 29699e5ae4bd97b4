//! What a reload changes: the keys that apply at once, and those that wait for a restart.

use super::{
    Applies, Change, Config, ConfigError, Feed, FeedStep, Machine, Server, Tls, Weight, check_together, feed_plan,
    keys::KEYS,
    print::value,
    setting::{Key, has_section},
};
use crate::tls::show_time;
use std::{io, time::Duration};

/// What a reload has done.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Reloaded {
    /// The keys whose new values are in force.
    pub changed: Vec<Change>,
    /// The keys whose new values wait for a restart.
    pub at_restart: Vec<Change>,
    /// The feeds that could not be changed, or only in part, each once. What is missing stays so until the next reload.
    pub failed: Vec<FailedFeed>,
}

/// A feed that a reload could not change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailedFeed {
    /// The feed's name.
    pub feed: String,
    /// Why, and what is done of it in spite of that.
    pub why: String,
}

impl Reloaded {
    /// The same reload, in which these feeds could not be changed.
    pub fn with_failed(mut self, failed: Vec<FailedFeed>) -> Self {
        let has_failed = |key: &str| failed.iter().any(|failed| key.strip_prefix("feed.") == Some(&failed.feed));
        self.changed.retain(|change| !has_failed(&change.key));
        self.failed = failed;
        self
    }
}

/// Why a reload changed nothing.
#[derive(Debug, thiserror::Error)]
pub enum ReloadError {
    /// The gateway was started without a file.
    #[error("the gateway was started without a configuration file, so a reload reads nothing; start it with --config")]
    WithoutFile,
    /// The file is wrong.
    #[error(transparent)]
    Rejected(#[from] ConfigError),
    /// The file is right, but not half of it: a value that applies at once needs one that waits for a restart.
    #[error("what applies at once contradicts what waits for a restart: {what}; {help}, or restart with this file")]
    Mixed {
        /// The values, with their keys.
        what: String,
        /// What to change.
        help: String,
    },
    /// A feed does not fit its venue.
    #[error("feed {feed}: {why}")]
    Venue {
        /// The feed's name.
        feed: String,
        /// Why.
        why: String,
    },
    /// The file names keys that verify tokens, and they cannot be fetched.
    #[error("the keys cannot be taken from {place}: {why}")]
    Keys {
        /// Their source.
        place: String,
        /// Why.
        why: String,
    },
    /// The system does not give the files in time.
    #[error("reading the files takes longer than {}; try again later", super::show_duration(*.0))]
    Slow(Duration),
    /// The system refuses a thread.
    #[error("the system refuses a thread to read the files: {0}")]
    Thread(#[from] io::Error),
}

/// The settings after a reload, and what it changed. A key that waits for a restart keeps its value, so it is reported
/// at each reload until then.
///
/// `may_run` says why the gateway cannot change to these feeds while it runs, if it cannot. The steps that it has to
/// take with them are returned too.
pub fn reload(
    running: &Config,
    mut loaded: Config,
    may_run: impl FnOnce(&[Feed]) -> Result<(), String>,
) -> (Config, Reloaded, Vec<FeedStep>) {
    let mut next = running.clone();
    let mut running = running.clone();
    let mut report = Reloaded::default();
    // A listener comes and goes at a restart, and its keys with it.
    let has_tls = running.tls.is_some();
    if has_tls != loaded.tls.is_some() {
        let [from, to] = if has_tls { ["a listener", "removed"] } else { ["", "added"] }.map(str::to_owned);
        report.at_restart.push(Change { key: "tls".to_owned(), from, to });
        loaded.tls.clone_from(&running.tls);
    }
    // So does a cluster.
    if running.cluster.is_some() != loaded.cluster.is_some() {
        let [from, to] = if running.cluster.is_some() { ["a cluster", "removed"] } else { ["", "added"] };
        report.at_restart.push(Change { key: "cluster".to_owned(), from: from.to_owned(), to: to.to_owned() });
        loaded.cluster.clone_from(&running.cluster);
    }
    // So do keys that verify tokens, with the mode.
    if running.auth.source.is_some() != loaded.auth.source.is_some() {
        loaded.auth.take_source(&running.auth);
    }
    let is_there: Vec<bool> = KEYS.iter().map(|key| has_section(&running, key.section)).collect();
    for (key, _) in KEYS.iter().zip(is_there).filter(|(_, is_there)| *is_there) {
        let from = value(&key.setting, &mut running);
        let to = value(&key.setting, &mut loaded);
        if from == to && key.setting.is_same(&mut running, &mut loaded) {
            continue;
        }
        let change = Change { key: name(key), from, to };
        match key.applies {
            Applies::Reload => {
                key.setting.copy(&mut loaded, &mut next);
                report.changed.push(change);
            }
            Applies::Restart => report.at_restart.push(change),
        }
    }
    if let (Some(next), Some(running), Some(loaded)) = (&mut next.tls, &running.tls, loaded.tls) {
        report.changed.extend(new_content(running, &loaded));
        next.loaded = loaded.loaded;
    }
    report.at_restart.extend(other_dictionary(&running, &loaded.server));
    next.auth.source = loaded.auth.source;
    // A reload that leaves the lists alone leaves the grants alone that they came to.
    if !next.auth.has_lists_of(&running.auth) {
        next.auth.compile();
    }
    let mut plan = feed_plan::plan(&running.feeds, &loaded.feeds);
    if !plan.steps.is_empty()
        && let Err(why) = may_run(&plan.feeds)
    {
        plan = feed_plan::wait(&running.feeds, &loaded.feeds, &why);
    }
    next.feeds = plan.feeds;
    report.changed.extend(plan.changed);
    report.at_restart.extend(plan.at_restart);
    (next, report, plan.steps)
}

/// Certificates whose files have kept their names.
fn new_content(running: &Tls, loaded: &Tls) -> Option<Change> {
    let is_named = running.certificates != loaded.certificates;
    if is_named || running.loaded.is_same(&loaded.loaded) {
        return None;
    }
    let [from, to] = [running, loaded].map(|tls| {
        let expiries = tls.loaded.all().iter().map(|certificate| show_time(certificate.expires));
        format!("expires {}", expiries.collect::<Vec<_>>().join(", "))
    });
    Some(Change { key: "tls.certificates".to_owned(), from, to })
}

/// A dictionary whose file has kept its name.
fn other_dictionary(running: &Config, loaded: &Server) -> Option<Change> {
    let running = &running.server;
    if running.dictionary != loaded.dictionary || running.loaded_dictionary.hash() == loaded.loaded_dictionary.hash() {
        return None;
    }
    let [from, to] = [running, loaded].map(|server| format!("SHA-256 {}", server.loaded_dictionary.name()));
    Some(Change { key: "server.dictionary".to_owned(), from, to })
}

/// Checks that the settings after a reload agree: they are of the file where they apply at once, and older elsewhere.
///
/// # Errors
/// [`ReloadError::Mixed`].
pub fn check_mixed(next: &Config) -> Result<(), ReloadError> {
    let found = check_together(next, &Machine::default());
    match found.into_iter().find(|found| found.pair.weight == Weight::Refused) {
        Some(found) => Err(ReloadError::Mixed { what: found.what, help: found.help }),
        None => Ok(()),
    }
}

/// The name of a key with its table.
pub(super) fn name(key: &Key) -> String {
    format!("{}.{}", key.section, key.name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{config::defaults::every_default, wire::Dictionary};
    use std::sync::Arc;

    /// A reload while feeds may change.
    fn reload(running: &Config, loaded: Config) -> (Config, Reloaded) {
        let (next, report, _) = super::reload(running, loaded, |_| Ok(()));
        (next, report)
    }

    fn keys(changes: &[Change]) -> Vec<&str> {
        changes.iter().map(|change| change.key.as_str()).collect()
    }

    #[test]
    fn a_reload_applies_what_it_can_and_names_what_waits_for_a_restart() {
        let running = Config::default();
        let mut loaded = running.clone();
        loaded.server.hosts = vec!["a.example".to_owned()];
        loaded.server.log = "debug".parse().unwrap();
        loaded.server.listen = "127.0.0.1:1".parse().unwrap();
        loaded.fanout.ring = 16;
        loaded.limits.head_bytes = 8 << 10;
        let (next, report) = reload(&running, loaded.clone());
        assert_eq!(keys(&report.changed), ["server.hosts", "server.log", "limits.head_bytes"]);
        assert_eq!(keys(&report.at_restart), ["server.listen", "fanout.ring"]);
        assert_eq!((report.changed[0].from.as_str(), report.changed[0].to.as_str()), ("[]", "[\"a.example\"]"));
        assert_eq!((next.server.listen, next.fanout.ring), (running.server.listen, running.fanout.ring));
        assert_eq!((next.server.hosts.len(), next.limits.head_bytes), (1, 8 << 10));
        let (_, again) = reload(&next, loaded);
        assert!(again.changed.is_empty());
        assert_eq!(keys(&again.at_restart), ["server.listen", "fanout.ring"]);
    }

    #[test]
    fn a_listener_for_https_and_a_cluster_come_and_go_at_a_restart() {
        let without = Config::default();
        let with_tls = Config { cluster: None, ..every_default() };
        let with_cluster = Config { tls: None, ..every_default() };
        for (running, loaded, key, to) in [
            (&without, &with_tls, "tls", "added"),
            (&with_tls, &without, "tls", "removed"),
            (&without, &with_cluster, "cluster", "added"),
            (&with_cluster, &without, "cluster", "removed"),
        ] {
            let (next, report) = reload(running, loaded.clone());
            let tables = |config: &Config| (config.tls.is_some(), config.cluster.is_some());
            assert_eq!(tables(&next), tables(running));
            let change = &report.at_restart[0];
            assert_eq!((change.key.as_str(), change.to.as_str(), report.changed.len()), (key, to, 0));
            assert_eq!(report.at_restart.len(), 1);
        }
    }

    #[test]
    fn another_dictionary_in_the_same_file_waits_for_a_restart_at_each_reload() {
        let running = Config::default();
        let mut loaded = running.clone();
        loaded.server.loaded_dictionary = Arc::new(Dictionary::new(vec![b'x'; 300].into()).unwrap());
        let (next, report) = reload(&running, loaded.clone());
        assert_eq!((keys(&report.changed), keys(&report.at_restart)), (vec![], vec!["server.dictionary"]));
        assert!(report.at_restart[0].from.contains(&running.server.loaded_dictionary.name()));
        assert!(report.at_restart[0].to.contains(&loaded.server.loaded_dictionary.name()));
        assert_eq!(next.server.loaded_dictionary.hash(), running.server.loaded_dictionary.hash());
        loaded.server.dictionary = "other.txt".into();
        let (_, report) = reload(&next, loaded.clone());
        assert_eq!(keys(&report.at_restart), ["server.dictionary"], "once, by its name");
        assert_eq!(report.at_restart[0].to, "\"other.txt\"");
        assert!(reload(&loaded, loaded.clone()).1.at_restart.is_empty());
    }

    #[test]
    fn a_value_that_applies_at_once_and_needs_one_that_waits_for_a_restart_is_rejected() {
        let of = |symbols_per_stream: usize, subscriptions: usize, head_bytes: usize| {
            let mut config = Config { feeds: vec![super::super::feeds::default_feed()], ..Config::default() };
            config.limits.symbols_per_stream = symbols_per_stream;
            config.limits.subscriptions = subscriptions;
            config.limits.head_bytes = head_bytes;
            config
        };
        let running = of(2, 2, 16 << 10);
        for (loaded, key) in [
            (of(3, 9, 16 << 10), Some("`subscriptions` (2)")),
            (of(4, 100_000, 8 << 10), Some("`subscriptions` (2)")),
            (of(2, 9, 8 << 10), None),
            (of(1, 1, 16 << 10), None),
        ] {
            let (next, _) = reload(&running, loaded);
            let error = check_mixed(&next).err().map(|error| error.to_string());
            assert_eq!(error.is_some(), key.is_some(), "{error:?}");
            assert!(key.is_none_or(|key| error.unwrap().contains(key)));
        }
    }

    #[test]
    fn feeds_change_as_planned_or_wait_where_the_gateway_cannot_run_them() {
        let feed = |name: &str, symbols: std::ops::Range<usize>| {
            let mut feed = super::super::feeds::default_feed();
            feed.name = name.to_owned();
            feed.symbols = feed.symbols[symbols].to_vec();
            feed
        };
        let running = Config { feeds: vec![feed("a", 0..2), feed("b", 2..3), feed("c", 3..4)], ..Config::default() };
        let loaded = Config { feeds: vec![feed("c", 3..4), feed("a", 0..1), feed("d", 4..5)], ..Config::default() };
        let (next, report, steps) = super::reload(&running, loaded.clone(), |_| Ok(()));
        assert_eq!(keys(&report.changed), ["feed.a", "feed.b", "feed.d"]);
        assert!(report.at_restart.is_empty() && next.feeds == loaded.feeds);
        assert_eq!(steps.len(), 4, "a list, which is told, an end and a start");
        let (next, report, steps) = super::reload(&running, loaded, |_| Err("no room".to_owned()));
        assert_eq!(keys(&report.at_restart), ["feed.a", "feed.b", "feed.d"]);
        let said: Vec<_> = report.at_restart.iter().map(|change| change.to.as_str()).collect();
        assert_eq!(said, ["changed: no room", "removed: no room", "added: no room"]);
        assert!(report.changed.is_empty() && next.feeds == running.feeds && steps.is_empty());
    }

    #[test]
    fn each_key_is_copied_whole_or_not_at_all() {
        for key in KEYS {
            let mut changed = every_default();
            let mut defaults = every_default();
            // Any other value of its kind will do.
            key.setting.disturb(&mut changed);
            let (mut next, report) = reload(&defaults.clone(), changed.clone());
            let expected = if key.applies == Applies::Reload { &mut changed } else { &mut defaults };
            assert_eq!(value(&key.setting, &mut next), value(&key.setting, expected), "{}", name(key));
            assert_eq!(report.changed.len() + report.at_restart.len(), 1, "{}", name(key));
        }
    }
}
