//! The headers with which a request leaves for a provider.

use std::borrow::Cow;

use crate::dialect::Dialect;
use crate::headers::Headers;
use crate::provider::Provider;
use crate::translate::Speech;

/// What to change in a request's headers.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Departure {
    /// Headers to drop; all of them are there.
    pub remove: Vec<Cow<'static, str>>,
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
    // A signature's parts. Envoy signs after this, for this attempt alone.
    "x-amz-date",
    "x-amz-content-sha256",
    "x-amz-security-token",
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
];

/// Headers that say something of the client's own API, which another does not have. One attempt leaves them out and the next
/// needs them again.
const API_HEADERS: &[&str] = &["anthropic-version", "anthropic-beta", "openai-beta", "accept"];

/// The client's headers that one provider gets and another does not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Kept(Vec<(&'static str, String)>);

impl Kept {
    pub(super) fn of(headers: &Headers) -> Self {
        let kept = API_HEADERS
            .iter()
            .filter_map(|name| Some((*name, headers.text(name)?.to_owned())));
        Self(kept.collect())
    }
}

/// How an attempt goes to its provider.
#[derive(Clone, Copy, Debug)]
pub(super) struct Way<'a> {
    pub(super) provider: &'a Provider,
    /// Which of its credentials.
    pub(super) credential: usize,
    pub(super) speech: Speech,
    /// What it calls the model.
    pub(super) model: &'a str,
    pub(super) stream: bool,
    /// The client's path.
    pub(super) path: &'a str,
    pub(super) kept: &'a Kept,
}

/// The API version a client is taken to mean that names none.
///
/// Source: Anthropic API reference, "Versions".
const ANTHROPIC_VERSION: &str = "2023-06-01";

/// Takes the client's credential and identity away and shows the provider the gateway's.
fn to_provider(provider: &Provider, credential: usize, headers: &Headers) -> Departure {
    let mut departure = Departure {
        remove: present(CLIENT_HEADERS, headers),
        set: Vec::new(),
    };
    // What a client says in our own words is never believed, nor passed on.
    for (name, _) in headers.iter() {
        if let Ok(name) = core::str::from_utf8(name)
            && name.starts_with("x-tollgate-")
            && !departure.remove.iter().any(|removed| removed == name)
        {
            departure.remove.push(name.to_owned().into());
        }
    }
    if let Some(credential) = provider.credentials.get(credential) {
        let (name, value) = credential.header();
        departure.remove.retain(|removed| *removed != name);
        departure.set.push((name, value.to_owned()));
    }
    departure
}

/// Says which version of Anthropic's API is meant, where the client does not.
fn version(departure: &mut Departure, provider: &Provider, headers: &Headers) {
    let said = headers.has("anthropic-version") || departure.set.iter().any(|(name, _)| *name == "anthropic-version");
    if provider.dialect == Dialect::Anthropic && !said {
        departure.set.push(("anthropic-version", ANTHROPIC_VERSION.to_owned()));
    }
}

/// The same for one attempt of many: with this provider's path for the client's, and its host.
pub(super) fn to_attempt(way: &Way<'_>, headers: &Headers) -> Departure {
    let mut departure = to_provider(way.provider, way.credential, headers);
    match way.speech {
        Speech::Same => {
            let differs = |kept: &&(&'static str, String)| headers.text(kept.0) != Some(&kept.1);
            departure.set.extend(way.kept.0.iter().filter(differs).cloned());
            // An earlier attempt of another API may have said it.
            let ours = |name: &&str| way.kept.0.iter().all(|(kept, _)| kept != name);
            let left = present(API_HEADERS, headers);
            departure.remove.extend(left.into_iter().filter(|name| ours(&&**name)));
            version(
                &mut departure,
                way.provider,
                &Headers::from_pairs(way.kept.0.iter().map(|(n, v)| (*n, v.as_str()))),
            );
        }
        Speech::Translated(..) | Speech::Vectors(_) => {
            departure.remove.extend(present(API_HEADERS, headers));
            version(&mut departure, way.provider, &Headers::default());
        }
    }
    departure
        .remove
        .retain(|removed| departure.set.iter().all(|(name, _)| *name != &**removed));
    let path = way.speech.path(way.provider, way.path, way.model, way.stream);
    departure.set.push((":path", path));
    departure.set.push((":authority", way.provider.endpoint.authority()));
    departure
}

/// The same, where the headers leave before the route is chosen: Envoy routes no request without its scheme.
pub(super) fn ahead_of_routing(provider: &Provider, credential: usize, headers: &Headers) -> Departure {
    let mut departure = to_provider(provider, credential, headers);
    version(&mut departure, provider, headers);
    departure.remove.retain(|removed| *removed != "x-forwarded-proto");
    // Steered to repeat or to hedge, Envoy would have a provider answer twice what is metered once.
    for name in present(ROUTER_HEADERS, headers) {
        if !departure.remove.contains(&name) {
            departure.remove.push(name);
        }
    }
    departure
}

/// Takes the router out of the client's hands and bounds its attempts: how often it may try again, on what besides a
/// connection that never came about, and how long it waits for the head of each answer, in milliseconds.
pub(super) fn to_router(
    headers: &Headers,
    retries: usize,
    retry_on: Option<&'static str>,
    per_try_ms: Option<u128>,
) -> Departure {
    let mut set = vec![("x-envoy-max-retries", retries.to_string())];
    set.extend(retry_on.map(|conditions| ("x-envoy-retry-on", conditions.to_owned())));
    set.extend(per_try_ms.map(|ms| ("x-envoy-upstream-rq-per-try-timeout-ms", ms.to_string())));
    let mut remove = present(ROUTER_HEADERS, headers);
    remove.retain(|removed| set.iter().all(|(name, _)| name != removed));
    Departure { remove, set }
}

fn present(names: &'static [&'static str], headers: &Headers) -> Vec<Cow<'static, str>> {
    let mut found = Vec::new();
    for (name, _) in headers.iter() {
        if let Some(known) = names.iter().find(|known| known.as_bytes() == name)
            && !found.contains(&Cow::Borrowed(*known))
        {
            found.push(Cow::Borrowed(*known));
        }
    }
    found
}
