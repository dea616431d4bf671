//! What a client is told as it comes.
//!
//! In: [`Event`]s, in any order. Out: whole server-sent events, in the order that the SDKs' accumulators need: an item is
//! announced, then its parts, then their pieces; then each is told whole, and at the end the whole answer. So all of it is
//! kept until then.
//!
//! The SDKs raise an error for an event that has a member `error`; other clients (Codex) look for `response.failed`. So an
//! error is told in both ways, the one that ends the SDKs' streams last.

use std::borrow::Cow;
use std::mem;

use serde::Serialize;

use super::output::{self, Item, Part, Response, Tokens, Wrong};
use crate::conversation::{Event, Stop};
use crate::dialect::Told;
use crate::usage::Usage;

/// Writes a stream.
#[derive(Debug)]
pub struct StreamWriter {
    exchange: String,
    id: String,
    model: String,
    created: u64,
    sequence: u64,
    begun: bool,
    /// Nothing follows.
    over: bool,
    items: Vec<Item>,
    /// Whether the last item, and its last part, are still coming.
    open: bool,
    stop: Option<Stop>,
    usage: Option<Usage>,
    tier: Option<&'static str>,
    declined: bool,
}

/// Any event: what it has of these.
#[derive(Default, Serialize)]
struct Step<'a> {
    r#type: &'static str,
    sequence_number: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    response: Option<Response<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    item_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_index: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content_index: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    summary_index: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    item: Option<&'a Item>,
    #[serde(skip_serializing_if = "Option::is_none")]
    part: Option<&'a Part>,
    #[serde(skip_serializing_if = "Option::is_none")]
    delta: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refusal: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    arguments: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    logprobs: Option<[(); 0]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    param: Option<()>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Wrong<'a>>,
}

/// Appends an event.
fn emit(sequence: &mut u64, kind: &'static str, mut step: Step<'_>, out: &mut Vec<u8>) {
    step.r#type = kind;
    step.sequence_number = *sequence;
    *sequence += 1;
    out.extend_from_slice(b"event: ");
    out.extend_from_slice(kind.as_bytes());
    out.extend_from_slice(b"\ndata: ");
    // Nothing in it can fail to be written, and JSON so written has no line breaks.
    let _ = serde_json::to_writer(&mut *out, &step);
    out.extend_from_slice(b"\n\n");
}

/// Which block a piece of text belongs to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Declined,
    Thought,
}

impl StreamWriter {
    /// For one answer.
    pub fn new(told: &Told<'_>) -> Self {
        Self {
            exchange: told.id.to_owned(),
            id: format!("resp_{}", told.id),
            model: told.model.to_owned(),
            created: told.created,
            sequence: 0,
            begun: false,
            over: false,
            items: Vec::new(),
            open: false,
            stop: None,
            usage: None,
            tier: None,
            declined: false,
        }
    }

    /// Appends what an event is in this dialect.
    pub fn write(&mut self, event: &Event, out: &mut Vec<u8>) {
        if self.over {
            return;
        }
        if let Event::Begin { id, model } = event
            && !self.begun
        {
            for (own, theirs) in [(&mut self.id, id), (&mut self.model, model)] {
                if !theirs.is_empty() {
                    own.clone_from(theirs);
                }
            }
        }
        if !self.begun && !matches!(event, Event::Failed(_)) {
            self.begin(out);
        }
        match event {
            Event::Begin { .. } => {}
            Event::Text(text) => self.piece(Kind::Text, text, out),
            Event::Declined(text) => {
                self.declined = true;
                self.piece(Kind::Declined, text, out);
            }
            Event::Thought(text) => self.piece(Kind::Thought, text, out),
            Event::Signature(signature) => self.seal(signature, out),
            Event::SealedThought(data) => {
                self.close(output::COMPLETED, out);
                self.add(
                    Item::reasoning(&self.exchange, self.items.len(), None, Some(data.clone())),
                    out,
                );
                self.close(output::COMPLETED, out);
            }
            Event::Call { id, name, signature } => {
                self.close(output::COMPLETED, out);
                let index = self.items.len();
                let call = Item::call(&self.exchange, index, id.clone(), name.clone(), signature.clone());
                self.add(call, out);
            }
            Event::Arguments(more) => self.arguments(more, out),
            Event::Stop(stop) => self.stop = Some(stop.clone()),
            Event::Usage(usage) => self.usage = Some(*usage),
            Event::Tier(tier) => self.tier = output::tier(tier),
            Event::End => self.end(out),
            Event::Failed(refusal) => self.fail(&output::wrong(refusal), out),
        }
    }

    fn begin(&mut self, out: &mut Vec<u8>) {
        self.begun = true;
        for kind in ["response.created", "response.in_progress"] {
            let response = Some(Response::new(Cow::Borrowed(&self.id), &self.model, self.created));
            let step = Step {
                response,
                ..Step::default()
            };
            emit(&mut self.sequence, kind, step, out);
        }
    }

