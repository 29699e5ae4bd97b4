//! What a trade's conditions say of the price that it may move.
//!
//! A trade carries the letters of its tape: CTA for what is listed on NYSE and others (tapes A and B), UTP for Nasdaq's
//! (tape C). The rule is that of the consolidated last sale in their specifications (CTS, appendix on sale conditions;
//! UTP data feed services, section on sale condition modifiers): a trade is shown as the last unless one of its
//! conditions keeps it from being that. A letter that is not known here never hides a trade.

use crate::market::TradingSession;

/// Whose letters a trade carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tape {
    Cta,
    Utp,
}

impl Tape {
    /// By Alpaca's letter of it; over the counter, `O`, they are as on UTP.
    pub(super) fn parse(letter: &str) -> Option<Self> {
        match letter {
            "A" | "B" => Some(Self::Cta),
            "C" | "O" => Some(Self::Utp),
            _ => None,
        }
    }
}

/// Of both tapes, what is never the last sale: cash (C), price variation (H), odd lot (I), official close and open of
/// one exchange (M, Q), next day (N), prior reference price (P), seller (R), outside the session and out of sequence
/// (U), contingent (V), sold out of sequence (Z), derivatively priced (4), qualified contingent (7).
const HIDES: &str = "CHIMNPQRUVZ47";
/// Only there: average price (B).
const HIDES_CTA: &str = "B";
/// Only there: bunched and sold late (G), average price (W), stopped stock that is sold out of sequence (3). `B` is a
/// plain bunched trade, and `2`, stopped stock that is sold last, a last sale as `L` is.
const HIDES_UTP: &str = "GW3";
/// Of both tapes: outside the regular session ("Form T").
const EXTENDED: char = 'T';

/// In which session a trade with these conditions is the last sale; `None` where in neither.
pub(super) fn session<'a>(conditions: impl Iterator<Item = &'a str>, tape: Option<Tape>) -> Option<TradingSession> {
    let mut session = TradingSession::Regular;
    for condition in conditions {
        let mut letters = condition.chars();
        let (Some(letter), None) = (letters.next(), letters.next()) else { continue };
        let hides = HIDES.contains(letter)
            || match tape {
                Some(Tape::Cta) => HIDES_CTA.contains(letter),
                Some(Tape::Utp) => HIDES_UTP.contains(letter),
                // Without a tape only what both agree on hides.
                None => false,
            };
        if hides {
            return None;
        }
        if letter == EXTENDED {
            session = TradingSession::Extended;
        }
    }
    Some(session)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_say_what_a_trade_moves() {
        use TradingSession::{Extended, Regular};
        let cta = Some(Tape::Cta);
        let utp = Some(Tape::Utp);
        for (conditions, tape, expected) in [
            ("@", utp, Some(Regular)),
            (" ", cta, Some(Regular)),
            ("", utp, Some(Regular)),
            ("@ F", utp, Some(Regular)),
            ("@ F T", utp, Some(Extended)),
            ("@ F T I", utp, None),
            ("@ T U", utp, None),
            ("  I", cta, None),
            ("@ O X", utp, Some(Regular)),
            ("6", cta, Some(Regular)),
            ("M", cta, None),
            ("9", utp, Some(Regular)),
            ("L", cta, Some(Regular)),
            ("7", cta, None),
            ("4", utp, None),
            ("B", cta, None),
            ("B", utp, Some(Regular)),
            ("B", None, Some(Regular)),
            ("W", utp, None),
            ("W", cta, Some(Regular)),
            ("G", utp, None),
            ("? é", utp, Some(Regular)),
            ("ZZ", utp, Some(Regular)),
        ] {
            assert_eq!(session(conditions.split(' '), tape), expected, "{conditions:?} {tape:?}");
        }
    }

    /// Rows of a published table of conditions: what they say of the last sale, where the recordings are there.
    #[test]
    fn a_published_table_agrees() {
        let Some(folder) = std::env::var_os("TEST_RECORDINGS") else { return };
        let path = std::path::Path::new(&folder).join("samples/massive_conditions.json");
        let table: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        for row in table["results"].as_array().unwrap() {
            let moves_last = row["update_rules"]["consolidated"]["updates_open_close"].as_bool().unwrap();
            for (name, tape) in [("CTA", Tape::Cta), ("UTP", Tape::Utp)] {
                // The table still calls CTA's `I` by what it meant before there were odd lots.
                let Some(letter) = row["sip_mapping"][name].as_str().filter(|letter| *letter != "I") else { continue };
                let shown = session([letter].into_iter(), Some(tape)).is_some();
                assert_eq!(shown, moves_last, "{letter} on {name}: {}", row["name"]);
            }
        }
    }
}
