//! Credentials that Envoy adds, because the module cannot: AWS signatures, and what is in a file that something renews.
//!
//! In: a provider. Out: the filter that adds what it is shown, and the secret that this filter looks at. Of a file only its
//! name is known here.
//!
//! A request whose credential is not there goes out without: the provider refuses it, and the next one is tried. Refused by
//! the filter it would not be tried elsewhere.
//!
//! Sources: Envoy's API reference, `AwsRequestSigning`, `CredentialInjector`, `Generic`, `DataSource`; all of it was seen to
//! work in Envoy 1.40.

use serde_json::{Map, Value, json};

use super::{Site, discovery, watched};
use crate::provider::{CredentialSource, Provider};

/// What requests to Bedrock are signed for.
///
/// Source: AWS General Reference, "Amazon Bedrock endpoints and quotas"; botocore's `bedrock-runtime` (`signingName`).
const AWS_SERVICE: &str = "bedrock";

/// The filter that adds what the provider is shown, where that is not the module.
pub(super) fn filter(provider: &Provider, site: &Site) -> Option<Value> {
    provider.sources.iter().find_map(|source| match source {
        CredentialSource::Env(_) => None,
        CredentialSource::File(_) => injected(provider, site),
        CredentialSource::Aws => Some(signed(provider, site)),
    })
}

/// The name of the file that tells Envoy where a provider's credential is, and what is in it: a discovery response of one
/// secret, for Envoy takes no more from a file.
pub(super) fn secret(provider: &Provider) -> Option<(String, Value)> {
    let file = provider.sources.iter().find_map(|source| match source {
        CredentialSource::File(file) => Some(&**file),
        CredentialSource::Env(_) | CredentialSource::Aws => None,
    })?;
    let (before, _) = file.rsplit_once('/')?;
    let directory = if before.is_empty() { "/" } else { before };
    let secret = json!({
        "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret",
        "name": provider.name,
        "generic_secret": {
            // The directory is watched, and not the file alone: the file may come later, and in a volume of Kubernetes it
            // is a link to a link that is replaced.
            "secret": { "filename": file, "watched_directory": { "path": directory } },
        },
    });
    Some((file_name(provider), discovery([secret])))
}

fn file_name(provider: &Provider) -> String {
    format!("sds-{}.json", provider.name)
}

/// The file's content as a header.
fn injected(provider: &Provider, site: &Site) -> Option<Value> {
    let (header, before) = provider.auth.header()?;
    let mut credential = Map::new();
    let mut set = |name: &str, value: Value| {
        credential.insert(name.to_owned(), value);
    };
    set(
        "@type",
        json!("type.googleapis.com/envoy.extensions.http.injected_credentials.generic.v3.Generic"),
    );
    set("header", json!(header));
    if !before.is_empty() {
        set("header_value_prefix", json!(before));
    }
    let secret = site.run_dir.join(file_name(provider)).display().to_string();
    set(
        "credential",
        json!({ "name": provider.name, "sds_config": watched(&secret) }),
    );
    Some(json!({
        "name": "envoy.filters.http.credential_injector",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.credential_injector.v3.CredentialInjector",
            "overwrite": true,
            "allow_request_without_credential": true,
            "credential": { "name": "envoy.http.injected_credentials.generic", "typed_config": credential },
        },
    }))
}

/// A signature over the body that the provider role has written. The keys are found as AWS' own programs find them: in the
/// environment, in files, or by asking the machine, the container or the cluster for those of its role.
fn signed(provider: &Provider, site: &Site) -> Value {
    let mut signing = Map::new();
    let mut set = |name: &str, value: Value| {
        signing.insert(name.to_owned(), value);
    };
    set(
        "@type",
        json!("type.googleapis.com/envoy.extensions.filters.http.aws_request_signing.v3.AwsRequestSigning"),
    );
    set("service_name", json!(AWS_SERVICE));
    // Where the document names no region, Envoy takes that of its environment.
    if let Some(region) = &provider.region {
        set("region", json!(region));
    }
    // Only what AWS asks for: host, content type and its own headers are signed in any case. A client's headers may be changed
    // on the way by whatever is on it.
    match site.envoy.signs_what_it_is_told() {
        true => set("match_included_headers", json!([{ "exact": "host" }])),
        false => set(
            "match_excluded_headers",
            json!([{ "exact": "user-agent" }, { "exact": "x-request-id" }]),
        ),
    }
    json!({ "name": "envoy.filters.http.aws_request_signing", "typed_config": signing })
}
