//! Where a report comes from: all that someone needs who was not there, to repeat it.

use super::size;
use crate::measure::Host;
use serde::Serialize;
use std::{
    collections::BTreeMap,
    fmt::{self, Write as _},
};

/// Where a report comes from.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Provenance {
    /// When the command began, in UTC.
    pub date: String,
    /// The command, without the values of headers and of other secrets.
    pub command: Vec<String>,
    /// The folder in which it was given.
    pub folder: String,
    /// The variables that change the gateway or the run, without the values of secrets.
    pub variables: BTreeMap<String, String>,
    /// The whole scenario as TOML, with what the command line has changed: `run FILE` runs it again. `None`: there was
    /// none, and the command repeats it.
    pub scenario: Option<String>,
    /// What was loaded as TOML, where there was no scenario.
    pub load: Option<String>,
    /// Where values of secrets were left out: they have to be put back before it is run again.
    pub left_out: Vec<String>,
    /// Files beside the programs that the run has read or started, with their SHA-256.
    pub files: BTreeMap<String, String>,
    /// The gateway's configuration in force, every key with its value, as it tells it.
    pub server_config: Option<String>,
    /// The load tester.
    pub load_tester: Program,
    /// The server, as far as it is known.
    pub server: Option<Program>,
    /// The machine of the load tester.
    pub machine: Host,
}

/// Whether a text report ends with the whole scenario.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whole {
    /// It does, since it is kept.
    Yes,
    /// It does not, since it is read once.
    No,
}

/// A program.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Program {
    /// Its name or path, or its address.
    pub name: String,
    /// Its version.
    pub version: Option<String>,
    /// The commit that it was built from.
    pub commit: Option<String>,
    /// How it was built: `release`, or `debug`, which is not optimised.
    pub profile: Option<String>,
    /// The SHA-256 of its file, as `sha256sum` prints it.
    pub sha256: Option<String>,
}

impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        if let Some(version) = &self.version {
            write!(f, " {version}")?;
        }
        if let Some(commit) = &self.commit {
            write!(f, ", commit {commit}")?;
        }
        if let Some(profile) = &self.profile {
            write!(f, ", {profile} build")?;
        }
        if let Some(sha256) = &self.sha256 {
            write!(f, ", SHA-256 {sha256}")?;
        }
        Ok(())
    }
}

impl Provenance {
    /// The command as a shell takes it.
    pub fn command_line(&self) -> String {
        self.command.iter().map(|argument| quoted(argument)).collect::<Vec<_>>().join(" ")
    }

    /// What a file of verdicts needs, so that it can be repeated: the command, and what was loaded by what.
    pub fn properties(&self) -> Vec<(&'static str, String)> {
        let server = self.server.as_ref().map_or("unknown".to_owned(), Program::to_string);
        vec![
            ("command", self.command_line()),
            ("folder", self.folder.clone()),
            ("load_tester", self.load_tester.to_string()),
            ("server", server),
        ]
    }

    pub(crate) fn write(&self, out: &mut String, scenario: Whole) -> fmt::Result {
        writeln!(out, "  made        {} by {}", self.date, self.command_line())?;
        writeln!(out, "  folder      {}", self.folder)?;
        for (name, value) in &self.variables {
            writeln!(out, "  variable    {name}={}", quoted(value))?;
        }
        writeln!(out, "  load tester {}", self.load_tester)?;
        match &self.server {
            Some(server) => writeln!(out, "  server      {server}")?,
            None => writeln!(out, "  server      it does not tell its version")?,
        }
        let Host {
            cpu,
            cores,
            cores_usable,
            memory_bytes,
            kernel,
            open_files_max,
            ports,
            somaxconn,
            congestion,
            load_average,
        } = &self.machine;
        let memory = memory_bytes.map_or(String::new(), |bytes| format!(", {}", size(bytes as f64)));
        for (path, sum) in &self.files {
            writeln!(out, "  file        {path}, SHA-256 {sum}")?;
        }
        if !self.left_out.is_empty() {
            writeln!(out, "  left out    secrets, to be put back: {}", self.left_out.join(", "))?;
        }
        writeln!(out, "  machine     of the load tester: {cpu}, {cores_usable} of {cores} cores{memory}, {kernel}")?;
        let files = open_files_max.map_or("any number of".to_owned(), |files| files.to_string());
        write!(out, "  limits      {files} open files")?;
        if let Some(ports) = ports {
            write!(out, ", ports {ports}")?;
        }
        if let Some(somaxconn) = somaxconn {
            write!(out, ", somaxconn {somaxconn}")?;
        }
        if let Some(congestion) = congestion {
            write!(out, ", congestion control {congestion}")?;
        }
        if let Some(load) = load_average {
            write!(out, "; load average before: {load}")?;
        }
        out.write_char('\n')?;
        if scenario == Whole::No {
            let what = if self.scenario.is_some() { "scenario    whole" } else { "load        whole" };
            return writeln!(out, "  {what} with --json, with --html, and where this output goes to a file");
        }
        match self.scenario {
            Some(_) => writeln!(out, "  scenario")?,
            None => writeln!(out, "  load, which the command above repeats")?,
        }
        let text = self.scenario.as_ref().or(self.load.as_ref()).map_or("", String::as_str);
        let mut lines = text.lines().filter(|line| !line.is_empty());
        lines.try_for_each(|line| writeln!(out, "    {line}"))
    }
}

/// An argument as a shell takes it.
fn quoted(argument: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./:=,@%+".contains(&byte);
    if !argument.is_empty() && argument.bytes().all(is_plain) {
        return argument.to_owned();
    }
    format!("'{}'", argument.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_printed_as_a_shell_takes_it() {
        let command = ["tickfan-loadtest", "streams", "--path", "/a?b={symbols}", "it's", ""];
        let provenance = Provenance { command: command.map(str::to_owned).into(), ..Provenance::default() };
        assert_eq!(provenance.command_line(), r"tickfan-loadtest streams --path '/a?b={symbols}' 'it'\''s' ''");
    }
}
