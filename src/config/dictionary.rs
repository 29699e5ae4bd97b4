//! The dictionary that `[server]` names. It is read with the keys, at a start and at each
//! reload; but one that has changed since the start waits for the next, since streams and clients go by its hash.

use super::{
    Server, auth_files,
    error::{Wrong, shown},
};
use crate::wire::{DICTIONARY_BYTES, Dictionary};
use std::sync::Arc;

/// Loads it, if there is one.
///
/// # Errors
/// The file cannot be read, or cannot be a dictionary.
pub(super) fn load(server: &mut Server) -> Result<(), Wrong> {
    if server.dictionary.as_os_str().is_empty() {
        return Ok(());
    }
    let content = auth_files::read(&server.dictionary, *DICTIONARY_BYTES.end())?;
    let dictionary = Dictionary::new(content.into());
    let dictionary = dictionary.map_err(|error| {
        let name = shown(&server.dictionary.display().to_string());
        Wrong::new(format!("{name} cannot be used: {error}"))
    })?;
    server.loaded_dictionary = Arc::new(dictionary);
    Ok(())
}
