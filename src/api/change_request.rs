//! The body of a change: what a client asks of its open stream.

use super::{
    error::ApiError,
    rights,
    selection::{Market, Selection},
    stream_params,
};
use crate::{
    access::Refusal,
    cache::Cache,
    demand::DemandLease,
    fanout::{Change, ChangeRights},
    market::{Parts, Symbol},
    server::{Request, Rights},
};
use serde::{Deserialize, Deserializer};
use std::{sync::Arc, time::Duration};

/// The highest revision: JavaScript counts no further exactly.
const REV_MAX: u64 = (1 << 53) - 1;

/// A change as a client writes it. What is absent stays as it is; `null` takes an option back.
#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object")]
struct Body {
    rev: Option<Rev>,
    symbols: Option<Names>,
    #[serde(default, deserialize_with = "given")]
    max_rate: Option<Option<Rate>>,
    #[serde(default, deserialize_with = "given")]
    on: Option<Option<PartNames>>,
    #[serde(default, deserialize_with = "given")]
    patch: Option<Option<Patch>>,
}

// Each field has a type of its own, which says in JSON what the field takes: serde's message names types of Rust.

#[derive(Debug, PartialEq, Deserialize)]
#[serde(untagged, expecting = "`rev` takes a whole number, such as 3")]
enum Rev {
    Number(u64),
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(untagged, expecting = "`symbols` takes a list of strings, such as [\"AAPL\",\"MSFT\"]")]
enum Names {
    List(Vec<String>),
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(untagged, expecting = "`max_rate` takes a number without quotes, such as 4, or null")]
enum Rate {
    Number(f64),
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(untagged, expecting = "`on` takes a list of strings, such as [\"trade\",\"quote\"], or null")]
enum PartNames {
    List(Vec<String>),
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(untagged, expecting = "`patch` takes true, false or null")]
enum Patch {
    Bool(bool),
}

/// Tells `null` from what is absent.
fn given<'de, T: Deserialize<'de>, D: Deserializer<'de>>(value: D) -> Result<Option<T>, D::Error> {
    T::deserialize(value).map(Some)
}

/// Reads a change. `subscribe` asks for what is on demand.
///
/// # Errors
/// The body is not JSON of this form, an option or the list is not valid, or the client may read none of it.
pub(super) fn change(
    request: &Request,
    cache: &Arc<Cache>,
    market: Market<'_>,
    limit: usize,
    subscribe: impl FnOnce(&mut Selection) -> Option<DemandLease>,
) -> Result<Change, ApiError> {
    let Body { rev, symbols, max_rate, on, patch } = request.body.json(&request.headers)?;
    let rev = rev.map(|Rev::Number(rev)| rev);
    if let Some(rev) = rev.filter(|rev| !(1..=REV_MAX).contains(rev)) {
        return Err(stream_params::bad_option("rev", &rev.to_string(), "a number from 1 to 9007199254740991"));
    }
    let interval = max_rate.map(|rate| rate.map(|Rate::Number(rate)| interval(rate)).transpose()).transpose()?;
    let parts = on.map(|list| list.map_or(Ok(Parts::ALL), |PartNames::List(list)| parts(&list))).transpose()?;
    let patches = patch.map(|patch| matches!(patch, Some(Patch::Bool(true))));
    let select = |names: Vec<String>| Selection::new(names.iter().map(String::as_str), &request.rights, market, limit);
    let selection = symbols.map(|Names::List(names)| select(names)).transpose();
    let selection = selection.map_err(|error| match error {
        ApiError::NoSymbols => ApiError::EmptyList,
        error => rights::explained(error, &request.headers),
    })?;
    let mut held: Option<Box<dyn Send>> = None;
    let (symbols, unknown, denied) = match selection {
        Some(mut selection) => {
            // A lease of nothing replaces the one of the old list too.
            held = subscribe(&mut selection).map(|lease| Box::new(lease) as Box<dyn Send>).or(Some(Box::new(())));
            let Selection { known, unknown, denied, .. } = selection;
            if known.is_empty() {
                return Err(ApiError::NoRoomForList);
            }
            (Some(known.into()), unknown, denied)
        }
        None => (None, Vec::new(), Vec::new()),
    };
    let rights = change_rights(&request.rights, cache, denied.into())?;
    Ok(Change { rev, symbols, unknown: unknown.into(), parts, interval, patches, held, rights })
}

