//! `tollgate render`.

use std::process::ExitCode;

/// Print the configuration that Envoy is given.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The document.
    document: std::path::PathBuf,
}

pub(crate) fn run(args: Args) -> anyhow::Result<ExitCode> {
    anyhow::bail!("{}: `render` is not there yet", args.document.display())
}
