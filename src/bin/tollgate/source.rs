//! Where a document comes from: a file, or standard input.

use std::io::Read;
use std::path::Path;

use anyhow::Context;

/// The text of the document at `path`; `-` is standard input.
pub(crate) fn read(path: &Path) -> anyhow::Result<String> {
    let bytes = if is_stdin(path) {
        let mut bytes = Vec::new();
        std::io::stdin()
            .read_to_end(&mut bytes)
            .context("cannot read standard input")?;
        bytes
    } else {
        std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?
    };
    String::from_utf8(bytes).with_context(|| format!("{} is not UTF-8", name(path)))
}

/// What to call the document when speaking of it.
pub(crate) fn name(path: &Path) -> String {
    match is_stdin(path) {
        true => "standard input".to_owned(),
        false => path.display().to_string(),
    }
}

/// An environment variable as this process sees it. One that is not UTF-8 counts as not set.
pub(crate) fn env(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

fn is_stdin(path: &Path) -> bool {
    path.as_os_str() == "-"
}
