//! `tollgate render`: the configuration Envoy is given, for those who run Envoy themselves.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::Subcommand;
use serde_json::{Map, Value};
use tollgate::document::Document;
use tollgate::envoy::{self, Rendered, Site, Version};
use tollgate::world::World;

use crate::{NO, findings, source};

pub(crate) mod choice;
pub(crate) mod files;
pub(crate) mod site;

/// Print the configuration that Envoy is given.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    target: Target,
}

#[derive(Subcommand)]
enum Target {
    Envoy(EnvoyArgs),
}

/// Print Envoy's bootstrap, and the parts it watches while it runs.
///
/// Without --out, one JSON object with a member per file. With --out, the files: each is replaced by rename, so that an
/// Envoy that runs on them takes over what changed. Only bootstrap.json needs a restart.
///
/// The credentials' values are not needed and never written: Envoy takes them from its own environment.
#[derive(clap::Args)]
#[command(after_help = AFTER_HELP)]
struct EnvoyArgs {
    #[command(flatten)]
    document: choice::Choice,

    /// Write the files into this directory, which is made if it does not exist.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,

    /// Where tollgate.wasm is for Envoy [default: tollgate.wasm in the run directory].
    #[arg(long, value_name = "PATH")]
    module: Option<PathBuf>,

    /// Where the files are for Envoy [default: the directory of --out, else /etc/tollgate].
    #[arg(long, value_name = "DIR")]
    run_dir: Option<PathBuf>,

    /// The Envoy it is for, from 1.35 to 1.40. What an older one cannot do is said on standard error.
    #[arg(long, value_name = "VERSION", default_value_t = Version::NEWEST)]
    envoy: Version,

    #[command(flatten)]
    site: site::Options,
}

pub(crate) fn run(args: Args) -> anyhow::Result<ExitCode> {
    let Target::Envoy(args) = args.target;
    let path = args.document.path();
    let text = source::read(path)?;
    let compiled = Document::parse(&text).and_then(|document| {
        let world = World::rehearse(&document, &source::env)?;
        Ok((document, world))
    });
    let (document, world) = match compiled {
        Ok(compiled) => compiled,
        Err(problems) => {
            findings::problems(&mut anstream::stderr().lock(), &problems)?;
            return Ok(ExitCode::from(NO));
        }
    };
    findings::losses(
        &mut anstream::stderr().lock(),
        &envoy::losses(&world, args.envoy),
        args.envoy,
    )?;
    let rendered = envoy::render(&text, &document, &world, &args.site()?);
    match &args.out {
        Some(directory) => {
            files::directory(directory)?;
            files::write_all(directory, &rendered)?;
        }
        None => {
            let mut out = anstream::stdout().lock();
            writeln!(out, "{}", files::text(&together(&rendered)))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

impl EnvoyArgs {
    fn site(&self) -> anyhow::Result<Site> {
        let run_dir = match (&self.run_dir, &self.out) {
            (Some(directory), _) | (None, Some(directory)) => absolute(directory)?,
            (None, None) => PathBuf::from("/etc/tollgate"),
        };
        let module = match &self.module {
            Some(module) => absolute(module)?,
            None => run_dir.join("tollgate.wasm"),
        };
        let mut site = self.site.site(module, run_dir)?;
        site.envoy = self.envoy;
        Ok(site)
    }
}

fn absolute(path: &Path) -> anyhow::Result<PathBuf> {
    std::path::absolute(path).with_context(|| format!("cannot make {} absolute", path.display()))
}

/// Every file by its name.
fn together(rendered: &Rendered) -> Value {
    let mut files = Map::new();
    files.insert(files::BOOTSTRAP.to_owned(), rendered.bootstrap.clone());
    for (name, value) in &rendered.secrets {
        files.insert(name.clone(), value.clone());
    }
    for (part, value) in &rendered.parts {
        files.insert(part.file_name().to_owned(), value.clone());
    }
    Value::Object(files)
}

const AFTER_HELP: &str = "\
Examples:
  tollgate render envoy tollgate.json                        look at it
  tollgate render envoy tollgate.json --out run --module tollgate.wasm
  envoy -c run/bootstrap.json                                run it

Exit codes:
  0  rendered
  1  the document has problems
  2  the document cannot be read, or the files cannot be written";
