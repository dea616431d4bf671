//! Log, clock, shared data, queues, metrics, local replies, foreign functions. Callouts answer that there is no cluster.

use wasmtime::{Caller, Linker};

use super::memory::{decode_pairs, give, read, text, write_u32, write_u64};
use super::status::Status;
use super::{Host, LocalReply, answered};
use crate::process::Kind;

pub(super) fn link(linker: &mut Linker<Host>) -> wasmtime::Result<()> {
    log_and_time(linker)?;
    shared_data(linker)?;
    queues(linker)?;
    metrics(linker)?;
    streams(linker)?;
    callouts(linker)
}

fn log_and_time(linker: &mut Linker<Host>) -> wasmtime::Result<()> {
    linker.func_wrap(
        "env",
        "proxy_log",
        |caller: Caller<'_, Host>, level: u32, message: u32, size: u32| {
            let message = text(&caller, message, size)?;
            caller.data().process.write_log(level, message);
            Ok(Status::Ok as u32)
        },
    )?;
    linker.func_wrap(
        "env",
        "proxy_get_log_level",
        |mut caller: Caller<'_, Host>, level_at: u32| {
            write_u32(&mut caller, level_at, 2)?;
            Ok(Status::Ok as u32)
        },
    )?;
    linker.func_wrap(
        "env",
        "proxy_get_current_time_nanoseconds",
        |mut caller: Caller<'_, Host>, time_at: u32| {
            let now = caller.data().process.now();
            write_u64(&mut caller, time_at, now)?;
            Ok(Status::Ok as u32)
        },
    )?;
    linker.func_wrap(
        "env",
        "proxy_set_tick_period_milliseconds",
        |mut caller: Caller<'_, Host>, period: u32| {
            let host = caller.data_mut();
            let parent = host.context()?.parent;
            let root = if parent == 0 {
                host.effective.unwrap_or(host.current)
            } else {
                parent
            };
            if let Some(root) = host.contexts.get_mut(&root) {
                root.tick_milliseconds = period;
            }
            Ok(Status::Ok as u32)
        },
    )?;
    Ok(())
}

fn shared_data(linker: &mut Linker<Host>) -> wasmtime::Result<()> {
    linker.func_wrap(
        "env",
        "proxy_get_shared_data",
        |mut caller: Caller<'_, Host>, key: u32, key_size: u32, value_at: u32, size_at: u32, cas_at: u32| {
            let key = read(&caller, key, key_size)?;
            let host = caller.data();
            let found = host.process.shared_data().value(&host.vm_id, &key).cloned();
            let Some((value, cas)) = found else {
                return Ok(Status::NotFound as u32);
            };
            give(&mut caller, &value, value_at, size_at)?;
            write_u32(&mut caller, cas_at, cas)?;
            Ok(Status::Ok as u32)
        },
    )?;
    linker.func_wrap(
        "env",
        "proxy_set_shared_data",
        |caller: Caller<'_, Host>, key: u32, key_size: u32, value: u32, size: u32, cas: u32| -> wasmtime::Result<u32> {
            let key = read(&caller, key, key_size)?;
            let value = read(&caller, value, size)?;
            let host = caller.data();
            let status = host.process.shared_data().set(&host.vm_id, key, value, cas);
            Ok(answered(&caller, "proxy_set_shared_data", status))
        },
    )?;
    Ok(())
}

