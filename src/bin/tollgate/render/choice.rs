//! Which document a command works on.

use std::path::{Path, PathBuf};

#[derive(clap::Args)]
pub(crate) struct Choice {
    /// The document, or `-` for standard input.
    #[arg(value_name = "DOCUMENT", required_unless_present = "config")]
    document: Option<PathBuf>,

    /// The same, for those whose fingers expect it.
    #[arg(
        short = 'c',
        long = "config",
        value_name = "DOCUMENT",
        hide = true,
        conflicts_with = "document"
    )]
    config: Option<PathBuf>,
}

impl Choice {
    /// Its path.
    pub(crate) fn path(&self) -> &Path {
        self.document
            .as_deref()
            .or(self.config.as_deref())
            .unwrap_or(Path::new("-"))
    }
}
