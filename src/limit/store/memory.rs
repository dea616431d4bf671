//! A store in memory, for one thread: for tests, and for trying rules out without a proxy.

use std::collections::BTreeMap;

use super::{Store, Written};

/// Keys, with their values and versions.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    values: BTreeMap<String, (Vec<u8>, u32)>,
    writes: u32,
}

impl Store for Memory {
    fn read(&mut self, key: &str) -> Option<(Vec<u8>, u32)> {
        self.values.get(key).cloned()
    }

    fn write(&mut self, key: &str, value: &[u8], version: Option<u32>) -> Written {
        if self.values.get(key).map(|(_, version)| *version) != version {
            return Written::Lost;
        }
        self.writes = self.writes.wrapping_add(1);
        self.values.insert(key.to_owned(), (value.to_vec(), self.writes));
        Written::Done
    }
}
