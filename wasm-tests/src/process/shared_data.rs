//! The map of keys and values that all VMs of one `vm_id` see, and its queues.
//!
//! As Envoy has it: a key that is absent accepts any compare-and-swap number, so "create only if absent" is
//! a number that can never match; nothing is ever deleted; numbers are unique over the whole process.

use std::collections::{HashMap, VecDeque};

use crate::host::status::Status;

#[derive(Default)]
pub(crate) struct SharedData {
    values: HashMap<(String, Vec<u8>), (Vec<u8>, u32)>,
    last_cas: u32,
    queues: Vec<(String, Vec<u8>, VecDeque<Vec<u8>>)>,
}

impl SharedData {
    pub(crate) fn value(&self, vm_id: &str, key: &[u8]) -> Option<&(Vec<u8>, u32)> {
        self.values.get(&(vm_id.to_owned(), key.to_vec()))
    }

    /// `cas` 0 means "whatever is there".
    pub(crate) fn set(&mut self, vm_id: &str, key: Vec<u8>, value: Vec<u8>, cas: u32) -> Status {
        let key = (vm_id.to_owned(), key);
        if let Some((_, current)) = self.values.get(&key)
            && cas != 0
            && cas != *current
        {
            return Status::CasMismatch;
        }
        self.last_cas += 1;
        self.values.insert(key, (value, self.last_cas));
        Status::Ok
    }

    /// The token of a queue, which is made if there is none of that name.
    pub(crate) fn register_queue(&mut self, vm_id: &str, name: &[u8]) -> u32 {
        self.queue_token(vm_id, name).unwrap_or_else(|| {
            self.queues.push((vm_id.to_owned(), name.to_vec(), VecDeque::new()));
            self.queues.len() as u32
        })
    }

    pub(crate) fn queue_token(&self, vm_id: &str, name: &[u8]) -> Option<u32> {
        let index = self
            .queues
            .iter()
            .position(|(id, queue, _)| id == vm_id && queue == name)?;
        Some(index as u32 + 1)
    }

    pub(crate) fn queue(&mut self, token: u32) -> Option<&mut VecDeque<Vec<u8>>> {
        let index = token.checked_sub(1)?;
        self.queues.get_mut(index as usize).map(|(_, _, queue)| queue)
    }
}
