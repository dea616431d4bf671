//! What `up` tells the person who started it, on standard error.

use std::io::Write;

use anstyle::{AnsiColor, Style};
use tollgate::document::{Problem, Warning};

use crate::findings;

const GOOD: Style = AnsiColor::Green.on_default().bold();
const BAD: Style = AnsiColor::Red.on_default().bold();
const QUIET: Style = Style::new().dimmed();

/// Something that went as it should.
pub(crate) fn good(text: &str) {
    line(format_args!("{GOOD}tollgate{GOOD:#} {text}"));
}

/// Something that did not.
pub(crate) fn bad(text: &str) {
    line(format_args!("{BAD}tollgate{BAD:#} {text}"));
}

/// A line of Envoy's log.
pub(crate) fn envoy(text: &str) {
    line(format_args!("{QUIET}envoy{QUIET:#}    {text}"));
}

/// One more line of what was said last.
pub(crate) fn more(text: &str) {
    line(format_args!("         {text}"));
}

pub(crate) fn problems(problems: &[Problem]) {
    // Nowhere is left to report to when standard error is closed; here and below.
    let _ = findings::problems(&mut anstream::stderr().lock(), problems);
}

pub(crate) fn warnings(warnings: &[Warning]) {
    let _ = findings::warnings(&mut anstream::stderr().lock(), warnings);
}

fn line(text: std::fmt::Arguments<'_>) {
    let _ = writeln!(anstream::stderr(), "{text}");
}