/// The rights that replace those of the stream's client.
fn change_rights(rights: &Rights, cache: &Arc<Cache>, denied: Box<[Symbol]>) -> Result<Option<ChangeRights>, ApiError> {
    let grant = match rights {
        Rights::All => return Ok(None),
        Rights::Unknown => return Err(Refusal::NoKeys.into()),
        Rights::Granted(grant) => grant,
    };
    if grant.streams == Some(0) {
        return Err(Refusal::NoStreams.into());
    }
    let reads = rights.clone();
    let cache = cache.clone();
    Ok(Some(ChangeRights {
        subject: grant.subject.map(|subject| subject.to_string()),
        until: grant.until,
        streams: grant.streams,
        denied,
        readable: Box::new(move |symbol, held| match rights::readable(&reads, &cache, symbol).ok()? {
            rights::Readable::Unknown => held.filter(|held| rights::allow(&reads, held)).cloned(),
            readable => readable.state(),
        }),
        interval_min: grant.rate.and_then(stream_params::interval),
    }))
}

fn interval(rate: f64) -> Result<Duration, ApiError> {
    let bad = || stream_params::bad_option("max_rate", &rate.to_string(), stream_params::TAKES_RATE);
    stream_params::interval(rate).ok_or_else(bad)
}

fn parts(list: &[String]) -> Result<Parts, ApiError> {
    let parts: Option<Parts> = list.iter().map(|name| stream_params::part(name)).collect();
    let parts = parts.filter(|parts| !parts.is_empty());
    parts.ok_or_else(|| stream_params::bad_option("on", &list.join(","), stream_params::TAKES_PARTS))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        api::selection::SUBSCRIBES,
        auth::{Groups, Lists, Policy},
        cache::RingLimits,
        market::{Now, Origin, Part},
        server::{Query, RequestBody},
        wire::Epoch,
    };
    use http::{HeaderMap, HeaderValue, Method, header};

    fn read_one(body: &'static str) -> Result<Change, ApiError> {
        read_as(&Rights::All, body)
    }

    fn read_as(rights: &Rights, body: &'static str) -> Result<Change, ApiError> {
        let cache = Arc::new(Cache::new(Epoch::new(1), RingLimits { count: 8, age: Duration::from_secs(1) }));
        for symbol in ["AAPL", "MSFT"] {
            cache.register(symbol.parse().unwrap(), "sim".into(), Origin::Sim, Now::read()).unwrap();
        }
        let request = Request {
            segment: String::new(),
            query: Query::default(),
            headers: HeaderMap::from_iter([(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))]),
            body: RequestBody::Whole(body.into()),
            method: Method::POST,
            rights: rights.clone(),
            client: None,
        };
        let market = Market { cache: &cache, on_demand: None, subscribes: SUBSCRIBES };
        change(&request, &cache, market, 2, |_| None)
    }

    #[test]
    fn what_a_change_does_not_mention_stays_as_it_is() {
        let none = read_one("{}").unwrap();
        assert!(none.rev.is_none() && none.symbols.is_none() && none.parts.is_none() && none.interval.is_none());
        assert_eq!(none.patches, None);
        let all = read_one(r#"{"rev":3,"symbols":["msft","NOPE"],"max_rate":4,"on":["trade"],"patch":true}"#).unwrap();
        assert_eq!(all.rev, Some(3));
        let names: Vec<_> = all.symbols.unwrap().iter().map(|state| state.symbol().to_string()).collect();
        assert_eq!((names, all.unknown.len()), (vec!["MSFT".to_owned()], 1));
        assert_eq!(all.interval, Some(Some(Duration::from_millis(250))));
        assert_eq!(all.parts, Some(Parts::from_iter([Part::Trade])));
        assert_eq!(all.patches, Some(true));
        let back = read_one(r#"{"max_rate":null,"on":null,"patch":null}"#).unwrap();
        assert_eq!((back.interval, back.parts, back.patches), (Some(None), Some(Parts::ALL), Some(false)));
        assert_eq!(read_one(r#"{"patch":false}"#).unwrap().patches, Some(false));
    }

    #[test]
    fn each_mistake_in_a_change_has_its_own_error() {
        for (body, kind) in [
            (r#"[]"#, "body"),
            (r#"{"rev":-1}"#, "body"),
            (r#"{"rev":1.5}"#, "body"),
            (r#"{"symbol":["AAPL"]}"#, "body"),
            (r#"{"symbols":"AAPL"}"#, "body"),
            (r#"{"max_rate":"4"}"#, "body"),
            (r#"{"rev":0}"#, "option"),
            (r#"{"rev":9007199254740992}"#, "option"),
            (r#"{"max_rate":0}"#, "option"),
            (r#"{"max_rate":101}"#, "option"),
            (r#"{"on":[]}"#, "option"),
            (r#"{"on":["trades"]}"#, "option"),
            (r#"{"symbols":[]}"#, "none"),
            (r#"{"symbols":["NOPE"]}"#, "unknown"),
            (r#"{"symbols":["A A"]}"#, "symbol"),
            (r#"{"symbols":["A","B","C"]}"#, "many"),
        ] {
            let found = match read_one(body).err().unwrap() {
                ApiError::Body(_) => "body",
                ApiError::BadOption { .. } => "option",
                ApiError::EmptyList => "none",
                ApiError::NoneKnown => "unknown",
                ApiError::BadSymbol { .. } => "symbol",
                ApiError::TooManySymbols { .. } => "many",
                _ => "other",
            };
            assert_eq!(found, kind, "{body}");
        }
    }

    #[test]
    fn a_field_of_another_type_says_what_it_takes_in_json() {
        for (body, takes) in [
            (r#"{"symbols":"AAPL"}"#, r#"`symbols` takes a list of strings, such as ["AAPL","MSFT"]"#),
            (r#"{"symbols":["AAPL",7]}"#, r#"`symbols` takes a list of strings, such as ["AAPL","MSFT"]"#),
            (r#"{"max_rate":"4"}"#, "`max_rate` takes a number without quotes, such as 4, or null"),
            (r#"{"on":"trade"}"#, r#"`on` takes a list of strings, such as ["trade","quote"], or null"#),
            (r#"{"patch":1}"#, "`patch` takes true, false or null"),
            (r#"{"rev":"3"}"#, "`rev` takes a whole number, such as 3"),
            (r#"{"rev":1.5}"#, "`rev` takes a whole number, such as 3"),
            (r#"{"symbols":[]}"#, r#"{"symbols":["AAPL","MSFT"]}"#),
        ] {
            let detail = read_one(body).err().unwrap().to_string();
            assert!(detail.contains(takes) && !detail.contains('?'), "{body}: {detail}");
        }
    }

    #[test]
    fn the_rights_of_the_client_bound_the_list_and_the_rate() {
        let live = Lists { live: ["AAPL"].map(|text| text.parse().unwrap()).into_iter().collect(), ..Lists::default() };
        let rights = Rights::Granted(Policy::new(Groups::default(), &Lists::default(), &live, 1).anonymous());
        let change = read_as(&rights, r#"{"symbols":["AAPL","MSFT"]}"#).unwrap();
        let of_client = change.rights.unwrap();
        assert_eq!((change.symbols.unwrap().len(), of_client.denied.len()), (1, 1));
        let allowed = ["AAPL", "MSFT"].map(|symbol| (of_client.readable)(&symbol.parse().unwrap(), None).is_some());
        assert_eq!((allowed, of_client.subject, of_client.until), ([true, false], None, None));
        let none = read_as(&rights, r#"{"symbols":["MSFT"]}"#).err();
        assert_eq!(none, Some(ApiError::Refused(Refusal::NotForAll)));
        assert_eq!(read_as(&Rights::Unknown, "{}").err(), Some(ApiError::Refused(Refusal::NoKeys)));
        assert!(read_as(&Rights::All, "{}").unwrap().rights.is_none());
    }
}
