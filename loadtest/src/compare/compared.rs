//! The comparison of two reports.

use super::{
    figures::{Better, Pair, pairs},
    report::Report,
};
use crate::{
    report::{Case, CaseResult, Outcome},
    scenario::{Unit, did_you_mean, shown},
};
use serde::Serialize;
use std::fmt::Write as _;
use toml::{Table, Value};

/// How reports are compared.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// By how much a figure may differ and count as the same: 0.1 is a tenth.
    pub tolerance: f64,
    /// The figures to compare; empty: all.
    pub only: Vec<String>,
}

/// What came out for a figure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Result {
    /// Within the tolerance.
    Same,
    /// The second report's is better.
    Better,
    /// The second report's is worse.
    Worse,
    /// The venue's or the streams' own lateness differs by as much.
    Inconclusive,
    /// Only one of them has it.
    NotCompared,
}

/// A figure of two reports.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Figure {
    /// Its name, as of a threshold.
    pub name: String,
    /// Its value in the first report.
    pub a: Option<f64>,
    /// Its value in the second report.
    pub b: Option<f64>,
    /// The unit of both.
    pub unit: Unit,
    /// The second divided by the first.
    pub ratio: Option<f64>,
    /// Whether it decides on the verdict: it was asked for, or it is one of a few that do unless some are.
    pub decides: bool,
    /// What came out.
    pub result: Result,
    /// Why it is inconclusive or not compared.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// Two reports, compared.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Compared {
    /// The name of the scenario.
    pub name: String,
    /// Where the reports come from, the first and the second of each pair in turn.
    pub reports: Vec<String>,
    /// Why the figures may differ for other reasons than the servers.
    pub warnings: Vec<String>,
    /// The figures.
    pub figures: Vec<Figure>,
    /// Failed: a figure is worse.
    pub outcome: Outcome,
}

/// Compares two reports.
///
/// # Errors
/// Why they cannot be compared: they are of different loads, or a figure that was asked for is in neither.
pub fn compare(a: &Report, b: &Report, options: &Options) -> std::result::Result<Compared, String> {
    let differences = differences("", &a.load, &b.load);
    if !differences.is_empty() {
        return Err(format!("they are of different loads: {}", differences.join("; ")));
    }
    let hindrance = hindrance(a).or_else(|| hindrance(b));
    let mut figures: Vec<Figure> =
        pairs(a, b).into_iter().map(|pair| figure(pair, options.tolerance, hindrance.as_deref())).collect();
    for name in &options.only {
        if figures.iter().all(|figure| figure.name != *name) {
            let names: Vec<&str> = figures.iter().map(|figure| figure.name.as_str()).collect();
            let hint = did_you_mean(name, names.iter().copied());
            return Err(format!(
                "neither of them has the figure `{name}`; {hint}they have {}",
                if names.is_empty() { "none".to_owned() } else { names.join(", ") }
            ));
        }
    }
    if !options.only.is_empty() {
        figures.retain(|figure| options.only.contains(&figure.name));
        figures.iter_mut().for_each(|figure| figure.decides = true);
    }
    let reports = [a, b].map(|report| {
        let server = report.text("/provenance/server/name");
        let version = ["version", "commit", "sha256"].map(|key| report.text(&format!("/provenance/server/{key}")));
        let known: Vec<&str> = version.into_iter().filter(|of| !of.is_empty()).collect();
        format!("{}: {} of {server} {}", report.path, report.text("/provenance/date"), known.join(", "))
            .trim_end()
            .to_owned()
    });
    let outcome = outcome(&figures);
    let name = a.text("/name").to_owned();
    Ok(Compared { name, reports: reports.into(), warnings: warnings(a, b), figures, outcome })
}

/// What figures come to.
pub(super) fn outcome(figures: &[Figure]) -> Outcome {
    let has = |result| figures.iter().any(|figure| figure.decides && figure.result == result);
    if has(Result::Worse) {
        Outcome::Failed
    } else if has(Result::Inconclusive) {
        Outcome::Inconclusive
    } else if has(Result::Same) || has(Result::Better) {
        Outcome::Passed
    } else {
        Outcome::NotJudged
    }
}

