//! `compare`: compares two reports.

use crate::{
    cli::{
        Failure,
        limit_args::CompareArgs,
        output::{exit_code, write_junit},
    },
    compare::{Options, Report, compare},
};
use std::io::{self, Write as _};

pub(super) fn execute(args: &CompareArgs) -> Result<u8, Failure> {
    let read = |path| Report::read(path).map_err(Failure::usage);
    let (a, b) = (read(&args.a)?, read(&args.b)?);
    let options = Options { tolerance: args.tolerance / 100.0, only: args.only.clone() };
    let compared = compare(&a, &b, &options).map_err(|why| {
        Failure::usage(format!("{} and {} cannot be compared: {why}", args.a.display(), args.b.display()))
    })?;
    let printed = if args.json { serde_json::to_string_pretty(&compared)? + "\n" } else { compared.text() };
    io::stdout().write_all(printed.as_bytes())?;
    write_junit(args.junit.as_ref(), &compared.name, 0.0, &compared.cases())?;
    Ok(exit_code(compared.outcome))
}
