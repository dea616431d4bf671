//! What Converse answers, whole or as it comes.
//!
//! In: a `ConverseResponse`, or the events of `ConverseStream` by name ([`crate::framing::eventstream`]; an exception's name
//! has `exception:` in front). Out: a [`Reply`] or [`Event`]s.
//!
//! - Bedrock names neither the answer nor the model in what it sends.
//! - A call's input comes in pieces of JSON, or not at all where there is none.
//! - A reason that says the model produced nonsense (`malformed_tool_use`) is the provider's failure if nothing was said
//!   before.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::refusal::{exception, read_refusal};
use super::usage::usage;
use crate::conversation::{Cause, Event, Output, Refusal, Reply, Stop};
use crate::dialect::{Malformed, Unanswered};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Response<'a> {
    #[serde(borrow)]
    output: Option<Answer<'a>>,
    #[serde(borrow)]
    stop_reason: Option<Cow<'a, str>>,
    #[serde(borrow)]
    usage: Option<&'a RawValue>,
    #[serde(borrow)]
    additional_model_response_fields: Option<Additional<'a>>,
    #[serde(borrow)]
    service_tier: Option<Tier<'a>>,
}

#[derive(Deserialize)]
struct Answer<'a> {
    #[serde(borrow)]
    message: Option<Message<'a>>,
}

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow)]
    content: Option<Vec<Block<'a>>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Block<'a> {
    #[serde(borrow)]
    text: Option<Cow<'a, str>>,
    #[serde(borrow)]
    tool_use: Option<ToolUse<'a>>,
    #[serde(borrow)]
    reasoning_content: Option<Reasoning<'a>>,
    #[serde(borrow)]
    citations_content: Option<Citations<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ToolUse<'a> {
    #[serde(borrow)]
    tool_use_id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    name: Option<Cow<'a, str>>,
    #[serde(borrow)]
    input: Option<&'a RawValue>,
    /// `server_tool_use`, of a tool that runs at Bedrock.
    #[serde(borrow)]
    r#type: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Reasoning<'a> {
    #[serde(borrow)]
    reasoning_text: Option<ReasoningText<'a>>,
    /// A delta's text.
    #[serde(borrow)]
    text: Option<Cow<'a, str>>,
    /// A delta's seal.
    #[serde(borrow)]
    signature: Option<Cow<'a, str>>,
    #[serde(borrow)]
    redacted_content: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct ReasoningText<'a> {
    #[serde(borrow)]
    text: Option<Cow<'a, str>>,
    #[serde(borrow)]
    signature: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct Citations<'a> {
    #[serde(borrow)]
    content: Option<Vec<Cited<'a>>>,
}

#[derive(Deserialize)]
struct Cited<'a> {
    #[serde(borrow)]
    text: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct Additional<'a> {
    #[serde(borrow)]
    stop_sequence: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct Tier<'a> {
    #[serde(borrow)]
    r#type: Option<Cow<'a, str>>,
}

/// Reads a whole answer.
///
/// # Errors
///
/// [`Unanswered`] when it is no answer, or says with a success that the model produced nothing that can be passed on.
pub fn read_reply(body: &[u8]) -> Result<Reply, Unanswered> {
    let response: Response = serde_json::from_slice(body).map_err(|_| Unanswered::Malformed)?;
    let Some(message) = response.output.and_then(|output| output.message) else {
        return Err(match response.stop_reason {
            None if body.trim_ascii().starts_with(b"{") && read_refusal(0, body).message.is_empty() => {
                Unanswered::Malformed
            }
            None => Unanswered::Refused(read_refusal(0, body)),
            Some(_) => Unanswered::Malformed,
        });
    };
    let mut output = Vec::new();
    for block in message.content.into_iter().flatten() {
        read_block(block, &mut output);
    }
    let stop = response
        .stop_reason
        .map(|reason| stop(&reason, response.additional_model_response_fields));
    let has_calls = output.iter().any(|output| matches!(output, Output::Call { .. }));
    let has_text = output.iter().any(|output| matches!(output, Output::Text(_)));
    if stop == Some(None) && !has_calls && !has_text {
        return Err(Unanswered::Refused(broken()));
    }
    Ok(Reply {
        stop: stop.map(|stop| stop.unwrap_or(if has_calls { Stop::Calls } else { Stop::End })),
        output,
        // An answer is no less one for a count that cannot be read.
        usage: response
            .usage
            .and_then(|raw| usage(raw.get().as_bytes()).ok().flatten()),
        tier: tier(response.service_tier),
        ..Reply::default()
    })
}

