//! What a trading status says: halted and why, resumed, or nothing of that.

use super::conditions::Tape;
use crate::market::{Field, Halt};

/// What a status code says, with its reason code. The codes differ by tape; one that is not known changes nothing.
pub(super) fn halted(code: &str, reason: &str, tape: Option<Tape>) -> Field<Halt> {
    match (tape, code) {
        (Some(Tape::Cta), "2") => Field::Set(cta_reason(reason)),
        (Some(Tape::Cta), "3") | (Some(Tape::Utp), "T") => Field::Clear,
        (Some(Tape::Utp), "H") => Field::Set(utp_reason(reason)),
        (Some(Tape::Utp), "P") => Field::Set(Halt::Volatility),
        // Quotes resume before trading does (UTP `Q`); indications, imbalances and short sale rules halt nothing.
        _ => Field::Keep,
    }
}

fn cta_reason(reason: &str) -> Halt {
    match reason {
        "D" | "P" => Halt::News,
        "M" => Halt::Volatility,
        "1" | "2" | "3" => Halt::MarketWide,
        _ => Halt::Other,
    }
}

fn utp_reason(reason: &str) -> Halt {
    match reason {
        "T1" | "T2" | "T3" => Halt::News,
        "T5" | "T7" | "LUDP" | "LUDS" => Halt::Volatility,
        "MWC0" | "MWC1" | "MWC2" | "MWC3" => Halt::MarketWide,
        "T6" | "T12" | "H4" | "H9" | "H10" | "H11" => Halt::Regulatory,
        _ => Halt::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_means_what_its_tape_says() {
        let cta = Some(Tape::Cta);
        let utp = Some(Tape::Utp);
        for (code, reason, tape, expected) in [
            ("H", "T12", utp, Field::Set(Halt::Regulatory)),
            ("H", "T1", utp, Field::Set(Halt::News)),
            ("H", "LUDP", utp, Field::Set(Halt::Volatility)),
            ("H", "MWC1", utp, Field::Set(Halt::MarketWide)),
            ("H", "", utp, Field::Set(Halt::Other)),
            ("P", "LUDP", utp, Field::Set(Halt::Volatility)),
            ("Q", "T3", utp, Field::Keep),
            ("T", "C11", utp, Field::Clear),
            ("2", "D", cta, Field::Set(Halt::News)),
            ("2", "M", cta, Field::Set(Halt::Volatility)),
            ("2", "1", cta, Field::Set(Halt::MarketWide)),
            ("2", "X", cta, Field::Set(Halt::Other)),
            ("3", "", cta, Field::Clear),
            ("5", "", cta, Field::Keep),
            ("2", "D", utp, Field::Keep),
            ("H", "T1", cta, Field::Keep),
            ("H", "T1", None, Field::Keep),
        ] {
            assert_eq!(halted(code, reason, tape), expected, "{code} {reason} {tape:?}");
        }
    }
}
