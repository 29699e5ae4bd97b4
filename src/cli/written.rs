//! What a package installs beside the program: completions for shells, and manual pages.

use super::Args;
use clap::CommandFactory as _;
use clap_complete::Shell;
use std::{io, path::Path};

/// The completions of the command line, as a script for this shell.
pub fn completions(shell: Shell) -> String {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Args::command(), "tickfan", &mut script);
    String::from_utf8(script).expect("names, flags and help are strings")
}

/// Writes a manual page for the program and one for each command, such as `tickfan.1` and `tickfan-check.1`, into an
/// existing folder.
///
/// # Errors
/// A page cannot be written.
pub fn write_manual(folder: &Path) -> io::Result<()> {
    clap_mangen::generate_to(Args::command(), folder)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::ValueEnum as _;
    use std::fs;

    #[test]
    fn completions_know_the_commands_in_every_shell() {
        for shell in Shell::value_variants() {
            let script = completions(*shell);
            for word in ["dev-cert", "health", "admin-listen"] {
                assert!(script.contains(word), "{shell}: {word}");
            }
        }
    }

    #[test]
    fn the_manual_has_a_page_for_each_command_that_help_shows() {
        let folder = std::env::temp_dir().join(format!("tickfan-manual-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        write_manual(&folder).unwrap();
        let page = |name: &str| fs::read_to_string(folder.join(name));
        assert!(page("tickfan.1").unwrap().contains("TICKFAN_CONFIG"), "the variables are in it");
        for command in Args::command().get_subcommands() {
            let name = format!("tickfan-{}.1", command.get_name());
            assert_eq!(page(&name).is_ok(), !command.is_hide_set(), "{name}");
        }
        fs::remove_dir_all(&folder).unwrap();
    }
}
