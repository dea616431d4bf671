//! Properties: a stream's own filter state (written as `key`, kept as `wasm.key`, shared by the filters of both roles),
//! and facts of the stream by their CEL names.

use wasmtime::{Caller, Linker};

use super::memory::{give, read};
use super::status::Status;
use super::{Host, answered};

/// First parts of paths that Envoy knows; filter state of such a name can be written but not read back.
const KNOWN: [&str; 20] = [
    "metadata",
    "request",
    "response",
    "connection",
    "upstream",
    "node",
    "source",
    "destination",
    "listener_direction",
    "listener_metadata",
    "cluster_name",
    "cluster_metadata",
    "route_name",
    "route_metadata",
    "plugin_name",
    "upstream_host_metadata",
    "plugin_vm_id",
    "connection_id",
    "filter_state",
    "xds",
];

pub(super) fn link(linker: &mut Linker<Host>) -> wasmtime::Result<()> {
    linker.func_wrap(
        "env",
        "proxy_get_property",
        |mut caller: Caller<'_, Host>,
         path: u32,
         path_size: u32,
         value_at: u32,
         size_at: u32|
         -> wasmtime::Result<u32> {
            let path = read(&caller, path, path_size)?;
            let Some(value) = property(&mut caller, &path)? else {
                return Ok(Status::NotFound as u32);
            };
            give(&mut caller, &value, value_at, size_at)?;
            Ok(Status::Ok as u32)
        },
    )?;
    linker.func_wrap(
        "env",
        "proxy_set_property",
        |mut caller: Caller<'_, Host>, path: u32, path_size: u32, value: u32, size: u32| -> wasmtime::Result<u32> {
            let mut key = b"wasm.".to_vec();
            key.extend(read(&caller, path, path_size)?);
            let value = read(&caller, value, size)?;
            let status = match &caller.data_mut().context()?.traffic {
                // Outside a stream there is nothing to keep it in; the SDK panics on this answer.
                None => Status::BadArgument,
                Some(traffic) => {
                    traffic.borrow_mut().filter_state.insert(key, value);
                    Status::Ok
                }
            };
            Ok(answered(&caller, "proxy_set_property", status))
        },
    )?;
    Ok(())
}

fn property(caller: &mut Caller<'_, Host>, path: &[u8]) -> wasmtime::Result<Option<Vec<u8>>> {
    let vm_id = caller.data().vm_id.clone();
    let context = caller.data_mut().context()?;
    let parts: Vec<&[u8]> = path.split(|byte| *byte == 0).collect();
    let dotted = String::from_utf8_lossy(path).trim_end_matches('\0').replace('\0', ".");
    match dotted.as_str() {
        "plugin_root_id" | "plugin_name" => return Ok(Some(context.root_id.clone().into_bytes())),
        "plugin_vm_id" => return Ok(Some(vm_id.into_bytes())),
        _ => {}
    }
    let Some(traffic) = &context.traffic else {
        return Ok(None);
    };
    let traffic = traffic.borrow();
    Ok(match parts.as_slice() {
        [b"filter_state", key] => traffic.filter_state.get(*key).cloned(),
        [b"request", b"headers", name] => traffic
            .request_headers
            .first(&String::from_utf8_lossy(name))
            .map(<[u8]>::to_vec),
        [b"request", b"path"] => traffic.request_headers.first(":path").map(<[u8]>::to_vec),
        [b"request", b"method"] => traffic.request_headers.first(":method").map(<[u8]>::to_vec),
        [b"request", b"host"] => traffic.request_headers.first(":authority").map(<[u8]>::to_vec),
        [b"request", b"scheme"] => traffic.request_headers.first(":scheme").map(<[u8]>::to_vec),
        [b"request", b"id"] => traffic.request_headers.first("x-request-id").map(<[u8]>::to_vec),
        [b"response", b"headers", name] => traffic
            .response_headers
            .first(&String::from_utf8_lossy(name))
            .map(<[u8]>::to_vec),
        [first, ..] if KNOWN.iter().any(|known| known.as_bytes() == *first) => traffic.facts.get(&dotted).cloned(),
        [key] => traffic
            .filter_state
            .get([b"wasm.".as_slice(), key].concat().as_slice())
            .cloned(),
        _ => None,
    })
}
