//! `compare`: compares two reports, or several pairs of them.

use crate::{
    cli::{
        EXIT_INCONCLUSIVE, Failure,
        limit_args::CompareArgs,
        output::{exit_code, write_junit},
    },
    compare::{Compared, Options, Report, compare, merge},
    report::Outcome,
};
use std::{
    io::{self, Write as _},
    path::Path,
};

pub(super) fn execute(args: &CompareArgs) -> Result<u8, Failure> {
    let (more, left) = args.more.as_chunks();
    if let [alone] = left {
        return Err(Failure::usage(format!("{} has no partner: reports are compared in pairs", alone.display())));
    }
    let options = Options { tolerance: args.tolerance / 100.0, only: args.only.clone() };
    let first = pair(&args.a, &args.b, &options)?;
    // All are of one load, or their ratios would mean different things.
    let others = more.iter().map(|[a, b]| pair(&args.a, a, &options).and_then(|_| pair(a, b, &options)));
    let pairs: Result<Vec<_>, _> = [Ok(first)].into_iter().chain(others).collect();
    let compared = merge(pairs?);
    let printed = if args.json { serde_json::to_string_pretty(&compared)? + "\n" } else { compared.text() };
    io::stdout().write_all(printed.as_bytes())?;
    write_junit(args.junit.as_ref(), &compared.name, 0.0, None, &compared.cases())?;
    Ok(match compared.outcome {
        // Nothing was compared, which is not a success.
        Outcome::NotJudged => EXIT_INCONCLUSIVE,
        outcome => exit_code(outcome),
    })
}

fn pair(a: &Path, b: &Path, options: &Options) -> Result<Compared, Failure> {
    let read = |path| Report::read(path).map_err(Failure::usage);
    compare(&read(a)?, &read(b)?, options)
        .map_err(|why| Failure::usage(format!("{} and {} cannot be compared: {why}", a.display(), b.display())))
}
