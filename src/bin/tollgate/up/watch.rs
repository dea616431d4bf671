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

#[cfg(test)]
mod tests {
    use super::*;

    /// Looks as often as `up` would, until something is new or for a while nothing was.
    fn next(watch: &mut Watch) -> Option<String> {
        (0..40).find_map(|_| {
            std::thread::sleep(EVERY / 5);
            watch.changed().map(|content| String::from_utf8(content).unwrap())
        })
    }

    #[test]
    fn each_change_is_told_once_however_it_came_about() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("tollgate.json");
        fs::write(&path, "one").unwrap();
        let mut watch = Watch::new(&path, "one");
        assert_eq!(next(&mut watch), None);
        fs::write(&path, "two").unwrap();
        assert_eq!(next(&mut watch).as_deref(), Some("two"));
        assert_eq!(next(&mut watch), None);
        fs::remove_file(&path).unwrap();
        assert_eq!(next(&mut watch), None);
        let beside = directory.path().join("new");
        fs::write(&beside, "three").unwrap();
        fs::rename(&beside, &path).unwrap();
        assert_eq!(next(&mut watch).as_deref(), Some("three"));
    }

    #[test]
    fn a_change_taken_back_before_it_was_seen_twice_is_none() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("tollgate.json");
        fs::write(&path, "half").unwrap();
        let mut watch = Watch::new(&path, "whole");
        std::thread::sleep(EVERY);
        assert_eq!(watch.changed(), None);
        fs::write(&path, "whole").unwrap();
        assert_eq!(next(&mut watch), None);
    }
}
