//! What every request goes through before and after its endpoint.
//!
//! In: an HTTP request, [`Admitted`] or refused; later what the endpoint composed. Out: the response, billed, spoiled as
//! the request asked, and with the headers the providers send. It knows no endpoint and no body's shape.

mod admitted;

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::de::DeserializeOwned;
use tokio::time::{Instant, sleep};

pub use admitted::{Admitted, DropConnection, no_such_method, no_such_path};

use crate::clock;
use crate::errors::{Dialect, Problem};
use crate::json::Object;
use crate::ledger::{Charged, Produced};
use crate::limits::Standing;
use crate::prices::Tokens;
use crate::server::App;
use crate::steering::{Fault, Steering};
use crate::stream::{Pace, Script, Tells};

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
    pub fn free(&self, body: &Object) -> Response {
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

fn accepts_gzip(headers: &HeaderMap) -> bool {
    let mut accepted = headers
        .get_all(ACCEPT_ENCODING)
        .iter()
        .filter_map(|value| value.to_str().ok());
    accepted.any(|value| value.contains("gzip"))
}
