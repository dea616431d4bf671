//! How problems, warnings and errors are shown to a person.

use std::io::{self, Write};

use anstyle::{AnsiColor, Style};
use tollgate::document::{Problem, Warning};
use tollgate::envoy::Version;

const PATH: Style = Style::new().bold();
const PROBLEM: Style = AnsiColor::Red.on_default().bold();
const WARNING: Style = AnsiColor::Yellow.on_default().bold();
const REMEDY: Style = AnsiColor::Green.on_default();

/// Writes each problem: where and what, and below it the remedy.
pub(crate) fn problems(out: &mut dyn Write, problems: &[Problem]) -> io::Result<()> {
    for Problem { path, problem, remedy } in problems {
        let path = if path.is_empty() { "document" } else { path };
        writeln!(out, "{PROBLEM}problem{PROBLEM:#} {PATH}{path}{PATH:#}: {problem}")?;
        writeln!(out, "  {REMEDY}remedy:{REMEDY:#} {remedy}")?;
    }
    Ok(())
}

/// Writes each warning, as [`problems`] does.
pub(crate) fn warnings(out: &mut dyn Write, warnings: &[Warning]) -> io::Result<()> {
    for Warning { path, warning, remedy } in warnings {
        writeln!(out, "{WARNING}warning{WARNING:#} {PATH}{path}{PATH:#}: {warning}")?;
        writeln!(out, "  {REMEDY}remedy:{REMEDY:#} {remedy}")?;
    }
    Ok(())
}

/// Writes what an older Envoy cannot do.
pub(crate) fn losses(out: &mut dyn Write, losses: &[String], envoy: Version) -> io::Result<()> {
    for loss in losses {
        writeln!(out, "{WARNING}lost{WARNING:#} with Envoy {envoy}: {loss}")?;
    }
    Ok(())
}

/// `2 problems, 1 warning`.
pub(crate) fn counted(problems: usize, warnings: usize) -> String {
    let count = |number, what| format!("{number} {what}{}", if number == 1 { "" } else { "s" });
    match (problems, warnings) {
        (0, 0) => "no problems".to_owned(),
        (0, warnings) => format!("no problems, {}", count(warnings, "warning")),
        (problems, 0) => count(problems, "problem"),
        (problems, warnings) => format!("{}, {}", count(problems, "problem"), count(warnings, "warning")),
    }
}

/// Writes why the command could not run, with its causes, to standard error.
pub(crate) fn error(error: &anyhow::Error) {
    // Nowhere is left to report to when standard error is closed.
    let _ = writeln!(anstream::stderr(), "{PROBLEM}error{PROBLEM:#}: {error:#}");
}
