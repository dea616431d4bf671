//! Header maps. A map is within reach from its callback until a callback lets it go; writing beyond that is refused,
//! and so is reading a single header, while reading *all* headers of a map out of reach gives none.

use std::cell::RefCell;
use std::rc::Rc;

use wasmtime::{Caller, Linker};

use super::memory::{decode_pairs, encode_pairs, give, read, text};
use super::status::Status;
use super::{Host, Traffic, answered};
use crate::headers::Headers;

pub(super) fn link(linker: &mut Linker<Host>) -> wasmtime::Result<()> {
    linker.func_wrap(
        "env",
        "proxy_get_header_map_pairs",
        |mut caller: Caller<'_, Host>, map: u32, data_at: u32, size_at: u32| -> wasmtime::Result<u32> {
            let headers = reach(&mut caller, map, false)?.map(|(traffic, map)| map.of(&traffic.borrow()).clone());
            let headers = headers.unwrap_or_default();
            let bytes = if headers.is_empty() {
                Vec::new()
            } else {
                encode_pairs(headers.iter())
            };
            give(&mut caller, &bytes, data_at, size_at)?;
            Ok(answered(&caller, "proxy_get_header_map_pairs", Status::Ok))
        },
    )?;
    linker.func_wrap(
        "env",
        "proxy_set_header_map_pairs",
        |mut caller: Caller<'_, Host>, map: u32, data: u32, size: u32| -> wasmtime::Result<u32> {
            let pairs = decode_pairs(&read(&caller, data, size)?)?;
            let status = change(&mut caller, map, |headers| {
                *headers = Headers::default();
                for (name, value) in pairs {
                    headers.add(&name, value);
                }
            })?;
            Ok(answered(&caller, "proxy_set_header_map_pairs", status))
        },
    )?;
    linker.func_wrap(
        "env",
        "proxy_get_header_map_value",
        |mut caller: Caller<'_, Host>, map: u32, key: u32, key_size: u32, value_at: u32, size_at: u32| {
            let name = text(&caller, key, key_size)?;
            let status = match reach(&mut caller, map, false)? {
                None => Status::BadArgument,
                Some((traffic, map)) => {
                    let value = map.of(&traffic.borrow()).first(&name).map(<[u8]>::to_vec);
                    match value {
                        None => Status::NotFound,
                        Some(value) => {
                            give(&mut caller, &value, value_at, size_at)?;
                            Status::Ok
                        }
                    }
                }
            };
            let call = format!("proxy_get_header_map_value({name})");
            Ok(answered(&caller, &call, status))
        },
    )?;
    linker.func_wrap(
        "env",
        "proxy_get_header_map_size",
        |mut caller: Caller<'_, Host>, map: u32, size_at: u32| -> wasmtime::Result<u32> {
            let size = reach(&mut caller, map, false)?.map(|(traffic, map)| {
                map.of(&traffic.borrow())
                    .iter()
                    .map(|(name, value)| name.len() + value.len())
                    .sum::<usize>()
            });
            let status = match size {
                None => Status::BadArgument,
                Some(size) => {
                    super::memory::write_u32(&mut caller, size_at, size as u32)?;
                    Status::Ok
                }
            };
            Ok(answered(&caller, "proxy_get_header_map_size", status))
        },
    )?;
    linker.func_wrap(
        "env",
        "proxy_add_header_map_value",
        |mut caller: Caller<'_, Host>, map: u32, key: u32, key_size: u32, value: u32, value_size: u32| {
            let name = text(&caller, key, key_size)?;
            let value = read(&caller, value, value_size)?;
            let status = change(&mut caller, map, |headers| headers.add(&name, value))?;
            let call = format!("proxy_add_header_map_value({name})");
            Ok(answered(&caller, &call, status))
        },
    )?;
    linker.func_wrap(
        "env",
        "proxy_replace_header_map_value",
        |mut caller: Caller<'_, Host>, map: u32, key: u32, key_size: u32, value: u32, value_size: u32| {
            let name = text(&caller, key, key_size)?;
            let value = read(&caller, value, value_size)?;
            let status = change(&mut caller, map, |headers| headers.set(&name, value))?;
            let call = format!("proxy_replace_header_map_value({name})");
            Ok(answered(&caller, &call, status))
        },
    )?;
    linker.func_wrap(
        "env",
        "proxy_remove_header_map_value",
        |mut caller: Caller<'_, Host>, map: u32, key: u32, key_size: u32| -> wasmtime::Result<u32> {
            let name = text(&caller, key, key_size)?;
            let status = change(&mut caller, map, |headers| headers.remove(&name))?;
            let call = format!("proxy_remove_header_map_value({name})");
            Ok(answered(&caller, &call, status))
        },
    )?;
    Ok(())
}

#[derive(Clone, Copy)]
enum Map {
    RequestHeaders,
    RequestTrailers,
    ResponseHeaders,
    ResponseTrailers,
}

impl Map {
    fn of(self, traffic: &Traffic) -> &Headers {
        match self {
            Self::RequestHeaders => &traffic.request_headers,
            Self::RequestTrailers => &traffic.request_trailers,
            Self::ResponseHeaders => &traffic.response_headers,
            Self::ResponseTrailers => &traffic.response_trailers,
        }
    }

    fn of_mut(self, traffic: &mut Traffic) -> &mut Headers {
        match self {
            Self::RequestHeaders => &mut traffic.request_headers,
            Self::RequestTrailers => &mut traffic.request_trailers,
            Self::ResponseHeaders => &mut traffic.response_headers,
            Self::ResponseTrailers => &mut traffic.response_trailers,
        }
    }
}

/// The map, if the calling context reaches it.
fn reach(
    caller: &mut Caller<'_, Host>,
    map: u32,
    to_write: bool,
) -> wasmtime::Result<Option<(Rc<RefCell<Traffic>>, Map)>> {
    let context = caller.data_mut().context()?;
    let reach = context.reach;
    let (within, map) = match map {
        0 => (reach.request_headers, Map::RequestHeaders),
        1 => (reach.request_trailers, Map::RequestTrailers),
        2 => (reach.response_headers, Map::ResponseHeaders),
        3 => (reach.response_trailers, Map::ResponseTrailers),
        _ => return Ok(None),
    };
    let within = within || (reach.logging && !to_write);
    Ok(context.traffic.clone().filter(|_| within).map(|traffic| (traffic, map)))
}

fn change(caller: &mut Caller<'_, Host>, map: u32, edit: impl FnOnce(&mut Headers)) -> wasmtime::Result<Status> {
    let Some((traffic, map)) = reach(caller, map, true)? else {
        return Ok(Status::BadArgument);
    };
    let [request_left, response_left] = caller.data_mut().context()?.headers_left;
    let late = match map {
        Map::RequestHeaders => request_left,
        Map::ResponseHeaders => response_left,
        Map::RequestTrailers | Map::ResponseTrailers => false,
    };
    let mut traffic = traffic.borrow_mut();
    let before = map.of(&traffic).clone();
    edit(map.of_mut(&mut traffic));
    if late && before != *map.of(&traffic) {
        caller
            .data()
            .process
            .complain("a header was changed after the headers had left".to_owned());
    }
    Ok(Status::Ok)
}