    fn end(&mut self, out: &mut Vec<u8>) {
        let incomplete = output::incomplete(self.stop.as_ref(), self.declined);
        let (state, kind) = match incomplete {
            Some(_) => (output::INCOMPLETE, "response.incomplete"),
            None => (output::COMPLETED, "response.completed"),
        };
        self.close(state, out);
        let mut response = Response::new(Cow::Borrowed(&self.id), &self.model, self.created);
        response.end(incomplete);
        response.output = &self.items;
        response.service_tier = self.tier;
        response.usage = self.usage.as_ref().map(Tokens::of);
        let step = Step {
            response: Some(response),
            ..Step::default()
        };
        emit(&mut self.sequence, kind, step, out);
        self.over = true;
    }

    fn fail(&mut self, wrong: &Wrong<'_>, out: &mut Vec<u8>) {
        if self.begun {
            let mut response = Response::new(Cow::Borrowed(&self.id), &self.model, self.created);
            response.status = output::FAILED;
            response.error = Some(*wrong);
            response.output = &self.items;
            let step = Step {
                response: Some(response),
                ..Step::default()
            };
            emit(&mut self.sequence, "response.failed", step, out);
        }
        let step = Step {
            code: Some(wrong.code),
            message: Some(wrong.message),
            param: Some(()),
            error: Some(*wrong),
            ..Step::default()
        };
        emit(&mut self.sequence, "error", step, out);
        self.over = true;
    }

    /// Another item begins.
    fn add(&mut self, item: Item, out: &mut Vec<u8>) {
        let step = Step {
            output_index: Some(self.items.len()),
            item: Some(&item),
            ..Step::default()
        };
        emit(&mut self.sequence, "response.output_item.added", step, out);
        self.items.push(item);
        self.open = true;
    }

    /// More of a text: of the block that is open, where it is of this kind, else of a new one.
    fn piece(&mut self, kind: Kind, more: &str, out: &mut Vec<u8>) {
        if more.is_empty() {
            return;
        }
        let continues = self.open
            && match (self.items.last(), kind) {
                (Some(Item::Message { content, .. }), Kind::Text) => {
                    matches!(content.last(), Some(Part::OutputText { .. }))
                }
                (Some(Item::Message { content, .. }), Kind::Declined) => {
                    matches!(content.last(), Some(Part::Refusal { .. }))
                }
                (Some(Item::Reasoning { .. }), Kind::Thought) => true,
                _ => false,
            };
        if !continues {
            self.part(kind, out);
        }
        let Some(index) = self.items.len().checked_sub(1) else {
            return;
        };
        let Some(item) = self.items.last_mut() else { return };
        let (kind, at, id) = match item {
            Item::Message { id, content, .. } => {
                let at = content.len().saturating_sub(1);
                match content.last_mut() {
                    Some(Part::OutputText { text, .. }) => {
                        text.push_str(more);
                        ("response.output_text.delta", at, &*id)
                    }
                    Some(Part::Refusal { refusal }) => {
                        refusal.push_str(more);
                        ("response.refusal.delta", at, &*id)
                    }
                    Some(Part::SummaryText { .. }) | None => return,
                }
            }
            Item::Reasoning { id, summary, .. } => {
                if let Some(Part::SummaryText { text }) = summary.last_mut() {
                    text.push_str(more);
                }
                ("response.reasoning_summary_text.delta", 0, &*id)
            }
            Item::FunctionCall { .. } => return,
        };
        let is_text = kind == "response.output_text.delta";
        let is_thought = kind == "response.reasoning_summary_text.delta";
        let step = Step {
            item_id: Some(id),
            output_index: Some(index),
            content_index: Some(at).filter(|_| !is_thought),
            summary_index: Some(at).filter(|_| is_thought),
            delta: Some(more),
            logprobs: is_text.then_some([]),
            ..Step::default()
        };
        emit(&mut self.sequence, kind, step, out);
    }

    /// Another part begins, and with it another item unless it goes into the open message.
    fn part(&mut self, kind: Kind, out: &mut Vec<u8>) {
        let is_thought = kind == Kind::Thought;
        if self.open && !is_thought && matches!(self.items.last(), Some(Item::Message { .. })) {
            self.close_part(out);
        } else {
            self.close(output::COMPLETED, out);
            let index = self.items.len();
            let item = match is_thought {
                true => Item::reasoning(&self.exchange, index, None, None),
                false => Item::message(&self.exchange, index, output::IN_PROGRESS),
            };
            self.add(item, out);
        }
        let index = self.items.len().saturating_sub(1);
        let part = match kind {
            Kind::Text => Part::text(""),
            Kind::Declined => Part::Refusal { refusal: String::new() },
            Kind::Thought => Part::SummaryText { text: String::new() },
        };
        let (id, parts) = match self.items.last_mut() {
            Some(Item::Message { id, content, .. }) => (id, content),
            Some(Item::Reasoning { id, summary, .. }) => (id, summary),
            Some(Item::FunctionCall { .. }) | None => return,
        };
        let step = Step {
            item_id: Some(id),
            output_index: Some(index),
            content_index: Some(parts.len()).filter(|_| !is_thought),
            summary_index: Some(parts.len()).filter(|_| is_thought),
            part: Some(&part),
            ..Step::default()
        };
        let kind = match is_thought {
            true => "response.reasoning_summary_part.added",
            false => "response.content_part.added",
        };
        emit(&mut self.sequence, kind, step, out);
        parts.push(part);
    }

