//! One VM: the module instantiated, and its callbacks.

use std::path::PathBuf;
use std::sync::OnceLock;

use wasmtime::{Config, Engine, Instance, Linker, Module, OptLevel, Store, TypedFunc, WasmParams, WasmResults};

use crate::host::{Context, Host, link};
use crate::process::{Kind, Process};

/// The environment variable that names the module under test.
pub const MODULE_VARIABLE: &str = "TOLLGATE_MODULE";

/// What no callback may exceed: far above any honest one, so that an endless loop is a failure and not a hang.
const FUEL_PER_CALL: u64 = 20_000_000_000;

/// Where the module under test is: the variable's path, or where a release build puts it.
pub fn module_path() -> PathBuf {
    match std::env::var_os(MODULE_VARIABLE) {
        Some(path) => PathBuf::from(path),
        None => PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../target/wasm32-wasip1/release/tollgate.wasm"),
    }
}

/// `module.name` of everything the module imports.
pub fn imports() -> Vec<String> {
    module()
        .imports()
        .map(|import| format!("{}.{}", import.module(), import.name()))
        .collect()
}

/// Names of everything the module exports.
pub fn exports() -> Vec<String> {
    module().exports().map(|export| export.name().to_owned()).collect()
}

/// `module.name` of everything this host offers, all of which Envoy offers too.
pub fn offered_imports() -> Vec<String> {
    let mut linker = Linker::new(module().engine());
    link(&mut linker).expect("the host's functions have different names");
    let mut host = Store::new(module().engine(), Vm::host(&Process::start(), "", &[]));
    linker
        .iter(&mut host)
        .map(|(module, name, _)| format!("{module}.{name}"))
        .collect()
}

/// What a filter callback asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    Continue,
    Pause,
}

pub(crate) struct Vm {
    store: Store<Host>,
    instance: Instance,
    next_context: u32,
    instructions: u64,
    failed: bool,
}

impl Vm {
    /// Instantiates the module and runs its initialisation.
    pub(crate) fn new(process: &Process, vm_id: &str, env: &[(String, String)]) -> Self {
        let mut store = Store::new(module().engine(), Self::host(process, vm_id, env));
        store.set_fuel(FUEL_PER_CALL).expect("fuel is configured");
        let mut linker = Linker::new(module().engine());
        link(&mut linker).expect("the host's functions have different names");
        let instance = match linker.instantiate(&mut store, module()) {
            Ok(instance) => instance,
            Err(error) => panic!("Envoy would refuse {}: {error:#}", module_path().display()),
        };
        let memory = instance
            .get_memory(&mut store, "memory")
            .expect("the module exports its memory");
        let allocate = ["proxy_on_memory_allocate", "malloc"]
            .into_iter()
            .find_map(|name| instance.get_typed_func(&mut store, name).ok())
            .expect("the module exports an allocator");
        let host = store.data_mut();
        host.memory = Some(memory);
        host.allocate = Some(allocate);
        let mut vm = Self {
            store,
            instance,
            next_context: 1,
            instructions: 0,
            failed: false,
        };
        for name in ["_initialize", "_start"] {
            if vm.instance.get_export(&mut vm.store, name).is_some() {
                vm.call::<(), ()>(0, name, ());
                break;
            }
        }
        vm
    }

    /// The context, which must exist: contexts live until [`Vm::delete`].
    pub(crate) fn context(&mut self, id: u32) -> &mut Context {
        self.store
            .data_mut()
            .contexts
            .get_mut(&id)
            .expect("the context has not been deleted")
    }

    /// Whether a callback has trapped; Envoy then calls nothing any more.
    pub(crate) fn failed(&self) -> bool {
        self.failed
    }

    /// WebAssembly instructions executed so far, about one unit of fuel each.
    pub(crate) fn instructions(&self) -> u64 {
        self.instructions
    }

    /// The series this VM has defined.
    pub(crate) fn metrics(&self) -> &[(Kind, String)] {
        &self.store.data().metrics
    }

    /// Size of the linear memory.
    pub(crate) fn memory_bytes(&self) -> usize {
        self.store
            .data()
            .memory
            .map_or(0, |memory| memory.data_size(&self.store))
    }

    /// Creates a context; `parent` 0 makes it a root.
    pub(crate) fn create(&mut self, parent: u32, context: Context) -> u32 {
        let id = self.next_context;
        self.next_context += 1;
        self.store.data_mut().contexts.insert(id, Context { parent, ..context });
        self.call::<(u32, u32), ()>(id, "proxy_on_context_create", (id, parent));
        id
    }

