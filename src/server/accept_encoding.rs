//! Which codings of an answer a client takes (RFC 9110, section 12.5.3).

use http::{HeaderMap, header};

/// A coding that stands for none.
const IDENTITY: &str = "identity";
/// What stands for every coding that is not listed.
const ANY: &str = "*";
/// The weight of a coding without one, in thousandths.
const WEIGHT_MAX: u32 = 1_000;

/// The codings that a request lists, each with its weight in thousandths.
pub(crate) struct AcceptEncoding<'a> {
    listed: Vec<(&'a str, u32)>,
}

impl<'a> AcceptEncoding<'a> {
    /// Reads all fields of that name. An element that is malformed counts as one that is not acceptable.
    pub(crate) fn of(headers: &'a HeaderMap) -> Self {
        let fields = headers.get_all(header::ACCEPT_ENCODING).iter().filter_map(|field| field.to_str().ok());
        let elements = fields.flat_map(|field| field.split(',')).map(str::trim).filter(|element| !element.is_empty());
        Self { listed: elements.map(element).collect() }
    }

    /// The coding, of these, that the client likes best; the first of equals. Without a field, or where it lists
    /// neither `identity` nor `*`, plain bytes will do, if nothing else does. `None`: not even these.
    pub(crate) fn best<'c>(&self, offered: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
        let mut best: Option<(&str, Liking)> = None;
        for coding in offered {
            let Some(liking) = self.liking(coding) else { continue };
            if best.is_none_or(|(_, most)| liking > most) {
                best = Some((coding, liking));
            }
        }
        best.map(|(coding, _)| coding)
    }

    /// Whether the client lists the coding by its name, and nowhere says that it does not take it.
    pub(crate) fn names(&self, coding: &str) -> bool {
        let mut weights = self.listed.iter().filter(|(listed, _)| listed.eq_ignore_ascii_case(coding)).peekable();
        weights.peek().is_some() && weights.all(|&(_, weight)| weight > 0)
    }

    /// `None`: the client does not take this coding.
    fn liking(&self, coding: &str) -> Option<Liking> {
        let weight = |name: &str| self.listed.iter().find(|(listed, _)| listed.eq_ignore_ascii_case(name));
        match weight(coding).or_else(|| weight(ANY)) {
            Some(&(_, weight)) => (weight > 0).then_some(Liking::Listed(weight)),
            None => (coding == IDENTITY).then_some(Liking::Default),
        }
    }
}

/// How much a client likes a coding; the greater the better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Liking {
    /// It says nothing against it.
    Default,
    /// It lists it with this weight.
    Listed(u32),
}

/// A coding and its weight.
fn element(element: &str) -> (&str, u32) {
    let (coding, parameter) = element.split_once(';').unwrap_or((element, ""));
    let coding = coding.trim();
    // The old name of a coding that all clients know by the new one.
    let coding = if coding.eq_ignore_ascii_case("x-gzip") { "gzip" } else { coding };
    (coding, weight(parameter.trim()).unwrap_or_default())
}

/// A weight in thousandths: `q=`, and 0 to 1 with at most three decimals.
fn weight(parameter: &str) -> Option<u32> {
    if parameter.is_empty() {
        return Some(WEIGHT_MAX);
    }
    let (name, value) = parameter.split_once('=')?;
    let (whole, decimals) = value.split_once('.').unwrap_or((value, ""));
    let is_weight =
        name.eq_ignore_ascii_case("q") && decimals.len() <= 3 && decimals.bytes().all(|byte| byte.is_ascii_digit());
    let thousandths = format!("{decimals:0<3}").parse().ok().filter(|_| is_weight)?;
    match (whole, thousandths) {
        ("0", thousandths) => Some(thousandths),
        ("1", 0) => Some(WEIGHT_MAX),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is offered, in the server's order.
    const OFFERED: [&str; 4] = ["br", "zstd", "gzip", "identity"];

    fn best(fields: &[&str]) -> Option<&'static str> {
        let headers = fields.iter().map(|field| (header::ACCEPT_ENCODING, field.parse().unwrap())).collect();
        AcceptEncoding::of(&headers).best(OFFERED)
    }

    #[test]
    fn the_coding_with_the_greatest_weight_is_taken_and_of_equals_the_servers_first() {
        for (field, coding) in [
            ("gzip, deflate, br, zstd", "br"),
            ("gzip, deflate, br", "br"),
            ("zstd, gzip", "zstd"),
            ("gzip", "gzip"),
            ("GZip", "gzip"),
            ("x-gzip", "gzip"),
            ("deflate", "identity"),
            ("", "identity"),
            (" , ,", "identity"),
            ("identity", "identity"),
            ("*", "br"),
            ("gzip;q=0.5, zstd;q=0.8, br;q=0.1", "zstd"),
            ("gzip;q=1.000, br;q=0.999", "gzip"),
            ("br;q=0.1", "br"),
            ("br;q=0, *", "zstd"),
            ("br;q=0, gzip", "gzip"),
            ("br;q=0", "identity"),
            ("*;q=0.5, gzip;q=0.4", "br"),
            ("identity;q=0.5, gzip;q=0.3", "identity"),
            ("identity;q=0.5, gzip;q=0.5", "gzip"),
            ("identity;q=0, gzip;q=0.001", "gzip"),
            ("gzip ; Q=0.7 ,br ;q=0.6", "gzip"),
            ("br;q=0, br", "identity"),
        ] {
            assert_eq!(best(&[field]), Some(coding), "{field}");
        }
        assert_eq!(best(&[]), Some("identity"), "without a field");
        assert_eq!(best(&["deflate", "gzip"]), Some("gzip"), "fields add up");
    }

    #[test]
    fn a_coding_is_named_where_its_own_name_stands_and_nothing_is_said_against_it() {
        for (fields, is_named) in [
            (&["gzip, deflate, br, zstd, dcb, dcz"][..], true),
            (&["DCZ ; q=0.5"], true),
            (&["gzip", "dcz"], true),
            (&[], false),
            (&["*"], false),
            (&["dczz, dc"], false),
            (&["dcz; q =0"], false),
            (&["dcz;q="], false),
            (&["dcz;q=abc"], false),
            (&["dcz;q=0.0000"], false),
            (&["dcz;Q=0.000"], false),
            (&["dcz;q=0", "dcz"], false),
            (&["dcz", "dcz;q=0"], false),
        ] {
            let headers = fields.iter().map(|field| (header::ACCEPT_ENCODING, field.parse().unwrap())).collect();
            assert_eq!(AcceptEncoding::of(&headers).names("dcz"), is_named, "{fields:?}");
        }
    }

    #[test]
    fn a_client_that_takes_nothing_on_offer_gets_nothing() {
        for field in
            ["identity;q=0", "*;q=0", "deflate, identity;q=0", "deflate, *;q=0.000", "compress, identity;q=0.0"]
        {
            assert_eq!(best(&[field]), None, "{field}");
        }
    }

    #[test]
    fn a_malformed_weight_makes_a_coding_unacceptable() {
        for weight in ["q=", "q=2", "q=1.1", "q=-1", "q=0.1234", "q=0.5x", "q", "p=1", "q=+1", "q=.5", "q=1e0", "q=0,5"]
        {
            assert_eq!(best(&[&format!("br;{weight}")]), Some("identity"), "{weight}");
        }
    }
}
