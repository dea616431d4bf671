//! The module as Envoy loads it: one resource per role.
//!
//! Both roles have the same VM (id, code and environment), so a worker thread has one VM for both, and both get the
//! whole document.

use serde_json::{Map, Value, json};

use super::{Site, VM_ID};
use crate::world::ORDERS_AHEAD;

pub(super) struct Filters<'a> {
    pub(super) text: &'a str,
    pub(super) credentials: Vec<String>,
    pub(super) hold_headers: bool,
    pub(super) site: &'a Site,
}

impl Filters<'_> {
    /// The filter of one role; its name is its `root_id`.
    pub(super) fn role(&self, role: &str) -> Value {
        let mut config = Map::new();
        config.insert("name".to_owned(), json!(role));
        config.insert("root_id".to_owned(), json!(role));
        if self.hold_headers {
            config.insert("allow_on_headers_stop_iteration".to_owned(), json!(true));
        }
        // A trap fails the worker's VM. Failing open would let requests pass without a key, failing closed would refuse
        // them for ever; a new VM is there a second later.
        config.insert("failure_policy".to_owned(), json!("FAIL_RELOAD"));
        config.insert("vm_config".to_owned(), self.vm());
        config.insert(
            "configuration".to_owned(),
            json!({ "@type": "type.googleapis.com/google.protobuf.StringValue", "value": self.text }),
        );
        json!({
            "@type": "type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig",
            "name": role,
            "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm",
                "config": config,
            },
        })
    }

    fn vm(&self) -> Value {
        let mut vm = Map::new();
        vm.insert("vm_id".to_owned(), json!(VM_ID));
        vm.insert("runtime".to_owned(), json!("envoy.wasm.runtime.v8"));
        vm.insert(
            "code".to_owned(),
            json!({ "local": { "filename": self.site.module.display().to_string() } }),
        );
        let mut variables = Map::new();
        if !self.credentials.is_empty() {
            // Names only: Envoy hands its own environment's values to the module.
            variables.insert("host_env_keys".to_owned(), json!(self.credentials));
        }
        if self.hold_headers && !self.site.envoy.chooses_for_each_attempt() {
            variables.insert("key_values".to_owned(), json!({ ORDERS_AHEAD: "1" }));
        }
        if !variables.is_empty() {
            vm.insert("environment_variables".to_owned(), Value::Object(variables));
        }
        Value::Object(vm)
    }
}