/// The share of a core, and of all processors, from which on the load tester measures itself.
const BUSY: [(&str, f64, &str); 2] = [
    ("/generator/thread_cpu", 0.9, "the load tester's thread was busy all the time"),
    ("/generator/machine_busy", 0.95, "all processors were busy"),
];

/// What is wrong on any machine.
const NEVER_EXCUSED: [&str; 5] = ["violations", "failed", "lost", "broken", "unanswered"];

/// Why a report says too little of the server for a verdict on it.
fn hindrance(of: &Report) -> Option<String> {
    if of.json["stopped"] == true {
        return Some(format!("{} was stopped early", of.path));
    }
    let busy = BUSY.iter().find(|(pointer, most, _)| of.number(pointer).is_some_and(|busy| busy >= *most));
    busy.map(|(_, _, what)| format!("in {} {what}", of.path))
}

/// Where two loads differ, by their keys.
fn differences(path: &str, a: &Table, b: &Table) -> Vec<String> {
    let mut found = Vec::new();
    let keys: std::collections::BTreeSet<&String> = a.keys().chain(b.keys()).collect();
    for key in keys {
        match (a.get(key), b.get(key)) {
            (Some(Value::Table(a)), Some(Value::Table(b))) => found.extend(differences(&format!("{path}{key}."), a, b)),
            (a, b) if a == b => {}
            (a, b) => {
                let of = |value: Option<&Value>| value.map_or("not set".to_owned(), Value::to_string);
                found.push(format!("{path}{key} is {} and {}", of(a), of(b)));
            }
        }
    }
    found
}

fn warnings(a: &Report, b: &Report) -> Vec<String> {
    const OF_MACHINE: [(&str, &str); 6] = [
        ("cpu", "processor"),
        ("cores", "number of cores"),
        ("cores_usable", "number of usable cores"),
        ("memory_bytes", "memory"),
        ("kernel", "kernel"),
        ("congestion", "congestion control"),
    ];
    let mut warnings = Vec::new();
    for (key, name) in OF_MACHINE {
        let of = |report: &Report| report.json["provenance"]["machine"][key].clone();
        if of(a) != of(b) {
            warnings.push(format!("another machine: the {name} is {} and {}", of(a), of(b)));
        }
    }
    let variables = |report: &Report| report.json["provenance"]["variables"].clone();
    if variables(a) != variables(b) {
        warnings.push(format!("other variables: {} and {}", variables(a), variables(b)));
    }
    for key in ["version", "commit", "profile"] {
        let pointer = format!("/provenance/load_tester/{key}");
        if a.text(&pointer) != b.text(&pointer) {
            warnings.push(format!("another load tester: its {key} is {} and {}", a.text(&pointer), b.text(&pointer)));
        }
    }
    if a.text("/dictionary") != b.text("/dictionary") {
        warnings.push("other dictionaries: compressed bytes differ by that alone".to_owned());
    }
    for report in [a, b] {
        if report.json["stopped"] == true {
            warnings.push(format!("{} was stopped early", report.path));
        }
        let own = report.json["warnings"].as_array().into_iter().flatten().filter_map(serde_json::Value::as_str);
        warnings.extend(own.map(|warning| format!("{}: {warning}", report.path)));
    }
    warnings
}

