//! The table of limits that must agree.

use super::document;
use tickfan::config::{PAIRS, Weight};

#[test]
fn the_documents_table_of_limits_that_agree_follows_from_the_code() {
    let row = |pair: &tickfan::config::Pair| {
        let keys: Vec<String> = pair.keys.iter().map(|key| format!("`{key}`")).collect();
        let otherwise = match pair.weight {
            Weight::Refused => "refused",
            Weight::Warned => "warned",
            Weight::Told => "told",
        };
        format!("| {} | {} | {otherwise} |\n", keys.join(", "), pair.rule)
    };
    let rows: String = PAIRS.iter().map(row).collect();
    let table = format!("\n| keys | rule | otherwise |\n|---|---|---|\n{rows}\n");
    document::check("docs/configure.md", "<!-- limits that agree -->", "<!-- end of limits -->", &table);
}
