//! What a provider is: an origin, a dialect, a credential and what else is known of it.
//!
//! In: the facts the operator wrote, and those of the [`catalogue`]. Out: the path, host and credential of a request to
//! this provider. It knows neither bodies nor how an answer is read; that is the dialect's.
//!
//! [`auth`] says how a provider wants to be shown who asks, [`credential`] holds what it is shown, [`facts`] is where
//! providers of one dialect differ, [`health_check`] how it is asked whether it is there, and [`catalogue`] has what there
//! is to know of the providers that are known by name.

use std::sync::Arc;

use crate::dialect::Dialect;
use crate::health;
use crate::limit::rule::Rules;

pub mod auth;
pub mod catalogue;
pub mod credential;
pub mod facts;
pub mod health_check;

pub use auth::Auth;
pub use credential::{Credential, CredentialSource, Secret, SecretError};
pub use facts::{Embeddings, Facts, MaxTokens};
pub use health_check::HealthCheck;

/// One provider. Its name is also the name of its cluster in Envoy.
#[derive(Debug)]
pub struct Provider {
    /// The name in the document and in metrics.
    pub name: Box<str>,
    /// Its kind in the [`catalogue`], where it is one of those.
    pub kind: Option<Box<str>>,
    /// The API it speaks.
    pub dialect: Dialect,
    /// Where it is.
    pub endpoint: Origin,
    /// How it is shown who asks.
    pub auth: Auth,
    /// What it is shown, one of them at a time. Empty: nothing, or Envoy adds it.
    pub credentials: Vec<Credential>,
    /// Where what it is shown comes from, in the document's order. What is not [`CredentialSource::Env`] Envoy adds.
    pub sources: Vec<CredentialSource>,
    /// The cloud's region, where there is one: requests are signed for it.
    pub region: Option<Box<str>>,
    /// Where it differs from others of its dialect.
    pub facts: Facts,
    /// Whether what its API has no words for is left out of a request and counted; else the request is not sent to it.
    pub drops: bool,
    /// Whether requests of other dialects are put to it as OpenAI's responses; else as chat completions.
    pub prefers_responses: bool,
    /// Its name in the price list.
    pub priced_as: Box<str>,
    /// The rules that all requests sent to it, with its credential, keep together.
    pub rules: Option<Arc<Rules>>,
    /// When it is left alone because it fails.
    pub health: health::rule::Rule,
    /// How Envoy finds out by itself whether it is there, if it does.
    pub health_check: Option<HealthCheck>,
}

impl Provider {
    /// How many credentials there are to choose from; 1 where it is shown none.
    pub fn credential_count(&self) -> usize {
        self.credentials.len().max(1)
    }
}

/// Scheme, host, port and the path all of a provider's endpoints are under.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// Whether the scheme is `https`.
    pub tls: bool,
    /// The host name or address in lower case; an IPv6 address without its brackets.
    pub host: Box<str>,
    /// The port, written or the scheme's own.
    pub port: u16,
    /// The path before the endpoints', without a slash at its end: `/v1`, or empty.
    pub base_path: Box<str>,
    /// What every request's query must say is its `api-version`, where it must.
    pub api_version: Option<Box<str>>,
}

/// What is wrong with an endpoint's URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OriginError {
    /// Neither `http://` nor `https://`.
    Scheme,
    /// No host, or a character a host cannot have.
    Host,
    /// A port that is not a number from 1 to 65535.
    Port,
    /// A user or password before the host.
    UserInfo,
    /// A `?` or a `#`.
    Query,
    /// A space, a control character or something else a path cannot have.
    Path,
}

impl Provider {
    /// What it is shown where nobody has chosen among several: the first.
    pub fn credential(&self) -> Option<&Credential> {
        self.credentials.first()
    }
}

impl Origin {
    /// Reads a base URL such as `https://api.openai.com/v1`.
    pub fn parse(url: &str) -> Result<Self, OriginError> {
        let (tls, rest) = match (strip_scheme(url, "https://"), strip_scheme(url, "http://")) {
            (Some(rest), _) => (true, rest),
            (None, Some(rest)) => (false, rest),
            (None, None) => return Err(OriginError::Scheme),
        };
        if rest.contains(['?', '#']) {
            return Err(OriginError::Query);
        }
        let (authority, path) = match rest.find('/') {
            Some(at) => rest.split_at(at),
            None => (rest, ""),
        };
        if authority.contains('@') {
            return Err(OriginError::UserInfo);
        }
        let (host, port) = split_port(authority).ok_or(OriginError::Host)?;
        let port = match port {
            Some(digits) => decimal_port(digits).ok_or(OriginError::Port)?,
            None => default_port(tls),
        };
        let path = path.trim_end_matches('/');
        if !path
            .bytes()
            .all(|b| b.is_ascii_graphic() && !matches!(b, b'"' | b'<' | b'>' | b'\\' | b'`' | b'{' | b'}'))
        {
            return Err(OriginError::Path);
        }
        Ok(Self {
            tls,
            host: host.to_ascii_lowercase().into(),
            port,
            base_path: path.into(),
            api_version: None,
        })
    }

