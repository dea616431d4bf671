//! Where a provider is: the endpoint as it is written, or its kind's with the settings filled in.

use super::{Findings, kind::Meant};
use crate::dialect::Dialect;
use crate::document::{Provider, member};
use crate::provider::{Auth, Origin, OriginError};

pub(super) fn compile(path: &str, written: &Provider, meant: &Meant<'_>, findings: &mut Findings) -> Origin {
    let settings = settings(path, written, meant, findings);
    let mut origin = match (&written.endpoint, &meant.row) {
        (Some(url), _) => parsed(path, url, meant.dialect, findings),
        (None, Some(row)) if meant.as_its_kind => match row.url(|name| value(written, name)) {
            // What is wrong with a setting has been said at the setting.
            Ok(url) => Origin::parse(&url).unwrap_or_else(|_| nowhere()),
            Err(missing) => {
                if settings {
                    let example = |name: &&str| (**name).to_owned();
                    for name in &missing {
                        let value = row.settings.get(name).copied().unwrap_or("…");
                        findings.problem(
                            member(path, "settings"),
                            format!("`{}` is missing", example(name)),
                            format!(
                                "add \"{name}\": what stands for it in {}, such as \"{value}\"",
                                row.endpoint
                            ),
                        );
                    }
                }
                nowhere()
            }
        },
        (None, _) => {
            if !meant.reported {
                findings.problem(path, "`endpoint` is missing", "add `endpoint`");
            }
            nowhere()
        }
    };
    if meant.auth == Auth::AwsSigV4 && written.endpoint.is_some() && value(written, "region").is_none() {
        findings.problem(
            member(path, "settings"),
            "`region` is missing",
            "add \"region\": requests are signed for one, such as \"us-east-1\"",
        );
    }
    let of_kind = meant.row.as_ref().filter(|_| meant.as_its_kind);
    let version = written.api_version.as_deref();
    if version.is_some_and(|version| !fits(version)) {
        findings.problem(
            member(path, "api_version"),
            NOT_PLAIN,
            "write a version, such as \"preview\"",
        );
    }
    origin.api_version = version.or(of_kind.and_then(|row| row.api_version)).map(Into::into);
    origin
}

/// Whether the settings are good ones, as far as they go.
fn settings(path: &str, written: &Provider, meant: &Meant<'_>, findings: &mut Findings) -> bool {
    let path = member(path, "settings");
    let mut known: Vec<&str> = meant.row.iter().flat_map(|row| row.settings.keys().copied()).collect();
    if meant.auth == Auth::AwsSigV4 && !known.contains(&"region") {
        known.push("region");
    }
    let mut good = true;
    let mut seen = Vec::new();
    for (name, value) in &written.settings.0 {
        let path = member(&path, name);
        if seen.contains(&name) {
            good = false;
            findings.problem(&path, "the setting is written twice", "keep one of them");
        }
        seen.push(name);
        if !known.contains(&name.as_str()) && !meant.reported {
            good = false;
            let remedy = findings.suggestion(name, known.iter().copied(), "remove it");
            findings.problem(&path, "this provider has no such setting", remedy);
        } else if !fits(value) {
            good = false;
            findings.problem(path, NOT_PLAIN, "write its plain name, not a URL");
        }
    }
    good
}

fn value<'w>(written: &'w Provider, name: &str) -> Option<&'w str> {
    let setting = written.settings.0.iter().find(|(setting, _)| setting == name);
    setting.map(|(_, value)| value.as_str())
}

/// Whether it can stand in a host and in a path, and be nothing but a part of it.
fn fits(value: &str) -> bool {
    !value.is_empty()
        && !value.contains("..")
        && value
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
}

const NOT_PLAIN: &str = "it is empty, or has something else in it than letters, digits, `-`, `_` and `.`";

fn parsed(path: &str, url: &str, dialect: Dialect, findings: &mut Findings) -> Origin {
    let path = member(path, "endpoint");
    let (problem, remedy) = match Origin::parse(url) {
        Ok(origin) => {
            if dialect == Dialect::OpenAi && &*origin.host == "api.openai.com" && origin.base_path.is_empty() {
                findings.warning(
                    path,
                    "OpenAI's endpoints are under /v1",
                    "write \"https://api.openai.com/v1\"",
                );
            }
            return origin;
        }
        Err(OriginError::Scheme) if url.contains("://") => ("the scheme is neither http nor https", "use one of them"),
        Err(OriginError::Scheme) => ("the scheme is missing", "begin it with https:// (or http://)"),
        Err(OriginError::Host) => (
            "the host is missing or malformed",
            "write it as in https://api.openai.com/v1",
        ),
        Err(OriginError::Port) => (
            "the port is not a number from 1 to 65535",
            "correct it, or leave it out",
        ),
        Err(OriginError::UserInfo) => (
            "it contains a user or password",
            "remove what stands before `@`; secrets come from `credential`",
        ),
        Err(OriginError::Query) => ("it contains `?` or `#`", "end it after the path"),
        Err(OriginError::Path) => (
            "its path contains a character a URL cannot have",
            "percent-encode or remove it",
        ),
    };
    findings.problem(path, problem, remedy);
    nowhere()
}

/// What stands in for an endpoint that there is a problem with.
fn nowhere() -> Origin {
    Origin {
        tls: true,
        host: "".into(),
        port: 443,
        base_path: "".into(),
        api_version: None,
    }
}
