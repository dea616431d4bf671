//! The gateway role: the listener's filter, once per request.

use std::cell::RefCell;
use std::rc::Rc;

use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::Action;

use super::exchanges::{self, Shared};
use super::host::{self, Side};
use super::reply::{read_chunk, read_end, read_head};
use super::series::{Host, observe, step, survive};
use super::vms::with_books;
use crate::dialect::Dialect;
use crate::fault::{Answer, Fault};
use crate::handoff::{CLUSTER_PROPERTY, ORDER_PROPERTY, PROPERTY, Place};
use crate::headers::Headers;
use crate::limit::admit::Afresh;
use crate::limit::store::Unwritable;
use crate::metrics;
use crate::pipeline::{self, Answered, Answering, Arrival, Ending, Now, Receipt, Received, Refused, Sent};
use crate::record::Record;
use crate::world::World;

/// What Envoy says of an answer that a provider gave; of any other, it says why it answered by itself.
const BY_PROVIDER: &[u8] = b"via_upstream";
const DETAILS: &str = "response\0code_details";

pub(super) struct Gateway {
    world: Option<Rc<World>>,
    stage: Stage,
}

#[derive(Default)]
enum Stage {
    /// Nothing seen, or not Tollgate's.
    #[default]
    Outside,
    /// The body is to come.
    Waiting(Box<Received>),
    /// Gone to a provider.
    Sent(Under),
    Refused(Refused),
    Answered(Answered),
}

/// A request on its way, as the gateway role sees it.
struct Under {
    exchange: Shared,
    /// Where the provider role finds it; `None` where there is no provider role.
    place: Option<Place>,
    reply: Reply,
    /// Whether the answer came before the request's body was complete, so that the rest of it stays here.
    early: bool,
}

/// Who reads the answer.
enum Reply {
    /// The provider role, in this VM.
    Elsewhere,
    /// This role: there is no provider role, or it runs in another VM. How much in the host's buffer stands for what is
    /// held back.
    Here(usize),
    /// Nobody: Envoy answered by itself, and this is told instead, once.
    Ours(Option<Vec<u8>>),
}

impl Gateway {
    pub(super) fn new(world: Option<Rc<World>>) -> Self {
        Self {
            world,
            stage: Stage::Outside,
        }
    }
}

impl Context for Gateway {}

impl HttpContext for Gateway {
    fn on_http_request_headers(&mut self, _count: usize, ends: bool) -> Action {
        let (Some(world), Ok(headers)) = (&self.world, host::headers(Side::Request)) else {
            tell(&Fault::Internal.answer(Dialect::OpenAi, ""));
            return Action::Pause;
        };
        let since = host::now();
        match with_books(since, |books| pipeline::receive(world, &headers, ends, since, books)) {
            Receipt::Pass => Action::Continue,
            Receipt::Await(received) => {
                step_in_flight(received.arrival(), 1);
                let holds = world.hold_headers;
                if !holds && let Err(error) = host::depart(&received.departs(&headers)) {
                    survive(Err(error));
                    return self.refuse(received.fail(Fault::Internal));
                }
                self.stage = Stage::Waiting(received);
                if holds { Action::Pause } else { Action::Continue }
            }
            Receipt::Send(mut sent) => {
                step_in_flight(sent.arrival(), 1);
                if world.hold_headers {
                    self.send(*sent, &headers, since);
                    return Action::Continue;
                }
                let departed = host::depart(&sent.begin_here(&headers));
                let failed = departed.is_err();
                survive(departed);
                if failed {
                    // As where a body is to come: with the client's own credential it must not go out.
                    tell(&Fault::Internal.answer(Dialect::OpenAi, ""));
                }
                self.read_here(*sent, failed);
                if failed { Action::Pause } else { Action::Continue }
            }
            Receipt::Answer(answered) => {
                tell(&answered.answer);
                self.stage = Stage::Answered(answered);
                Action::Pause
            }
            Receipt::Refuse(refused) => self.refuse(refused),
        }
    }

    fn on_http_request_body(&mut self, size: usize, ends: bool) -> Action {
        let received = match core::mem::take(&mut self.stage) {
            Stage::Waiting(received) => received,
            stage => {
                self.stage = stage;
                return self.rest();
            }
        };
        if !ends {
            return match received.grow(size) {
                Ok(received) => {
                    self.stage = Stage::Waiting(received);
                    Action::Pause
                }
                Err(refused) => self.refuse(refused),
            };
        }
        self.complete(received, size)
    }

