//! `tollgate key`: virtual keys, minted here and known to the document by their hash alone.

use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, anyhow, bail};
use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use tollgate::caller::{self, KEY_PREFIX, TimeError, UnixSeconds};
use tollgate::document::Key;
use tollgate::world;

/// Mint virtual keys.
#[derive(clap::Args)]
#[command(arg_required_else_help = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    New(New),
}

/// Mint a key and print the entry for the document's `keys`.
///
/// The key goes to standard error, this once: hand it to whoever will use it. The entry goes to standard output; it holds
/// the key's SHA-256, from which nobody can work out the key, so the document may be kept in version control.
#[derive(clap::Args)]
#[command(after_help = AFTER_HELP)]
struct New {
    /// What the key is called in metrics and logs.
    #[arg(long)]
    name: String,

    /// The team it belongs to, one of the document's `teams`.
    #[arg(long)]
    team: Option<String>,

    /// The models it may use, separated by commas; `gpt-4o*` is every model that begins so. Default: all.
    #[arg(long, value_delimiter = ',', value_name = "MODELS")]
    models: Option<Vec<String>>,

    /// When it ends, in RFC 3339, such as 2027-01-01T00:00:00Z. Default: never.
    #[arg(long, value_name = "TIME", value_parser = time)]
    expires: Option<String>,
}

pub(crate) fn run(args: Args) -> anyhow::Result<ExitCode> {
    match args.command {
        Command::New(new) => mint(new),
    }
}

fn mint(new: New) -> anyhow::Result<ExitCode> {
    let patterns = new.models.iter().flatten();
    // What is left of a pattern is judged as a name; `*` alone leaves nothing and means all.
    let prefixes = patterns.map(|pattern| pattern.strip_suffix('*').filter(|p| !p.is_empty()).unwrap_or(pattern));
    for name in [new.name.as_str()]
        .into_iter()
        .chain(new.team.as_deref())
        .chain(prefixes.clone())
    {
        if let Some((problem, remedy)) = world::name_objection(name) {
            bail!("{name:?}: {problem}; {remedy}");
        }
    }
    if let Some(pattern) = prefixes
        .filter(|prefix| *prefix != "*")
        .find(|prefix| prefix.contains('*'))
    {
        bail!("{pattern:?}: `*` is understood as the last character only, as in `gpt-4o*`");
    }
    let mut random = [0; 32];
    getrandom::fill(&mut random).map_err(|error| anyhow!("the operating system gives no random numbers: {error}"))?;
    let secret = format!("{KEY_PREFIX}{}", BASE64URL_NOPAD.encode(&random));
    let entry = Key {
        name: new.name,
        sha256: HEXLOWER.encode(&caller::digest(secret.as_bytes())),
        team: new.team,
        models: new.models.map(Arc::new),
        expires: new.expires,
        ..Key::default()
    };

    // The entry first: a key whose entry could not be written must not go around.
    let mut out = io::stdout().lock();
    serde_json::to_writer(&mut out, &entry).context("cannot write the entry")?;
    writeln!(out)?;
    out.flush()?;
    let mut err = io::stderr().lock();
    if err.is_terminal() {
        writeln!(err, "\nThe key, shown this once and stored nowhere:\n\n  {secret}\n")?;
        writeln!(
            err,
            "Give it to the client as its API key, and add the entry above to `keys` in the document."
        )?;
    } else {
        writeln!(err, "{secret}")?;
    }
    Ok(ExitCode::SUCCESS)
}

fn time(text: &str) -> Result<String, &'static str> {
    match UnixSeconds::parse(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(TimeError::Form) => Err("not RFC 3339, such as 2027-01-01T00:00:00Z"),
        Err(TimeError::Offset) => Err("it says no time zone: add Z for UTC, or an offset such as +01:00"),
        Err(TimeError::Range) => Err("there is no such date or time of day"),
    }
}

const AFTER_HELP: &str = "\
Where standard error is not a terminal it gets the key alone, so that a script can take it:
  tollgate key new --name ci 2>key >entry.json

Examples:
  tollgate key new --name checkout-agent
  tollgate key new --name batch --team payments --models 'gpt-4o*,text-embedding-3-small' \\
                   --expires 2027-01-01T00:00:00Z

Exit codes:
  0  minted
  2  wrong usage, or the operating system gives no random numbers";
