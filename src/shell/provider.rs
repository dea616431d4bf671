//! The provider role: the filter of every provider's cluster, once per attempt.

use std::rc::Rc;

use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::Action;

use super::exchanges::{self, Shared};
use super::host::{self, Side};
use super::reply::{read_chunk, read_end, read_head};
use super::series::survive;
use super::vms::with_books;
use crate::dialect::Dialect;
use crate::fault::{Answer, Fault};
use crate::handoff::{CLUSTER_PROPERTY, Handoff, PROPERTY};
use crate::headers::Headers;
use crate::pipeline::{Begun, Foreign, Now};
use crate::world::World;

/// Where the host says which provider the address belongs to that it has chosen, if it has chosen by itself.
const CHOSEN_PROPERTY: &str = "xds\0upstream_host_metadata\0filter_metadata\0tollgate\0provider";

pub(super) struct Provider {
    world: Option<Rc<World>>,
    attempt: Attempt,
    /// Whether the body is to be edited, and how much of it is held.
    translates: bool,
    held: usize,
    /// How much in the host's buffer stands for what is held back of the answer.
    placed: usize,
}

/// Where this attempt's state is.
enum Attempt {
    None,
    /// In the gateway role, in this VM.
    Here(Shared),
    /// In the gateway role, in another VM, which reads the answer too.
    Foreign(Box<Foreign>),
}

impl Provider {
    pub(super) fn new(world: Option<Rc<World>>) -> Self {
        Self {
            world,
            attempt: Attempt::None,
            translates: false,
            held: 0,
            placed: 0,
        }
    }
}

impl Context for Provider {}

impl HttpContext for Provider {
    fn on_http_request_headers(&mut self, _count: usize, ends: bool) -> Action {
        let started = host::now();
        let headers = match host::headers(Side::Request) {
            Ok(headers) => headers,
            Err(error) => {
                survive(Err(error));
                return refuse();
            }
        };
        let begun = match self.begin(&headers, started) {
            Some(Ok(begun)) => begun,
            Some(Err(answer)) => return tell(&answer),
            None => return refuse(),
        };
        if let Err(error) = host::depart(&begun.departure) {
            // With another's credential or path, or with the client's, a request must not go out.
            survive(Err(error));
            return refuse();
        }
        if let Some(cluster) = &begun.next_cluster {
            survive(host::set_property(CLUSTER_PROPERTY, cluster));
        }
        self.translates = begun.translates && !ends;
        self.spent(started);
        if self.translates {
            Action::Pause
        } else {
            Action::Continue
        }
    }

    fn on_http_request_body(&mut self, size: usize, ends: bool) -> Action {
        if !self.translates {
            return Action::Continue;
        }
        self.held = size;
        if ends { self.translate(size) } else { Action::Pause }
    }

    fn on_http_request_trailers(&mut self, _count: usize) -> Action {
        if self.translates {
            self.translate(self.held)
        } else {
            Action::Continue
        }
    }

    fn on_http_response_headers(&mut self, _count: usize, ends: bool) -> Action {
        match &self.attempt {
            Attempt::Here(exchange) => match exchange.try_borrow_mut() {
                Ok(mut sent) => read_head(&mut sent, ends),
                Err(_) => Action::Continue,
            },
            Attempt::Foreign(foreign) => {
                let status = host::header(Side::Response, ":status").and_then(|status| status.parse().ok());
                if let Some((name, value)) = status.and_then(|status: u16| foreign.moves_on(status)) {
                    survive(host::set_header(Side::Response, name, value));
                }
                Action::Continue
            }
            Attempt::None => Action::Continue,
        }
    }

    fn on_http_response_body(&mut self, size: usize, ends: bool) -> Action {
        match &self.attempt {
            Attempt::Here(exchange) => read_chunk(exchange, size, &mut self.placed, ends),
            Attempt::Foreign(_) | Attempt::None => Action::Continue,
        }
    }

    fn on_http_response_trailers(&mut self, _count: usize) -> Action {
        if let Attempt::Here(exchange) = &self.attempt {
            read_end(exchange, &mut self.placed);
        }
        Action::Continue
    }
}

impl Provider {
    /// Finds the exchange this attempt belongs to, and begins it.
    fn begin(&mut self, headers: &Headers, now: Now) -> Option<Result<Begun, Answer>> {
        let text = String::from_utf8(host::property(PROPERTY)?).ok()?;
        // A host that chooses by itself has done so by now.
        let chosen = match self.world.as_ref().is_some_and(|world| world.orders_ahead) {
            true => host::property(CHOSEN_PROPERTY).and_then(|name| String::from_utf8(name).ok()),
            false => None,
        };
        if let Some(exchange) = exchanges::find(Handoff::place(&text)?) {
            let begun = {
                let mut sent = exchange.try_borrow_mut().ok()?;
                if let Some(number) = host::attempt() {
                    sent.attempt_is(number);
                }
                if chosen.is_some_and(|name| !sent.attempt_at(&name)) {
                    return None;
                }
                with_books(now, |books| sent.begin(headers, now, books))
            };
            self.attempt = Attempt::Here(exchange);
            return Some(begun);
        }
        let mut foreign = Foreign::new(Rc::clone(self.world.as_ref()?), Handoff::decode(&text)?);
        if let Some(number) = host::attempt() {
            foreign.attempt_is(number);
        }
        let cluster = match chosen {
            Some(name) => name,
            None => String::from_utf8(host::property("xds\0cluster_name")?).ok()?,
        };
        let begun = foreign.begin(headers, &cluster);
        survive(host::set_property(PROPERTY, &foreign.handoff().encode()));
        self.attempt = Attempt::Foreign(Box::new(foreign));
        begun.map(Ok)
    }

    /// Puts the whole body, `size` bytes of it, into the provider's words.
    fn translate(&mut self, size: usize) -> Action {
        let started = host::now();
        self.translates = false;
        let Ok(body) = host::body(Side::Request, size) else {
            return refuse();
        };
        let edited = match &self.attempt {
            Attempt::None => Ok(None),
            Attempt::Here(exchange) => match exchange.try_borrow_mut() {
                Ok(mut sent) => sent.translate(&body),
                Err(_) => return refuse(),
            },
            Attempt::Foreign(foreign) => foreign.translate(&body),
        };
        let edited = match edited {
            Ok(edited) => edited,
            Err(answer) => return tell(&answer),
        };
        let length = edited.as_ref().map_or(size, Vec::len).to_string();
        // What an earlier attempt has set is still there.
        let stands = host::header(Side::Request, "content-length");
        let replaced = match (edited, stands) {
            (Some(edited), _) => host::set_header(Side::Request, "content-length", &length)
                .and_then(|()| host::replace_body(Side::Request, size, &edited)),
            (None, Some(stands)) if stands != length => host::set_header(Side::Request, "content-length", &length),
            (None, _) => Ok(()),
        };
        if let Err(error) = replaced {
            survive(Err(error));
            return refuse();
        }
        self.spent(started);
        Action::Continue
    }

    fn spent(&self, since: Now) {
        if let Attempt::Here(exchange) = &self.attempt
            && let Ok(mut sent) = exchange.try_borrow_mut()
        {
            sent.spent(host::now().since(since));
        }
    }
}

/// A request that did not come through the gateway role, or that cannot be put into the provider's words, goes nowhere.
fn refuse() -> Action {
    tell(&Fault::Internal.answer(Dialect::OpenAi, ""))
}

fn tell(answer: &Answer) -> Action {
    survive(host::answer(answer));
    Action::Pause
}