fn queues(linker: &mut Linker<Host>) -> wasmtime::Result<()> {
    linker.func_wrap(
        "env",
        "proxy_register_shared_queue",
        |mut caller: Caller<'_, Host>, name: u32, size: u32, token_at: u32| -> wasmtime::Result<u32> {
            let name = read(&caller, name, size)?;
            let host = caller.data();
            let token = host.process.shared_data().register_queue(&host.vm_id, &name);
            write_u32(&mut caller, token_at, token)?;
            Ok(Status::Ok as u32)
        },
    )?;
    linker.func_wrap(
        "env",
        "proxy_resolve_shared_queue",
        |mut caller: Caller<'_, Host>, vm_id: u32, vm_id_size: u32, name: u32, size: u32, token_at: u32| {
            let vm_id = text(&caller, vm_id, vm_id_size)?;
            let name = read(&caller, name, size)?;
            let host = caller.data();
            let vm_id = if vm_id.is_empty() { &host.vm_id } else { &vm_id };
            let token = host.process.shared_data().queue_token(vm_id, &name);
            let Some(token) = token else {
                return Ok(Status::NotFound as u32);
            };
            write_u32(&mut caller, token_at, token)?;
            Ok(Status::Ok as u32)
        },
    )?;
    linker.func_wrap(
        "env",
        "proxy_dequeue_shared_queue",
        |mut caller: Caller<'_, Host>, token: u32, data_at: u32, size_at: u32| -> wasmtime::Result<u32> {
            let taken = caller
                .data()
                .process
                .shared_data()
                .queue(token)
                .map(|queue| queue.pop_front());
            match taken {
                None => Ok(Status::NotFound as u32),
                Some(None) => Ok(Status::Empty as u32),
                Some(Some(data)) => {
                    give(&mut caller, &data, data_at, size_at)?;
                    Ok(Status::Ok as u32)
                }
            }
        },
    )?;
    linker.func_wrap(
        "env",
        "proxy_enqueue_shared_queue",
        |caller: Caller<'_, Host>, token: u32, data: u32, size: u32| -> wasmtime::Result<u32> {
            let data = read(&caller, data, size)?;
            let sent = caller
                .data()
                .process
                .shared_data()
                .queue(token)
                .map(|queue| queue.push_back(data));
            Ok(if sent.is_some() { Status::Ok } else { Status::NotFound } as u32)
        },
    )?;
    Ok(())
}

fn metrics(linker: &mut Linker<Host>) -> wasmtime::Result<()> {
    linker.func_wrap(
        "env",
        "proxy_define_metric",
        |mut caller: Caller<'_, Host>, kind: u32, name: u32, size: u32, id_at: u32| -> wasmtime::Result<u32> {
            let name = String::from_utf8(read(&caller, name, size)?);
            let (Some(kind_known), Ok(name)) = (Kind::from_abi(kind), name) else {
                return Ok(answered(&caller, "proxy_define_metric", Status::BadArgument));
            };
            let host = caller.data_mut();
            host.process.stats().define(kind_known, &name);
            // The same name again is the same statistic under a new number, as in Envoy.
            host.metrics.push((kind_known, name));
            let id = (host.metrics.len() as u32) << 2 | kind;
            write_u32(&mut caller, id_at, id)?;
            Ok(Status::Ok as u32)
        },
    )?;
    linker.func_wrap(
        "env",
        "proxy_increment_metric",
        |caller: Caller<'_, Host>, id: u32, offset: i64| -> wasmtime::Result<u32> {
            let status = match metric(&caller, id) {
                None => Status::NotFound,
                Some((kind, name)) => caller.data().process.stats().increment(*kind, name, offset),
            };
            Ok(answered(&caller, "proxy_increment_metric", status))
        },
    )?;
    linker.func_wrap(
        "env",
        "proxy_record_metric",
        |caller: Caller<'_, Host>, id: u32, value: u64| -> wasmtime::Result<u32> {
            let status = match metric(&caller, id) {
                None => Status::NotFound,
                Some((kind, name)) => caller.data().process.stats().record(*kind, name, value),
            };
            Ok(answered(&caller, "proxy_record_metric", status))
        },
    )?;
    linker.func_wrap(
        "env",
        "proxy_get_metric",
        |mut caller: Caller<'_, Host>, id: u32, value_at: u32| -> wasmtime::Result<u32> {
            let value = match metric(&caller, id) {
                None => Err(Status::NotFound),
                Some((kind, name)) => caller.data().process.stats().value(*kind, name),
            };
            let status = match value {
                Err(status) => status,
                Ok(value) => {
                    write_u64(&mut caller, value_at, value)?;
                    Status::Ok
                }
            };
            Ok(answered(&caller, "proxy_get_metric", status))
        },
    )?;
    Ok(())
}

fn metric<'c>(caller: &'c Caller<'_, Host>, id: u32) -> Option<&'c (Kind, String)> {
    let index = (id >> 2).checked_sub(1)?;
    caller.data().metrics.get(index as usize)
}

