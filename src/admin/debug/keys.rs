//! `/debug/keys`: the keys that verify tokens.

use super::DebugSources;
use serde_json::{Value, json};

/// The keys in force, and how the last fetch ended; `null` where clients do not sign on.
pub(crate) fn keys(sources: &DebugSources) -> Value {
    let Some(issuer) = &sources.issuer else { return Value::Null };
    let status = issuer.status();
    let key = |id: &Option<String>, algorithm: String| json!({"kid": id, "alg": algorithm});
    json!({
        "source": status.source,
        "keys": status.keys.iter().map(|listed| key(&listed.id, listed.algorithm.to_string())).collect::<Vec<_>>(),
        "skipped": status.skipped.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "fetched": status.fetched.map(|at| at.0),
        "failure": status.failure,
    })
}
