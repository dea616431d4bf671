//! One request through the gateway filter, the router, the provider filter of each attempt, and back, one network event
//! at a time.
//!
//! The router is the one of the rendered configuration: the cluster comes from filter state at each attempt, and an
//! attempt is followed by another where the route's retry policy says so.

mod attempts;
mod leg;
mod outcome;
mod router;

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

pub(crate) use self::leg::Piece;
use self::leg::{Direction, Leg, Stop};
pub use self::outcome::{Attempt, End, Outcome};
use self::router::{Router, Upstreams};
use crate::headers::Headers;
use crate::host::{Context, LocalReply, Traffic};
use crate::request::Request;
use crate::upstream::Step;
use crate::worker::{Place, ProviderEnds, Role, Worker};

pub(crate) use self::router::Upstream;

/// Envoy's response flags, as `response.flags` has them.
const DOWNSTREAM_ABORT: u64 = 16_384;
const UPSTREAM_BROKE: u64 = 8_388_608;
const UPSTREAM_REFUSED: u64 = 32;
const UPSTREAM_TIMEOUT: u64 = 4;
const RETRIES_EXHAUSTED: u64 = 32_768;

/// The property that says why Envoy answered as it did.
const DETAILS: &str = "response.code_details";

/// How this proxy is configured around the module.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    pub(crate) hold_headers: bool,
    pub(crate) buffer_limit: usize,
    pub(crate) provider_ends: ProviderEnds,
}

/// A request on its way. Several can be on their way at one worker.
pub struct Exchange {
    worker: Worker,
    upstreams: Upstreams,
    shape: Shape,
    traffic: Rc<RefCell<Traffic>>,
    /// What the client has yet to send.
    inbox: VecDeque<Piece>,
    /// The gateway filter's context, from the first event on.
    gateway: Option<Place>,
    request: Leg,
    response: Leg,
    router: Router,
    flags: u64,
    received: Option<Headers>,
    body: Vec<u8>,
    end: Option<End>,
    events: usize,
}

impl Exchange {
    pub(crate) fn new(worker: Worker, upstreams: Upstreams, shape: Shape, request: Request) -> Self {
        let (request_headers, request_trailers, inbox) = request.into_parts();
        let traffic = Traffic {
            request_headers,
            request_trailers,
            ..Traffic::default()
        };
        Self {
            worker,
            upstreams,
            shape,
            traffic: Rc::new(RefCell::new(traffic)),
            inbox,
            gateway: None,
            request: Leg::new(Direction::Request, shape.hold_headers, shape.buffer_limit),
            response: Leg::new(Direction::Response, shape.hold_headers, shape.buffer_limit),
            router: Router::default(),
            flags: 0,
            received: None,
            body: Vec::new(),
            end: None,
            events: 0,
        }
    }

    /// Lets the next thing arrive from the network. False once it is over.
    pub fn step(&mut self) -> bool {
        if self.end.is_some() {
            return false;
        }
        let piece = if self.router.is_early() {
            None
        } else {
            self.inbox.pop_front()
        };
        if let Some(piece) = piece {
            self.events += 1;
            self.client_sends(piece);
        } else {
            match self.router.next_step() {
                None => self.wait(Duration::MAX),
                Some(Step::Wait(duration)) => self.wait(duration),
                Some(step) => {
                    self.events += 1;
                    self.upstream_sends(step);
                }
            }
        }
        true
    }

    /// Nothing arrives for so long.
    fn wait(&mut self, time: Duration) {
        let process = self.worker.process();
        match self.router.runs_out(time, &process) {
            Some(left) => {
                process.advance(left);
                self.attempt_broke(UPSTREAM_TIMEOUT);
            }
            None if time == Duration::MAX => self.finish(End::Hung),
            None => process.advance(time),
        }
    }

    /// Lets everything arrive.
    pub fn run(mut self) -> Outcome {
        while self.step() {}
        self.outcome()
    }

    /// The client hangs up now.
    pub fn hang_up(mut self) -> Outcome {
        if self.end.is_none() {
            self.abandon();
        }
        self.outcome()
    }

