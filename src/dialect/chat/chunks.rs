//! A stream, for a client.
//!
//! In: [`Event`]s. Out: server-sent events. In whatever order events come, what is written is a stream as OpenAI's SDKs
//! read it: a first chunk with the role, a last one with a `finish_reason`, the usage where it was asked for, `[DONE]`.
//!
//! Source: openai-python, `types/chat/chat_completion_chunk.py` and `_streaming.py` (which raises on an `error` member).

use serde::Serialize;

use super::answer::{WrittenUsage, finish_reason};
use super::error::telling;
use super::thoughts::{Extra, WrittenDetail};
use crate::conversation::{Event, Refusal, Stop};
use crate::dialect::Told;
use crate::usage::Usage;

/// Writes a stream.
#[derive(Clone, Debug)]
pub struct StreamWriter {
    id: String,
    model: String,
    created: u64,
    tells_usage: bool,
    is_begun: bool,
    is_over: bool,
    is_declined: bool,
    calls: usize,
    /// Whether the last call has no arguments yet.
    is_bare: bool,
    /// The place of the thought that is told now.
    thought: usize,
    /// Whether something has been told of it.
    is_thinking: bool,
    stop: Option<Stop>,
    usage: Option<Usage>,
    tier: Option<&'static str>,
}

#[derive(Serialize)]
struct Chunk<'a> {
    id: &'a str,
    object: &'static str,
    created: u64,
    model: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    service_tier: Option<&'a str>,
    choices: &'a [Choice<'a>],
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<Option<WrittenUsage>>,
}

#[derive(Serialize)]
struct Choice<'a> {
    index: u8,
    delta: Delta<'a>,
    logprobs: (),
    finish_reason: Option<&'static str>,
}

#[derive(Default, Serialize)]
struct Delta<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refusal: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_content: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_details: Option<[WrittenDetail<'a>; 1]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_calls: Option<[Call<'a>; 1]>,
}

#[derive(Serialize)]
struct Call<'a> {
    index: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    kind: Option<&'static str>,
    function: Function<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    extra_content: Option<Extra<'a>>,
}

#[derive(Serialize)]
struct Function<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    arguments: &'a str,
}

impl StreamWriter {
    /// For a client that is told this.
    pub fn new(told: &Told<'_>) -> Self {
        Self {
            id: format!("chatcmpl-{}", told.id),
            model: told.model.to_owned(),
            created: told.created,
            tells_usage: told.stream_usage,
            is_begun: false,
            is_over: false,
            is_declined: false,
            calls: 0,
            is_bare: false,
            thought: 0,
            is_thinking: false,
            stop: None,
            usage: None,
            tier: None,
        }
    }

    /// Writes an event behind `out`: no, one or several server-sent events.
    pub fn write(&mut self, event: &Event, out: &mut Vec<u8>) {
        if self.is_over {
            return;
        }
        match event {
            Event::Begin { id, model } if !self.is_begun => {
                if !id.is_empty() {
                    self.id.clone_from(id);
                }
                if !model.is_empty() {
                    self.model.clone_from(model);
                }
                self.begin(out);
            }
            Event::Begin { .. } => {}
            Event::Stop(stop) => self.stop = Some(stop.clone()),
            Event::Usage(usage) => self.usage = Some(*usage),
            Event::Tier(tier) => self.tier = super::answer::tier(tier),
            Event::End => self.end(out),
            Event::Failed(refusal) => self.fail(refusal, out),
            Event::Arguments(more) => self.arguments(more, out),
            Event::Text(_)
            | Event::Thought(_)
            | Event::Signature(_)
            | Event::SealedThought(_)
            | Event::Call { .. }
            | Event::Declined(_) => self.say(event, out),
        }
    }

    fn begin(&mut self, out: &mut Vec<u8>) {
        if !self.is_begun {
            self.is_begun = true;
            let delta = Delta {
                role: Some("assistant"),
                content: Some(""),
                ..Delta::default()
            };
            self.chunk(delta, None, out);
        }
    }

