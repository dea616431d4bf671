//! What Envoy asks a provider to find out whether it is there.

use serde_json::{Value, json};

use crate::provider::{HealthCheck, Origin};

/// How long an answer may take, TLS included.
const TIMEOUT: &str = "5s";

/// A cluster's `health_checks`.
pub(super) fn checks(check: &HealthCheck, origin: &Origin) -> Value {
    let interval = format!("{}s", check.interval.as_secs());
    let mut written = json!({
        "timeout": TIMEOUT,
        "interval": interval,
        // Also while nobody uses it; Envoy would ask once a minute.
        "no_traffic_interval": interval,
        // One that does not answer at all is out at the second failure, one that answers with an error at the first.
        "unhealthy_threshold": 2,
        "healthy_threshold": 1,
        "http_health_check": {
            "host": origin.authority(),
            "path": check.path,
            "expected_statuses": [{ "start": 200, "end": 300 }],
        },
    });
    if origin.tls
        && let Some(members) = written.as_object_mut()
    {
        // It is asked in HTTP/1.1, so that must be what TLS settles on.
        members.insert("tls_options".to_owned(), json!({ "alpn_protocols": ["http/1.1"] }));
    }
    json!([written])
}
