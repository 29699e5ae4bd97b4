//! The README's table of venues, from their specs.

use super::{document, venue_pages::page_from_root};
use std::fmt::Write;
use tickfan::venue::{CredentialsRule, VENUES};

#[test]
fn the_readme_has_a_row_for_each_venue() {
    let mut rows = String::from("\n| venue | market | key |\n|---|---|---|\n");
    for venue in VENUES {
        let key = match venue.credentials {
            CredentialsRule::Public => "none",
            CredentialsRule::Key { .. } => "a key",
            CredentialsRule::KeyAndSecret { .. } => "a key and its secret",
        };
        writeln!(rows, "| [{}]({}) | {} | {key} |", venue.name, page_from_root(venue), venue.about).unwrap();
    }
    rows.push('\n');
    document::check("README.md", "<!-- venues -->", "<!-- end of venues -->", &rows);
}
