//! The way in: everything that happens to a request before its endpoint sees it.
//!
//! In: an HTTP request. Out: a [`Call`] and its body, or a refusal. In order: count, look for leaked keys, read the
//! steering, check the credential, fail if asked to.

use std::error::Error as _;
use std::sync::Arc;

use axum::extract::{FromRequest, Request};
use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http_body_util::LengthLimitError;
use tokio::time::Instant;

use super::Call;
use crate::bedrock::signature::{self, Request4};
use crate::clock;
use crate::errors::{Dialect, Problem, google};
use crate::server::App;
use crate::steering::{Fault, Steering};
use crate::stream::Framing;
use crate::weather::Outage;

/// A response with this among its extensions is not sent: its connection is closed instead.
#[derive(Clone, Copy, Debug)]
pub struct DropConnection {
    /// Whether it is reset instead.
    pub reset: bool,
}

/// The extractor of every endpoint.
#[derive(Debug)]
pub struct Admitted(pub Call, pub Bytes);

impl FromRequest<Arc<App>> for Admitted {
    type Rejection = Response;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, Response> {
        let arrived = Instant::now();
        let (parts, body) = request.into_parts();
        let path = parts.uri.path();
        let dialect = dialect(path, &parts.headers);
        let query = parts.uri.query().unwrap_or_default();
        let credential = credential(app, dialect, &parts.headers, query);
        let leaks = carries_virtual_key(query.as_bytes())
            || parts
                .headers
                .values()
                .any(|value| carries_virtual_key(value.as_bytes()));
        app.ledger
            .arrived(path, credential.as_deref().unwrap_or("refused"), leaks);
        let mut call = Call {
            app: Arc::clone(app),
            dialect,
            steering: Steering::default(),
            arrived,
            created: clock::unix_now(),
            credential: credential.clone().unwrap_or_else(|_| "refused".into()),
            serial: app.next_serial(),
            standing: None,
            framing: framing(path, query),
            told: Vec::new(),
            target: format!("{} {path}", parts.method),
            headers: parts.headers,
        };
        let knobs = call
            .headers
            .get_all("x-simulate")
            .iter()
            .filter_map(|value| value.to_str().ok());
        match app.steering.with(&knobs.collect::<Vec<_>>().join(",")) {
            Ok(steering) => call.steering = steering,
            Err(problem) => return Err(call.refuse(Problem::invalid(problem))),
        }
        let body = match axum::body::to_bytes(body, app.options.max_body).await {
            Ok(body) => body,
            Err(error) if error.source().is_some_and(|source| source.is::<LengthLimitError>()) => {
                return Err(call.refuse(Problem::status(413, dialect)));
            }
            // The client went away while it was still talking: nobody hears the answer, and it is no error of ours.
            Err(_) => return Err(StatusCode::BAD_REQUEST.into_response()),
        };
        if !leaks && carries_virtual_key(&body) {
            app.ledger.leaked();
        }
        let spell = app.weather.spell(&call.credential, dialect);
        if let Some((ttft, rate)) = spell.slow {
            (call.steering.ttft, call.steering.rate) = (ttft, rate.or(call.steering.rate));
        }
        match spell.outage {
            Some(Outage::Status(status)) => {
                return Err(call.refuse(Problem::status(status, dialect).of_model(call.asked_model(&body))));
            }
            Some(Outage::Hang) => return Err(call.hang().await),
            Some(Outage::Reset | Outage::Refuse) => return Err(call.drop_connection(true)),
            None => {}
        }
        if let Err(given) = credential {
            return Err(call.refuse(unauthorized(&call, given, query)));
        }
        if dialect == Dialect::Bedrock {
            let host = parts.uri.authority().map(|authority| authority.as_str());
            let request = Request4 {
                method: parts.method.as_str(),
                path,
                query,
                host,
                headers: &call.headers,
                body: &body,
                now: call.created,
            };
            if let Err(problem) = request.verify(&app.options.credentials) {
                return Err(call.refuse(problem));
            }
        }
        match call.steering.fault {
            Some(Fault::Hang) => return Err(call.hang().await),
            Some(Fault::Drop) => return Err(call.drop_connection(false)),
            Some(Fault::Status(status)) => {
                return Err(call.refuse(Problem::status(status, dialect).of_model(call.asked_model(&body))));
            }
            _ => {}
        }
        if call.steering.flaky.is_some_and(|percent| app.is_flaky(percent)) {
            return Err(call.refuse(Problem::status(503, dialect).of_model(call.asked_model(&body))));
        }
        Ok(Self(call, body))
    }
}

impl Call {
    /// Never answers.
    async fn hang(&self) -> Response {
        self.app.ledger.answered(&self.credential, "hang");
        std::future::pending().await
    }

    /// The response in whose place the connection is closed, or reset.
    fn drop_connection(&self, reset: bool) -> Response {
        self.app
            .ledger
            .answered(&self.credential, if reset { "reset" } else { "drop" });
        let mut response = StatusCode::BAD_GATEWAY.into_response();
        response.extensions_mut().insert(DropConnection { reset });
        response
    }
}

/// A path no endpoint answers.
pub async fn no_such_path(Admitted(call, _): Admitted) -> Response {
    call.refuse(match call.dialect {
        Dialect::OpenAi => Problem::invalid(format!("Invalid URL ({})", call.target)).with_status(404),
        Dialect::Anthropic | Dialect::Gemini => Problem::status(404, call.dialect),
        Dialect::Bedrock => Problem::invalid("Unknown operation")
            .with_status(404)
            .for_reason("UnknownOperationException"),
    })
}