    /// The worker's VM is gone, as after a trap: of this exchange nothing is ever heard again, not even that it is over.
    pub fn vanish(mut self) {
        self.end = Some(End::Trapped);
    }

    /// How many network events there have been.
    pub fn events(&self) -> usize {
        self.events
    }

    /// What the client has received of the body so far.
    pub fn received(&self) -> &[u8] {
        &self.body
    }

    fn outcome(mut self) -> Outcome {
        let headers = self.received.take().unwrap_or_default();
        Outcome {
            end: self.end.unwrap_or(End::Hung),
            status: status_of(&headers),
            headers,
            body: std::mem::take(&mut self.body),
            attempts: std::mem::take(&mut self.router.attempts),
            events: self.events,
        }
    }

    fn client_sends(&mut self, piece: Piece) {
        let id = match self.gateway {
            Some(id) => id,
            None => {
                let context = Context {
                    traffic: Some(Rc::clone(&self.traffic)),
                    ..Context::default()
                };
                let id = self.worker.open_stream(Role::Gateway, context);
                self.gateway = Some(id);
                id
            }
        };
        let accepted = self.request.accept(&mut self.worker.vm(id), id.id, piece);
        match accepted {
            Ok(pieces) => self.give_router(pieces),
            Err(Stop::LocalReply(reply)) => self.local_reply(&reply, ""),
            Err(Stop::TooLarge) => self.envoys_reply(413, "request_payload_too_large"),
            Err(Stop::Reset) => self.finish(End::Reset),
            Err(Stop::Trap) => self.trapped(),
        }
    }

    fn give_router(&mut self, pieces: Vec<Piece>) {
        for piece in pieces {
            if self.end.is_some() {
                return;
            }
            self.router.keep(&piece);
            if matches!(piece, Piece::Headers { .. }) {
                let hold_headers = self.shape.hold_headers;
                self.router
                    .take_retry_policy(&mut self.traffic.borrow_mut().request_headers, hold_headers);
                if !self.traffic.borrow().request_headers.has("x-forwarded-proto") {
                    return self.envoys_reply(404, "route_not_found");
                }
                // The route was looked up when the request arrived, and again only if the filter asked for it.
                let looked_up_again = !hold_headers || self.traffic.borrow().route_cleared;
                if !looked_up_again || !self.start_attempt() {
                    return match hold_headers {
                        true => self.envoys_reply(503, "cluster_not_found"),
                        false => self.envoys_reply(404, "route_not_found"),
                    };
                }
            }
            self.give_provider(piece);
        }
    }

    /// A piece of the response, whoever it comes from, through the gateway filter to the client.
    fn give_gateway(&mut self, piece: Piece) {
        let Some(id) = self.gateway else { return };
        let accepted = self.response.accept(&mut self.worker.vm(id), id.id, piece);
        match accepted {
            Ok(pieces) => self.give_client(pieces),
            Err(Stop::LocalReply(reply)) if self.received.is_none() => self.reply_at_once(&reply),
            Err(Stop::TooLarge) if self.received.is_none() => {
                self.reply_at_once(&envoys(500, "response_payload_too_large"))
            }
            Err(Stop::LocalReply(_) | Stop::TooLarge | Stop::Reset) => self.finish(End::Reset),
            Err(Stop::Trap) => self.trapped(),
        }
    }

    fn give_client(&mut self, pieces: Vec<Piece>) {
        for piece in pieces {
            let ended = match piece {
                Piece::Headers { last } => {
                    self.received = Some(self.traffic.borrow().response_headers.clone());
                    last
                }
                Piece::Data { bytes, last } => {
                    self.body.extend(bytes);
                    last
                }
                Piece::Trailers => true,
            };
            if ended {
                let about = "the response to the client";
                check_length(&self.worker.process(), about, self.received.as_ref(), &self.body);
                self.finish(End::Complete);
            }
        }
    }

