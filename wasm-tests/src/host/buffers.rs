//! Bodies and the configuration. A body can be changed in three ways only: put something in front, put something
//! behind, replace the whole. Envoy 1.40 also replaces a part at the front, older ones refuse that: so does this host.

use wasmtime::{Caller, Linker};

use super::memory::{give, read};
use super::status::Status;
use super::{Host, answered};

const REQUEST_BODY: u32 = 0;
const RESPONSE_BODY: u32 = 1;
const VM_CONFIGURATION: u32 = 6;
const PLUGIN_CONFIGURATION: u32 = 7;

pub(super) fn link(linker: &mut Linker<Host>) -> wasmtime::Result<()> {
    linker.func_wrap(
        "env",
        "proxy_get_buffer_bytes",
        |mut caller: Caller<'_, Host>, buffer: u32, start: u32, length: u32, data_at: u32, size_at: u32| {
            let Some(bytes) = bytes(&mut caller, buffer)? else {
                return Ok(answered(&caller, "proxy_get_buffer_bytes", Status::NotFound));
            };
            let end = (start as usize).saturating_add(length as usize).min(bytes.len());
            let slice = bytes.get(start as usize..end).unwrap_or_default();
            give(&mut caller, slice, data_at, size_at)?;
            Ok(answered(&caller, "proxy_get_buffer_bytes", Status::Ok))
        },
    )?;
    linker.func_wrap(
        "env",
        "proxy_get_buffer_status",
        |mut caller: Caller<'_, Host>, buffer: u32, length_at: u32, flags_at: u32| -> wasmtime::Result<u32> {
            let Some(bytes) = bytes(&mut caller, buffer)? else {
                return Ok(answered(&caller, "proxy_get_buffer_status", Status::NotFound));
            };
            super::memory::write_u32(&mut caller, length_at, bytes.len() as u32)?;
            super::memory::write_u32(&mut caller, flags_at, 0)?;
            Ok(answered(&caller, "proxy_get_buffer_status", Status::Ok))
        },
    )?;
    linker.func_wrap(
        "env",
        "proxy_set_buffer_bytes",
        |mut caller: Caller<'_, Host>, buffer: u32, start: u32, length: u32, data: u32, size: u32| {
            let data = read(&caller, data, size)?;
            let context = caller.data_mut().context()?;
            let body = match buffer {
                REQUEST_BODY => Some(&mut context.request_body),
                RESPONSE_BODY => Some(&mut context.response_body),
                _ => None,
            };
            let status = match body {
                Some(body) if body.present => put(&mut body.bytes, start as usize, length as usize, data),
                _ => Status::BadArgument,
            };
            Ok(answered(&caller, "proxy_set_buffer_bytes", status))
        },
    )?;
    Ok(())
}

/// Envoy's rule for changing a body buffer.
fn put(buffer: &mut Vec<u8>, start: usize, length: usize, data: Vec<u8>) -> Status {
    if start == 0 && length == 0 {
        buffer.splice(0..0, data);
    } else if start == 0 && length >= buffer.len() {
        *buffer = data;
    } else if start > 0 && start >= buffer.len() {
        buffer.extend(data);
    } else {
        return Status::BadArgument;
    }
    Status::Ok
}

fn bytes(caller: &mut Caller<'_, Host>, buffer: u32) -> wasmtime::Result<Option<Vec<u8>>> {
    let host = caller.data_mut();
    Ok(match buffer {
        REQUEST_BODY => Some(host.context()?.request_body.bytes.clone()),
        RESPONSE_BODY => Some(host.context()?.response_body.bytes.clone()),
        VM_CONFIGURATION => Some(Vec::new()),
        PLUGIN_CONFIGURATION => host.plugin_configuration.clone(),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_prepended_appended_or_replaced_and_nothing_else() {
        let put_into = |start, length| {
            let mut buffer = b"body".to_vec();
            let status = put(&mut buffer, start, length, b"+".to_vec());
            (status, String::from_utf8(buffer).unwrap())
        };
        assert_eq!(put_into(0, 0), (Status::Ok, "+body".into()));
        assert_eq!(put_into(0, 4), (Status::Ok, "+".into()));
        assert_eq!(put_into(0, 9), (Status::Ok, "+".into()));
        assert_eq!(put_into(4, 0), (Status::Ok, "body+".into()));
        assert_eq!(put_into(0, 2), (Status::BadArgument, "body".into()));
        assert_eq!(put_into(1, 3), (Status::BadArgument, "body".into()));
    }
}