/// A path that is answered, but not with this method.
pub async fn no_such_method(Admitted(call, _): Admitted) -> Response {
    let message = match call.dialect {
        Dialect::OpenAi => format!(
            "Not allowed ({}). (HINT: Perhaps you meant to use a different HTTP method?)",
            call.target
        ),
        _ => "Method Not Allowed".to_owned(),
    };
    call.refuse(Problem::invalid(message).with_status(405))
}

fn dialect(path: &str, headers: &HeaderMap) -> Dialect {
    const METHODS: [&str; 5] = [
        "generateContent",
        "streamGenerateContent",
        "countTokens",
        "embedContent",
        "batchEmbedContents",
    ];
    let method = path.rsplit_once(':').map_or("", |(_, method)| method);
    if path.contains("/v1/messages") || headers.contains_key("anthropic-version") {
        Dialect::Anthropic
    } else if path.contains("/model/") {
        Dialect::Bedrock
    } else if path.contains("/v1beta/") || path.contains("/publishers/google/") || METHODS.contains(&method) {
        Dialect::Gemini
    } else {
        Dialect::OpenAi
    }
}

/// How a stream is framed that this path asks for.
fn framing(path: &str, query: &str) -> Framing {
    if path.ends_with("/converse-stream") {
        Framing::Frames
    } else if path.ends_with(":streamGenerateContent") && !query.split('&').any(|pair| pair == "alt=sse") {
        Framing::Array
    } else {
        Framing::Events
    }
}

/// The model that Google's and Amazon's paths name: `/v1beta/models/NAME:generateContent`, `/model/NAME/converse`.
pub(super) fn model_in_path(path: &str) -> Option<String> {
    let named = match path.split_once("/model/") {
        Some((_, rest)) => rest.split('/').next()?,
        None => path.split_once("/models/")?.1.rsplit_once(':')?.0,
    };
    Some(decoded(named))
}

/// A part of a path without its percent signs.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, more)) = rest.split_first() {
        let code = more
            .get(..2)
            .and_then(|two| std::str::from_utf8(two).ok())
            .and_then(|two| u8::from_str_radix(two, 16).ok());
        match (first, code) {
            (b'%', Some(code)) => {
                bytes.push(code);
                rest = more.get(2..).unwrap_or_default();
            }
            _ => {
                bytes.push(*first);
                rest = more;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The name of the request's credential. `Err(given)` if it is none of the accepted ones. Of what Amazon's are signed with,
/// only the name of the key is looked at here.
fn credential(app: &App, dialect: Dialect, headers: &HeaderMap, query: &str) -> Result<String, bool> {
    let plain = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let authorization = plain(AUTHORIZATION.as_str());
    let bearer = authorization.and_then(|value| value.strip_prefix("Bearer "));
    let signed = authorization.and_then(signature::key);
    let in_query = query.split('&').find_map(|pair| pair.strip_prefix("key="));
    let given = match dialect {
        Dialect::OpenAi => bearer.or_else(|| plain("api-key")),
        Dialect::Anthropic => plain("x-api-key").or(bearer),
        Dialect::Gemini => plain("x-goog-api-key").or(bearer).or(in_query),
        Dialect::Bedrock => bearer.or(signed),
    };
    if app.options.credentials.is_empty() {
        let needs_one = matches!(dialect, Dialect::Gemini | Dialect::Bedrock);
        return match given {
            Some(_) => Ok("default".to_owned()),
            None if needs_one => Err(false),
            None => Ok("anonymous".to_owned()),
        };
    }
    let known = app.options.credentials.iter().find(|(_, value)| match signed {
        Some(key) if dialect == Dialect::Bedrock => value.split_once(':').is_some_and(|(id, _)| id == key),
        _ => given == Some(value),
    });
    known.map(|(name, _)| name.clone()).ok_or(given.is_some())
}

/// Each provider's words for a credential that is missing or wrong.
fn unauthorized(call: &Call, given: bool, query: &str) -> Problem {
    match call.dialect {
        Dialect::Gemini if call.headers.contains_key("x-goog-api-key") || query.contains("key=") => google::bad_key(),
        Dialect::Gemini if !given => google::no_key(),
        Dialect::Bedrock if given && signature::is_bearer(&call.headers) => {
            Problem::invalid("Authentication failed: Please make sure your API Key is valid.").with_status(403)
        }
        dialect => Problem::unauthorized(dialect, given),
    }
}

/// Whether `tg-` stands anywhere at the beginning of a word and looks like a gateway's virtual key.
fn carries_virtual_key(bytes: &[u8]) -> bool {
    let word = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    memchr::memmem::find_iter(bytes, b"tg-").any(|at| {
        let begins = at
            .checked_sub(1)
            .and_then(|before| bytes.get(before))
            .is_none_or(|byte| !word(byte));
        begins
            && bytes
                .get(at + 3..)
                .unwrap_or_default()
                .iter()
                .take_while(|byte| word(byte))
                .count()
                >= 8
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_virtual_key_is_found_wherever_it_stands() {
        for text in [
            "tg-0123456789abcdef",
            "Bearer tg-0123456789abcdef",
            "{\"user\":\"tg-0123456789abcdef\"}",
        ] {
            assert!(carries_virtual_key(text.as_bytes()), "{text}");
        }
        for text in [
            "",
            "tg-",
            "tg-short",
            "ctg-0123456789abcdef",
            "sk-tg-0123456789abcdef",
            "--tg-0123456789abcdef",
        ] {
            assert!(!carries_virtual_key(text.as_bytes()), "{text}");
        }
    }
}
