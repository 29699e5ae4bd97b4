//! The server of a report: its program, as far as it is known, and what it tells of itself.

use super::origin::{OF_GATEWAY, sha256, without_secret_parameters};
use crate::{
    measure::{Admin, Build},
    report::{Program, Provenance, Summary},
};
use std::path::{Path, PathBuf};

/// The profile of a build whose figures count.
const RELEASE: &str = "release";
/// The end of a commit that the sources of a build differed from.
const CHANGED: &str = "-changed";

/// The server of a report.
pub(super) struct ServerProgram<'a> {
    /// Its path or its address.
    name: String,
    file: Option<&'a Path>,
    /// Whether the load tester has started it.
    is_own: bool,
    build: Build,
    config: Option<String>,
}

impl<'a> ServerProgram<'a> {
    /// A program that the load tester has started, and that still runs.
    pub(super) fn own(file: &'a Path, admin: &Admin) -> Self {
        Self { is_own: true, ..Self::running(&file.display().to_string(), Some(file), Some(admin)) }
    }

    /// A server that was running at an address. Its program may be known by its process; what it tells, by its admin
    /// listener.
    pub(super) fn running(address: &str, file: Option<&'a Path>, admin: Option<&Admin>) -> Self {
        let counters = admin.and_then(|admin| admin.counters().ok());
        Self {
            name: address.to_owned(),
            file,
            is_own: false,
            build: counters.map(|counters| counters.build()).unwrap_or_default(),
            config: admin.and_then(|admin| admin.config().ok()),
        }
    }

    /// Whether it has told its configuration.
    pub(super) fn has_config(&self) -> bool {
        self.config.is_some()
    }

    /// Adds where a report comes from to the results, with warnings of programs that others cannot build or that are
    /// not built for speed.
    pub(super) fn add_to(self, summary: &mut Summary, provenance: &Provenance) {
        let Build { version, commit, profile } = self.build;
        let sha256 = self.file.and_then(|file| sha256(file).ok());
        let name = without_secret_parameters(&self.name);
        let mut provenance = provenance.clone();
        if !self.is_own {
            // The load tester's variables are not those of a server that others have started.
            provenance.variables.retain(|name, _| !name.starts_with(OF_GATEWAY));
        }
        let server = Program { name, version, commit, profile, sha256 };
        summary.warnings.extend(warning("the server", &server));
        summary.warnings.extend(warning("the load tester", &provenance.load_tester));
        summary.provenance = Some(Provenance { server: Some(server), server_config: self.config, ..provenance });
    }
}

/// What a reader has to know of a program's build.
fn warning(what: &str, program: &Program) -> Option<String> {
    if let Some(profile) = program.profile.as_deref().filter(|profile| *profile != RELEASE) {
        return Some(format!("{what} is a {profile} build: it is several times slower than a release build"));
    }
    let commit = program.commit.as_deref().filter(|commit| commit.ends_with(CHANGED))?;
    Some(format!(
        "{what} was built from sources that differ from their commit ({commit}): it cannot be built again from it"
    ))
}

/// The program of a process, to be read.
pub(super) fn program_of(pid: Option<u32>) -> Option<PathBuf> {
    pid.map(|pid| PathBuf::from(format!("/proc/{pid}/exe")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn builds_that_are_slow_or_cannot_be_built_again_are_warned_of() {
        let of = |profile: Option<&str>, commit: Option<&str>| {
            let [profile, commit] = [profile, commit].map(|text| text.map(str::to_owned));
            warning("it", &Program { profile, commit, ..Program::default() })
        };
        assert_eq!(
            of(Some("debug"), None).unwrap(),
            "it is a debug build: it is several times slower than a release build"
        );
        assert!(of(Some("release"), Some("abc-changed")).unwrap().contains("differ from their commit (abc-changed)"));
        assert_eq!([of(Some("release"), Some("abc")), of(None, None)], [None, None]);
    }
}
