//! One of Envoy's worker threads: one VM with the root contexts of both roles.

use std::cell::{RefCell, RefMut};
use std::collections::HashMap;
use std::rc::Rc;

use crate::host::Context;
use crate::process::Process;
use crate::vm::Vm;

/// The shared-data namespace and identity of the VM, as the rendered configuration has it.
const VM_ID: &str = "tollgate";

/// Where Envoy runs the filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// HTTP filter of the listener.
    Gateway,
    /// Upstream HTTP filter of a provider's cluster.
    Provider,
}

impl Role {
    /// The `root_id` that tells the module its role.
    pub fn root_id(self) -> &'static str {
        match self {
            Self::Gateway => "gateway",
            Self::Provider => "provider",
        }
    }
}

/// When the provider filter of an answered attempt ends. Envoy was seen to do it before the request is logged, and does
/// not promise to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ProviderEnds {
    /// Its `on_done` comes first.
    #[default]
    BeforeTheLog,
    /// The gateway's `on_log` comes first.
    AfterTheLog,
}

/// A worker. Cheap to clone: clones are the same worker.
#[derive(Clone)]
pub struct Worker(Rc<RefCell<Inner>>);

struct Inner {
    process: Process,
    env: Vec<(String, String)>,
    vm: Vm,
    /// The root context that new streams get.
    roots: HashMap<Role, u32>,
    /// Streams of each root context; a root that was replaced goes when its last stream has gone.
    streams: HashMap<u32, usize>,
}

impl Worker {
    /// A worker whose VM sees these environment variables.
    pub fn start(process: &Process, env: &[(&str, &str)]) -> Self {
        let env: Vec<_> = env
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        let vm = Vm::new(process, VM_ID, &env);
        let (roots, streams) = (HashMap::new(), HashMap::new());
        Self(Rc::new(RefCell::new(Inner {
            process: process.clone(),
            env,
            vm,
            roots,
            streams,
        })))
    }

    /// Gives a role a configuration, as Envoy does: tried out in a VM of its own first, and only if that one accepts it
    /// are the streams to come given to it. Streams that run keep the one they began with. Whether it was accepted.
    pub fn configure(&self, role: Role, document: &str) -> bool {
        let inner = &mut *self.inner();
        let mut canary = Vm::new(&inner.process, VM_ID, &inner.env);
        if new_root(&mut canary, role, document).is_none() {
            return false;
        }
        let Some(root) = new_root(&mut inner.vm, role, document) else {
            return false;
        };
        inner.streams.insert(root, 0);
        if let Some(old) = inner.roots.insert(role, root) {
            inner.drop_root_without_streams(old);
        }
        true
    }

    /// Lets the root contexts that asked for it tick once.
    pub fn tick(&self) {
        let inner = &mut *self.inner();
        let mut roots: Vec<u32> = inner.roots.values().copied().collect();
        roots.sort_unstable();
        for root in roots {
            if inner.vm.context(root).tick_milliseconds > 0 {
                inner.vm.on_tick(root);
            }
        }
    }

    /// WebAssembly instructions this worker's VM has executed.
    pub fn instructions(&self) -> u64 {
        self.inner().vm.instructions()
    }

    /// Size of this worker's VM's memory.
    pub fn memory_bytes(&self) -> usize {
        self.inner().vm.memory_bytes()
    }

    pub(crate) fn process(&self) -> Process {
        self.inner().process.clone()
    }

    pub(crate) fn vm(&self) -> RefMut<'_, Vm> {
        RefMut::map(self.inner(), |inner| &mut inner.vm)
    }

    /// A new stream context for a role that has been configured.
    pub(crate) fn open_stream(&self, role: Role, context: Context) -> u32 {
        let inner = &mut *self.inner();
        let Some(root) = inner.roots.get(&role).copied() else {
            panic!("the {role:?} role was never configured")
        };
        *inner.streams.entry(root).or_default() += 1;
        inner.vm.create(
            root,
            Context {
                root_id: role.root_id().to_owned(),
                ..context
            },
        )
    }

    pub(crate) fn close_stream(&self, id: u32) {
        let inner = &mut *self.inner();
        let root = inner.vm.context(id).parent;
        inner.vm.delete(id);
        if let Some(streams) = inner.streams.get_mut(&root) {
            *streams -= 1;
        }
        inner.drop_root_without_streams(root);
    }

    fn inner(&self) -> RefMut<'_, Inner> {
        self.0.borrow_mut()
    }
}

impl Inner {
    fn drop_root_without_streams(&mut self, root: u32) {
        let current = self.roots.values().any(|id| *id == root);
        if !current && self.streams.get(&root) == Some(&0) {
            self.streams.remove(&root);
            self.vm.delete(root);
        }
    }
}

fn new_root(vm: &mut Vm, role: Role, document: &str) -> Option<u32> {
    let root = vm.create(
        0,
        Context {
            root_id: role.root_id().to_owned(),
            ..Context::default()
        },
    );
    let accepted = vm.on_vm_start(root) && vm.on_configure(root, document.as_bytes());
    accepted.then_some(root)
}
