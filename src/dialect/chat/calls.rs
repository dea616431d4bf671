//! The calls of a stream, one after the other.
//!
//! In: pieces of calls, as they come. Out: events in which the pieces of one call are not mixed with those of another. The
//! first call passes at once; another that begins before the arguments of the one before are whole is held back. Servers
//! differ: OpenAI ends one call before the next begins, some begin all of them first, Google's compatible endpoint gives
//! each the index 0 with an id of its own, and others give no index at all.

use super::thoughts;
use super::wire::{Call, call_id};
use crate::conversation::Event;

/// What has been seen of calls so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Calls {
    seen: Vec<Seen>,
    /// How many of them have begun to pass; the last of those is the one that passes.
    passed: usize,
}

#[derive(Clone, Debug)]
struct Seen {
    index: Option<u64>,
    given: String,
    id: String,
    name: String,
    signature: Option<String>,
    /// Arguments that wait for their turn.
    held: String,
    nesting: Nesting,
}

/// How deep in a JSON text its end is.
#[derive(Clone, Copy, Debug, Default)]
struct Nesting {
    depth: u32,
    is_begun: bool,
    is_in_string: bool,
    is_escaped: bool,
}

impl Nesting {
    fn feed(&mut self, text: &str) {
        for byte in text.bytes() {
            match (self.is_in_string, byte) {
                (true, _) if self.is_escaped => self.is_escaped = false,
                (true, b'\\') => self.is_escaped = true,
                (_, b'"') => self.is_in_string = !self.is_in_string,
                (false, b'{' | b'[') => {
                    self.is_begun = true;
                    self.depth = self.depth.saturating_add(1);
                }
                (false, b'}' | b']') => self.depth = self.depth.saturating_sub(1),
                _ => {}
            }
        }
    }

    fn is_whole(self) -> bool {
        self.is_begun && self.depth == 0
    }
}

impl Calls {
    /// Whether there are any.
    pub(super) fn any(&self) -> bool {
        !self.seen.is_empty()
    }

    /// Whether more may come of a call that has begun, so that nothing else may pass now.
    pub(super) fn open(&self) -> bool {
        self.passed < self.seen.len() || self.seen.last().is_some_and(|last| !last.nesting.is_whole())
    }

    /// Takes in a piece of a call of the answer with this id.
    pub(super) fn take(&mut self, call: Call, answer: &str, out: &mut Vec<Event>) {
        let function = call.function.unwrap_or_default();
        let given = call.id.as_deref().unwrap_or_default();
        let name = function.name.as_deref().unwrap_or_default();
        let more = match function.arguments {
            // As it should be: a piece of text. Else an object, whole.
            Some(raw) => serde_json::from_str(raw.get()).unwrap_or_else(|_| raw.get().to_owned()),
            None => String::new(),
        };
        let known = match call.index {
            Some(_) => self.seen.iter().rposition(|seen| seen.index == call.index),
            None if given.is_empty() => self.seen.len().checked_sub(1),
            None => self.seen.iter().rposition(|seen| seen.given == given),
        };
        let is_another = |seen: &&Seen| {
            let is_named = !name.is_empty() && !seen.name.is_empty();
            match given.is_empty() {
                true => is_named && seen.nesting.is_whole() && !more.is_empty(),
                false => is_named && seen.given != given,
            }
        };
        let known = known.filter(|place| !self.seen.get(*place).as_ref().is_some_and(is_another));
        let place = known.unwrap_or_else(|| {
            self.seen.push(Seen {
                index: call.index,
                given: given.to_owned(),
                id: call_id(call.id.as_deref(), answer, self.seen.len()),
                name: String::new(),
                signature: None,
                held: String::new(),
                nesting: Nesting::default(),
            });
            self.seen.len() - 1
        });
        let passed = self.passed;
        let Some(seen) = self.seen.get_mut(place) else { return };
        if seen.name.is_empty() {
            name.clone_into(&mut seen.name);
        }
        if let Some(signature) = call.extra_content.and_then(thoughts::signature_of_call) {
            seen.signature = Some(signature);
        }
        seen.nesting.feed(&more);
        if place >= passed {
            seen.held.push_str(&more);
        } else if place + 1 == passed && !more.is_empty() {
            out.push(Event::Arguments(more));
        }
        self.pass(false, out);
    }

    /// Nothing more will come: all that was held back passes.
    pub(super) fn flush(&mut self, out: &mut Vec<Event>) {
        self.pass(true, out);
    }

    fn pass(&mut self, is_last: bool, out: &mut Vec<Event>) {
        loop {
            let before = self.passed.checked_sub(1).and_then(|place| self.seen.get(place));
            let may_pass = is_last || before.is_none_or(|before| before.nesting.is_whole());
            let Some(next) = self.seen.get_mut(self.passed).filter(|_| may_pass) else {
                return;
            };
            if next.name.is_empty() && !is_last {
                return;
            }
            self.passed += 1;
            // A call of nothing is none.
            if next.name.is_empty() {
                continue;
            }
            out.push(Event::Call {
                id: next.id.clone(),
                name: next.name.clone(),
                signature: next.signature.take(),
            });
            if !next.held.is_empty() {
                out.push(Event::Arguments(std::mem::take(&mut next.held)));
            }
        }
    }
}
