//! The calls to the host.
//!
//! In and out: plain values. The SDK's own wrappers of these calls panic on a status they do not expect, and a panic
//! takes down every stream of the worker; so the calls that serve requests are declared here once more, and a status
//! other than OK is an [`Error`] that is counted and survived.
//!
//! Source: the proxy-wasm ABI 0.2.1 specification.

use core::ptr::{null, null_mut};

use crate::fault::Answer;
use crate::headers::Headers;
use crate::metrics::Kind;
use crate::pipeline::{Departure, Now};

/// A call that the host refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Error {
    /// The call, as the label under which it is counted.
    pub(super) call: &'static str,
    /// The status, in the numbers of the ABI.
    pub(super) status: u32,
}

/// Which message of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    /// From the client to the provider.
    Request,
    /// From the provider to the client.
    Response,
}

impl Side {
    fn buffer(self) -> u32 {
        match self {
            Self::Request => 0,
            Self::Response => 1,
        }
    }

    fn header_map(self) -> u32 {
        match self {
            Self::Request => 0,
            Self::Response => 2,
        }
    }
}

const OK: u32 = 0;
const NOT_FOUND: u32 = 1;
const CAS_MISMATCH: u32 = 8;

/// A compare-and-swap value that no entry ever has: writing with it creates, and never overwrites.
const NEVER: u32 = u32::MAX;

#[link(wasm_import_module = "env")]
unsafe extern "C" {
    fn proxy_get_current_time_nanoseconds(time: *mut u64) -> u32;
    fn proxy_get_buffer_bytes(buffer: u32, start: usize, most: usize, data: *mut *mut u8, size: *mut usize) -> u32;
    fn proxy_set_buffer_bytes(buffer: u32, start: usize, size: usize, data: *const u8, data_size: usize) -> u32;
    fn proxy_get_header_map_pairs(map: u32, data: *mut *mut u8, size: *mut usize) -> u32;
    fn proxy_get_header_map_value(
        map: u32,
        name: *const u8,
        name_size: usize,
        data: *mut *mut u8,
        size: *mut usize,
    ) -> u32;
    fn proxy_replace_header_map_value(
        map: u32,
        name: *const u8,
        name_size: usize,
        value: *const u8,
        value_size: usize,
    ) -> u32;
    fn proxy_remove_header_map_value(map: u32, name: *const u8, name_size: usize) -> u32;
    fn proxy_get_property(path: *const u8, path_size: usize, data: *mut *mut u8, size: *mut usize) -> u32;
    fn proxy_set_property(path: *const u8, path_size: usize, value: *const u8, value_size: usize) -> u32;
    fn proxy_get_shared_data(
        key: *const u8,
        key_size: usize,
        data: *mut *mut u8,
        size: *mut usize,
        cas: *mut u32,
    ) -> u32;
    fn proxy_set_shared_data(key: *const u8, key_size: usize, value: *const u8, value_size: usize, cas: u32) -> u32;
    fn proxy_send_local_response(
        status: u32,
        details: *const u8,
        details_size: usize,
        body: *const u8,
        body_size: usize,
        headers: *const u8,
        headers_size: usize,
        grpc_status: i32,
    ) -> u32;
    fn proxy_call_foreign_function(
        name: *const u8,
        name_size: usize,
        arguments: *const u8,
        arguments_size: usize,
        results: *mut *mut u8,
        results_size: *mut usize,
    ) -> u32;
    fn proxy_define_metric(kind: u32, name: *const u8, name_size: usize, id: *mut u32) -> u32;
    fn proxy_record_metric(id: u32, value: u64) -> u32;
    fn proxy_increment_metric(id: u32, offset: i64) -> u32;
}

/// The wall clock; the beginning of 1970 should the host have none.
pub(super) fn now() -> Now {
    let mut time = 0;
    // SAFETY: the host writes one u64 to the address it is given.
    unsafe { proxy_get_current_time_nanoseconds(&mut time) };
    Now(time)
}

#[link(wasm_import_module = "wasi_snapshot_preview1")]
unsafe extern "C" {
    fn clock_time_get(clock: u32, precision: u64, time: *mut u64) -> u32;
}

/// Milliseconds of a clock that all workers share and that nobody sets.
pub(super) fn steady() -> u64 {
    const MONOTONIC: u32 = 1;
    let mut time = 0;
    // SAFETY: the host writes one u64 to the address it is given.
    unsafe { clock_time_get(MONOTONIC, 1, &mut time) };
    time / 1_000_000
}