fn figure(pair: Pair, tolerance: f64, hindrance: Option<&str>) -> Figure {
    let Pair { name, unit, better, noise, is_headline, a, b, late, has_too_few } = pair;
    let decides = is_headline;
    let Some((one, other)) = a.zip(b) else {
        let why = if a.is_none() { "the first report does not have it" } else { "the second report does not have it" };
        return Figure {
            name,
            a,
            b,
            unit,
            ratio: None,
            decides,
            result: Result::NotCompared,
            why: Some(why.to_owned()),
        };
    };
    if has_too_few {
        let why = Some("too few times were measured".to_owned());
        return Figure { name, a, b, unit, ratio: None, decides, result: Result::NotCompared, why };
    }
    let ratio = if one == other { Some(1.0) } else { (one > 0.0).then(|| other / one) };
    // From nothing to something is more than any tolerance.
    let grown = ratio.unwrap_or(f64::INFINITY);
    let is_near = grown <= 1.0 + tolerance && grown >= 1.0 / (1.0 + tolerance);
    let (result, why) = if is_near || noise.covers(one, other) {
        (Result::Same, None)
    } else if let Some(why) = hindrance.filter(|_| !NEVER_EXCUSED.contains(&name.as_str())) {
        (Result::Inconclusive, Some(why.to_owned()))
    } else if let Some(late) = late.filter(|late| *late >= (other - one).abs()) {
        let why = format!("the load tester's own lateness differs by {}", shown(late, Unit::Time));
        (Result::Inconclusive, Some(why))
    } else if (grown > 1.0) == (better == Better::Less) {
        (Result::Worse, None)
    } else {
        (Result::Better, None)
    };
    Figure { name, a, b, unit, ratio, decides, result, why }
}

impl Compared {
    /// For people.
    pub fn text(&self) -> String {
        let mut out = format!("{}\n", self.name);
        for (report, side) in self.reports.iter().zip(["A", "B"].into_iter().cycle()) {
            let _ = writeln!(out, "  {side}           {report}");
        }
        for warning in &self.warnings {
            let _ = writeln!(out, "  warning     {warning}");
        }
        let width = self.figures.iter().map(|figure| figure.name.chars().count()).max().unwrap_or(0);
        let _ = writeln!(out, "  {:<width$}  {:>10}  {:>10}  {:>6}", "figure", "A", "B", "B/A");
        for Figure { name, a, b, unit, ratio, decides, result, why } in &self.figures {
            let value = |of: &Option<f64>| of.map_or("–".to_owned(), |value| shown(value, *unit));
            let ratio = ratio.map_or("–".to_owned(), |ratio| format!("{ratio:.2}"));
            let why = why.as_ref().map_or(String::new(), |why| format!(": {why}"));
            let _ = writeln!(
                out,
                "  {name:<width$}  {:>10}  {:>10}  {ratio:>6}  {}{}{why}",
                value(a),
                value(b),
                result.shown(),
                if *decides { "" } else { ", not decisive" }
            );
        }
        let _ = writeln!(
            out,
            "  verdict     {}",
            match self.outcome {
                Outcome::Passed => "no figure is worse",
                Outcome::Failed => "worse",
                Outcome::Inconclusive => "inconclusive",
                Outcome::Stopped | Outcome::NotJudged => "nothing was compared",
            }
        );
        out
    }

    /// A case for each figure.
    pub fn cases(&self) -> Vec<Case> {
        let case = |Figure { name, a, b, unit, decides, result, why, .. }: &Figure| {
            let value = |of: &Option<f64>| of.map_or("–".to_owned(), |value| shown(value, *unit));
            let why = why.clone().unwrap_or_default();
            let result = match result {
                Result::Same | Result::Better => CaseResult::Passed,
                Result::Worse | Result::Inconclusive if !decides => {
                    CaseResult::Skipped("it is not decisive".to_owned())
                }
                Result::Worse => CaseResult::Failed(format!("{}, it was {}", value(b), value(a))),
                Result::Inconclusive => CaseResult::Inconclusive(why),
                Result::NotCompared => CaseResult::Skipped(why),
            };
            Case { class: "figures", name: name.clone(), result }
        };
        self.figures.iter().map(case).collect()
    }
}

impl Result {
    fn shown(self) -> &'static str {
        match self {
            Self::Same => "same",
            Self::Better => "better",
            Self::Worse => "worse",
            Self::Inconclusive => "inconclusive",
            Self::NotCompared => "not compared",
        }
    }
}

#[cfg(test)]
#[path = "compared_tests.rs"]
mod tests;
