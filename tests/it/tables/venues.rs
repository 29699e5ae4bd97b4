//! The tables of venues: the README's list from their specs, and the table of what their protocols can show from their
//! dialects.

use super::{document, venue_pages::page_from_root};
use std::fmt::Write;
use tickfan::venue::{AssetClass, Spec, VENUES};
use venue_sim::{DIALECTS, Dialect, Manner, Part};

#[test]
fn the_readme_lists_each_venue() {
    let mut rows = format!("\n| market | {} venues |\n|---|---|\n", counts().0);
    for class in [AssetClass::Crypto, AssetClass::Equities, AssetClass::Mixed] {
        let of_class = VENUES.iter().filter(|venue| venue.asset_class == class);
        let links: Vec<String> = of_class.map(|venue| format!("[{}]({})", venue.name, page_from_root(venue))).collect();
        writeln!(rows, "| {} | {} |", class.name(), links.join(", ")).unwrap();
    }
    rows.push('\n');
    document::check("README.md", "<!-- venues -->", "<!-- end of venues -->", &rows);
}

/// A venue with several markets, each with a name of its own.
const IN_SEVERAL: &str = "bybit-";

/// How many venues there are, and how many markets the one with several has.
fn counts() -> (usize, usize) {
    let real = || VENUES.iter().filter(|spec| !spec.simulates() && !spec.plays_recordings());
    let of_one = real().filter(|spec| spec.name.starts_with(IN_SEVERAL)).count();
    (real().count() - of_one + 1, of_one)
}

/// The same in words.
pub(super) fn count_of_venues() -> String {
    let only = |is_it: fn(&Spec) -> bool| {
        let names: Vec<&str> = VENUES.iter().filter(|spec| is_it(spec)).map(|spec| spec.name).collect();
        assert_eq!(names.len(), 1, "the sentence names one of each: {names:?}");
        names[0]
    };
    let (venues, markets) = counts();
    let (simulated, replayed) = (only(Spec::simulates), only(Spec::plays_recordings));
    format!(
        "{venues} venues, one of which has {markets} markets. `{simulated}` simulates one, and `{replayed}` plays \
         recordings of them."
    )
}

#[test]
fn thirteen_venues_are_counted() {
    assert_eq!(counts(), (13, 3));
}

#[test]
fn the_documents_table_of_what_venues_show_follows_from_their_dialects() {
    let rows: String = DIALECTS.iter().map(shows).collect();
    let head = "| venue | sends | heartbeats | lost frames | halts | its planned end | errors that need a person |\n";
    let table = format!("\n{head}|---|---|---|---|---|---|---|\n{rows}\n");
    document::check("docs/outages.md", "<!-- what venues show -->", "<!-- end of what venues show -->", &table);
}

/// What a venue's protocol can show.
fn shows(manner: &Manner) -> String {
    let mut dialect = (manner.new)(&[]);
    let (_, name) = manner.symbols[0];
    let mut sends = vec!["trades"];
    let beside = |dialect: &dyn Dialect, part| dialect.beside_trades().contains(&part);
    let has_quotes = dialect.quote(name, 1, "1", "2").is_some() || beside(&*dialect, Part::Quote);
    let has_statistics = dialect.statistics(name, 1, "2").is_some() || beside(&*dialect, Part::Statistics);
    sends.extend(has_quotes.then_some("quotes"));
    sends.extend(has_statistics.then_some("statistics"));
    let shown = [
        dialect.heartbeat().is_some(),
        dialect.lose_a_frame(),
        dialect.halt(name, 1).is_some(),
        dialect.planned_end().is_some(),
        dialect.fatal_error().is_some(),
    ];
    let shown = shown.map(|shown| if shown { "yes" } else { "–" });
    format!("| `{}{}` | {} | {} |\n", manner.venue, manner.query, sends.join(", "), shown.join(" | "))
}