    fn on_http_request_trailers(&mut self, _count: usize) -> Action {
        match core::mem::take(&mut self.stage) {
            Stage::Waiting(received) => {
                let size = received.seen();
                self.complete(received, size)
            }
            stage => {
                self.stage = stage;
                self.rest()
            }
        }
    }

    fn on_http_response_headers(&mut self, _count: usize, ends: bool) -> Action {
        if let Stage::Waiting(_) = &self.stage {
            self.answer_early();
        }
        let Stage::Sent(under) = &mut self.stage else {
            return Action::Continue;
        };
        let Ok(mut sent) = under.exchange.try_borrow_mut() else {
            return Action::Continue;
        };
        let status = host::header(Side::Response, ":status")
            .and_then(|status| status.parse().ok())
            .unwrap_or(0);
        let by_provider = || host::property(DETAILS).as_deref() == Some(BY_PROVIDER);
        let read_there = matches!(under.reply, Reply::Elsewhere);
        match sent.answering(status, read_there, by_provider, host::attempt) {
            Answering::Read => {}
            Answering::Unread => {
                under.reply = Reply::Here(0);
                let action = read_head(&mut sent, ends);
                if action == Action::Pause {
                    return action;
                }
            }
            Answering::Envoys(answer) => {
                under.reply = replace(answer, ends);
                return Action::Continue;
            }
        }
        if ends && let Some(answer) = sent.untold() {
            tell(&answer);
            under.reply = Reply::Ours(None);
        }
        Action::Continue
    }

    fn on_http_response_body(&mut self, size: usize, ends: bool) -> Action {
        if let Stage::Sent(under) = &mut self.stage {
            match &mut under.reply {
                Reply::Elsewhere => {}
                Reply::Here(placed) => return read_chunk(&under.exchange, size, placed, ends),
                Reply::Ours(body) => {
                    survive(host::replace_body(
                        Side::Response,
                        size,
                        &body.take().unwrap_or_default(),
                    ));
                }
            }
        }
        Action::Continue
    }

    fn on_http_response_trailers(&mut self, _count: usize) -> Action {
        if let Stage::Sent(Under {
            exchange,
            reply: Reply::Here(placed),
            ..
        }) = &mut self.stage
        {
            read_end(exchange, placed);
        }
        Action::Continue
    }

    fn on_log(&mut self) {
        let now = host::now();
        match core::mem::take(&mut self.stage) {
            Stage::Outside => {}
            Stage::Waiting(received) => leave(received.arrival(), &received.record(now), now),
            Stage::Refused(refused) => leave(refused.arrival(), &refused.record(now), now),
            Stage::Answered(answered) => answered.record(now).observe(&mut Host),
            Stage::Sent(under) => {
                if let Some(place) = under.place {
                    exchanges::release(place);
                }
                if let Ok(mut sent) = under.exchange.try_borrow_mut() {
                    let ending = if sent.open() { ending() } else { Ending::ByProvider };
                    let noted = with_books(now, |books| sent.note(Some(ending), books));
                    if let Err(Unwritable) = noted {
                        observe(&metrics::INTERNAL_ERRORS, &["shared_data_contended"], 1);
                    }
                    let grant = sent.take_grant();
                    let record = sent.record(ending, now);
                    let was_present = with_books(now, |books| sent.settle(grant, &record, books));
                    close(sent.arrival(), &record, was_present);
                }
            }
        }
    }
}

impl Gateway {
    fn complete(&mut self, received: Box<Received>, size: usize) -> Action {
        let started = host::now();
        let holds = received.arrival().world.hold_headers;
        let Ok(body) = host::body(Side::Request, size) else {
            return self.refuse(received.fail(Fault::Internal));
        };
        let headers = if holds {
            match host::headers(Side::Request) {
                Ok(headers) => Some(headers),
                Err(error) => {
                    survive(Err(error));
                    return self.refuse(received.fail(Fault::Internal));
                }
            }
        } else {
            None
        };
        match (with_books(started, |books| received.ask(&body, books)), headers) {
            (Err(refused), _) => self.refuse(refused),
            (Ok(sent), Some(headers)) => {
                self.send(*sent, &headers, started);
                Action::Continue
            }
            (Ok(mut sent), None) => {
                sent.begin_unseen();
                match sent.translate(&body) {
                    Ok(Some(edited)) => survive(host::replace_body(Side::Request, size, &edited)),
                    Ok(None) => {}
                    // Where hosts choose, nothing is translated.
                    Err(answer) => tell(&answer),
                }
                sent.spent(host::now().since(started));
                self.read_here(*sent, false);
                Action::Continue
            }
        }
    }