    /// What goes into `host`/`:authority`: the host, and the port where it is not the scheme's own.
    pub fn authority(&self) -> String {
        let host = match self.host.contains(':') {
            true => format!("[{}]", self.host),
            false => self.host.to_string(),
        };
        match self.port == default_port(self.tls) {
            true => host,
            false => format!("{host}:{}", self.port),
        }
    }

    /// The path of a request to this provider, its query kept.
    ///
    /// `request_path` is the client's: `/v1/chat/completions?x=y`. An OpenAI-style base URL already says `/v1` (or what
    /// the provider has instead), an Anthropic-style one leaves it to the client; one that says it nevertheless is
    /// understood. Gemini and Bedrock have no paths in common with a client's: theirs begins after the base URL.
    pub fn path(&self, dialect: Dialect, request_path: &str) -> String {
        self.versioned(self.below(dialect, request_path))
    }

    /// The path of a request whose path begins elsewhere than all others': at `base`, where the base path has it at its end.
    pub fn without(&self, base: &str, path: &str) -> String {
        let beginning = self.base_path.strip_suffix(base).unwrap_or(&self.base_path);
        self.versioned(format!("{beginning}{path}"))
    }

    fn below(&self, dialect: Dialect, request_path: &str) -> String {
        let versioned = request_path
            .strip_prefix("/v1")
            .filter(|rest| rest.is_empty() || rest.starts_with(['/', '?']));
        match (dialect, versioned) {
            (Dialect::OpenAi, Some(rest)) => format!("{}{rest}", self.base_path),
            (Dialect::Anthropic, Some(_)) => {
                let base = self.base_path.strip_suffix("/v1").unwrap_or(&self.base_path);
                format!("{base}{request_path}")
            }
            (Dialect::OpenAi | Dialect::Anthropic, None) | (Dialect::Gemini | Dialect::Bedrock, _) => {
                format!("{}{request_path}", self.base_path)
            }
        }
    }

    /// The path with the `api-version` in its query, unless the client chose one.
    fn versioned(&self, mut path: String) -> String {
        let Some(version) = &self.api_version else {
            return path;
        };
        let query = path.split_once('?').map(|(_, query)| query);
        if query.is_some_and(|query| query.split('&').any(|pair| pair.starts_with("api-version="))) {
            return path;
        }
        path.push(if query.is_some() { '&' } else { '?' });
        path.push_str("api-version=");
        path.push_str(version);
        path
    }
}

/// Splits `host`, `host:port`, `[v6]` and `[v6]:port`. `None` where the host is missing or impossible.
pub(crate) fn split_port(authority: &str) -> Option<(&str, Option<&str>)> {
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => {
            let (address, after) = rest.split_once(']')?;
            address.parse::<std::net::Ipv6Addr>().ok()?;
            match after.strip_prefix(':') {
                Some(port) => (address, Some(port)),
                None if after.is_empty() => (address, None),
                None => return None,
            }
        }
        None => {
            let (host, port) = match authority.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (authority, None),
            };
            if !host
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
            {
                return None;
            }
            (host, port)
        }
    };
    (!host.is_empty()).then_some((host, port))
}

pub(crate) fn default_port(tls: bool) -> u16 {
    if tls { 443 } else { 80 }
}

pub(crate) fn decimal_port(digits: &str) -> Option<u16> {
    let decimal = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    digits.parse().ok().filter(|port| decimal && *port != 0)
}

