//! The exchanges under way in this VM, so that the provider role finds what the gateway role keeps.

use std::cell::{Cell, RefCell};
use std::hash::{BuildHasher, RandomState};
use std::rc::Rc;

use hashbrown::HashMap;

use crate::handoff::Place;
use crate::pipeline::Sent;

/// A request on its way, shared by the two roles of a worker. Callbacks never nest, so a borrow is always free; one
/// that is not is left out rather than a trap.
pub(super) type Shared = Rc<RefCell<Sent>>;

thread_local! {
    static UNDER_WAY: RefCell<HashMap<u64, Shared>> = RefCell::new(HashMap::new());
    static LAST: Cell<u64> = const { Cell::new(0) };
    static VM: u64 = RandomState::new().hash_one(0u8);
}

/// Keeps an exchange and says where it is.
pub(super) fn keep(exchange: &Shared) -> Place {
    let number = LAST.get().wrapping_add(1);
    LAST.set(number);
    UNDER_WAY.with_borrow_mut(|all| all.insert(number, Rc::clone(exchange)));
    Place {
        vm: VM.with(|vm| *vm),
        exchange: number,
    }
}

/// The exchange at a place; `None` if that is in another VM, or over.
pub(super) fn find(place: Place) -> Option<Shared> {
    let here = VM.with(|vm| *vm) == place.vm;
    here.then(|| UNDER_WAY.with_borrow(|all| all.get(&place.exchange).cloned()))
        .flatten()
}

/// Lets go of an exchange.
pub(super) fn release(place: Place) {
    UNDER_WAY.with_borrow_mut(|all| all.remove(&place.exchange));
}
