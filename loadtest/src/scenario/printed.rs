//! A scenario as TOML with every key, its value, and if asked for its reason. The scenario that is read from it is the
//! same.

use super::{
    definition::Scenario,
    keys::{CLUSTER, GROUP, Key, OUTAGE, TOP, VENUE},
    measures::{Bound, MEASURES, Measure, TIMES, Times},
};
use std::fmt::Write as _;
use toml::{Table, Value};

/// The widest line of a comment.
const COLUMNS: usize = 120;

/// How much is printed beside the values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comments {
    /// Nothing: the keys that have a value.
    Without,
    /// Above each key what it is and what its default is; keys without a value too.
    With,
}

/// The whole scenario as TOML.
pub fn printed(scenario: &Scenario, comments: Comments) -> String {
    // The keys of a scenario are strings, and its numbers are in range.
    let values = Table::try_from(scenario).unwrap_or_default();
    let mut out = Printer { out: String::new(), comments };
    out.keys(TOP, &values);
    out.table("[venue]", VENUE, values.get("venue"));
    for (name, keys) in &scenario.gateway {
        out.free(&format!("[gateway.{name}]"), keys);
    }
    if scenario.gateway.is_empty() {
        out.note("[gateway.fanout], [gateway.limits], …: keys of the gateway's own configuration; those of [gateway.feed] apply to each of its feeds.");
    }
    match values.get("cluster") {
        Some(cluster) => out.table("[cluster]", CLUSTER, Some(cluster)),
        None => out.note("[cluster]: nodes, brokers and restarts of a cluster of gateways; without it there is one gateway on its own."),
    }
    for group in list(&values, "group") {
        out.table("[[group]]", GROUP, Some(group));
    }
    let outages = list(&values, "outage");
    for outage in outages {
        out.table("[[outage]]", OUTAGE, Some(outage));
    }
    if outages.is_empty() {
        out.note("[[outage]]: an outage of the venue, with kind, at and lasts; there is none.");
    }
    out.measures();
    let thresholds = scenario.thresholds.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
    out.free("[thresholds]", &thresholds);
    out.out
}

fn list<'a>(values: &'a Table, name: &str) -> &'a [Value] {
    values.get(name).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

struct Printer {
    out: String,
    comments: Comments,
}

impl Printer {
    fn table(&mut self, head: &str, keys: &[Key], values: Option<&Value>) {
        self.line("");
        self.line(head);
        if let Some(values) = values.and_then(Value::as_table) {
            self.keys(keys, values);
        }
    }

    /// A table whose keys are not the scenario's own.
    fn free(&mut self, head: &str, values: &Table) {
        self.line("");
        self.line(head);
        for (name, value) in values {
            self.line(&format!("{} = {value}", key(name)));
        }
    }

    fn keys(&mut self, keys: &[Key], values: &Table) {
        for (place, of) in keys.iter().enumerate() {
            if place > 0 && self.comments == Comments::With {
                self.line("");
            }
            let value = values.get(of.name);
            if self.comments == Comments::With {
                let default = match of.default {
                    Ok(default) => format!("Default: {default}."),
                    Err("") => "Required.".to_owned(),
                    Err(without) => format!("Without it {without}."),
                };
                self.comment(&format!("{} {default}", of.about));
                if value.is_none() {
                    self.line(&format!("# {} = {}", of.name, of.example));
                }
            }
            if let Some(value) = value {
                self.line(&format!("{} = {value}", of.name));
            }
        }
    }

    /// What thresholds can be set on.
    fn measures(&mut self) {
        let list = |times: &[&str]| times.join(", ");
        let by_group: Vec<_> = TIMES.iter().filter(|of| of.read_group.is_some()).map(|of| of.name).collect();
        self.note("[thresholds]: what the results must be, a count, a time (\"50ms\") or a size (\"2MiB\") each.");
        for Measure { name, about, unit, bound, .. } in MEASURES {
            let bound = if bound == Bound::AtLeast { "at least" } else { "at most" };
            self.remark(&format!("{name}: {about}; {bound} this {}.", unit.noun()));
        }
        for Times { name, about, .. } in TIMES {
            self.remark(&format!("{name}_p50, {name}_p99.9, {name}_max, …: {about}; at most this time."));
        }
        self.remark(&format!("Of one group: {}, such as latency_p99[NAME].", list(&by_group)));
    }

    fn remark(&mut self, text: &str) {
        if self.comments == Comments::With {
            self.comment(text);
        }
    }

    fn note(&mut self, text: &str) {
        if self.comments == Comments::With {
            self.line("");
            self.comment(text);
        }
    }

    /// A comment, broken into lines.
    fn comment(&mut self, text: &str) {
        let mut line = "#".to_owned();
        for word in text.split(' ') {
            if line.chars().count() + 1 + word.chars().count() > COLUMNS {
                self.line(&line);
                "#".clone_into(&mut line);
            }
            let _ = write!(line, " {word}");
        }
        self.line(&line);
    }

