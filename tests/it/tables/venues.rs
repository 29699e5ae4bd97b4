//! The tables of venues: the README's list from their specs, and the table of what their protocols can show from their
//! dialects.

use super::{document, venue_pages::page_from_root};
use std::fmt::Write;
use tickfan::venue::{AssetClass, VENUES};
use venue_sim::{DIALECTS, Dialect, Manner, Part};

#[test]
fn the_readme_lists_each_venue() {
    let mut rows = String::from("\n| market | venues |\n|---|---|\n");
    for class in [AssetClass::Crypto, AssetClass::Equities, AssetClass::Mixed] {
        let of_class = VENUES.iter().filter(|venue| venue.asset_class == class);
        let links: Vec<String> = of_class.map(|venue| format!("[{}]({})", venue.name, page_from_root(venue))).collect();
        writeln!(rows, "| {} | {} |", class.name(), links.join(", ")).unwrap();
    }
    rows.push('\n');
    document::check("README.md", "<!-- venues -->", "<!-- end of venues -->", &rows);
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
