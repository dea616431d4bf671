//! What all workers share, and who they are.
//!
//! In: keys, bytes, versions. Out: what is there, and whether a write came through. The store is a map with
//! compare-and-swap, without deletion and without expiry: keys are names in the document behind one prefix, and every
//! value is bounded.

use super::bytes;
use crate::caller::UnixSeconds;

mod memory;

pub use memory::Memory;

/// A map that all VMs of the proxy share.
pub trait Store {
    /// The value of a key and its version.
    fn read(&mut self, key: &str) -> Option<(Vec<u8>, u32)>;

    /// Writes a value if the key still has that version; without one, if there is none yet.
    fn write(&mut self, key: &str, value: &[u8], version: Option<u32>) -> Written;
}

/// What became of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// It is there.
    Done,
    /// Somebody else was first.
    Lost,
    /// The host refused it.
    Failed,
}

/// The store could not be written: somebody else was first each time, or the host refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unwritable;

/// How often a lost swap is tried again. Each loss means that another worker came through meanwhile.
const TRIES: usize = 1_000;

/// The number of a VM, never given twice while the proxy lives. What a VM has set aside is kept under it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Owner(pub u32);

/// The time, as limits need it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Clock {
    /// Of the calendar: for budgets, and for what is told. It may be set.
    pub wall: UnixSeconds,
    /// Milliseconds of a clock that all workers share and nobody sets: for windows.
    pub steady: u64,
}

/// Which VMs live. A number not given out when this was read is younger, and alive.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Census {
    /// The living, in ascending order.
    living: Vec<Living>,
    /// The number that the next VM gets.
    next: u32,
}

/// A VM that lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Living {
    /// Its number.
    pub owner: Owner,
    /// How often it gave a sign of life.
    pub beats: u64,
    /// Of which generation it is: what environment and which module it has.
    pub mark: u64,
}

/// What is needed to judge and to set aside: the store, the time, and who we are.
pub struct Books<'a> {
    /// Where the state is.
    pub store: &'a mut dyn Store,
    /// When.
    pub clock: Clock,
    /// Under which number something is set aside.
    pub owner: Owner,
    /// Whose set-asides still count.
    pub census: &'a Census,
}

impl Books<'_> {
    /// Changes one value: `change` gets its bytes, and says what to write (`None`: leave it as it is) and what came of it.
    /// It is called again where somebody else was first.
    pub fn update<T>(
        &mut self,
        key: &str,
        mut change: impl FnMut(Vec<u8>, &Self) -> (Option<Vec<u8>>, T),
    ) -> Result<T, Unwritable> {
        for _ in 0..TRIES {
            let (bytes, version) = match self.store.read(key) {
                Some((bytes, version)) => (bytes, Some(version)),
                None => (Vec::new(), None),
            };
            let (wanted, result) = change(bytes, self);
            let Some(wanted) = wanted else {
                return Ok(result);
            };
            match self.store.write(key, &wanted, version) {
                Written::Done => return Ok(result),
                Written::Lost => {}
                Written::Failed => return Err(Unwritable),
            }
        }
        Err(Unwritable)
    }
}

impl Census {
    /// Where it is kept.
    pub const KEY: &'static str = "tollgate.vms";

    /// Reads it; nonsense is an empty one.
    pub fn decode(bytes: &[u8]) -> Self {
        Self::read(bytes).unwrap_or_default()
    }

    fn read(mut bytes: &[u8]) -> Option<Self> {
        let next = u32::try_from(bytes::take(&mut bytes)?).ok()?;
        let mut living = Vec::new();
        while !bytes.is_empty() {
            living.push(Living {
                owner: Owner(u32::try_from(bytes::take(&mut bytes)?).ok()?),
                beats: bytes::take(&mut bytes)?,
                mark: bytes::take(&mut bytes)?,
            });
        }
        Some(Self { living, next })
    }

    /// The bytes of it.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(8 + 16 * self.living.len());
        bytes::put(&mut out, u64::from(self.next));
        for living in &self.living {
            bytes::put(&mut out, u64::from(living.owner.0));
            bytes::put(&mut out, living.beats);
            bytes::put(&mut out, living.mark);
        }
        out
    }

    /// A new VM: its number. It counts as alive from now on.
    pub fn enter(&mut self) -> Owner {
        self.next = self.next.max(1);
        let owner = Owner(self.next);
        self.next = self.next.saturating_add(1);
        self.living.push(Living {
            owner,
            beats: 0,
            mark: 0,
        });
        owner
    }

    /// Another sign of life, and of which generation it is. `false`: it was declared dead meanwhile.
    pub fn beat(&mut self, owner: Owner, mark: u64) -> bool {
        match self.living.iter_mut().find(|living| living.owner == owner) {
            Some(living) => {
                living.beats = living.beats.wrapping_add(1);
                living.mark = mark;
                true
            }
            None => false,
        }
    }

    /// Declares a VM dead.
    pub fn bury(&mut self, owner: Owner) {
        self.living.retain(|living| living.owner != owner);
    }

    /// Whether a VM is dead.
    pub fn is_dead(&self, owner: Owner) -> bool {
        owner.0 < self.next && !self.living.iter().any(|living| living.owner == owner)
    }

    /// The living.
    pub fn living(&self) -> &[Living] {
        &self.living
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_vm_is_dead_once_it_is_buried_and_a_younger_one_is_not() {
        let mut census = Census::default();
        let (one, two) = (census.enter(), census.enter());
        assert!(!census.is_dead(one) && !census.is_dead(two));
        let before = census.clone();
        let three = census.enter();
        assert!(!before.is_dead(three), "not given out when this was read");
        census.bury(two);
        assert!(census.is_dead(two) && !census.is_dead(one));
        assert!(!census.beat(two, 7) && census.beat(one, 7));
        assert_eq!(Census::decode(&census.encode()), census);
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_census(bytes: Vec<u8>) {
            let census = Census::decode(&bytes);
            prop_assert_eq!(Census::decode(&census.encode()), census);
        }
    }
}