fn read_block(block: Block<'_>, output: &mut Vec<Output>) {
    if let Some(call) = block.tool_use.filter(|call| call.r#type.is_none()) {
        let input = call.input.map(RawValue::get).filter(|input| input.starts_with('{'));
        output.push(Output::Call {
            id: call.tool_use_id.unwrap_or_default().into_owned(),
            name: call.name.unwrap_or_default().into_owned(),
            arguments: input.unwrap_or("{}").to_owned(),
            signature: None,
        });
    }
    if let Some(reasoning) = block.reasoning_content {
        if let Some(thought) = reasoning.reasoning_text {
            output.push(Output::Thought {
                text: thought.text.unwrap_or_default().into_owned(),
                signature: thought.signature.map(Cow::into_owned).filter(|seal| !seal.is_empty()),
            });
        }
        if let Some(data) = reasoning.redacted_content.filter(|data| !data.is_empty()) {
            output.push(Output::SealedThought(data.into_owned()));
        }
    }
    let cited = block.citations_content.and_then(|citations| citations.content);
    let cited = cited.into_iter().flatten().filter_map(|cited| cited.text);
    for text in block.text.into_iter().chain(cited).filter(|text| !text.is_empty()) {
        match output.last_mut() {
            Some(Output::Text(before)) => before.push_str(&text),
            _ => output.push(Output::Text(text.into_owned())),
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct BlockStart<'a> {
    #[serde(borrow)]
    start: Option<Start<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Start<'a> {
    #[serde(borrow)]
    tool_use: Option<ToolUse<'a>>,
}

#[derive(Deserialize)]
struct BlockDelta<'a> {
    #[serde(borrow)]
    delta: Option<Delta<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Delta<'a> {
    #[serde(borrow)]
    text: Option<Cow<'a, str>>,
    #[serde(borrow)]
    tool_use: Option<ToolDelta<'a>>,
    #[serde(borrow)]
    reasoning_content: Option<Reasoning<'a>>,
}

#[derive(Deserialize)]
struct ToolDelta<'a> {
    #[serde(borrow)]
    input: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct MessageStop<'a> {
    #[serde(borrow)]
    stop_reason: Option<Cow<'a, str>>,
    #[serde(borrow)]
    additional_model_response_fields: Option<Additional<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata<'a> {
    #[serde(borrow)]
    usage: Option<&'a RawValue>,
    #[serde(borrow)]
    service_tier: Option<Tier<'a>>,
}

/// Reads the events of a stream.
#[derive(Clone, Debug, Default)]
pub struct StreamReader {
    phase: Phase,
    place: Place,
    has_calls: bool,
    has_output: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Phase {
    #[default]
    Waiting,
    Begun,
    /// The reason for its end was given.
    Stopped,
    Over,
}

/// What block is being written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Place {
    /// Text or thought, or none.
    #[default]
    Other,
    /// A call without any of its input so far.
    BareCall,
    /// A call.
    Call,
    /// A call of a tool that runs at Bedrock.
    Foreign,
}

impl StreamReader {
    /// Takes in one event.
    ///
    /// # Errors
    ///
    /// [`Malformed`] when it is one that is known, and not JSON of its kind.
    pub fn read(&mut self, name: &[u8], data: &[u8], out: &mut Vec<Event>) -> Result<(), Malformed> {
        if self.phase == Phase::Over {
            return Ok(());
        }
        if let Some(exception_name) = name.strip_prefix(b"exception:") {
            let name = std::str::from_utf8(exception_name).unwrap_or_default();
            self.fail(exception(name, data), out);
            return Ok(());
        }
        match name {
            b"messageStart" => self.begin(out),
            b"contentBlockStart" => {
                let event: BlockStart = parsed(data)?;
                self.begin(out);
                self.start(event.start.and_then(|start| start.tool_use), out);
            }
            b"contentBlockDelta" => {
                let event: BlockDelta = parsed(data)?;
                self.begin(out);
                if let Some(delta) = event.delta {
                    self.delta(delta, out);
                }
            }
            b"contentBlockStop" => self.end_block(out),
            b"messageStop" => {
                let event: MessageStop = parsed(data)?;
                self.begin(out);
                self.end_block(out);
                self.stop(event, out);
            }
            b"metadata" => {
                let event: Metadata = parsed(data)?;
                self.begin(out);
                let raw = event.usage.map(|raw| raw.get().as_bytes());
                // An answer is no less one for a count that cannot be read.
                out.extend(raw.and_then(|raw| usage(raw).ok().flatten()).map(Event::Usage));
                out.extend(tier(event.service_tier).map(Event::Tier));
                // It is the last event.
                self.finish(out);
            }
            _ => {}
        }
        Ok(())
    }

