//! The border between module and host: names only.

use std::collections::BTreeSet;

#[test]
fn the_module_asks_for_nothing_that_envoy_does_not_offer() {
    let offered: BTreeSet<String> = wasm_tests::offered_imports().into_iter().collect();
    let asked: BTreeSet<String> = wasm_tests::imports().into_iter().collect();
    let missing: Vec<_> = asked.difference(&offered).collect();
    assert!(
        missing.is_empty(),
        "Envoy would refuse to load the module, because of {missing:?}"
    );
}

#[test]
fn the_module_needs_no_file_and_no_exit_beyond_what_the_standard_library_brings() {
    let calls: Vec<_> = wasm_tests::imports()
        .into_iter()
        .filter(|name| name.contains("path_") || name.contains("fd_read"))
        .collect();
    assert!(calls.is_empty(), "{calls:?}");
}

#[test]
fn the_module_exports_the_abi_it_is_written_for() {
    let exported: BTreeSet<String> = wasm_tests::exports().into_iter().collect();
    for name in [
        "memory",
        "_initialize",
        "proxy_abi_version_0_2_1",
        "proxy_on_memory_allocate",
        "proxy_on_vm_start",
        "proxy_on_configure",
        "proxy_on_context_create",
        "proxy_on_request_headers",
        "proxy_on_request_body",
        "proxy_on_request_trailers",
        "proxy_on_response_headers",
        "proxy_on_response_body",
        "proxy_on_response_trailers",
        "proxy_on_done",
        "proxy_on_log",
        "proxy_on_delete",
    ] {
        assert!(exported.contains(name), "{name} is not exported");
    }
    let versions: Vec<_> = exported
        .iter()
        .filter(|name| name.starts_with("proxy_abi_version"))
        .collect();
    assert_eq!(versions.len(), 1, "one ABI, not {versions:?}");
}
