//! The headers with which a request leaves for a provider.

use crate::dialect::Dialect;
use crate::headers::Headers;
use crate::provider::Provider;

/// What to change in a request's headers.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Departure {
    /// Headers to drop; all of them are there.
    pub remove: Vec<&'static str>,
    /// Headers to set.
    pub set: Vec<(&'static str, String)>,
}

/// Headers that concern the client and the gateway alone, or the client's own account at a provider. A provider gets
/// none of them, and neither does it get what an earlier attempt set for another provider.
const CLIENT_HEADERS: &[&str] = &[
    "authorization",
    "x-api-key",
    "api-key",
    "x-goog-api-key",
    "cookie",
    "proxy-authorization",
    "openai-organization",
    "openai-project",
    // What came back compressed could not be metered.
    "accept-encoding",
    "forwarded",
    "via",
    "x-forwarded-for",
    "x-forwarded-client-cert",
    "x-forwarded-host",
    "x-forwarded-port",
    "x-forwarded-proto",
    "x-real-ip",
    // Another method than the one that was judged.
    "x-http-method",
    "x-http-method-override",
    "x-method-override",
    "x-envoy-expected-rq-timeout-ms",
    "x-envoy-external-address",
    "x-envoy-internal",
    "x-envoy-max-retries",
    "x-envoy-retry-on",
    "x-envoy-attempt-count",
];

/// Headers by which a client could steer Envoy's router.
const ROUTER_HEADERS: &[&str] = &[
    "x-envoy-max-retries",
    "x-envoy-retry-on",
    "x-envoy-retry-grpc-on",
    "x-envoy-retriable-status-codes",
    "x-envoy-retriable-header-names",
    "x-envoy-upstream-rq-timeout-ms",
    "x-envoy-upstream-rq-per-try-timeout-ms",
    "x-envoy-upstream-rq-timeout-alt-response",
    "x-envoy-upstream-stream-duration-ms",
    "x-envoy-upstream-alt-stat-name",
    "x-envoy-hedge-on-per-try-timeout",
    "x-envoy-decorator-operation",
    "x-envoy-original-path",
    "x-tollgate-retry",
];

/// The API version a client is taken to mean that names none.
///
/// Source: Anthropic API reference, "Versions".
const ANTHROPIC_VERSION: &str = "2023-06-01";

/// Takes the client's credential and identity away and shows the provider the gateway's.
fn to_provider(provider: &Provider, headers: &Headers) -> Departure {
    let mut departure = Departure {
        remove: present(CLIENT_HEADERS, headers),
        set: Vec::new(),
    };
    if let Some(credential) = provider.credential() {
        let (name, value) = credential.header();
        departure.remove.retain(|removed| *removed != name);
        departure.set.push((name, value.to_owned()));
    }
    if provider.dialect == Dialect::Anthropic && !headers.has("anthropic-version") {
        departure.set.push(("anthropic-version", ANTHROPIC_VERSION.to_owned()));
    }
    departure
}

/// The same for one attempt of many: with this provider's path for the client's, and its host.
pub(super) fn to_attempt(provider: &Provider, path: &str, headers: &Headers) -> Departure {
    let mut departure = to_provider(provider, headers);
    departure
        .set
        .push((":path", provider.endpoint.path(provider.dialect, path)));
    departure.set.push((":authority", provider.endpoint.authority()));
    departure
}

/// The same, where the headers leave before the route is chosen: Envoy routes no request without its scheme.
pub(super) fn ahead_of_routing(provider: &Provider, headers: &Headers) -> Departure {
    let mut departure = to_provider(provider, headers);
    departure.remove.retain(|removed| *removed != "x-forwarded-proto");
    // Steered to repeat or to hedge, Envoy would have a provider answer twice what is metered once.
    for name in present(ROUTER_HEADERS, headers) {
        if !departure.remove.contains(&name) {
            departure.remove.push(name);
        }
    }
    departure
}

/// Takes the router out of the client's hands and bounds its attempts: how often it may try again, and on what besides
/// a connection that never came about.
pub(super) fn to_router(headers: &Headers, retries: usize, retry_on: Option<&'static str>) -> Departure {
    let mut set = vec![("x-envoy-max-retries", retries.to_string())];
    set.extend(retry_on.map(|conditions| ("x-envoy-retry-on", conditions.to_owned())));
    let mut remove = present(ROUTER_HEADERS, headers);
    remove.retain(|removed| set.iter().all(|(name, _)| name != removed));
    Departure { remove, set }
}

fn present(names: &'static [&'static str], headers: &Headers) -> Vec<&'static str> {
    let mut found = Vec::new();
    for (name, _) in headers.iter() {
        if let Some(known) = names.iter().find(|known| known.as_bytes() == name)
            && !found.contains(known)
        {
            found.push(*known);
        }
    }
    found
}
