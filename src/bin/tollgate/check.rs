//! `tollgate check`: what is wrong with a document, all of it at once.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use tollgate::caller::UnixSeconds;
use tollgate::document::{Document, Problem, Warning};
use tollgate::world::World;

use crate::{NO, findings, source};

/// Look for problems in a document.
///
/// Shows every problem with its path and a remedy, and warns of what is allowed and probably not meant: models without a
/// price, keys that can use no model or have expired, credentials whose environment variable is not set here.
#[derive(clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Args {
    /// The document, or `-` for standard input.
    document: PathBuf,

    /// Let warnings count as problems.
    #[arg(long)]
    strict: bool,
}

pub(crate) fn run(args: Args) -> anyhow::Result<ExitCode> {
    let text = source::read(&args.document)?;
    let (problems, warnings) = judge(&text);
    let mut out = anstream::stdout().lock();
    findings::problems(&mut out, &problems)?;
    findings::warnings(&mut out, &warnings)?;
    let counted = findings::counted(problems.len(), warnings.len());
    writeln!(out, "{}: {counted}", source::name(&args.document))?;
    let good = problems.is_empty() && (warnings.is_empty() || !args.strict);
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::from(NO) })
}

fn judge(text: &str) -> (Vec<Problem>, Vec<Warning>) {
    let world = Document::parse(text).and_then(|document| World::rehearse(&document, &source::env));
    match world {
        Ok(world) => {
            let mut warnings = world.warnings_at(now());
            warnings.splice(0..0, world.warnings);
            (Vec::new(), warnings)
        }
        Err(problems) => (problems, Vec::new()),
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the core is handed the time; this is who hands it"
)]
fn now() -> UnixSeconds {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    UnixSeconds(i64::try_from(since.as_secs()).unwrap_or(i64::MAX))
}

const AFTER_HELP: &str = "\
Examples:
  tollgate check tollgate.json
  tollgate check --strict tollgate.json         warnings fail, too: for CI
  jq '.listen = \"0.0.0.0:4000\"' tollgate.json | tollgate check -

Exit codes:
  0  no problems (with --strict: and no warnings)
  1  problems
  2  the document cannot be read";
