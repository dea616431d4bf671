//! What every request goes through before and after its endpoint.
//!
//! In: an HTTP request. Out: a [`Call`] and the request's body, or a refusal; later the response with the headers the
//! providers send. In order: count, look for leaked keys, read the steering, check the credential, fail if asked to.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{FromRequest, Request};
use axum::http::header::{ACCEPT_ENCODING, AUTHORIZATION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use serde::de::DeserializeOwned;
use tokio::time::{Instant, sleep};

use crate::clock;
use crate::errors::{Dialect, Problem};
use crate::ledger::{Charged, Produced};
use crate::limits::Standing;
use crate::prices::Tokens;
use crate::server::App;
use crate::steering::{Fault, Steering};
use crate::stream::{Pace, Script, Tells};

/// A response with this among its extensions is not sent: its connection is closed instead.
#[derive(Clone, Copy, Debug)]
pub struct DropConnection;

/// One request that was let in.
#[derive(Debug)]
pub struct Call {
    /// What all requests share.
    pub app: Arc<App>,
    /// Whose API the request speaks.
    pub dialect: Dialect,
    /// How it asks to be answered.
    pub steering: Steering,
    /// Its headers.
    pub headers: HeaderMap,
    /// When it arrived.
    pub arrived: Instant,
    /// When it arrived, in seconds since 1970.
    pub created: u64,
    /// Method and path, as the providers quote them.
    pub target: String,
    credential: String,
    serial: u64,
    standing: Option<Standing>,
}

/// A reply, ready to be billed and sent.
#[derive(Debug)]
pub struct Reply {
    /// What it is charged by.
    pub charged: Charged,
    /// What it costs in full.
    pub tokens: Tokens,
    /// What to send.
    pub script: Script,
    /// Whether it is a stream of events, or one JSON body.
    pub stream: bool,
    /// An error event of the endpoint's own, with its name, where the dialect's usual one is not what it sends.
    pub error_event: Option<(&'static str, String)>,
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
        let credential = credential(app, dialect, &parts.headers);
        let leaks = parts
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
        let Ok(body) = axum::body::to_bytes(body, app.options.max_body).await else {
            return Err(call.refuse(Problem::status(413, dialect)));
        };
        if carries_virtual_key(&body) {
            app.ledger.leaked();
        }
        if let Err(given) = credential {
            return Err(call.refuse(Problem::unauthorized(dialect, given)));
        }
        match call.steering.fault {
            Some(Fault::Hang) => std::future::pending().await,
            Some(Fault::Drop) => {
                let mut response = StatusCode::BAD_GATEWAY.into_response();
                response.extensions_mut().insert(DropConnection);
                return Err(response);
            }
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
    /// Reads the body as JSON.
    ///
    /// # Errors
    /// The provider's refusal of a body that is no JSON, or not of the endpoint's shape.
    pub fn parse<T: DeserializeOwned>(&self, body: &[u8]) -> Result<T, Problem> {
        serde_json::from_slice(body).map_err(|error| {
            Problem::invalid(match self.dialect {
                Dialect::OpenAi => format!("We could not parse the JSON body of your request. (HINT: {error})"),
                Dialect::Anthropic => format!("The request body is not valid JSON: {error}"),
            })
        })
    }

    /// Looks the model up: it must be one this dialect's provider serves.
    ///
    /// # Errors
    /// The provider's refusal of a missing or unknown model.
    pub fn model(&self, model: Option<&str>) -> Result<Charged, Problem> {
        let Some(model) = model else {
            return Err(Problem::invalid(match self.dialect {
                Dialect::OpenAi => "you must provide a model parameter",
                Dialect::Anthropic => "model: Field required",
            }));
        };
        self.serves(model)
            .ok_or_else(|| Problem::no_such_model(self.dialect, model))
    }

    /// The same without a refusal.
    pub fn serves(&self, model: &str) -> Option<Charged> {
        let other = match self.dialect {
            Dialect::OpenAi => "anthropic",
            Dialect::Anthropic => "openai",
        };
        let (name, price) = self.app.model(model).filter(|(_, price)| price.provider != other)?;
        Some(Charged {
            name,
            price,
            service_tier: self.steering.service_tier.clone(),
        })
    }

    /// Counts the request against the credential's limits: its prompt and what the answer may have.
    ///
    /// # Errors
    /// The provider's 429.
    pub fn admit(&mut self, model: &Charged, tokens: u64) -> Result<(), Problem> {
        let (standing, admitted) = self.app.limits.admit(&self.credential, tokens, self.arrived);
        self.standing = Some(standing);
        admitted.map_err(|refusal| {
            let wait_s = refusal.wait.as_secs_f64().ceil().max(1.0) as u64;
            self.steering.retry_after = self.steering.retry_after.or(Some(wait_s));
            Problem::rate_limited(self.dialect, refusal.what, refusal.limit, &model.name, wait_s)
        })
    }

    /// Sends what an endpoint composed, or its refusal.
    pub async fn answer(&self, composed: Result<Reply, Problem>) -> Response {
        match composed {
            Ok(reply) => self.reply(reply).await,
            Err(problem) => self.refuse(problem),
        }
    }

    /// Bills the reply and sends it, spoiled as the steering asks.
    async fn reply(&self, reply: Reply) -> Response {
        let fault = self.steering.fault;
        let error = Problem::status(if self.dialect == Dialect::Anthropic { 529 } else { 500 }, self.dialect);
        let as_body = match fault {
            Some(Fault::ErrorBody) => true,
            Some(Fault::ErrorFirst | Fault::ErrorAfter(_)) => !reply.stream,
            _ => false,
        };
        if as_body || fault == Some(Fault::ErrorFirst) {
            self.app
                .ledger
                .error(&self.credential, Some(&reply.charged.name), error.status);
        }
        if as_body {
            sleep(self.steering.ttft).await;
            return self.json_response(
                StatusCode::OK,
                &error.body(self.dialect, &self.request_id()).to_string(),
            );
        }
        let Reply {
            charged,
            tokens,
            mut script,
            stream,
            error_event,
        } = reply;
        let mut bill = self.app.ledger.open(&self.credential, charged, tokens);
        if fault == Some(Fault::ErrorFirst) {
            bill.waive();
        }
        let gzip = self.steering.gzip && accepts_gzip(&self.headers);
        let mut length = None;
        if stream {
            let own = error_event.map(|(name, data)| (Some(name), data));
            let (name, data) = own.unwrap_or_else(|| self.error_event(&error));
            let fault = if fault == Some(Fault::ErrorFirst) {
                Some(Fault::ErrorAfter(0))
            } else {
                fault
            };
            script.spoil(fault, (name, &data));
        } else {
            length = (!gzip).then(|| script.size());
            script.spoil_json(fault);
            let pace = Pace::new(&self.steering, tokens.reasoning);
            let until = pace.at(tokens.output);
            while let Some(left) = until.checked_sub(self.arrived.elapsed()).filter(|left| !left.is_zero()) {
                sleep(left.min(Duration::from_millis(50))).await;
                if let Some(made) = pace.tokens_after(self.arrived.elapsed()) {
                    bill.produced(Produced::Answer(made));
                }
            }
        }
        let body = match script.play(bill, self.arrived, self.steering.chunks, gzip) {
            Ok(body) => body,
            Err(error) => return (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
        };
        let mut response = Response::new(body);
        let content_type = if stream {
            "text/event-stream; charset=utf-8"
        } else {
            "application/json"
        };
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        if stream {
            headers.insert("cache-control", HeaderValue::from_static("no-cache"));
        }
        if let Some(length) = length {
            headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
        }
        if gzip {
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        self.dress(headers);
        response
    }

    /// A JSON reply that costs nothing.
    pub fn free(&self, body: &serde_json::Value) -> Response {
        self.json_response(StatusCode::OK, &body.to_string())
    }

    /// An error reply in the dialect's shape, counted in the ledger.
    pub fn refuse(&self, problem: Problem) -> Response {
        self.app
            .ledger
            .error(&self.credential, problem.model.as_deref(), problem.status);
        self.problem_response(&problem)
    }

    /// The model the body asks for, if the provider has it, of a request that is refused before it is read.
    fn asked_model(&self, body: &[u8]) -> Option<String> {
        #[derive(serde::Deserialize)]
        struct Asked {
            model: String,
        }
        let asked: Asked = serde_json::from_slice(body).ok()?;
        self.serves(&asked.model).map(|charged| charged.name)
    }

    fn problem_response(&self, problem: &Problem) -> Response {
        let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = self.json_response(status, &problem.body(self.dialect, &self.request_id()).to_string());
        let wait = self.steering.retry_after.or((problem.status == 429).then_some(1));
        if let Some(wait) = wait {
            let headers = response.headers_mut();
            headers.insert(RETRY_AFTER, HeaderValue::from(wait));
            if self.dialect == Dialect::OpenAi {
                headers.insert("retry-after-ms", HeaderValue::from(wait.saturating_mul(1_000)));
            }
        }
        response
    }

    fn json_response(&self, status: StatusCode, body: &str) -> Response {
        let mut response = Response::new(Body::from(body.to_owned()));
        *response.status_mut() = status;
        response
            .headers_mut()
            .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        self.dress(response.headers_mut());
        response
    }

    /// The headers the providers put on every reply.
    fn dress(&self, headers: &mut HeaderMap) {
        let mut set = |name: &'static str, value: String| {
            if let Ok(value) = HeaderValue::from_str(&value) {
                headers.insert(HeaderName::from_static(name), value);
            }
        };
        match self.dialect {
            Dialect::OpenAi => {
                set("x-request-id", self.request_id());
                set("openai-organization", "org-simulated".into());
                set("openai-version", "2020-10-01".into());
                set("openai-processing-ms", self.arrived.elapsed().as_millis().to_string());
                let Some(Standing { requests, tokens }) = self.standing else {
                    return;
                };
                set("x-ratelimit-limit-requests", requests.limit.to_string());
                set("x-ratelimit-remaining-requests", requests.remaining.to_string());
                set("x-ratelimit-reset-requests", clock::short(requests.reset));
                set("x-ratelimit-limit-tokens", tokens.limit.to_string());
                set("x-ratelimit-remaining-tokens", tokens.remaining.to_string());
                set("x-ratelimit-reset-tokens", clock::short(tokens.reset));
            }
            Dialect::Anthropic => {
                set("request-id", self.request_id());
                set(
                    "anthropic-organization-id",
                    "00000000-0000-4000-8000-000000000000".into(),
                );
                let Some(Standing { requests, tokens }) = self.standing else {
                    return;
                };
                let at = |reset: Duration| clock::rfc3339(self.created + reset.as_secs_f64().ceil() as u64);
                set("anthropic-ratelimit-requests-limit", requests.limit.to_string());
                set("anthropic-ratelimit-requests-remaining", requests.remaining.to_string());
                set("anthropic-ratelimit-requests-reset", at(requests.reset));
                set("anthropic-ratelimit-tokens-limit", tokens.limit.to_string());
                set("anthropic-ratelimit-tokens-remaining", tokens.remaining.to_string());
                set("anthropic-ratelimit-tokens-reset", at(tokens.reset));
            }
        }
    }

    /// An error as the dialect puts it into a stream.
    fn error_event(&self, problem: &Problem) -> (Option<&'static str>, String) {
        let body = problem.body(self.dialect, &self.request_id());
        match self.dialect {
            Dialect::OpenAi => (None, body.to_string()),
            Dialect::Anthropic => (Some("error"), body.to_string()),
        }
    }

    /// `prefix` and letters that no other reply of this server has.
    pub fn id(&self, prefix: &str, length: usize) -> String {
        const LETTERS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
        // The serial number itself, mixed: distinct for distinct numbers.
        let mut state = self.serial.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ (prefix.len() as u64) << 56;
        let mut id = String::with_capacity(prefix.len() + length);
        id.push_str(prefix);
        for _ in 0..length {
            state = state
                .wrapping_mul(0x5851_F42D_4C95_7F2D)
                .wrapping_add(0x1405_7B7E_F767_814F);
            let letter = LETTERS
                .get((state >> 33) as usize % LETTERS.len())
                .copied()
                .unwrap_or(b'0');
            id.push(char::from(letter));
        }
        id
    }

    fn request_id(&self) -> String {
        self.id("req_", 24)
    }

    /// The usage a reply reports with its end: all of it, unless it shall report none.
    pub fn tells_all(&self) -> Tells {
        if self.steering.no_usage {
            Tells::Nothing
        } else {
            Tells::All
        }
    }
}

/// A path no endpoint answers.
pub async fn no_such_path(Admitted(call, _): Admitted) -> Response {
    call.refuse(match call.dialect {
        Dialect::OpenAi => Problem::invalid(format!("Invalid URL ({})", call.target)).with_status(404),
        Dialect::Anthropic => Problem::status(404, call.dialect),
    })
}

/// A path that is answered, but not with this method.
pub async fn no_such_method(Admitted(call, _): Admitted) -> Response {
    let message = match call.dialect {
        Dialect::OpenAi => format!(
            "Not allowed ({}). (HINT: Perhaps you meant to use a different HTTP method?)",
            call.target
        ),
        Dialect::Anthropic => "Method Not Allowed".to_owned(),
    };
    call.refuse(Problem::invalid(message).with_status(405))
}

fn dialect(path: &str, headers: &HeaderMap) -> Dialect {
    let anthropic = path.contains("/v1/messages") || headers.contains_key("anthropic-version");
    if anthropic { Dialect::Anthropic } else { Dialect::OpenAi }
}

/// The name of the request's credential. `Err(given)` if it is none of the accepted ones.
fn credential(app: &App, dialect: Dialect, headers: &HeaderMap) -> Result<String, bool> {
    let plain = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let bearer = plain(AUTHORIZATION.as_str()).and_then(|value| value.strip_prefix("Bearer "));
    let given = match dialect {
        Dialect::OpenAi => bearer.or_else(|| plain("api-key")),
        Dialect::Anthropic => plain("x-api-key").or(bearer),
    };
    if app.options.credentials.is_empty() {
        return Ok(if given.is_some() { "default" } else { "anonymous" }.to_owned());
    }
    let known = app.options.credentials.iter().find(|(_, value)| given == Some(value));
    known.map(|(name, _)| name.clone()).ok_or(given.is_some())
}

fn accepts_gzip(headers: &HeaderMap) -> bool {
    let mut accepted = headers
        .get_all(ACCEPT_ENCODING)
        .iter()
        .filter_map(|value| value.to_str().ok());
    accepted.any(|value| value.contains("gzip"))
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
