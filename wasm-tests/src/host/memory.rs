//! Bytes across the border: in and out of the module's memory, and header pairs as the ABI writes them.

use wasmtime::Caller;

use super::Host;

/// Bytes the module points at. An address outside its memory is a trap.
pub(super) fn read(caller: &Caller<'_, Host>, address: u32, length: u32) -> wasmtime::Result<Vec<u8>> {
    if length == 0 {
        return Ok(Vec::new());
    }
    let memory = caller
        .data()
        .memory
        .ok_or_else(|| wasmtime::format_err!("the module has no memory"))?;
    let start = address as usize;
    memory
        .data(caller)
        .get(start..start.saturating_add(length as usize))
        .map(<[u8]>::to_vec)
        .ok_or_else(|| wasmtime::format_err!("{length} bytes at {address} are not in the module's memory"))
}

/// The same as text; names and log lines are text.
pub(super) fn text(caller: &Caller<'_, Host>, address: u32, length: u32) -> wasmtime::Result<String> {
    Ok(String::from_utf8_lossy(&read(caller, address, length)?).into_owned())
}

pub(super) fn write(caller: &mut Caller<'_, Host>, address: u32, bytes: &[u8]) -> wasmtime::Result<()> {
    let memory = caller
        .data()
        .memory
        .ok_or_else(|| wasmtime::format_err!("the module has no memory"))?;
    memory
        .write(caller, address as usize, bytes)
        .map_err(wasmtime::Error::from)
}

pub(super) fn write_u32(caller: &mut Caller<'_, Host>, address: u32, value: u32) -> wasmtime::Result<()> {
    write(caller, address, &value.to_le_bytes())
}

pub(super) fn write_u64(caller: &mut Caller<'_, Host>, address: u32, value: u64) -> wasmtime::Result<()> {
    write(caller, address, &value.to_le_bytes())
}

/// Hands bytes over in memory the module allocates; no bytes are a null pointer.
pub(super) fn give(
    caller: &mut Caller<'_, Host>,
    bytes: &[u8],
    address_at: u32,
    length_at: u32,
) -> wasmtime::Result<()> {
    let mut address = 0;
    if !bytes.is_empty() {
        let allocate = caller.data().allocate.clone();
        let allocate = allocate.ok_or_else(|| wasmtime::format_err!("the module cannot allocate yet"))?;
        address = allocate.call(&mut *caller, bytes.len() as u32)?;
        write(caller, address, bytes)?;
    }
    write_u32(caller, address_at, address)?;
    write_u32(caller, length_at, bytes.len() as u32)
}

/// Count, then the two lengths of each pair, then each name and value with a zero behind it.
pub(super) fn encode_pairs<'a>(pairs: impl Iterator<Item = (&'a str, &'a [u8])> + Clone) -> Vec<u8> {
    let mut bytes = (pairs.clone().count() as u32).to_le_bytes().to_vec();
    for (name, value) in pairs.clone() {
        bytes.extend((name.len() as u32).to_le_bytes());
        bytes.extend((value.len() as u32).to_le_bytes());
    }
    for (name, value) in pairs {
        bytes.extend(name.as_bytes());
        bytes.push(0);
        bytes.extend(value);
        bytes.push(0);
    }
    bytes
}

/// The reverse of [`encode_pairs`].
pub(super) fn decode_pairs(bytes: &[u8]) -> wasmtime::Result<Vec<(String, Vec<u8>)>> {
    let broken = || wasmtime::format_err!("these are not header pairs");
    let number = |place: usize| -> Option<usize> {
        let bytes = bytes.get(place..place + 4)?;
        Some(u32::from_le_bytes(bytes.try_into().ok()?) as usize)
    };
    if bytes.is_empty() {
        return Ok(Vec::new());
    }
    let count = number(0).ok_or_else(broken)?;
    let mut at = 4 + 8 * count;
    let mut pairs = Vec::new();
    for pair in 0..count {
        let name_length = number(4 + 8 * pair).ok_or_else(broken)?;
        let value_length = number(8 + 8 * pair).ok_or_else(broken)?;
        let name = bytes.get(at..at + name_length).ok_or_else(broken)?;
        at += name_length + 1;
        let value = bytes.get(at..at + value_length).ok_or_else(broken)?;
        at += value_length + 1;
        pairs.push((String::from_utf8_lossy(name).into_owned(), value.to_vec()));
    }
    Ok(pairs)
}
