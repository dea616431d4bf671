//! What every request goes through before and after its endpoint.
//!
//! In: an HTTP request, [`Admitted`] or refused; later what the endpoint composed. Out: the response, billed, spoiled as
//! the request asked, and with the headers the providers send. It knows no endpoint and no body's shape. The way in is in
//! `admitted`, the providers' headers in `dress`.

mod admitted;
mod dress;

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::de::DeserializeOwned;
use tokio::time::{Instant, sleep};

pub use admitted::{Admitted, DropConnection, no_such_method, no_such_path};

use crate::errors::{Dialect, Problem, amazon};
use crate::json::Object;
use crate::ledger::{Charged, Produced};
use crate::limits::Standing;
use crate::prices::{Model, Tokens};
use crate::server::App;
use crate::steering::{Fault, Steering};
use crate::stream::{Framing, Pace, Script, Tells};

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
    /// How a stream that was asked for is framed.
    pub framing: Framing,
    /// Further headers of the reply.
    pub told: Vec<(&'static str, String)>,
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
                Dialect::Gemini => format!("Invalid JSON payload received. {error}"),
                Dialect::Bedrock => "Malformed input request, please reformat your input and try again.".to_owned(),
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
                Dialect::Gemini | Dialect::Bedrock => "model is required",
            }));
        };
        self.serves(model)
            .ok_or_else(|| Problem::no_such_model(self.dialect, model))
    }

    /// The same without a refusal.
    pub fn serves(&self, model: &str) -> Option<Charged> {
        let served = |price: &Model| match price.provider.as_str() {
            "openai" => self.dialect == Dialect::OpenAi,
            "anthropic" => self.dialect == Dialect::Anthropic,
            "gemini" => self.dialect == Dialect::Gemini,
            "bedrock" => self.dialect == Dialect::Bedrock,
            _ => true,
        };
        let (name, price) = self.app.model(model).filter(|(_, price)| served(price))?;
        Some(Charged {
            name,
            price,
            service_tier: self.steering.service_tier.clone(),
        })
    }

    /// Refuses a prompt that is longer than the context window the steering sets.
    ///
    /// # Errors
    /// The provider's words for it.
    pub fn fits(&self, tokens: u64) -> Result<(), Problem> {
        match self.steering.context {
            Some(limit) if tokens > limit => Err(Problem::too_long(self.dialect, tokens, limit)),
            _ => Ok(()),
        }
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
        let status = match self.dialect {
            Dialect::OpenAi | Dialect::Bedrock => 500,
            Dialect::Anthropic => 529,
            Dialect::Gemini => 503,
        };
        let error = Problem::status(status, self.dialect);
        let as_body = match fault {
            Some(Fault::ErrorBody) => true,
            Some(Fault::ErrorFirst | Fault::ErrorAfter(_)) => !reply.stream,
            _ => false,
        };
        if as_body || fault == Some(Fault::ErrorFirst) {
            self.app
                .ledger
                .failed(&self.credential, Some(&reply.charged.name), error.status);
        }
        if as_body {
            self.app.ledger.answered(&self.credential, "200");
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
        let content_type = if stream {
            script.content_type()
        } else {
            "application/json"
        };
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
        self.app.ledger.answered(&self.credential, "200");
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
        if let Some(model) = admitted::model_in_path(&self.target) {
            return self.serves(&model).map(|charged| charged.name);
        }
        let asked: Asked = serde_json::from_slice(body).ok()?;
        self.serves(&asked.model).map(|charged| charged.name)
    }

    fn problem_response(&self, problem: &Problem) -> Response {
        let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut problem = problem.clone();
        problem.wait = self.steering.retry_after.or(problem.wait);
        let mut body = problem.body(self.dialect, &self.request_id()).to_string();
        if self.framing == Framing::Array {
            body = format!("[{body}]");
        }
        let mut response = self.json_response(status, &body);
        // Google says it in the body, Amazon says nothing.
        let says = matches!(self.dialect, Dialect::OpenAi | Dialect::Anthropic);
        let wait = self
            .steering
            .retry_after
            .or(problem.wait.filter(|_| says))
            .or((says && problem.status == 429).then_some(1));
        if self.dialect == Dialect::Bedrock {
            let exception = problem.kind.unwrap_or_else(|| amazon::exception(problem.status));
            let kind = format!("{exception}:http://internal.amazon.com/coral/com.amazon.bedrock/");
            if let Ok(kind) = HeaderValue::from_str(&kind) {
                response.headers_mut().insert("x-amzn-errortype", kind);
            }
        }
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

    /// An error as the dialect puts it into a stream.
    fn error_event(&self, problem: &Problem) -> (Option<&'static str>, String) {
        let body = problem.body(self.dialect, &self.request_id());
        match self.dialect {
            Dialect::OpenAi | Dialect::Gemini => (None, body.to_string()),
            Dialect::Bedrock => (Some("internalServerException"), body.to_string()),
            Dialect::Anthropic => (Some("error"), body.to_string()),
        }
    }

    /// `prefix` and letters that no other reply of this server has.
    pub fn id(&self, prefix: &str, length: usize) -> String {
        self.nth_id(prefix, 0, length)
    }

    /// The same for the nth of several things of one reply.
    pub fn nth_id(&self, prefix: &str, nth: u64, length: usize) -> String {
        const LETTERS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
        // The serial number itself, mixed: distinct for distinct numbers.
        let mut state = self.serial.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ (prefix.len() as u64) << 56 ^ nth << 40;
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

    /// An identifier as Amazon writes them, which no other reply of this server has.
    fn uuid(&self) -> String {
        format!("{:08x}-0000-4000-8000-{:012x}", self.created, self.serial)
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
