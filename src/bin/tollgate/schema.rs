//! `tollgate schema`: the document's JSON Schema, generated from the types that read it.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use tollgate::document::Document;

use crate::{NO, source};

/// Print the JSON Schema of the document.
///
/// Editors complete and check a document that names the schema: "$schema": "./tollgate.schema.json".
#[derive(clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Args {
    /// Print nothing; say whether this file holds the schema of this version.
    #[arg(long, value_name = "FILE")]
    check: Option<PathBuf>,
}

pub(crate) fn run(args: Args) -> anyhow::Result<ExitCode> {
    let schema = Document::schema_text();
    let mut out = std::io::stdout().lock();
    let Some(path) = args.check else {
        out.write_all(schema.as_bytes())?;
        return Ok(ExitCode::SUCCESS);
    };
    // As values: how the text is laid out is nobody's concern.
    let value = |text: &str| serde_json::from_str::<serde_json::Value>(text).ok();
    if value(&source::read(&path)?) == value(&schema) {
        writeln!(out, "{}: the schema of this version", path.display())?;
        return Ok(ExitCode::SUCCESS);
    }
    writeln!(
        out,
        "{0}: another schema\n  remedy: tollgate schema > {0}",
        path.display()
    )?;
    Ok(ExitCode::from(NO))
}

const AFTER_HELP: &str = "\
Examples:
  tollgate schema > tollgate.schema.json
  tollgate schema --check docs/schema.json

Exit codes:
  0  printed, or the file is up to date
  1  the file holds another schema
  2  the file cannot be read";
