//! Attempts: the way from the router to a provider and back.

use std::rc::Rc;

use super::leg::{Direction, Leg, Piece, Stop};
use super::router::{self, LiveAttempt, Upstream};
use super::{Attempt, DETAILS, End, Exchange, RETRIES_EXHAUSTED, UPSTREAM_BROKE, UPSTREAM_REFUSED, UPSTREAM_TIMEOUT};
use crate::headers::Headers;
use crate::host::Context;
use crate::upstream::Step;
use crate::worker::Role;

impl Exchange {
    /// Begins an attempt at the cluster that is named now. False if there is no such cluster.
    pub(super) fn start_attempt(&mut self) -> bool {
        let Some(cluster) = router::cluster(&self.traffic.borrow(), self.shape.hold_headers) else {
            return false;
        };
        let Some(reply) = self.upstreams.borrow_mut().get_mut(&cluster).map(Upstream::next) else {
            return false;
        };
        let attempts = self.router.attempts.len() as u64 + 1;
        for fact in ["cluster_name", "xds.cluster_name"] {
            self.fact(fact, cluster.as_bytes());
        }
        self.fact("upstream.request_attempt_count", &attempts.to_le_bytes());
        let provider = self.shape.hold_headers.then(|| {
            let context = Context {
                traffic: Some(Rc::clone(&self.traffic)),
                ..Context::default()
            };
            self.worker.open_stream(Role::Provider, context)
        });
        self.router.attempts.push(Attempt {
            cluster,
            headers: None,
            body: Vec::new(),
            ended: false,
        });
        self.router.live = Some(LiveAttempt {
            provider,
            request: Leg::new(Direction::Request, self.shape.hold_headers, self.shape.buffer_limit),
            response: Leg::new(Direction::Response, self.shape.hold_headers, self.shape.buffer_limit),
            early: reply.comes_early(),
            deadline: self.router.deadline(&self.worker.process()),
            steps: reply.into_steps(),
        });
        true
    }

    pub(super) fn give_provider(&mut self, piece: Piece) {
        let Some(live) = &mut self.router.live else { return };
        let accepted = match live.provider {
            None => Ok(vec![piece]),
            Some(id) => live.request.accept(&mut self.worker.vm(id), id.id, piece),
        };
        match accepted {
            Ok(pieces) => self
                .router
                .sent(&self.traffic.borrow().request_headers, pieces, &self.worker.process()),
            Err(stop) => self.provider_stopped(stop),
        }
    }

    pub(super) fn upstream_sends(&mut self, step: Step) {
        let piece = match step {
            Step::Refuse => return self.attempt_broke(UPSTREAM_REFUSED),
            Step::Reset | Step::Wait(_) => return self.attempt_broke(UPSTREAM_BROKE),
            Step::Headers { headers, last } => {
                let mut traffic = self.traffic.borrow_mut();
                traffic.response_headers = headers;
                Piece::Headers { last }
            }
            Step::Data { bytes, last } => Piece::Data { bytes, last },
            Step::Trailers(trailers) => {
                self.traffic.borrow_mut().response_trailers = trailers;
                Piece::Trailers
            }
        };
        let Some(live) = &mut self.router.live else { return };
        let accepted = match live.provider {
            None => Ok(vec![piece]),
            Some(id) => live.response.accept(&mut self.worker.vm(id), id.id, piece),
        };
        match accepted {
            Ok(pieces) => self.give_router_back(pieces),
            Err(stop) => self.provider_stopped(stop),
        }
    }

    fn give_router_back(&mut self, pieces: Vec<Piece>) {
        for piece in pieces {
            if self.end.is_some() {
                return;
            }
            if matches!(piece, Piece::Headers { .. }) && self.router.retriable(&self.traffic.borrow().response_headers)
            {
                if self.router.retry() {
                    return self.next_attempt();
                }
                self.flags |= RETRIES_EXHAUSTED;
            }
            if matches!(piece, Piece::Headers { .. }) {
                self.fact(DETAILS, b"via_upstream");
                self.router.response_started = true;
            }
            self.give_gateway(piece);
        }
    }

    fn next_attempt(&mut self) {
        self.end_attempt();
        self.traffic.borrow_mut().response_headers = Headers::default();
        if !self.start_attempt() {
            return self.envoys_reply(503, "cluster_not_found");
        }
        for piece in self.router.kept() {
            self.give_provider(piece);
        }
    }

    fn provider_stopped(&mut self, stop: Stop) {
        match stop {
            // Straight to the client: a reply of an upstream filter is never followed by another attempt.
            Stop::LocalReply(reply) => self.local_reply(&reply, ""),
            Stop::TooLarge => self.envoys_reply(500, "response_payload_too_large"),
            Stop::Reset => self.attempt_broke(UPSTREAM_BROKE),
            Stop::Trap => self.trapped(),
        }
    }

    pub(super) fn attempt_broke(&mut self, flag: u64) {
        self.end_attempt();
        if self.router.response_started {
            self.flags |= flag;
            self.fact(
                DETAILS,
                b"upstream_reset_after_response_started{connection_termination}",
            );
            self.finish(End::Reset);
        } else if self.router.retriable_break(flag == UPSTREAM_REFUSED) && self.router.retry() {
            self.next_attempt();
        } else {
            self.flags |= flag;
            match flag {
                UPSTREAM_TIMEOUT => self.envoys_reply(504, "upstream_per_try_timeout"),
                UPSTREAM_REFUSED => {
                    self.envoys_reply(503, "upstream_reset_before_response_started{remote_connection_failure}");
                }
                _ => self.envoys_reply(503, "upstream_reset_before_response_started{connection_termination}"),
            }
        }
    }

    pub(super) fn end_attempt(&mut self) {
        if let Some(id) = self.router.live.take().and_then(|live| live.provider) {
            self.worker.close_stream(id);
        }
    }
}
