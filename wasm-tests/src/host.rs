//! The host's side of the ABI (proxy-wasm 0.2.1, as Envoy 1.40 answers it): what the module may see and touch, and when.
//!
//! A stream's context holds what Envoy's holds: which header maps are within reach just now, the body chunk of the
//! callback that runs. What is out of reach is answered as Envoy answers it, not as a kinder host would.

mod buffers;
mod env;
mod headers;
mod memory;
mod properties;
pub(crate) mod status;
mod wasi;

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;

use wasmtime::{Caller, Linker, Memory, TypedFunc};

use crate::headers::Headers;
use crate::process::{Kind, Process};

/// What one VM's host functions work on.
pub(crate) struct Host {
    pub(crate) process: Process,
    pub(crate) vm_id: String,
    pub(crate) env: Vec<(String, String)>,
    pub(crate) contexts: HashMap<u32, Context>,
    /// The context whose callback runs.
    pub(crate) current: u32,
    /// Set by the module in place of `current`, until the callback ends.
    pub(crate) effective: Option<u32>,
    /// What `on_configure` may read while it runs.
    pub(crate) plugin_configuration: Option<Vec<u8>>,
    pub(crate) memory: Option<Memory>,
    pub(crate) allocate: Option<TypedFunc<u32, u32>>,
    /// Metrics this VM has defined; the place is the id (with the kind in the low bits).
    pub(crate) metrics: Vec<(Kind, String)>,
    pub(crate) random: u64,
}

/// A root context or a stream's.
#[derive(Default)]
pub(crate) struct Context {
    /// 0 for a root context.
    pub(crate) parent: u32,
    pub(crate) root_id: String,
    pub(crate) tick_milliseconds: u32,
    pub(crate) traffic: Option<Rc<RefCell<Traffic>>>,
    pub(crate) reach: Reach,
    pub(crate) request_body: Body,
    pub(crate) response_body: Body,
    /// The headers of the request and of the response have left this filter: changing them now changes nothing that
    /// anybody receives.
    pub(crate) headers_left: [bool; 2],
    pub(crate) local_reply: Option<LocalReply>,
    /// `continue_stream` was called: request, response.
    pub(crate) resumed: [bool; 2],
    pub(crate) reset: bool,
}

/// Which header maps a stream's context reaches at this moment.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Reach {
    pub(crate) request_headers: bool,
    pub(crate) request_trailers: bool,
    pub(crate) response_headers: bool,
    pub(crate) response_trailers: bool,
    /// While `on_log` runs everything can be read once more.
    pub(crate) logging: bool,
}

/// The body bytes of the callback that runs.
#[derive(Default)]
pub(crate) struct Body {
    pub(crate) bytes: Vec<u8>,
    pub(crate) present: bool,
}

/// What `send_local_response` asked for.
#[derive(Clone, Debug)]
pub(crate) struct LocalReply {
    pub(crate) status: u32,
    pub(crate) headers: Vec<(String, Vec<u8>)>,
    pub(crate) body: Vec<u8>,
}

/// One request on its way: what the filters of both roles share.
#[derive(Default)]
pub(crate) struct Traffic {
    pub(crate) request_headers: Headers,
    pub(crate) request_trailers: Headers,
    pub(crate) response_headers: Headers,
    pub(crate) response_trailers: Headers,
    pub(crate) filter_state: BTreeMap<Vec<u8>, Vec<u8>>,
    /// Facts of the stream as CEL names them (`request.id`, `response.code`), already serialised.
    pub(crate) facts: BTreeMap<String, Vec<u8>>,
    /// `clear_route_cache` was called since the route was last looked up.
    pub(crate) route_cleared: bool,
}

impl Host {
    /// The context that calls.
    pub(crate) fn context(&mut self) -> wasmtime::Result<&mut Context> {
        let id = self.effective.unwrap_or(self.current);
        self.contexts
            .get_mut(&id)
            .ok_or_else(|| wasmtime::format_err!("no context {id}"))
    }
}

/// Everything Envoy offers a module of this ABI, as far as Rust's standard library and SDK can ask for it.
pub(crate) fn link(linker: &mut Linker<Host>) -> wasmtime::Result<()> {
    env::link(linker)?;
    headers::link(linker)?;
    buffers::link(linker)?;
    properties::link(linker)?;
    wasi::link(linker)
}

/// Remembers what Envoy would have refused, and puts the status into the module's terms.
fn answered(caller: &Caller<'_, Host>, call: &str, status: status::Status) -> u32 {
    caller.data().process.note_call(call, status);
    status as u32
}