    fn say(&mut self, event: &Event, out: &mut Vec<u8>) {
        self.begin(out);
        self.close(out);
        let is_thought = matches!(event, Event::Thought(_) | Event::Signature(_));
        if !is_thought {
            self.next_thought();
        }
        let index = self.thought;
        let mut delta = Delta::default();
        match event {
            Event::Text(text) => delta.content = Some(text),
            Event::Declined(text) => {
                self.is_declined = true;
                delta.refusal = Some(text);
            }
            Event::Thought(text) => {
                delta.reasoning_content = Some(text);
                delta.reasoning_details = Some([self.piece(WrittenDetail::shown(Some(text), None, index))]);
            }
            Event::Signature(signature) => {
                delta.reasoning_details = Some([self.piece(WrittenDetail::shown(None, Some(signature), index))]);
            }
            Event::SealedThought(data) => delta.reasoning_details = Some([WrittenDetail::sealed(data, index)]),
            Event::Call { id, name, signature } => {
                self.is_bare = true;
                self.calls += 1;
                delta.tool_calls = Some([Call {
                    index: self.calls - 1,
                    id: Some(id),
                    kind: Some("function"),
                    function: Function {
                        name: Some(name),
                        arguments: "",
                    },
                    extra_content: signature.as_deref().map(Extra::new),
                }]);
            }
            _ => return,
        }
        self.is_thinking = matches!(event, Event::Thought(_) | Event::Signature(_) | Event::SealedThought(_));
        // What is sealed is at its end.
        if matches!(event, Event::Signature(_) | Event::SealedThought(_)) {
            self.next_thought();
        }
        self.chunk(delta, None, out);
    }

    fn piece<'a>(&self, detail: WrittenDetail<'a>) -> WrittenDetail<'a> {
        if self.is_thinking { detail.more() } else { detail }
    }

    fn next_thought(&mut self) {
        if std::mem::take(&mut self.is_thinking) {
            self.thought += 1;
        }
    }

    fn arguments(&mut self, more: &str, out: &mut Vec<u8>) {
        // Without a call they belong to nothing.
        let Some(index) = self.calls.checked_sub(1).filter(|_| !more.is_empty()) else {
            return;
        };
        self.is_bare = false;
        let call = Call {
            index,
            id: None,
            kind: None,
            function: Function {
                name: None,
                arguments: more,
            },
            extra_content: None,
        };
        let tool_calls = Some([call]);
        self.chunk(
            Delta {
                tool_calls,
                ..Delta::default()
            },
            None,
            out,
        );
    }

    /// Ends the call that is told now: clients parse its arguments, even where there are none.
    fn close(&mut self, out: &mut Vec<u8>) {
        if self.is_bare {
            self.arguments("{}", out);
        }
    }

    fn end(&mut self, out: &mut Vec<u8>) {
        self.begin(out);
        self.close(out);
        self.is_over = true;
        let reason = finish_reason(self.stop.as_ref(), self.calls > 0, self.is_declined);
        self.chunk(Delta::default(), Some(reason), out);
        if self.tells_usage {
            self.event(&[], self.usage.map(WrittenUsage::from), out);
        }
        out.extend_from_slice(b"data: [DONE]\n\n");
    }

    fn fail(&mut self, refusal: &Refusal, out: &mut Vec<u8>) {
        self.is_over = true;
        append(&telling(refusal), out);
    }

    fn chunk(&self, delta: Delta, finish_reason: Option<&'static str>, out: &mut Vec<u8>) {
        let choice = Choice {
            index: 0,
            delta,
            logprobs: (),
            finish_reason,
        };
        self.event(&[choice], None, out);
    }

    /// Where usage was asked for, each chunk has the member: `null` until the last.
    fn event(&self, choices: &[Choice], usage: Option<WrittenUsage>, out: &mut Vec<u8>) {
        let chunk = Chunk {
            id: &self.id,
            object: "chat.completion.chunk",
            created: self.created,
            model: &self.model,
            service_tier: self.tier,
            choices,
            usage: self.tells_usage.then_some(usage),
        };
        append(&chunk, out);
    }
}

fn append(data: &impl Serialize, out: &mut Vec<u8>) {
    let before = out.len();
    out.extend_from_slice(b"data: ");
    match serde_json::to_writer(&mut *out, data) {
        Ok(()) => out.extend_from_slice(b"\n\n"),
        Err(_) => out.truncate(before),
    }
}