    /// An answer made here goes through the gateway filter like any other.
    fn local_reply(&mut self, reply: &LocalReply, details: &str) {
        self.fact(DETAILS, details.as_bytes());
        self.set_response(reply);
        self.give_gateway(Piece::Headers {
            last: reply.body.is_empty(),
        });
        if !reply.body.is_empty() && self.end.is_none() {
            self.give_gateway(Piece::Data {
                bytes: reply.body.clone(),
                last: true,
            });
        }
    }

    fn envoys_reply(&mut self, status: u32, details: &str) {
        self.local_reply(&envoys(status, details), details);
    }

    /// An answer made while the response passes goes to the client directly.
    fn reply_at_once(&mut self, reply: &LocalReply) {
        self.set_response(reply);
        let last = reply.body.is_empty();
        let mut pieces = vec![Piece::Headers { last }];
        if !last {
            pieces.push(Piece::Data {
                bytes: reply.body.clone(),
                last: true,
            });
        }
        self.give_client(pieces);
    }

    fn set_response(&mut self, reply: &LocalReply) {
        let mut headers = Headers::from([(":status", reply.status.to_string().as_str())]);
        headers.set("content-length", reply.body.len().to_string());
        if !reply.body.is_empty() {
            headers.set("content-type", "text/plain");
        }
        for (name, value) in &reply.headers {
            // Envoy's own content-type gives way.
            if name == "content-type" {
                headers.remove(name);
            }
            headers.add(name, value);
        }
        let mut traffic = self.traffic.borrow_mut();
        traffic.response_headers = headers;
    }

    fn trapped(&mut self) {
        if self.received.is_none() {
            self.received = Some(Headers::from([(":status", "503")]));
        }
        self.finish(End::Trapped);
    }

    fn abandon(&mut self) {
        self.flags |= DOWNSTREAM_ABORT;
        self.fact(DETAILS, b"downstream_remote_disconnect");
        self.finish(End::HungUp);
    }

    fn fact(&self, name: &str, value: &[u8]) {
        self.traffic.borrow_mut().facts.insert(name.to_owned(), value.to_vec());
    }

    fn finish(&mut self, end: End) {
        self.end = Some(end);
        if end == End::Hung {
            self.fact(DETAILS, b"stream_idle_timeout");
        }
        self.fact("response.flags", &self.flags.to_le_bytes());
        if let Some(headers) = &self.received {
            self.fact("response.code", &i64::from(status_of(headers)).to_le_bytes());
        }
        if end == End::Complete && self.shape.provider_ends == ProviderEnds::BeforeTheLog {
            self.end_attempt();
        }
        if let Some(id) = self.gateway.take() {
            self.worker.vm(id).on_log(id.id);
            self.worker.close_stream(id);
        }
        self.end_attempt();
    }
}

/// Envoy ends what is still open when the proxy goes; the module must see that too.
impl Drop for Exchange {
    fn drop(&mut self) {
        if self.end.is_none() && !std::thread::panicking() {
            self.abandon();
        }
    }
}

/// Envoy's own replies, as the rendered configuration words them for both kinds of SDK.
fn envoys(status: u32, details: &str) -> LocalReply {
    let error = serde_json::json!({"type": "api_error", "code": details, "message": "Envoy answered by itself."});
    let body = serde_json::json!({"type": "error", "error": error})
        .to_string()
        .into_bytes();
    let headers = vec![("content-type".to_owned(), b"application/json".to_vec())];
    LocalReply { status, headers, body }
}

fn status_of(headers: &Headers) -> u16 {
    headers
        .text(":status")
        .and_then(|status| status.parse().ok())
        .unwrap_or(0)
}

/// HTTP/1.1 would cut the body, or wait for the rest of it.
fn check_length(process: &crate::process::Process, about: &str, headers: Option<&Headers>, body: &[u8]) {
    let Some(headers) = headers else { return };
    let lengths = headers.all("content-length");
    if lengths.len() > 1 {
        process.complain(format!("{about} has {} content-length headers", lengths.len()));
    }
    if let Some(length) = headers.text("content-length")
        && length != body.len().to_string()
    {
        process.complain(format!(
            "{about} says content-length {length} and has {} bytes",
            body.len()
        ));
    }
}
