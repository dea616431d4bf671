//! One of Envoy's worker threads: one VM with the root contexts of both roles.

use std::cell::{RefCell, RefMut};
use std::collections::{HashMap, HashSet};
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

/// A context of one of the worker's VMs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Place {
    vm: usize,
    /// The context's id in that VM.
    pub(crate) id: u32,
}

struct Inner {
    process: Process,
    env: Vec<(String, String)>,
    /// The last is the one that new configurations and new streams get; those that ended are none.
    vms: Vec<Option<Vm>>,
    /// The root context that new streams get.
    roots: HashMap<Role, Place>,
    /// Streams of each root context; a root that was replaced goes when its last stream has gone.
    streams: HashMap<Place, usize>,
}

impl Worker {
    /// A worker whose VM sees these environment variables.
    pub fn start(process: &Process, env: &[(&str, &str)]) -> Self {
        let env: Vec<_> = env
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        let vms = vec![Some(Vm::new(process, VM_ID, &env))];
        let (roots, streams) = (HashMap::new(), HashMap::new());
        Self(Rc::new(RefCell::new(Inner {
            process: process.clone(),
            env,
            vms,
            roots,
            streams,
        })))
    }

    /// Starts a new VM, as Envoy does where the module or its environment has changed. What is configured from now on is
    /// configured there; streams that run stay in the VM they began in.
    pub fn renew_vm(&self) {
        let inner = &mut *self.inner();
        let vm = Vm::new(&inner.process, VM_ID, &inner.env);
        inner.vms.push(Some(vm));
    }

    /// The same, with another variable in the environment.
    pub fn renew_vm_with(&self, name: &str, value: &str) {
        self.inner().env.push((name.to_owned(), value.to_owned()));
        self.renew_vm();
    }

    /// The VMs before the newest end, and with them every series that the newest has not defined for itself: Envoy
    /// forgets what no VM knows. For a process with one worker, none of whose streams is in an older VM.
    pub fn end_old_vms(&self) {
        let inner = &mut *self.inner();
        let known: HashSet<_> = inner.newest().metrics().iter().cloned().collect();
        let newest = inner.vms.len() - 1;
        inner.vms.iter_mut().take(newest).for_each(|vm| *vm = None);
        inner
            .process
            .stats()
            .retain(|kind, name| known.contains(&(kind, name.to_owned())));
    }

    /// Gives a role a configuration, as Envoy does: tried out in a VM of its own first, and only if that one accepts it
    /// are the streams to come given to it. Streams that run keep the one they began with. Whether it was accepted.
    pub fn configure(&self, role: Role, document: &str) -> bool {
        let inner = &mut *self.inner();
        let mut canary = Vm::new(&inner.process, VM_ID, &inner.env);
        if new_root(&mut canary, role, document).is_none() {
            return false;
        }
        let index = inner.vms.len() - 1;
        let Some(id) = new_root(inner.newest(), role, document) else {
            return false;
        };
        let root = Place { vm: index, id };
        inner.streams.insert(root, 0);
        if let Some(old) = inner.roots.insert(role, root) {
            inner.drop_root_without_streams(old);
        }
        true
    }

    /// Lets the root contexts that asked for it tick once: those in force, and replaced ones that still have streams, the
    /// oldest first.
    pub fn tick(&self) {
        let inner = &mut *self.inner();
        let mut roots: Vec<Place> = inner.streams.keys().copied().collect();
        roots.sort_unstable_by_key(|root| (root.vm, root.id));
        for root in roots {
            let vm = inner.vm(root);
            if vm.context(root.id).tick_milliseconds > 0 {
                vm.on_tick(root.id);
            }
        }
    }

    /// WebAssembly instructions this worker's VMs have executed.
    pub fn instructions(&self) -> u64 {
        self.inner().vms.iter().flatten().map(Vm::instructions).sum()
    }

    /// Size of the memory of this worker's newest VM.
    pub fn memory_bytes(&self) -> usize {
        self.inner().newest().memory_bytes()
    }

    pub(crate) fn process(&self) -> Process {
        self.inner().process.clone()
    }

    /// The VM in which a context lives.
    pub(crate) fn vm(&self, place: Place) -> RefMut<'_, Vm> {
        RefMut::map(self.inner(), |inner| inner.vm(place))
    }

    /// A new stream context for a role that has been configured.
    pub(crate) fn open_stream(&self, role: Role, context: Context) -> Place {
        let inner = &mut *self.inner();
        let Some(root) = inner.roots.get(&role).copied() else {
            panic!("the {role:?} role was never configured")
        };
        *inner.streams.entry(root).or_default() += 1;
        let context = Context {
            root_id: role.root_id().to_owned(),
            ..context
        };
        Place {
            vm: root.vm,
            id: inner.vm(root).create(root.id, context),
        }
    }

    pub(crate) fn close_stream(&self, stream: Place) {
        let inner = &mut *self.inner();
        let vm = inner.vm(stream);
        let root = Place {
            vm: stream.vm,
            id: vm.context(stream.id).parent,
        };
        vm.delete(stream.id);
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
    fn vm(&mut self, place: Place) -> &mut Vm {
        self.vms
            .get_mut(place.vm)
            .and_then(Option::as_mut)
            .expect("no VM ends before its streams")
    }

    fn newest(&mut self) -> &mut Vm {
        self.vms.last_mut().and_then(Option::as_mut).expect("a worker has a VM")
    }

    fn drop_root_without_streams(&mut self, root: Place) {
        let current = self.roots.values().any(|place| *place == root);
        if !current && self.streams.get(&root) == Some(&0) {
            self.streams.remove(&root);
            self.vm(root).delete(root.id);
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
