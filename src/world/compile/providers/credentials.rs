//! What a provider is shown: the secrets of the environment, and what Envoy adds of its own.

use super::{Findings, Surroundings, Unset, kind::Meant};
use crate::document::{Provider, member};
use crate::provider::{Auth, Credential, CredentialSource, Origin, SecretError};

#[derive(Default)]
pub(super) struct Shown {
    pub(super) credentials: Vec<Credential>,
    pub(super) sources: Vec<CredentialSource>,
    /// Whether there should be a credential, and none was found.
    pub(super) missing: bool,
}

pub(super) fn compile(
    path: &str,
    written: &Provider,
    meant: &Meant<'_>,
    endpoint: &Origin,
    around: Surroundings<'_>,
    findings: &mut Findings,
) -> Shown {
    let mut shown = Shown::default();
    if meant.auth == Auth::AwsSigV4 {
        shown.sources.push(CredentialSource::Aws);
    }
    if written.credential.is_some() && !written.credentials.is_empty() {
        findings.problem(
            member(path, "credentials"),
            "there is a `credential` besides",
            "move it into `credentials`",
        );
    }
    let several = written.credentials.len() > 1;
    let mut in_files = false;
    for (place, reference) in written.references() {
        let path = format!("{path}.{place}");
        if meant.auth.header().is_none() {
            unwanted(&path, meant.auth, findings);
            continue;
        }
        match (&reference.env, &reference.file) {
            (Some(variable), None) => {
                let credential = from_environment(&path, variable, meant.auth, around, findings);
                shown.sources.push(CredentialSource::Env(variable.as_str().into()));
                shown.credentials.extend(credential);
            }
            (None, Some(file)) => {
                in_files = true;
                from_file(&path, file, several, findings);
                shown.sources.push(CredentialSource::File(file.as_str().into()));
            }
            (None, None) => findings.problem(path, "it is empty", by_name()),
            (Some(_), Some(_)) => findings.problem(path, "it is both in `env` and in `file`", "keep one of them"),
        }
    }
    shown.missing = shown.credentials.is_empty() && !in_files && written.references().next().is_some();
    match written.references().next() {
        Some(_) => in_the_clear(path, endpoint, findings),
        None => nothing_shown(path, written, meant, findings),
    }
    shown
}

fn from_environment(
    path: &str,
    variable: &str,
    auth: Auth,
    around: Surroundings<'_>,
    findings: &mut Findings,
) -> Option<Credential> {
    let path = member(path, "env");
    if !is_variable(variable) {
        // Not quoted: what is no variable's name is often the secret itself.
        let remedy = "write the variable's name, such as OPENAI_API_KEY, and never the secret";
        findings.problem(path, "it is not the name of an environment variable", remedy);
        return None;
    }
    let found = (around.env)(variable).ok_or("is not set").and_then(|secret| {
        Credential::new(auth, &secret).map_err(|error| match error {
            SecretError::Empty => "is empty",
            SecretError::Unsendable => "holds a line break or a character that is not ASCII",
            SecretError::Unwanted => "is of no use",
        })
    });
    let what = match found {
        Ok(credential) => return Some(credential),
        Err(what) => what,
    };
    let remedy = format!("set {variable} to the provider's API key where Tollgate runs");
    match around.unset {
        Unset::Problem => findings.problem(path, format!("the environment variable {variable} {what}"), remedy),
        Unset::Warning => findings.warning(path, format!("the environment variable {variable} {what} here"), remedy),
    }
    None
}

fn from_file(path: &str, file: &str, several: bool, findings: &mut Findings) {
    let path = member(path, "file");
    if !file.starts_with('/') || file.chars().any(char::is_control) {
        // Not quoted, for it may be the secret itself.
        findings.problem(path, "it is not an absolute path", "begin it with `/`");
    } else if several {
        findings.problem(
            path,
            "one of several credentials is in a file, which Envoy adds by itself and to every request",
            "keep this one alone, or take all of them from the environment",
        );
    }
}

fn unwanted(path: &str, auth: Auth, findings: &mut Findings) {
    let (problem, remedy) = match auth {
        Auth::AwsSigV4 => (
            "requests to this provider are signed by Envoy, with its own AWS credentials",
            "remove it, or add \"auth\": \"bearer\" if it is a Bedrock API key",
        ),
        Auth::Envoy => ("Envoy adds this provider's credential", "remove it, or remove `auth`"),
        _ => (
            "this provider is shown no credential",
            "remove it, or say how it is shown: \"auth\": \"bearer\"",
        ),
    };
    findings.problem(path, problem, remedy);
}

/// A public provider of a known kind that nothing is shown.
fn nothing_shown(path: &str, written: &Provider, meant: &Meant<'_>, findings: &mut Findings) {
    let of_kind = meant
        .row
        .as_ref()
        .filter(|_| meant.as_its_kind && written.endpoint.is_none());
    if let Some(row) = of_kind
        && meant.auth.header().is_some()
    {
        let variable = row.credential.unwrap_or("NAME");
        let remedy =
            format!("add \"credential\": {{\"env\": \"{variable}\"}}, or \"auth\": \"envoy\" if Envoy adds it");
        findings.warning(path, "requests go to it without a credential", remedy);
    }
}

fn by_name() -> &'static str {
    r#"write {"env": "NAME"} with the name of the environment variable that holds the secret"#
}

fn is_variable(name: &str) -> bool {
    !name.starts_with(|c: char| c.is_ascii_digit())
        && !name.is_empty()
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// A secret sent without TLS to what looks like a public host. Plain names and addresses are a private network's.
fn in_the_clear(path: &str, endpoint: &Origin, findings: &mut Findings) {
    let host = &*endpoint.host;
    let address = host.parse::<std::net::IpAddr>().is_ok();
    let private = [".local", ".internal", ".localhost", ".svc"]
        .iter()
        .any(|suffix| host.ends_with(suffix));
    if !endpoint.tls && host.contains('.') && !address && !private {
        findings.warning(
            member(path, "endpoint"),
            "the credential would cross the network unencrypted",
            "begin it with https://",
        );
    }
}
