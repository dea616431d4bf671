//! The router with the rendered configuration's retry policy.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

use super::leg::{Leg, Piece};
use super::{Attempt, check_length, status_of};
use crate::headers::Headers;
use crate::host::Traffic;
use crate::process::Process;
use crate::upstream::{Reply, Step};

/// The filter state that names the cluster of the next attempt.
const CLUSTER_KEY: &[u8] = b"wasm.tollgate.cluster";
/// The response header by which the provider filter asks for another attempt.
const RETRY_HEADER: &str = "x-tollgate-retry";
const MAX_RETRIES_HEADER: &str = "x-envoy-max-retries";
/// The route's own number of retries, where no header says otherwise.
const ROUTE_RETRIES: u32 = 10;

/// What each cluster answers.
pub(crate) type Upstreams = Rc<RefCell<BTreeMap<String, Upstream>>>;

#[derive(Default)]
pub(crate) struct Upstream {
    pub(crate) replies: VecDeque<Reply>,
}

impl Upstream {
    /// The next reply; the last one for ever.
    pub(crate) fn next(&mut self) -> Reply {
        match self.replies.len() {
            0 => Reply::silence(),
            1 => self.replies.front().cloned().unwrap_or_else(Reply::silence),
            _ => self.replies.pop_front().unwrap_or_else(Reply::silence),
        }
    }
}

#[derive(Default)]
pub(super) struct Router {
    pub(super) live: Option<LiveAttempt>,
    pub(super) attempts: Vec<Attempt>,
    /// A response has been passed on: whatever happens now, there is no other attempt.
    pub(super) response_started: bool,
    retries_left: u32,
    headers_last: bool,
    body: Vec<u8>,
    ended: bool,
    trailers: bool,
}

pub(super) struct LiveAttempt {
    /// The provider filter's context; none in the shape without one.
    pub(super) provider: Option<u32>,
    pub(super) request: Leg,
    pub(super) response: Leg,
    pub(super) steps: VecDeque<Step>,
}

impl Router {
    /// Keeps what a further attempt would need.
    pub(super) fn keep(&mut self, piece: &Piece) {
        match piece {
            Piece::Headers { last } => self.headers_last = *last,
            Piece::Data { bytes, last } => {
                self.body.extend(bytes);
                self.ended = *last;
            }
            Piece::Trailers => self.trailers = true,
        }
    }

    pub(super) fn kept(&self) -> Vec<Piece> {
        let mut pieces = vec![Piece::Headers {
            last: self.headers_last,
        }];
        if self.ended || !self.body.is_empty() {
            pieces.push(Piece::Data {
                bytes: self.body.clone(),
                last: self.ended,
            });
        }
        if self.trailers {
            pieces.push(Piece::Trailers);
        }
        pieces
    }

    /// The number of retries: the request header's, which goes no further, else the route's.
    pub(super) fn take_retry_headers(&mut self, headers: &mut Headers) {
        let asked = headers.text(MAX_RETRIES_HEADER).and_then(|value| value.parse().ok());
        self.retries_left = asked.unwrap_or(ROUTE_RETRIES);
        headers.remove(MAX_RETRIES_HEADER);
    }

    /// Whether another attempt is allowed; it is then counted.
    pub(super) fn retry(&mut self) -> bool {
        let allowed = self.retries_left > 0 && !self.response_started;
        self.retries_left = self.retries_left.saturating_sub(1);
        allowed
    }

    pub(super) fn next_step(&mut self) -> Option<Step> {
        self.live.as_mut()?.steps.pop_front()
    }

    /// Writes down what reaches the provider.
    pub(super) fn sent(&mut self, headers: &Headers, pieces: Vec<Piece>, process: &Process) {
        let refused = self
            .live
            .as_ref()
            .is_some_and(|live| matches!(live.steps.front(), Some(Step::Refuse)));
        let Some(attempt) = self.attempts.last_mut() else {
            return;
        };
        if refused {
            return;
        }
        for piece in pieces {
            attempt.ended = match piece {
                Piece::Headers { last } => {
                    attempt.headers = Some(headers.clone());
                    last
                }
                Piece::Data { bytes, last } => {
                    attempt.body.extend(bytes);
                    last
                }
                Piece::Trailers => true,
            };
        }
        if attempt.ended {
            let about = format!("the request to {}", attempt.cluster);
            check_length(process, &about, attempt.headers.as_ref(), &attempt.body);
        }
    }
}

/// The cluster of the attempt that begins now: the one filter state names, or where nothing is held, the host's own.
pub(super) fn cluster(traffic: &Traffic, hold_headers: bool) -> Option<String> {
    if hold_headers {
        traffic
            .filter_state
            .get(CLUSTER_KEY)
            .map(|name| String::from_utf8_lossy(name).into_owned())
    } else {
        traffic.request_headers.text(":authority")
    }
}

/// Whether the route's policy wants another attempt after such an answer.
pub(super) fn retriable(headers: &Headers) -> bool {
    let status = status_of(headers);
    let failed = (500..600).contains(&status) || status == 408 || status == 429;
    // An answer of another Envoy's rate limiter is final.
    headers.has(RETRY_HEADER) || (failed && !headers.has("x-envoy-ratelimited"))
}
