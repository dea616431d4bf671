//! `tollgate up`.

use std::process::ExitCode;

/// Run Envoy with Tollgate.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The document.
    document: std::path::PathBuf,
}

pub(crate) fn run(args: Args) -> anyhow::Result<ExitCode> {
    anyhow::bail!("{}: `up` is not there yet", args.document.display())
}
