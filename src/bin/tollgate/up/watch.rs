//! The document, as it changes on disk.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How often the file is looked at.
const EVERY: Duration = Duration::from_millis(100);

/// Watches a file's content. It is read again each time, which costs less than anything that could be missed: editors
/// replace the file, ConfigMaps replace a symbolic link two directories up, and clocks of modification are coarse.
pub(crate) struct Watch {
    path: PathBuf,
    known: Vec<u8>,
    pending: Option<Vec<u8>>,
    looked: Instant,
}

impl Watch {
    /// Watches `path`, whose content so far was `text`.
    pub(crate) fn new(path: &Path, text: &str) -> Self {
        Self {
            path: path.to_owned(),
            known: text.into(),
            pending: None,
            looked: Instant::now(),
        }
    }

    /// The new content, once after each change. It has to be the same twice: a file that is being written changes, and one
    /// that is being replaced is gone for a moment.
    pub(crate) fn changed(&mut self) -> Option<Vec<u8>> {
        if self.looked.elapsed() < EVERY {
            return None;
        }
        self.looked = Instant::now();
        let content = fs::read(&self.path).ok()?;
        if content == self.known {
            self.pending = None;
            return None;
        }
        if self.pending.as_ref() != Some(&content) {
            self.pending = Some(content);
            return None;
        }
        self.pending = None;
        self.known.clone_from(&content);
        Some(content)
    }
}