    fn line(&mut self, line: &str) {
        self.out.push_str(line);
        self.out.push('\n');
    }
}

/// A key, quoted if it must be.
fn key(name: &str) -> String {
    let is_bare = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-');
    if is_bare { name.to_owned() } else { Value::from(name).to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::{SHIPPED, read};
    use std::collections::BTreeSet;

    #[test]
    fn a_printed_scenario_is_the_same_when_it_is_read() {
        for (name, text) in SHIPPED.into_iter().chain([("whole", WHOLE), ("least", LEAST)]) {
            let (scenario, thresholds) = read(name, text).unwrap();
            for comments in [Comments::Without, Comments::With] {
                let printed = printed(&scenario, comments);
                let (again, thresholds_again) =
                    read(name, &printed).unwrap_or_else(|error| panic!("{error}\n{printed}"));
                assert_eq!(again, scenario, "{printed}");
                assert_eq!(format!("{thresholds_again:?}"), format!("{thresholds:?}"));
            }
        }
    }

    /// Every key, and none at its default.
    const WHOLE: &str = r#"
        about = "all"
        duration = "3s"
        connect_rate = 3
        tls = true
        old_after = "3s"
        thresholds = { violations = 0, "age_p99[b]" = "1s" }
        gateway = { feed = { mute_after = "200ms" } }
        cluster = { nodes = 2, brokers = 3, restarts = 1 }
        venue = { protocol = "alpaca", symbols = 9, load = { steady = { rate = 7 } }, batch_interval = "1ms", seed = 2 }
        group = [
            { name = "a", count = 9, protocol = "h2" },
            { name = "b", count = 2, symbols = 2, popularity = "zipf", query = "on=trade", compress = true, reads = { blocked_after = 3 }, churn = 1,
              protocol = "h2", streams_per_connection = 2, beside = "a", windows = { stream = 1, connection = 65535, updates = "by_volume" } },
            { name = "c", count = 2, stages = [{ to = 2, over = "1s" }, { to = 0, over = "0s" }] },
        ]
        outage = [{ kind = "mute", at = "1s", lasts = "2s" }]
    "#;
    /// What is required, and nothing else.
    const LEAST: &str = r#"
        about = "least"
        duration = "3s"
        venue = { symbols = 1, load = { steady = { rate = 1 } } }
        cluster = { nodes = 2 }
        group = [{ name = "a", count = 1 }]
        outage = [{ at = "1s", lasts = "2s" }]
    "#;

    fn values(text: &str) -> Table {
        Table::try_from(read("x", text).unwrap_or_else(|error| panic!("{error}")).0).unwrap()
    }

    #[test]
    fn every_key_is_printed_and_its_default_is_what_it_says() {
        let (whole, least) = (values(WHOLE), values(LEAST));
        // One that rides beside another group has no stages of its own.
        let mut group = whole["group"][1].clone();
        group["stages"] = whole["group"][2]["stages"].clone();
        let outage = |values: &Table| values["outage"][0].clone();
        let tables = [
            (TOP, Value::Table(whole.clone()), Value::Table(least.clone())),
            (VENUE, whole["venue"].clone(), least["venue"].clone()),
            (CLUSTER, whole["cluster"].clone(), least["cluster"].clone()),
            (GROUP, group, least["group"][0].clone()),
            (OUTAGE, outage(&whole), outage(&least)),
        ];
        const TABLES: [&str; 6] = ["venue", "gateway", "cluster", "group", "outage", "thresholds"];
        for (keys, whole, least) in tables {
            let listed: BTreeSet<&str> = keys.iter().map(|key| key.name).collect();
            let there = whole.as_table().unwrap().keys().map(String::as_str);
            let there: BTreeSet<&str> =
                there.filter(|name| !(listed.contains("about") && TABLES.contains(name))).collect();
            assert_eq!(listed, there);
            for key in keys {
                let value = least.get(key.name);
                match key.default {
                    Ok(default) => {
                        let default: Table = format!("x = {default}").parse().unwrap();
                        assert_eq!(value, Some(&default["x"]), "{}", key.name);
                        assert_ne!(whole.get(key.name), value, "{}", key.name);
                    }
                    Err("") => assert!(value.is_some(), "{}", key.name),
                    Err(_) => assert_eq!(value, None, "{}", key.name),
                }
            }
        }
        let printed = printed(&read("x", LEAST).unwrap().0, Comments::With);
        for line in [
            "# connect_rate = 1000",
            "# venue_lost: batches of updates",
            "# slow_age_p50, slow_age_p99.9,",
            "# Connects per second, from 0.1 to 1000000. Without it all connect at once",
        ] {
            assert!(printed.contains(line), "{printed}");
        }
        assert!(printed.lines().all(|line| line.chars().count() <= COLUMNS || !line.starts_with('#')), "{printed}");
    }
}
