//! `tollgate providers`: the kinds of providers that are known by name.

use std::io::Write;
use std::process::ExitCode;

use serde_json::Value;
use tollgate::document::spelling;
use tollgate::provider::catalogue::{Catalogue, Row};

use crate::{NO, table};

/// Look up or list the providers that a document needs to say no more of than a credential.
///
/// What is written in a document goes before what is shown here. Any other provider that is compatible with OpenAI's or
/// Anthropic's API needs `dialect` and `endpoint`.
#[derive(clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Args {
    /// A kind of provider, such as `groq`.
    kind: Option<String>,

    /// Print JSON: an array of what is known.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: Args) -> anyhow::Result<ExitCode> {
    let rows: Vec<Row<'_>> = match &args.kind {
        None => Catalogue::BUNDLED.rows().collect(),
        Some(kind) => match Catalogue::BUNDLED.row(kind) {
            Some(row) => vec![row],
            None => return not_found(kind),
        },
    };
    let mut out = std::io::stdout().lock();
    match rows.as_slice() {
        rows if args.json => {
            let known: Vec<Value> = rows.iter().map(as_json).collect::<Result<_, _>>()?;
            serde_json::to_writer_pretty(&mut out, &known)?;
            writeln!(out)?;
        }
        [row] => show_one(&mut out, row)?,
        rows => show_all(&mut out, rows)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn show_all(out: &mut dyn Write, rows: &[Row<'_>]) -> anyhow::Result<()> {
    let lines: Vec<_> = rows
        .iter()
        .map(|row| {
            [
                row.kind,
                row.dialect.name(),
                row.endpoint,
                row.auth().name(),
                row.credential.unwrap_or_default(),
            ]
            .map(str::to_owned)
        })
        .collect();
    table::write(
        out,
        ["KIND", "DIALECT", "ENDPOINT", "AUTH", "USUAL VARIABLE"],
        0..0,
        &lines,
    )?;
    writeln!(out, "\n{} kinds of providers", rows.len())?;
    Ok(())
}

fn show_one(out: &mut dyn Write, row: &Row<'_>) -> anyhow::Result<()> {
    writeln!(out, "{} ({})\n\nIn a document:\n", row.name, row.docs)?;
    let written = serde_json::to_string(&row.example())?;
    writeln!(out, "  {:?}: {written}\n\nWhat that means:\n", row.kind)?;
    let known = as_json(row)?;
    let lines: Vec<_> = known
        .as_object()
        .into_iter()
        .flatten()
        .filter(|(name, _)| !["kind", "name", "docs", "settings"].contains(&name.as_str()))
        .map(|(name, value)| [format!("  {name}"), plain(value)])
        .collect();
    table::write(out, ["  FACT", "VALUE"], 0..0, &lines)?;
    Ok(())
}

/// The row as it is written, and what holds where it is silent.
fn as_json(row: &Row<'_>) -> serde_json::Result<Value> {
    let mut value = serde_json::to_value(row)?;
    let facts = row.facts();
    if let Some(members) = value.as_object_mut() {
        members.insert("auth".to_owned(), serde_json::to_value(row.auth())?);
        members.insert("max_tokens".to_owned(), serde_json::to_value(facts.max_tokens)?);
        members.insert("stream_options".to_owned(), facts.stream_options.into());
        members.insert("developer_role".to_owned(), facts.developer_role.into());
        members.insert("json_schema".to_owned(), facts.json_schema.into());
        members.insert("reasoning_content".to_owned(), facts.reasoning_content.into());
        members.retain(|_, value| !value.is_null());
    }
    Ok(value)
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(several) => several.iter().map(plain).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}

fn not_found(kind: &str) -> anyhow::Result<ExitCode> {
    let remedy = spelling::suggestion(kind, Catalogue::BUNDLED.kinds(), "`tollgate providers` lists them");
    writeln!(
        std::io::stderr(),
        "there is no kind of provider `{kind}`\n  remedy: {remedy}"
    )?;
    Ok(ExitCode::from(NO))
}

const AFTER_HELP: &str = "\
Examples:
  tollgate providers                      all of them
  tollgate providers groq                 what is known of one, and how a document has it
  tollgate providers --json               everything, for a program

Exit codes:
  0  found
  1  there is no such kind";
