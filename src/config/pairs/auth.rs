//! Whether clients sign on, beside what would verify them.

use super::{Found, found};
use crate::config::{AuthMode, Config, Machine};

pub(super) fn mode(config: &Config, _: &Machine) -> Option<Found> {
    let auth = &config.auth;
    let verifies = auth.keys.is_some() || !auth.secret_env.is_empty() || !auth.secret_file.as_os_str().is_empty();
    if auth.mode != AuthMode::Off || !verifies {
        return None;
    }
    found(
        "`auth.mode` is \"off\", though one of `auth.keys`, `auth.secret_env` and `auth.secret_file` is set: no token is \
         verified, and all clients may read all symbols"
            .to_owned(),
        "write mode = \"required\" or \"optional\" under [auth], or remove the keys",
    )
}