/// All headers of a message.
pub(super) fn headers(side: Side) -> Result<Headers, Error> {
    // SAFETY: `returned` keeps the contract of calls that return bytes.
    let block = unsafe {
        returned("get_headers", |data, size| {
            proxy_get_header_map_pairs(side.header_map(), data, size)
        })
    }?;
    Ok(Headers::from_block(block.unwrap_or_default()))
}

/// One header of a message, as text.
pub(super) fn header(side: Side, name: &str) -> Option<String> {
    // SAFETY: as above; `name` outlives the call.
    let value = unsafe {
        returned("get_header", |data, size| {
            proxy_get_header_map_value(side.header_map(), name.as_ptr(), name.len(), data, size)
        })
    };
    value.ok().flatten().and_then(|value| String::from_utf8(value).ok())
}

/// Sets one header, in place of all of that name. Only while the message's headers are held.
pub(super) fn set_header(side: Side, name: &str, value: &str) -> Result<(), Error> {
    // SAFETY: both texts outlive the call.
    let status = unsafe {
        proxy_replace_header_map_value(
            side.header_map(),
            name.as_ptr(),
            name.len(),
            value.as_ptr(),
            value.len(),
        )
    };
    done("set_header", status)
}

/// Removes all headers of a name. Only while the message's headers are held.
pub(super) fn remove_header(side: Side, name: &str) -> Result<(), Error> {
    // SAFETY: the name outlives the call.
    done("remove_header", unsafe {
        proxy_remove_header_map_value(side.header_map(), name.as_ptr(), name.len())
    })
}

/// Changes the headers of the request as its departure says.
pub(super) fn depart(departure: &Departure) -> Result<(), Error> {
    for name in &departure.remove {
        remove_header(Side::Request, name)?;
    }
    for (name, value) in &departure.set {
        set_header(Side::Request, name, value)?;
    }
    Ok(())
}

/// The bytes of a body that the current callback is about: the chunk, or all that was held.
pub(super) fn body(side: Side, size: usize) -> Result<Vec<u8>, Error> {
    body_from(side, 0, size)
}

/// The same from a byte on.
pub(super) fn body_from(side: Side, start: usize, size: usize) -> Result<Vec<u8>, Error> {
    if size == 0 {
        return Ok(Vec::new());
    }
    // SAFETY: as for `headers`.
    let bytes = unsafe {
        returned("get_body", |data, length| {
            proxy_get_buffer_bytes(side.buffer(), start, size, data, length)
        })
    }?;
    Ok(bytes.unwrap_or_default())
}

/// Puts bytes in the place of the `size` bytes that the current callback is about.
pub(super) fn replace_body(side: Side, size: usize, bytes: &[u8]) -> Result<(), Error> {
    // SAFETY: the bytes outlive the call.
    done("set_body", unsafe {
        proxy_set_buffer_bytes(side.buffer(), 0, size, bytes.as_ptr(), bytes.len())
    })
}

/// The plugin's configuration. Only while it is being configured.
pub(super) fn configuration() -> Result<Vec<u8>, Error> {
    const PLUGIN_CONFIGURATION: u32 = 7;
    // SAFETY: as for `headers`.
    let bytes = unsafe {
        returned("get_configuration", |data, size| {
            proxy_get_buffer_bytes(PLUGIN_CONFIGURATION, 0, usize::MAX, data, size)
        })
    }?;
    Ok(bytes.unwrap_or_default())
}

/// A property of the request or of its processing; its path's parts are joined by zero bytes.
pub(super) fn property(path: &str) -> Option<Vec<u8>> {
    // SAFETY: as for `headers`; the path outlives the call.
    unsafe {
        returned("get_property", |data, size| {
            proxy_get_property(path.as_ptr(), path.len(), data, size)
        })
    }
    .ok()
    .flatten()
}

/// The number of the host's latest attempt at the request, counted from 1. `None`: none began, or the host does not tell.
pub(super) fn attempt() -> Option<usize> {
    let number = property("upstream\0request_attempt_count")?;
    let number = u64::from_le_bytes(number.try_into().ok()?);
    usize::try_from(number).ok().filter(|number| *number > 0)
}

/// Publishes a property of the request, as filter state `wasm.<name>`.
pub(super) fn set_property(name: &str, value: &str) -> Result<(), Error> {
    // SAFETY: both texts outlive the call.
    done("set_property", unsafe {
        proxy_set_property(name.as_ptr(), name.len(), value.as_ptr(), value.len())
    })
}