fn strip_scheme<'u>(url: &'u str, scheme: &str) -> Option<&'u str> {
    let (start, rest) = url.split_at_checked(scheme.len())?;
    start.eq_ignore_ascii_case(scheme).then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(url: &str) -> Origin {
        Origin::parse(url).unwrap()
    }

    #[test]
    fn a_base_url_is_taken_apart_and_its_authority_put_together_again() {
        for (url, tls, host, port, base_path, authority) in [
            (
                "https://api.openai.com/v1",
                true,
                "api.openai.com",
                443,
                "/v1",
                "api.openai.com",
            ),
            (
                "HTTPS://API.OpenAI.com:443/v1/",
                true,
                "api.openai.com",
                443,
                "/v1",
                "api.openai.com",
            ),
            ("http://127.0.0.1:8000", false, "127.0.0.1", 8000, "", "127.0.0.1:8000"),
            ("http://vllm", false, "vllm", 80, "", "vllm"),
            ("https://vllm:80/", true, "vllm", 80, "", "vllm:80"),
            ("http://[::1]:9/a/b", false, "::1", 9, "/a/b", "[::1]:9"),
            ("https://[2001:DB8::1]", true, "2001:db8::1", 443, "", "[2001:db8::1]"),
            (
                "https://my_host.example/%20",
                true,
                "my_host.example",
                443,
                "/%20",
                "my_host.example",
            ),
        ] {
            let origin = origin(url);
            let parts = (
                origin.tls,
                &*origin.host,
                origin.port,
                &*origin.base_path,
                &*origin.authority(),
            );
            assert_eq!(parts, (tls, host, port, base_path, authority), "{url}");
        }
    }

    #[test]
    fn what_is_no_base_url_is_refused_for_what_is_wrong_with_it() {
        for (url, error) in [
            ("", OriginError::Scheme),
            ("api.openai.com", OriginError::Scheme),
            ("https:/api.openai.com", OriginError::Scheme),
            ("ｈttps://a", OriginError::Scheme),
            ("https://", OriginError::Host),
            ("https://:443", OriginError::Host),
            ("https://a b", OriginError::Host),
            ("https://[::1", OriginError::Host),
            ("https://[fe80]", OriginError::Host),
            ("https://[::1]x", OriginError::Host),
            ("https://::1", OriginError::Host),
            ("https://bücher.example", OriginError::Host),
            ("https://a:", OriginError::Port),
            ("https://a:+1", OriginError::Port),
            ("https://a:0", OriginError::Port),
            ("https://a:99999", OriginError::Port),
            ("https://u@a", OriginError::UserInfo),
            ("https://a?x", OriginError::Query),
            ("https://a/b#c", OriginError::Query),
            ("https://a/b c", OriginError::Path),
            ("https://a/b\r\nx: y", OriginError::Path),
        ] {
            assert_eq!(Origin::parse(url), Err(error), "{url}");
        }
    }

    #[test]
    fn the_version_is_in_the_base_url_or_in_the_request_as_the_dialect_has_it() {
        for (url, dialect, asked, path) in [
            (
                "https://a/v1",
                Dialect::OpenAi,
                "/v1/chat/completions",
                "/v1/chat/completions",
            ),
            (
                "https://a",
                Dialect::OpenAi,
                "/v1/chat/completions",
                "/chat/completions",
            ),
            (
                "https://a/openai/v2/",
                Dialect::OpenAi,
                "/v1/models?limit=1",
                "/openai/v2/models?limit=1",
            ),
            ("https://a/v1", Dialect::OpenAi, "/v1", "/v1"),
            ("https://a/v1", Dialect::OpenAi, "/v1?x=/v1", "/v1?x=/v1"),
            ("https://a/base", Dialect::OpenAi, "/v10/x", "/base/v10/x"),
            ("https://a/base", Dialect::OpenAi, "/health", "/base/health"),
            ("https://a", Dialect::Anthropic, "/v1/messages", "/v1/messages"),
            (
                "https://a/v1",
                Dialect::Anthropic,
                "/v1/messages?beta=true",
                "/v1/messages?beta=true",
            ),
            (
                "https://a/proxy",
                Dialect::Anthropic,
                "/v1/messages",
                "/proxy/v1/messages",
            ),
            (
                "https://a/proxy/v1/",
                Dialect::Anthropic,
                "/v1/messages",
                "/proxy/v1/messages",
            ),
        ] {
            assert_eq!(origin(url).path(dialect, asked), path, "{asked} at {url}");
        }
    }

    #[test]
    fn an_api_version_is_added_to_the_query_unless_it_is_there() {
        let mut origin = origin("https://a/openai/v1");
        origin.api_version = Some("preview".into());
        for (asked, path) in [
            ("/v1/responses", "/openai/v1/responses?api-version=preview"),
            ("/v1/models?limit=1", "/openai/v1/models?limit=1&api-version=preview"),
            ("/v1/models?api-version=x", "/openai/v1/models?api-version=x"),
        ] {
            assert_eq!(origin.path(Dialect::OpenAi, asked), path);
        }
    }
}
