//! Where the files live that Envoy watches.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;

use crate::render::files;

/// A directory for one run. One that nobody asked for is removed at the end.
pub(crate) struct RunDir {
    path: PathBuf,
    temporary: bool,
}

impl RunDir {
    /// The directory asked for, else one of this process' own.
    pub(crate) fn new(asked: Option<&Path>) -> anyhow::Result<Self> {
        let path = match asked {
            Some(path) => path.to_owned(),
            None => std::env::temp_dir().join(format!("tollgate-{}", std::process::id())),
        };
        let path = std::path::absolute(&path).with_context(|| format!("cannot make {} absolute", path.display()))?;
        if asked.is_none() && path.symlink_metadata().is_ok() {
            anyhow::bail!(
                "{} exists already; choose another directory with --run-dir",
                path.display()
            );
        }
        files::directory(&path)?;
        Ok(Self {
            path,
            temporary: asked.is_none(),
        })
    }

    /// Its absolute path.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for RunDir {
    fn drop(&mut self) {
        if self.temporary {
            // What cannot be removed now the system removes later: it is in the directory for such things.
            let _ = fs::remove_dir_all(&self.path);
        }
    }
}
