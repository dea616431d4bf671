//! One filter's view of one direction of a stream: what it is shown, what it holds back, what it lets go.
//!
//! The rules are Envoy's filter manager's for a wasm filter: a pause on headers (where the host allows it) holds them
//! until a body callback continues; a pause on the body makes the next callback see all of it so far; a pause on headers
//! where the host does not allow it stops the direction altogether.

use crate::host::LocalReply;
use crate::vm::{Action, Vm};

/// A part of a request or response on its way. Headers and trailers themselves are in the shared traffic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    Headers { last: bool },
    Data { bytes: Vec<u8>, last: bool },
    Trailers,
}

/// Why a piece did not come out at the other side.
#[derive(Debug)]
pub(crate) enum Stop {
    LocalReply(LocalReply),
    Reset,
    Trap,
    TooLarge,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    Request,
    Response,
}

#[derive(Debug)]
pub(crate) struct Leg {
    direction: Direction,
    /// A pause on headers lets the body through to the filter.
    may_hold_headers: bool,
    /// The most that may be buffered, in bytes.
    limit: usize,
    held_headers: Option<bool>,
    stopped: bool,
    /// The filter paused on the body: what it has been shown, and whether that was the end.
    buffered: Option<(Vec<u8>, bool)>,
    held_trailers: bool,
}

impl Leg {
    pub(crate) fn new(direction: Direction, may_hold_headers: bool, limit: usize) -> Self {
        Self {
            direction,
            may_hold_headers,
            limit,
            held_headers: None,
            stopped: false,
            buffered: None,
            held_trailers: false,
        }
    }

    /// Shows a piece to the filter; what it lets go comes back.
    pub(crate) fn accept(&mut self, vm: &mut Vm, id: u32, piece: Piece) -> Result<Vec<Piece>, Stop> {
        if vm.failed() {
            return Err(Stop::Trap);
        }
        if self.stopped {
            self.keep(piece);
            return Ok(Vec::new());
        }
        let action = match piece {
            Piece::Headers { last } => self.headers(vm, id, last),
            Piece::Data { bytes, last } => self.data(vm, id, bytes, last)?,
            Piece::Trailers => self.trailers(vm, id),
        };
        if vm.failed() {
            return Err(Stop::Trap);
        }
        let context = vm.context(id);
        if let Some(reply) = context.local_reply.take() {
            return Err(Stop::LocalReply(reply));
        }
        if std::mem::take(&mut context.reset) {
            return Err(Stop::Reset);
        }
        let resumed = context
            .resumed
            .get_mut(self.direction as usize)
            .is_some_and(std::mem::take);
        Ok(if action == Action::Continue || resumed {
            self.release(vm, id)
        } else {
            Vec::new()
        })
    }

    fn headers(&mut self, vm: &mut Vm, id: u32, last: bool) -> Action {
        self.held_headers = Some(last);
        let count = self.reach(vm, id, true, |reach, direction| match direction {
            Direction::Request => &mut reach.request_headers,
            Direction::Response => &mut reach.response_headers,
        });
        let callback = self.callback(["proxy_on_request_headers", "proxy_on_response_headers"]);
        let action = vm.on_traffic(id, callback, count, last);
        if action == Action::Continue {
            self.reach(vm, id, false, |reach, direction| match direction {
                Direction::Request => &mut reach.request_headers,
                Direction::Response => &mut reach.response_headers,
            });
        } else if !self.may_hold_headers {
            self.stopped = true;
        }
        action
    }

    fn data(&mut self, vm: &mut Vm, id: u32, bytes: Vec<u8>, last: bool) -> Result<Action, Stop> {
        let (mut shown, accumulating) = match self.buffered.take() {
            None => (Vec::new(), false),
            Some((shown, _)) => (shown, true),
        };
        shown.extend(bytes);
        if accumulating && shown.len() > self.limit {
            return Err(Stop::TooLarge);
        }
        let size = shown.len();
        let body = self.body(vm, id);
        (body.bytes, body.present) = (shown, true);
        let callback = self.callback(["proxy_on_request_body", "proxy_on_response_body"]);
        let action = vm.on_traffic(id, callback, size, last);
        let body = self.body(vm, id);
        let left = std::mem::take(&mut body.bytes);
        body.present = false;
        if action == Action::Pause && left.len() > self.limit {
            return Err(Stop::TooLarge);
        }
        self.buffered = Some((left, last));
        Ok(action)
    }

    fn trailers(&mut self, vm: &mut Vm, id: u32) -> Action {
        self.held_trailers = true;
        let count = self.reach(vm, id, true, |reach, direction| match direction {
            Direction::Request => &mut reach.request_trailers,
            Direction::Response => &mut reach.response_trailers,
        });
        // What a pause has buffered can still be read and changed.
        let buffered = self.buffered.take();
        if let Some((bytes, _)) = &buffered {
            let body = self.body(vm, id);
            (body.bytes, body.present) = (bytes.clone(), true);
        }
        let callback = self.callback(["proxy_on_request_trailers", "proxy_on_response_trailers"]);
        let action = vm.on_trailers(id, callback, count);
        let body = self.body(vm, id);
        let left = std::mem::take(&mut body.bytes);
        body.present = false;
        self.buffered = buffered.map(|(_, last)| (left, last));
        action
    }

    fn release(&mut self, vm: &mut Vm, id: u32) -> Vec<Piece> {
        self.stopped = false;
        let mut pieces = Vec::new();
        if let Some(last) = self.held_headers.take() {
            pieces.push(Piece::Headers { last });
            if let Some(left) = vm.context(id).headers_left.get_mut(self.direction as usize) {
                *left = true;
            }
        }
        if let Some((bytes, last)) = self.buffered.take()
            && (last || !bytes.is_empty())
        {
            pieces.push(Piece::Data { bytes, last });
        }
        if std::mem::take(&mut self.held_trailers) {
            pieces.push(Piece::Trailers);
        }
        pieces
    }

    fn keep(&mut self, piece: Piece) {
        match piece {
            Piece::Headers { last } => self.held_headers = Some(last),
            Piece::Data { bytes, last } => {
                let (buffer, ended) = self.buffered.get_or_insert_default();
                buffer.extend(bytes);
                *ended = last;
            }
            Piece::Trailers => self.held_trailers = true,
        }
    }

    /// Puts a header map within reach or out of it, and says how many headers it has.
    fn reach(
        &self,
        vm: &mut Vm,
        id: u32,
        within: bool,
        map: impl Fn(&mut crate::host::Reach, Direction) -> &mut bool,
    ) -> usize {
        let context = vm.context(id);
        *map(&mut context.reach, self.direction) = within;
        let Some(traffic) = &context.traffic else { return 0 };
        let traffic = traffic.borrow();
        match (self.direction, self.held_trailers) {
            (Direction::Request, false) => traffic.request_headers.len(),
            (Direction::Request, true) => traffic.request_trailers.len(),
            (Direction::Response, false) => traffic.response_headers.len(),
            (Direction::Response, true) => traffic.response_trailers.len(),
        }
    }

    fn body<'v>(&self, vm: &'v mut Vm, id: u32) -> &'v mut crate::host::Body {
        let context = vm.context(id);
        match self.direction {
            Direction::Request => &mut context.request_body,
            Direction::Response => &mut context.response_body,
        }
    }

    fn callback(&self, [request, response]: [&'static str; 2]) -> &'static str {
        match self.direction {
            Direction::Request => request,
            Direction::Response => response,
        }
    }
}
