//! The router with the rendered configuration's retry policy.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use std::time::Duration;

use super::leg::{Leg, Piece};
use super::{Attempt, check_length, status_of};
use crate::headers::Headers;
use crate::host::Traffic;
use crate::process::Process;
use crate::upstream::{Reply, Step};
use crate::worker::Place;

/// The filter state that names the cluster of the next attempt.
const CLUSTER_KEY: &[u8] = b"wasm.tollgate.cluster";
/// The response header by which the provider filter asks for another attempt.
const RETRY_HEADER: &str = "x-tollgate-retry";
const MAX_RETRIES_HEADER: &str = "x-envoy-max-retries";
const RETRY_ON_HEADER: &str = "x-envoy-retry-on";
const PER_TRY_HEADER: &str = "x-envoy-upstream-rq-per-try-timeout-ms";
/// The rendered route's own conditions and number of retries, where the module chooses the cluster; other routes have
/// none.
const ROUTE_RETRY_ON: &str = "connect-failure,refused-stream,reset-before-request";
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
    retry_on: Vec<String>,
    retries_left: u32,
    /// How long an attempt may take until something of its answer passes on.
    per_try: Option<Duration>,
    headers_last: bool,
    body: Vec<u8>,
    ended: bool,
    trailers: bool,
}

pub(super) struct LiveAttempt {
    /// The provider filter's context; none in the shape without one.
    pub(super) provider: Option<Place>,
    pub(super) request: Leg,
    pub(super) response: Leg,
    pub(super) steps: VecDeque<Step>,
    /// The reply does not wait for the whole request.
    pub(super) early: bool,
    /// When it has taken too long, in nanoseconds of the steady clock. It is forgotten once something passes on.
    pub(super) deadline: Option<u64>,
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

    /// The retry policy: the route's, with what the request's headers add to it. Those go no further.
    pub(super) fn take_retry_policy(&mut self, headers: &mut Headers, hold_headers: bool) {
        let (conditions, retries) = if hold_headers {
            (ROUTE_RETRY_ON, ROUTE_RETRIES)
        } else {
            ("", 1)
        };
        let more = headers.text(RETRY_ON_HEADER).unwrap_or_default();
        self.retry_on = conditions
            .split(',')
            .chain(more.split(','))
            .map(|word| word.trim().to_owned())
            .collect();
        let asked = headers.text(MAX_RETRIES_HEADER).and_then(|value| value.parse().ok());
        self.retries_left = asked.unwrap_or(retries);
        let milliseconds = headers.text(PER_TRY_HEADER).and_then(|value| value.parse().ok());
        self.per_try = milliseconds.map(Duration::from_millis);
        for name in [MAX_RETRIES_HEADER, RETRY_ON_HEADER, PER_TRY_HEADER] {
            headers.remove(name);
        }
    }

    /// Whether the policy wants another attempt after such an answer.
    pub(super) fn retriable(&self, headers: &Headers) -> bool {
        // An answer of another Envoy's rate limiter is final.
        if headers.has("x-envoy-ratelimited") {
            return false;
        }
        let status = status_of(headers);
        ((500..600).contains(&status) && self.retries_on(&["5xx"]))
            || (matches!(status, 502..=504) && self.retries_on(&["gateway-error"]))
            || (matches!(status, 408 | 429) && self.retries_on(&["retriable-status-codes"]))
            || (headers.has(RETRY_HEADER) && self.retries_on(&["retriable-headers"]))
    }

    /// Whether the policy wants another attempt after a connection that never came about, or that broke.
    pub(super) fn retriable_break(&self, refused: bool) -> bool {
        let conditions: &[&str] = match refused {
            true => &[
                "connect-failure",
                "reset-before-request",
                "5xx",
                "gateway-error",
                "reset",
            ],
            false => &["5xx", "gateway-error", "reset"],
        };
        self.retries_on(conditions)
    }

    fn retries_on(&self, conditions: &[&str]) -> bool {
        self.retry_on
            .iter()
            .any(|condition| conditions.contains(&condition.as_str()))
    }

    /// Whether another attempt is left; it is then counted.
    pub(super) fn retry(&mut self) -> bool {
        let allowed = self.retries_left > 0 && !self.response_started;
        self.retries_left = self.retries_left.saturating_sub(1);
        allowed
    }

    /// When an attempt that begins now has taken too long.
    pub(super) fn deadline(&self, process: &Process) -> Option<u64> {
        let nanoseconds = u64::try_from(self.per_try?.as_nanos()).unwrap_or(u64::MAX);
        Some(process.steady().saturating_add(nanoseconds))
    }

    /// How much time the attempt has left, where `wait` is longer than that.
    pub(super) fn runs_out(&self, wait: Duration, process: &Process) -> Option<Duration> {
        let deadline = self.live.as_ref()?.deadline.filter(|_| !self.response_started)?;
        let left = Duration::from_nanos(deadline.saturating_sub(process.steady()));
        (wait >= left).then_some(left)
    }

    /// Whether the provider acts before the client does.
    pub(super) fn is_early(&self) -> bool {
        self.live
            .as_ref()
            .is_some_and(|live| live.early && !live.steps.is_empty())
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