fn streams(linker: &mut Linker<Host>) -> wasmtime::Result<()> {
    linker.func_wrap(
        "env",
        "proxy_send_local_response",
        |mut caller: Caller<'_, Host>,
         status: u32,
         _details: u32,
         _details_size: u32,
         body: u32,
         body_size: u32,
         headers: u32,
         headers_size: u32,
         _grpc_status: i32|
         -> wasmtime::Result<u32> {
            let body = read(&caller, body, body_size)?;
            let headers = decode_pairs(&read(&caller, headers, headers_size)?)?;
            caller.data_mut().context()?.local_reply = Some(LocalReply { status, headers, body });
            Ok(Status::Ok as u32)
        },
    )?;
    linker.func_wrap(
        "env",
        "proxy_continue_stream",
        |mut caller: Caller<'_, Host>, stream: u32| -> wasmtime::Result<u32> {
            let context = caller.data_mut().context()?;
            let status = match context.resumed.get_mut(stream as usize) {
                None => Status::BadArgument,
                Some(resumed) => {
                    *resumed = true;
                    Status::Ok
                }
            };
            Ok(answered(&caller, "proxy_continue_stream", status))
        },
    )?;
    linker.func_wrap(
        "env",
        "proxy_close_stream",
        |mut caller: Caller<'_, Host>, _stream: u32| -> wasmtime::Result<u32> {
            caller.data_mut().context()?.reset = true;
            Ok(Status::Ok as u32)
        },
    )?;
    linker.func_wrap(
        "env",
        "proxy_set_effective_context",
        |mut caller: Caller<'_, Host>, id: u32| {
            let host = caller.data_mut();
            let known = host.contexts.contains_key(&id);
            if known {
                host.effective = Some(id);
            }
            let status = if known { Status::Ok } else { Status::BadArgument };
            answered(&caller, "proxy_set_effective_context", status)
        },
    )?;
    linker.func_wrap("env", "proxy_done", || Status::Ok as u32)?;
    linker.func_wrap(
        "env",
        "proxy_call_foreign_function",
        |mut caller: Caller<'_, Host>,
         name: u32,
         name_size: u32,
         _arguments: u32,
         _arguments_size: u32,
         results_at: u32,
         results_size_at: u32|
         -> wasmtime::Result<u32> {
            let name = text(&caller, name, name_size)?;
            let traffic = caller.data_mut().context()?.traffic.clone();
            let status = match (name.as_str(), traffic) {
                ("clear_route_cache", Some(traffic)) => {
                    traffic.borrow_mut().route_cleared = true;
                    give(&mut caller, &[], results_at, results_size_at)?;
                    Status::Ok
                }
                ("clear_route_cache", None) => Status::BadArgument,
                _ => Status::NotFound,
            };
            Ok(answered(&caller, &format!("{name}_foreign_function"), status))
        },
    )?;
    Ok(())
}

fn callouts(linker: &mut Linker<Host>) -> wasmtime::Result<()> {
    linker.func_wrap(
        "env",
        "proxy_http_call",
        |caller: Caller<'_, Host>, _: u32, _: u32, _: u32, _: u32, _: u32, _: u32, _: u32, _: u32, _: u32, _: u32| {
            answered(&caller, "proxy_http_call", Status::BadArgument)
        },
    )?;
    linker.func_wrap(
        "env",
        "proxy_grpc_call",
        |caller: Caller<'_, Host>,
         _: u32,
         _: u32,
         _: u32,
         _: u32,
         _: u32,
         _: u32,
         _: u32,
         _: u32,
         _: u32,
         _: u32,
         _: u32,
         _: u32| { answered(&caller, "proxy_grpc_call", Status::ParseFailure) },
    )?;
    linker.func_wrap(
        "env",
        "proxy_grpc_stream",
        |caller: Caller<'_, Host>, _: u32, _: u32, _: u32, _: u32, _: u32, _: u32, _: u32, _: u32, _: u32| {
            answered(&caller, "proxy_grpc_stream", Status::ParseFailure)
        },
    )?;
    linker.func_wrap("env", "proxy_grpc_send", |_: u32, _: u32, _: u32, _: u32| {
        Status::NotFound as u32
    })?;
    linker.func_wrap("env", "proxy_grpc_cancel", |_: u32| Status::NotFound as u32)?;
    linker.func_wrap("env", "proxy_grpc_close", |_: u32| Status::NotFound as u32)?;
    linker.func_wrap(
        "env",
        "proxy_get_status",
        |mut caller: Caller<'_, Host>, code_at: u32, message_at: u32, size_at: u32| -> wasmtime::Result<u32> {
            write_u32(&mut caller, code_at, 0)?;
            give(&mut caller, &[], message_at, size_at)?;
            Ok(Status::Ok as u32)
        },
    )?;
    Ok(())
}
