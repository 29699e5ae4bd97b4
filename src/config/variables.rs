//! `TICKFAN_<SECTION>_<KEY>` variables: they set single keys over the file.

use super::{
    Config, ConfigError, KEYS, Key, Setting,
    error::{Source, Wrong, shown},
    raw::Raw,
    value,
};
use crate::suggest::nearest;
use std::ffi::{OsStr, OsString};

/// The variable that filters logs.
pub const LOG_VARIABLE: &str = "TICKFAN_LOG";
/// The variable that chooses between logs for people (`text`) and for machines (`json`).
pub const LOG_FORMAT_VARIABLE: &str = "TICKFAN_LOG_FORMAT";

/// The variable that names the file, unless `--config` does.
pub const CONFIG_VARIABLE: &str = "TICKFAN_CONFIG";

/// The variable of the certificates.
pub(super) const CERTIFICATES_VARIABLE: &str = "TICKFAN_TLS_CERTIFICATES";

const PREFIX: &str = "TICKFAN_";

/// The variable that sets a key.
pub fn variable_name(key: &Key) -> String {
    if matches!(key.setting, Setting::Log { .. }) {
        return LOG_VARIABLE.to_owned();
    }
    format!("{PREFIX}{}_{}", key.section.replace('.', "_"), key.name).to_ascii_uppercase()
}

/// Applies the variables, in the order of their names, so that the same environment brings the same error.
pub(super) fn apply(
    config: &mut Config,
    variables: impl IntoIterator<Item = (OsString, OsString)>,
) -> Result<(), ConfigError> {
    let mut ours: Vec<(String, OsString)> = variables
        .into_iter()
        .filter(|(name, _)| name.as_encoded_bytes().starts_with(PREFIX.as_bytes()))
        .map(|(name, value)| (name.to_string_lossy().into_owned(), value))
        .collect();
    ours.sort();
    let errors = ours.iter().filter_map(|(name, value)| apply_one(config, name, value).err());
    ConfigError::all(errors).map_or(Ok(()), Err)
}

fn apply_one(config: &mut Config, name: &str, value: &OsStr) -> Result<(), ConfigError> {
    let Some(key) = KEYS.iter().find(|key| variable_name(key) == name) else {
        let expected = name == LOG_FORMAT_VARIABLE || name == CONFIG_VARIABLE || is_service_link(name);
        return if expected { Ok(()) } else { Err(unknown(name)) };
    };
    let text = value.to_str().ok_or_else(|| Wrong::new(format!("the variable {name} is not UTF-8")).nowhere())?;
    value::set(key, config, Raw::Variable(text)).map_err(|wrong| Source::Variable(name, text).error(wrong))
}

fn unknown(name: &str) -> ConfigError {
    let of_keys = KEYS.iter().map(variable_name);
    let known: Vec<String> = of_keys.chain([LOG_FORMAT_VARIABLE, CONFIG_VARIABLE].map(str::to_owned)).collect();
    // The log's variable stands apart from its table.
    let of_log = name.ends_with("_LOG").then_some(LOG_VARIABLE);
    Wrong::new(format!("unknown variable {}", shown(name)))
        .did_you_mean(of_log.or_else(|| nearest(name, known.iter().map(String::as_str))))
        .help("a variable sets a key of [server], [fanout], [limits], [history], [tls], [auth] or [cluster], such as TICKFAN_LIMITS_STREAMS=1000")
        .nowhere()
}

/// Kubernetes gives every container variables for the services around it: for one named `tickfan` they carry our
/// prefix, and must not stop the start. No key ends like them.
fn is_service_link(name: &str) -> bool {
    let port_and_protocol = |rest: &str| rest.starts_with(|c: char| c.is_ascii_digit());
    name.ends_with("_SERVICE_HOST")
        || name.ends_with("_PORT")
        || name.contains("_SERVICE_PORT_")
        || name.split("_PORT_").skip(1).any(port_and_protocol)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &str, value: &str) -> Result<Config, String> {
        let mut config = Config::default();
        apply(&mut config, [(name.into(), value.into())]).map_err(|error| error.to_string())?;
        Ok(config)
    }

    #[test]
    fn a_variable_sets_its_key() {
        assert_eq!(check("TICKFAN_LIMITS_STREAMS", "77").unwrap().limits.streams, 77);
        assert_eq!(check("TICKFAN_LIMITS_HEAD_BYTES", "9000").unwrap().limits.head_bytes, 9000);
        let venue_message_bytes =
            |value| check("TICKFAN_LIMITS_VENUE_MESSAGE_BYTES", value).unwrap().limits.venue_message_bytes;
        assert_eq!((venue_message_bytes("1MiB"), venue_message_bytes("auto")), (Some(1 << 20), None));
        assert_eq!(check("TICKFAN_LIMITS_HEAD_BYTES", "32KiB").unwrap().limits.head_bytes, 32 << 10);
        assert_eq!(check("TICKFAN_FANOUT_MAX_LAG", "1s").unwrap().fanout.max_lag.as_secs(), 1);
        assert_eq!(check("TICKFAN_SERVER_LISTEN", "[::]:80").unwrap().server.listen.port(), 80);
        assert_eq!(check("TICKFANATIC", "1").unwrap().limits.streams, 100_000);
    }

    #[test]
    fn a_wrong_value_is_shown_with_its_variable() {
        assert_eq!(
            check("TICKFAN_FANOUT_MAX_LAG", "250").unwrap_err(),
            "`250` is not a duration\n --> TICKFAN_FANOUT_MAX_LAG\n  |\n  | 250\n  | ^^^\n  = add a unit: \"250ms\", \"250s\" or \"250m\""
        );
        assert!(check("TICKFAN_LIMITS_STREAMS", "").unwrap_err().starts_with("`` is not a whole number"));
    }

    #[test]
    fn an_unknown_variable_is_an_error_with_what_was_meant() {
        assert!(check("TICKFAN_LIMITS_STREAM", "1").unwrap_err().contains("did you mean `TICKFAN_LIMITS_STREAMS`?"));
        assert!(check("TICKFAN_STREAMS", "1").unwrap_err().contains("unknown variable TICKFAN_STREAMS"));
    }

    #[test]
    fn variables_of_an_orchestrator_are_not_ours() {
        let theirs = [
            "SERVICE_HOST",
            "SERVICE_PORT",
            "SERVICE_PORT_HTTP",
            "PORT",
            "PORT_8080_TCP",
            "PORT_8080_TCP_ADDR",
            "ADMIN_SERVICE_HOST",
        ];
        for name in theirs {
            assert!(check(&format!("TICKFAN_{name}"), "tcp://10.0.0.1:8080").is_ok(), "{name}");
        }
        assert!(KEYS.iter().all(|key| !is_service_link(&variable_name(key))));
    }

    #[cfg(unix)]
    #[test]
    fn a_value_that_is_not_utf8_is_an_error() {
        use std::os::unix::ffi::OsStringExt;
        let value = OsString::from_vec(vec![0xff]);
        let result = apply(&mut Config::default(), [("TICKFAN_LIMITS_STREAMS".into(), value)]);
        assert!(result.unwrap_err().to_string().contains("not UTF-8"));
    }
}