/// Has Envoy choose the route and the cluster anew. Only while the request's headers are held.
pub(super) fn clear_route_cache() -> Result<(), Error> {
    const NAME: &str = "clear_route_cache";
    let (mut results, mut size) = (null_mut(), 0);
    // SAFETY: the name outlives the call, and results are taken back below.
    let status = unsafe { proxy_call_foreign_function(NAME.as_ptr(), NAME.len(), null(), 0, &mut results, &mut size) };
    // SAFETY: what the host returned was allocated by this module for the call.
    drop(unsafe { taken(results, size) });
    done(NAME, status)
}

/// Answers the request by itself.
pub(super) fn answer(answer: &Answer) -> Result<(), Error> {
    let Answer { status, headers, body } = answer;
    let block = Headers::from_pairs(headers.iter().map(|(name, value)| (*name, value.as_str()))).into_block();
    // SAFETY: body and headers outlive the call.
    let status = unsafe {
        proxy_send_local_response(
            u32::from(*status),
            null(),
            0,
            body.as_ptr(),
            body.len(),
            block.as_ptr(),
            block.len(),
            -1,
        )
    };
    done("send_local_response", status)
}

/// A value that all VMs share, and its version.
pub(super) fn shared(key: &str) -> Option<(Vec<u8>, u32)> {
    let mut version = 0;
    // SAFETY: as for `headers`; key and version outlive the call.
    let value = unsafe {
        returned("get_shared_data", |data, size| {
            proxy_get_shared_data(key.as_ptr(), key.len(), data, size, &mut version)
        })
    };
    value.ok().flatten().map(|value| (value, version))
}

/// Writes a shared value if it still has that version; without one, if there is none yet. `Ok(false)`: somebody else
/// was first.
pub(super) fn set_shared(key: &str, value: &[u8], version: Option<u32>) -> Result<bool, Error> {
    let version = version.unwrap_or(NEVER);
    // SAFETY: key and value outlive the call.
    match unsafe { proxy_set_shared_data(key.as_ptr(), key.len(), value.as_ptr(), value.len(), version) } {
        CAS_MISMATCH => Ok(false),
        status => done("set_shared_data", status).map(|()| true),
    }
}

/// The id of a metric of that name, defined if need be. Each call costs a little memory for ever: keep the id.
pub(super) fn define_metric(kind: Kind, name: &str) -> Result<u32, Error> {
    let kind = match kind {
        Kind::Counter => 0,
        Kind::Gauge => 1,
        Kind::Histogram => 2,
    };
    let mut id = 0;
    // SAFETY: the name and the id outlive the call.
    done("define_metric", unsafe {
        proxy_define_metric(kind, name.as_ptr(), name.len(), &mut id)
    })?;
    Ok(id)
}

/// Sets a gauge, or records in a histogram.
pub(super) fn record_metric(id: u32, value: u64) -> Result<(), Error> {
    // SAFETY: plain numbers.
    done("record_metric", unsafe { proxy_record_metric(id, value) })
}

/// Adds to a counter (never 0 or less) or a gauge.
pub(super) fn increment_metric(id: u32, by: i64) -> Result<(), Error> {
    // SAFETY: plain numbers.
    done("increment_metric", unsafe { proxy_increment_metric(id, by) })
}

fn done(call: &'static str, status: u32) -> Result<(), Error> {
    match status {
        OK => Ok(()),
        status => Err(Error { call, status }),
    }
}

/// Makes a call that returns bytes. `Ok(None)`: there are none.
///
/// # Safety
///
/// The call must write to its two arguments either nothing or the address and size of memory that this module
/// allocated for it (`proxy_on_memory_allocate`), and give it up.
unsafe fn returned(
    call: &'static str,
    make: impl FnOnce(*mut *mut u8, *mut usize) -> u32,
) -> Result<Option<Vec<u8>>, Error> {
    let (mut data, mut size) = (null_mut(), 0);
    let status = make(&mut data, &mut size);
    // SAFETY: the caller's promise.
    let bytes = unsafe { taken(data, size) };
    match status {
        OK => Ok(bytes),
        NOT_FOUND => Ok(None),
        status => Err(Error { call, status }),
    }
}

/// # Safety
///
/// `data` is null or memory of `size` bytes that this module allocated as a boxed slice and that nobody else owns.
unsafe fn taken(data: *mut u8, size: usize) -> Option<Vec<u8>> {
    // SAFETY: the caller's promise.
    (!data.is_null()).then(|| unsafe { Vec::from_raw_parts(data, size, size) })
}
