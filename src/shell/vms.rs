//! Who this VM is among the others, and the books it keeps with them.
//!
//! A number is drawn when the first request or tick needs one. What other VMs live is read once a second, with the VM's own
//! sign of life.

use std::cell::RefCell;

use super::series::survive;
use super::{generation, host};
use crate::limit::store::{Books, Census, Clock, Owner, Store, Written};
use crate::limit::vitals::Watch;
use crate::pipeline::Now;

/// Signs of life come once a second, however many root contexts this VM has.
pub(super) const APART_MS: u64 = 900;

/// How often a lost swap of the census is tried again. Each loss means that another VM wrote its sign of life.
const TRIES: usize = 1_000;

thread_local! {
    static VITALS: RefCell<Vitals> = RefCell::new(Vitals::default());
}

#[derive(Default)]
struct Vitals {
    own: Option<Owner>,
    census: Census,
    watch: Watch,
    last: u64,
}

impl Vitals {
    fn leads(&self) -> bool {
        self.own.is_some() && self.watch.leader(&self.census, generation::own()) == self.own
    }
}

/// The host's shared data.
struct SharedData;

impl Store for SharedData {
    fn read(&mut self, key: &str) -> Option<(Vec<u8>, u32)> {
        host::shared(key)
    }

    fn write(&mut self, key: &str, value: &[u8], version: Option<u32>) -> Written {
        match host::set_shared(key, value, version) {
            Ok(true) => Written::Done,
            Ok(false) => Written::Lost,
            Err(error) => {
                survive(Err(error));
                Written::Failed
            }
        }
    }
}

/// Does something with the books, at this moment of the wall clock.
pub(super) fn with_books<T>(now: Now, work: impl FnOnce(&mut Books<'_>) -> T) -> T {
    // Callbacks never nest, so the borrow is always free.
    let (owner, census) = VITALS.with_borrow_mut(|vitals| {
        let owner = *vitals.own.get_or_insert_with(|| change(|census| census.enter()).0);
        (owner, std::mem::take(&mut vitals.census))
    });
    let mut books = Books {
        store: &mut SharedData,
        clock: Clock {
            wall: now.seconds(),
            steady: host::steady(),
        },
        owner,
        census: &census,
    };
    let result = work(&mut books);
    VITALS.with_borrow_mut(|vitals| vitals.census = census);
    result
}

/// A tick of any root context of this VM. Whether this VM is the one that does what only one has to do.
pub(super) fn tick() -> bool {
    let now = host::steady();
    VITALS.with_borrow_mut(|vitals| {
        if now.saturating_sub(vitals.last) < APART_MS {
            return vitals.leads();
        }
        vitals.last = now;
        let own = vitals.own;
        let mut watch = vitals.watch.clone();
        let ((own, after), census) = change(|census| {
            // Asked again where another VM was first, so it begins from what was known before.
            let mut again = watch.clone();
            let own = own.unwrap_or_else(|| census.enter());
            let (own, _) = again.tick(own, generation::own(), census);
            (own, again)
        });
        watch = after;
        vitals.own = Some(own);
        vitals.watch = watch;
        vitals.census = census;
        vitals.leads()
    })
}

/// Changes the census: what came of it, and how it stands now.
fn change<T>(change: impl Fn(&mut Census) -> T) -> (T, Census) {
    let mut tries = 0;
    loop {
        let (mut census, version) = match host::shared(Census::KEY) {
            Some((bytes, version)) => (Census::decode(&bytes), Some(version)),
            None => (Census::default(), None),
        };
        let result = change(&mut census);
        tries += 1;
        match host::set_shared(Census::KEY, &census.encode(), version) {
            Ok(false) if tries < TRIES => {}
            Ok(_) => return (result, census),
            Err(error) => {
                survive(Err(error));
                return (result, census);
            }
        }
    }
}
