//! The files of a rendered configuration.

use std::fs;
use std::io::Write;
use std::path::Path;

use anyhow::Context;
use serde_json::Value;
use tollgate::envoy::{Part, Rendered};

/// The name of the bootstrap's file.
pub(crate) const BOOTSTRAP: &str = "bootstrap.json";

/// Makes the directory, and those above it, if it does not exist. Nobody else can look into a new one: key hashes are
/// not secret, and nobody else's business either.
pub(crate) fn directory(path: &Path) -> anyhow::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.with_context(|| format!("cannot make the directory {}", path.display()))
}

/// Writes the bootstrap, every part, and what those refer to.
pub(crate) fn write_all(directory: &Path, rendered: &Rendered) -> anyhow::Result<()> {
    write(directory, BOOTSTRAP, &rendered.bootstrap)?;
    write_secrets(directory, rendered)?;
    rendered
        .parts
        .iter()
        .try_for_each(|(part, value)| write_part(directory, *part, value))
}

/// Replaces the files that say where credentials are.
pub(crate) fn write_secrets(directory: &Path, rendered: &Rendered) -> anyhow::Result<()> {
    rendered
        .secrets
        .iter()
        .try_for_each(|(name, value)| write(directory, name, value))
}

/// Replaces one part's file.
pub(crate) fn write_part(directory: &Path, part: Part, value: &Value) -> anyhow::Result<()> {
    write(directory, part.file_name(), value)
}

/// A JSON value as it is written into files.
pub(crate) fn text(value: &Value) -> String {
    format!("{value:#}")
}

/// Writes beside the file and renames: whoever watches sees the old content or the new one, never half of it.
fn write(directory: &Path, name: &str, value: &Value) -> anyhow::Result<()> {
    let path = directory.join(name);
    let beside = directory.join(format!(".{name}.new"));
    let written = fs::File::create(&beside)
        .and_then(|mut file| writeln!(file, "{}", text(value)))
        .and_then(|()| fs::rename(&beside, &path));
    written.with_context(|| format!("cannot write {}", path.display()))
}