    /// The connection has ended in order.
    pub fn finish(&mut self, out: &mut Vec<Event>) {
        if self.phase == Phase::Stopped {
            self.phase = Phase::Over;
            out.push(Event::End);
        }
    }

    fn begin(&mut self, out: &mut Vec<Event>) {
        if self.phase == Phase::Waiting {
            self.phase = Phase::Begun;
            out.push(Event::Begin {
                id: String::new(),
                model: String::new(),
            });
        }
    }

    fn start(&mut self, call: Option<ToolUse<'_>>, out: &mut Vec<Event>) {
        self.end_block(out);
        let Some(call) = call else { return };
        if call.r#type.is_some() {
            self.place = Place::Foreign;
            return;
        }
        self.place = Place::BareCall;
        self.has_calls = true;
        self.has_output = true;
        out.push(Event::Call {
            id: call.tool_use_id.unwrap_or_default().into_owned(),
            name: call.name.unwrap_or_default().into_owned(),
            signature: None,
        });
    }

    fn delta(&mut self, delta: Delta<'_>, out: &mut Vec<Event>) {
        let input = delta.tool_use.and_then(|call| call.input);
        if let Some(input) = input.filter(|input| !input.is_empty())
            && matches!(self.place, Place::BareCall | Place::Call)
        {
            self.place = Place::Call;
            out.push(Event::Arguments(input.into_owned()));
        }
        if let Some(reasoning) = delta.reasoning_content {
            let owned = |text: Option<Cow<'_, str>>| text.filter(|text| !text.is_empty()).map(Cow::into_owned);
            out.extend(owned(reasoning.text).map(Event::Thought));
            out.extend(owned(reasoning.signature).map(Event::Signature));
            out.extend(owned(reasoning.redacted_content).map(Event::SealedThought));
        }
        if let Some(text) = delta.text.filter(|text| !text.is_empty()) {
            self.has_output = true;
            out.push(Event::Text(text.into_owned()));
        }
    }

    /// A call that was given no input has an empty one.
    fn end_block(&mut self, out: &mut Vec<Event>) {
        if self.place == Place::BareCall {
            out.push(Event::Arguments("{}".to_owned()));
        }
        self.place = Place::Other;
    }

    fn stop(&mut self, event: MessageStop<'_>, out: &mut Vec<Event>) {
        let reason = event.stop_reason.as_deref().unwrap_or_default();
        let stop = match stop(reason, event.additional_model_response_fields) {
            None if !self.has_output => return self.fail(broken(), out),
            None if self.has_calls => Stop::Calls,
            stop => stop.unwrap_or(Stop::End),
        };
        self.phase = Phase::Stopped;
        out.push(Event::Stop(stop));
    }

    fn fail(&mut self, refusal: Refusal, out: &mut Vec<Event>) {
        self.phase = Phase::Over;
        out.push(Event::Failed(refusal));
    }
}

fn parsed<'a, T: Deserialize<'a>>(data: &'a [u8]) -> Result<T, Malformed> {
    serde_json::from_slice(data).map_err(|_| Malformed)
}

fn broken() -> Refusal {
    Refusal::new(Cause::Server, "the model's answer could not be read")
}

fn tier(tier: Option<Tier<'_>>) -> Option<String> {
    tier?.r#type.map(Cow::into_owned).filter(|tier| !tier.is_empty())
}

/// What a `stopReason` means; `None`: what the model said makes no sense.
fn stop(reason: &str, additional: Option<Additional<'_>>) -> Option<Stop> {
    Some(match reason {
        "tool_use" => Stop::Calls,
        "max_tokens" => Stop::Length,
        "stop_sequence" => {
            let text = additional.and_then(|additional| additional.stop_sequence);
            Stop::Sequence(text.map(Cow::into_owned))
        }
        "guardrail_intervened" | "content_filtered" => Stop::Filtered,
        "model_context_window_exceeded" => Stop::ContextFull,
        "refusal" => Stop::Declined,
        "malformed_model_output" | "malformed_tool_use" => return None,
        // `end_turn` and what is yet to come.
        _ => Stop::End,
    })
}