    fn arguments(&mut self, more: &str, out: &mut Vec<u8>) {
        let index = self.items.len().saturating_sub(1);
        if let Some(Item::FunctionCall { id, arguments, .. }) = self.items.last_mut()
            && self.open
            && !more.is_empty()
        {
            arguments.push_str(more);
            let step = Step {
                item_id: Some(id),
                output_index: Some(index),
                delta: Some(more),
                ..Step::default()
            };
            emit(&mut self.sequence, "response.function_call_arguments.delta", step, out);
        }
    }

    /// A seal on the thought that is open, or on one that is not shown.
    fn seal(&mut self, signature: &str, out: &mut Vec<u8>) {
        if let Some(Item::Reasoning { encrypted_content, .. }) = self.items.last_mut()
            && self.open
        {
            *encrypted_content = Some(signature.to_owned());
        } else {
            self.close(output::COMPLETED, out);
            let seal = output::encrypted("", signature.to_owned());
            let item = Item::reasoning(&self.exchange, self.items.len(), None, Some(seal));
            self.add(item, out);
        }
        self.close(output::COMPLETED, out);
    }

    /// The open part is whole.
    fn close_part(&mut self, out: &mut Vec<u8>) {
        let index = self.items.len().saturating_sub(1);
        let Some(item) = self.items.last() else { return };
        let (id, parts) = match item {
            Item::Message { id, content, .. } => (id, content),
            Item::Reasoning { id, summary, .. } => (id, summary),
            Item::FunctionCall { .. } => return,
        };
        let (Some(part), Some(at)) = (parts.last(), parts.len().checked_sub(1)) else {
            return;
        };
        let step = || Step {
            item_id: Some(id),
            output_index: Some(index),
            ..Step::default()
        };
        let (kind, last, mut whole) = match part {
            Part::OutputText { text, .. } => {
                let whole = Step {
                    text: Some(text),
                    logprobs: Some([]),
                    ..step()
                };
                ("response.output_text.done", "response.content_part.done", whole)
            }
            Part::Refusal { refusal } => {
                let whole = Step {
                    refusal: Some(refusal),
                    ..step()
                };
                ("response.refusal.done", "response.content_part.done", whole)
            }
            Part::SummaryText { text } => {
                let whole = Step {
                    text: Some(text),
                    ..step()
                };
                let last = "response.reasoning_summary_part.done";
                ("response.reasoning_summary_text.done", last, whole)
            }
        };
        let mut done = Step {
            part: Some(part),
            ..step()
        };
        for step in [&mut whole, &mut done] {
            match part {
                Part::SummaryText { .. } => step.summary_index = Some(at),
                Part::OutputText { .. } | Part::Refusal { .. } => step.content_index = Some(at),
            }
        }
        emit(&mut self.sequence, kind, whole, out);
        emit(&mut self.sequence, last, done, out);
    }

    /// The open item is whole, or as whole as it will be.
    fn close(&mut self, state: &'static str, out: &mut Vec<u8>) {
        if !mem::take(&mut self.open) {
            return;
        }
        self.close_part(out);
        let index = self.items.len().saturating_sub(1);
        if let Some(Item::FunctionCall {
            id, name, arguments, ..
        }) = self.items.last_mut()
        {
            let step = |id| Step {
                item_id: Some(id),
                output_index: Some(index),
                ..Step::default()
            };
            if arguments.is_empty() {
                arguments.push_str("{}");
                let delta = Step {
                    delta: Some(arguments),
                    ..step(id)
                };
                emit(&mut self.sequence, "response.function_call_arguments.delta", delta, out);
            }
            let done = Step {
                name: Some(name),
                arguments: Some(arguments),
                ..step(id)
            };
            emit(&mut self.sequence, "response.function_call_arguments.done", done, out);
        }
        if let Some(item) = self.items.last_mut() {
            item.end(state);
            let step = Step {
                output_index: Some(index),
                item: Some(item),
                ..Step::default()
            };
            emit(&mut self.sequence, "response.output_item.done", step, out);
        }
    }
}