    pub(crate) fn on_vm_start(&mut self, id: u32) -> bool {
        self.call::<(u32, u32), u32>(id, "proxy_on_vm_start", (id, 0)) == Some(1)
    }

    pub(crate) fn on_configure(&mut self, id: u32, configuration: &[u8]) -> bool {
        self.store.data_mut().plugin_configuration = Some(configuration.to_vec());
        let accepted = self.call::<(u32, u32), u32>(id, "proxy_on_configure", (id, configuration.len() as u32));
        self.store.data_mut().plugin_configuration = None;
        accepted == Some(1)
    }

    pub(crate) fn on_tick(&mut self, id: u32) {
        self.call::<u32, ()>(id, "proxy_on_tick", id);
    }

    /// A headers or body callback: how many headers or bytes there are, and whether the stream ends with them.
    pub(crate) fn on_traffic(&mut self, id: u32, callback: &str, size: usize, end_of_stream: bool) -> Action {
        let arguments = (id, size as u32, u32::from(end_of_stream));
        action(self.call::<(u32, u32, u32), u32>(id, callback, arguments))
    }

    pub(crate) fn on_trailers(&mut self, id: u32, callback: &str, count: usize) -> Action {
        action(self.call::<(u32, u32), u32>(id, callback, (id, count as u32)))
    }

    /// `proxy_on_log`, during which everything the stream had can be read again.
    pub(crate) fn on_log(&mut self, id: u32) {
        self.context(id).reach.logging = true;
        self.call::<u32, ()>(id, "proxy_on_log", id);
        self.context(id).reach.logging = false;
    }

    /// `proxy_on_done`, `proxy_on_delete`, and the context is gone.
    pub(crate) fn delete(&mut self, id: u32) {
        let done = self.call::<u32, u32>(id, "proxy_on_done", id);
        if done == Some(0) {
            self.store
                .data()
                .process
                .complain("a context asked to be kept after its end: it never is".to_owned());
        }
        self.call::<u32, ()>(id, "proxy_on_delete", id);
        self.store.data_mut().contexts.remove(&id);
    }

    fn host(process: &Process, vm_id: &str, env: &[(String, String)]) -> Host {
        Host {
            process: process.clone(),
            vm_id: vm_id.to_owned(),
            env: env.to_vec(),
            contexts: std::collections::HashMap::new(),
            current: 0,
            effective: None,
            plugin_configuration: None,
            memory: None,
            allocate: None,
            metrics: Vec::new(),
            random: 0x2545_F491_4F6C_DD1D,
        }
    }

    /// Calls an export; nothing if the module has none of that name or has trapped, now or before.
    fn call<P: WasmParams, R: WasmResults>(&mut self, context: u32, name: &str, arguments: P) -> Option<R> {
        if self.failed {
            return None;
        }
        let function: TypedFunc<P, R> = self.instance.get_typed_func(&mut self.store, name).ok()?;
        let host = self.store.data_mut();
        host.current = context;
        host.effective = None;
        self.store.set_fuel(FUEL_PER_CALL).expect("fuel is configured");
        let result = function.call(&mut self.store, arguments);
        let left = self.store.get_fuel().expect("fuel is configured");
        self.instructions += FUEL_PER_CALL - left;
        result
            .inspect_err(|error| {
                self.failed = true;
                self.store.data().process.complain(format!("{name} trapped: {error:#}"));
            })
            .ok()
    }
}

fn action(result: Option<u32>) -> Action {
    match result {
        Some(0) => Action::Continue,
        Some(_) | None => Action::Pause,
    }
}

/// The module, compiled once for all tests of one binary.
fn module() -> &'static Module {
    static MODULE: OnceLock<Module> = OnceLock::new();
    MODULE.get_or_init(|| {
        let mut config = Config::new();
        config.consume_fuel(true);
        config.cranelift_opt_level(OptLevel::None);
        let engine = Engine::new(&config).expect("this machine can run compiled WebAssembly");
        let path = module_path();
        let bytes = match std::fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) => panic!(
                "no module at {}: {error}. Build it with `cargo build --release --target wasm32-wasip1 --lib`, \
                 or name one in {MODULE_VARIABLE}.",
                path.display()
            ),
        };
        Module::new(&engine, bytes).expect("the file is a WebAssembly module")
    })
}
