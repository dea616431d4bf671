//! The part of WASI that Rust's standard library imports, answered as Envoy answers it: standard output and error go to
//! the log, there are no files and no arguments, the clocks are the process's.

use wasmtime::{Caller, Linker};

use super::Host;
use super::memory::{read, write, write_u32, write_u64};

const MODULE: &str = "wasi_snapshot_preview1";
const SUCCESS: u32 = 0;
const BADF: u32 = 8;
const NOENT: u32 = 44;
const NOSYS: u32 = 52;
const NOTSUP: u32 = 58;

pub(super) fn link(linker: &mut Linker<Host>) -> wasmtime::Result<()> {
    linker.func_wrap(
        MODULE,
        "fd_write",
        |mut caller: Caller<'_, Host>, fd: u32, parts: u32, count: u32, written_at: u32| {
            let level = match fd {
                1 => 2,
                2 => 4,
                _ => return Ok(BADF),
            };
            let mut line = Vec::new();
            for part in read(&caller, parts, count.saturating_mul(8))?.chunks_exact(8) {
                let (address, length) = part.split_at(4);
                let number = |bytes: &[u8]| bytes.iter().rev().fold(0, |sum, byte| sum << 8 | u32::from(*byte));
                line.extend(read(&caller, number(address), number(length))?);
            }
            write_u32(&mut caller, written_at, line.len() as u32)?;
            let line = String::from_utf8_lossy(&line).trim_end_matches('\n').to_owned();
            caller.data().process.write_log(level, line);
            wasmtime::Result::Ok(SUCCESS)
        },
    )?;
    linker.func_wrap(
        MODULE,
        "environ_sizes_get",
        |mut caller: Caller<'_, Host>, count_at: u32, size_at: u32| {
            let env = &caller.data().env;
            let (count, size) = (
                env.len(),
                env.iter()
                    .map(|(name, value)| name.len() + value.len() + 2)
                    .sum::<usize>(),
            );
            write_u32(&mut caller, count_at, count as u32)?;
            write_u32(&mut caller, size_at, size as u32)?;
            wasmtime::Result::Ok(SUCCESS)
        },
    )?;
    linker.func_wrap(
        MODULE,
        "environ_get",
        |mut caller: Caller<'_, Host>, mut pointer_at: u32, mut text_at: u32| {
            for (name, value) in caller.data().env.clone() {
                let entry = format!("{name}={value}\0");
                write_u32(&mut caller, pointer_at, text_at)?;
                write(&mut caller, text_at, entry.as_bytes())?;
                pointer_at += 4;
                text_at += entry.len() as u32;
            }
            wasmtime::Result::Ok(SUCCESS)
        },
    )?;
    linker.func_wrap(
        MODULE,
        "args_sizes_get",
        |mut caller: Caller<'_, Host>, count_at: u32, size_at: u32| {
            write_u32(&mut caller, count_at, 0)?;
            write_u32(&mut caller, size_at, 0)?;
            wasmtime::Result::Ok(SUCCESS)
        },
    )?;
    linker.func_wrap(MODULE, "args_get", |_: u32, _: u32| SUCCESS)?;
    linker.func_wrap(
        MODULE,
        "clock_time_get",
        |mut caller: Caller<'_, Host>, clock: u32, _: u64, time_at: u32| {
            if clock > 1 {
                return Ok(NOTSUP);
            }
            let process = &caller.data().process;
            let now = if clock == 0 { process.now() } else { process.steady() };
            write_u64(&mut caller, time_at, now)?;
            wasmtime::Result::Ok(SUCCESS)
        },
    )?;
    linker.func_wrap(
        MODULE,
        "clock_res_get",
        |mut caller: Caller<'_, Host>, clock: u32, resolution_at: u32| {
            if clock > 1 {
                return Ok(NOTSUP);
            }
            write_u64(&mut caller, resolution_at, 1)?;
            wasmtime::Result::Ok(SUCCESS)
        },
    )?;
    linker.func_wrap(
        MODULE,
        "random_get",
        |mut caller: Caller<'_, Host>, at: u32, length: u32| {
            let mut bytes = Vec::with_capacity(length as usize);
            while bytes.len() < length as usize {
                // xorshift: the same numbers in every run.
                let random = &mut caller.data_mut().random;
                *random ^= *random << 13;
                *random ^= *random >> 7;
                *random ^= *random << 17;
                bytes.push((*random >> 24) as u8);
            }
            write(&mut caller, at, &bytes)?;
            wasmtime::Result::Ok(SUCCESS)
        },
    )?;
    linker.func_wrap(MODULE, "sched_yield", || SUCCESS)?;
    linker.func_wrap(
        MODULE,
        "poll_oneoff",
        |mut caller: Caller<'_, Host>, _: u32, _: u32, _: u32, events_at: u32| {
            write_u32(&mut caller, events_at, 0)?;
            wasmtime::Result::Ok(SUCCESS)
        },
    )?;
    linker.func_wrap(MODULE, "proc_exit", |_: u32| -> wasmtime::Result<()> {
        Err(wasmtime::format_err!("the module called exit"))
    })?;
    linker.func_wrap(MODULE, "fd_read", |_: u32, _: u32, _: u32, _: u32| NOSYS)?;
    linker.func_wrap(MODULE, "fd_seek", |_: u32, _: i64, _: u32, _: u32| SUCCESS)?;
    linker.func_wrap(MODULE, "fd_close", |_: u32| SUCCESS)?;
    linker.func_wrap(
        MODULE,
        "fd_fdstat_get",
        |mut caller: Caller<'_, Host>, fd: u32, stat_at: u32| {
            if fd != 1 && fd != 2 {
                return Ok(BADF);
            }
            let mut stat = [0; 24];
            if let Some(rights) = stat.get_mut(8) {
                *rights = 64;
            }
            write(&mut caller, stat_at, &stat)?;
            wasmtime::Result::Ok(SUCCESS)
        },
    )?;
    linker.func_wrap(MODULE, "fd_fdstat_set_flags", |_: u32, _: u32| NOSYS)?;
    linker.func_wrap(MODULE, "fd_prestat_get", |_: u32, _: u32| BADF)?;
    linker.func_wrap(MODULE, "fd_prestat_dir_name", |_: u32, _: u32, _: u32| NOSYS)?;
    linker.func_wrap(MODULE, "fd_filestat_get", |_: u32, _: u32| BADF)?;
    linker.func_wrap(
        MODULE,
        "path_open",
        |_: u32, _: u32, _: u32, _: u32, _: u32, _: i64, _: i64, _: u32, _: u32| NOENT,
    )?;
    Ok(())
}