    /// Hands the request to the provider role: names its first cluster and has the route chosen by it.
    fn send(&mut self, mut sent: Sent, headers: &Headers, started: Now) {
        survive(host::depart(&sent.routed(headers)));
        let cluster = sent.cluster().map(str::to_owned);
        sent.spent(host::now().since(started));
        let exchange = Rc::new(RefCell::new(sent));
        let place = exchanges::keep(&exchange);
        if let Ok(sent) = exchange.try_borrow() {
            survive(host::set_property(PROPERTY, &sent.handoff(place).encode()));
            if sent.arrival().world.orders_ahead {
                survive(host::set_property(ORDER_PROPERTY, &sent.order()));
            }
        }
        if let Some(cluster) = cluster {
            survive(host::set_property(CLUSTER_PROPERTY, &cluster));
        }
        survive(host::clear_route_cache());
        self.stage = Stage::Sent(Under {
            exchange,
            place: Some(place),
            reply: Reply::Elsewhere,
            early: false,
        });
    }

    /// What becomes of what follows a body that is judged already: of a request that was answered, nothing passes.
    fn rest(&self) -> Action {
        match &self.stage {
            Stage::Refused(_) | Stage::Answered(_) => Action::Pause,
            Stage::Sent(under) if under.early => Action::Pause,
            Stage::Outside | Stage::Waiting(_) | Stage::Sent(_) => Action::Continue,
        }
    }

    /// An answer came while the body was awaited.
    fn answer_early(&mut self) {
        if let Stage::Waiting(received) = core::mem::take(&mut self.stage) {
            let hosts_choose = !received.arrival().world.hold_headers;
            let mut sent = received.answered_early();
            if hosts_choose {
                sent.begin_unseen();
            }
            self.read_here(sent, true);
        }
    }

    /// The request goes where its host says, or nowhere any more if its answer came early; the answer is read here.
    fn read_here(&mut self, sent: Sent, early: bool) {
        self.stage = Stage::Sent(Under {
            exchange: Rc::new(RefCell::new(sent)),
            place: None,
            reply: Reply::Here(0),
            early,
        });
    }

    fn refuse(&mut self, refused: Refused) -> Action {
        tell(&refused.answer());
        self.stage = Stage::Refused(refused);
        Action::Pause
    }
}

/// Puts our answer in the place of one that Envoy gave by itself.
fn replace(answer: Answer, ends: bool) -> Reply {
    if ends {
        tell(&answer);
        return Reply::Ours(None);
    }
    survive(host::set_header(Side::Response, ":status", &answer.status.to_string()));
    match host::headers(Side::Response) {
        Ok(headers) => {
            for name in Sent::bared(&headers) {
                survive(host::remove_header(Side::Response, &name));
            }
        }
        Err(error) => survive(Err(error)),
    }
    survive(host::remove_header(Side::Response, "content-length"));
    for (name, value) in &answer.headers {
        survive(host::set_header(Side::Response, name, value));
    }
    Reply::Ours(Some(answer.body))
}

fn tell(answer: &Answer) {
    survive(host::answer(answer));
}

fn ending() -> Ending {
    match host::property(DETAILS).as_deref() {
        None | Some(b"") => Ending::ByClient,
        Some(details) if details.starts_with(b"downstream") || details.starts_with(b"http") => Ending::ByClient,
        Some(_) => Ending::ByProvider,
    }
}

/// Counts a caller's request in or out of flight.
fn step_in_flight(arrival: &Arrival, by: i64) {
    let (key, team) = arrival.labels();
    step(&metrics::IN_FLIGHT, &[key, team], by);
}

/// A request is over for which nothing was set aside.
fn leave(arrival: &Arrival, record: &Record<'_>, now: Now) {
    let was_present = with_books(now, |books| arrival.leave(books));
    close(arrival, record, was_present);
}

/// A request is over, and counted out: records it.
fn close(arrival: &Arrival, record: &Record<'_>, was_present: Result<bool, Unwritable>) {
    // Counted before it is no longer in flight: where nothing is, everything has been counted.
    record.observe(&mut Host);
    match was_present {
        // Whoever was taken for dead has been counted out already.
        Ok(false) => {}
        Ok(true) => step_in_flight(arrival, -1),
        Err(Unwritable) => observe(&metrics::INTERNAL_ERRORS, &["shared_data_contended"], 1),
    }
    for Afresh { cell, before, now } in &record.remarks.afresh {
        let (before, now) = (before.name(), now.name());
        log::info!("{cell}: what was spent per {before} does not count for the budget per {now}, which begins afresh");
    }
}
