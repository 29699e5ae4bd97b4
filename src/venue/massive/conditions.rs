//! What the ids of a trade's conditions say of the price that it may move.
//!
//! The ids are the venue's own, and stand for the letters of both tapes. The rule is that of the consolidated last
//! sale, as the venue publishes it with each id (`update_rules.consolidated`): a trade is shown as the last unless one
//! of its conditions keeps it from being that. An id that is not known here never hides a trade.

use crate::{
    market::TradingSession,
    venue::kit::{
        object,
        raw::{Exact, Raw, Value},
    },
};

/// Trades outside the regular session (Form T).
const EXTENDED: u64 = 12;

/// In which session a trade with this condition is the last sale; `None` where in neither.
pub(super) fn session_of(id: u64) -> Option<TradingSession> {
    match id {
        // Average price, bunched and sold late, cash, derivatively priced, outside the session and out of sequence,
        // official close and open of one exchange, next day, price variation, prior reference price, seller, out of
        // sequence, the same of stopped stock, odd lot, contingent, qualified contingent.
        2 | 5 | 7 | 10 | 13 | 15 | 16 | 20 | 21 | 22 | 29 | 32 | 33 | 37 | 52 | 53 => None,
        // Of these only names are published: not eligible, the same of extended hours, cancelled, correction, as of,
        // correction and cancel of that, out of bounds, summary, errored.
        42..=44 | 46..=51 | 54 => None,
        EXTENDED => Some(TradingSession::Extended),
        _ => Some(TradingSession::Regular),
    }
}

/// The same of a list of them. A list that cannot be read hides nothing.
pub(super) fn session(conditions: Exact<'_>) -> Option<TradingSession> {
    let mut session = Some(TradingSession::Regular);
    let read = object::each_value(conditions, |id| {
        let Raw::Json(text) = id.raw() else { return };
        let Ok(id) = text.parse() else { return };
        session = match (session, session_of(id)) {
            (None, _) | (_, None) => None,
            (Some(TradingSession::Regular), Some(other)) => Some(other),
            (extended, Some(_)) => extended,
        };
    });
    match read {
        Ok(()) => session,
        Err(_) => Some(TradingSession::Regular),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(session: Option<TradingSession>) -> &'static str {
        match session {
            None => "none",
            Some(TradingSession::Regular) => "regular",
            Some(TradingSession::Extended) => "extended",
        }
    }

    fn list(text: &str) -> Option<TradingSession> {
        session(Exact::from(Raw::Json(text)))
    }

    #[test]
    fn one_condition_that_hides_is_enough_and_no_list_hides_by_its_form() {
        for (conditions, expected) in [
            ("[]", "regular"),
            ("[12,14]", "extended"),
            ("[14,12,41]", "extended"),
            ("[12,37]", "none"),
            ("[37,12]", "none"),
            ("[\"37\"]", "regular"),
            ("[-37,3.7e1]", "regular"),
            ("37", "regular"),
            ("[37", "regular"),
            ("{}", "regular"),
        ] {
            assert_eq!(name(list(conditions)), expected, "{conditions}");
        }
        for none in [Raw::Absent, Raw::Null, Raw::Text("37")] {
            assert_eq!(name(session(Exact::from(none))), "regular", "{none:?}");
        }
    }

    /// The rows that the venue has published, where the recordings are there.
    #[test]
    fn the_venues_own_table_agrees() {
        let Some(folder) = std::env::var_os("TEST_RECORDINGS") else { return };
        let path = std::path::Path::new(&folder).join("samples/massive_conditions.json");
        let table: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        for row in table["results"].as_array().unwrap() {
            let moves_last = row["update_rules"]["consolidated"]["updates_open_close"].as_bool().unwrap();
            assert_eq!(session_of(row["id"].as_u64().unwrap()).is_some(), moves_last, "{}", row["name"]);
        }
    }
}
