//! What `generateContent` answers, whole or as it comes.
//!
//! In: a `GenerateContentResponse`, or the stream's events, each of which is one that carries what is new. Out: a [`Reply`]
//! or [`Event`]s. A whole answer is read as a stream of one event, so both say the same.
//!
//! - A call comes whole. Older models give it no id: it gets one made of the answer's id, its arguments and its place,
//!   the same whenever it is read again and another in every answer.
//! - A stream has no last event: it is complete when a reason for its end was given and the connection ends. The reason is
//!   held back until then, because content may follow it.
//! - A reason that says the model produced nonsense (`MALFORMED_FUNCTION_CALL`) is the provider's failure if nothing was
//!   said before.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::refusal::{blocked, read_refusal};
use super::usage;
use crate::conversation::{Cause, Event, Refusal, Reply, Stop};
use crate::dialect::{Malformed, Unanswered};
use crate::hash;
use crate::usage::Usage;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Response<'a> {
    #[serde(borrow)]
    response_id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    model_version: Option<Cow<'a, str>>,
    #[serde(borrow)]
    candidates: Option<Vec<Candidate<'a>>>,
    #[serde(borrow)]
    prompt_feedback: Option<Feedback<'a>>,
    #[serde(borrow)]
    usage_metadata: Option<&'a RawValue>,
    #[serde(borrow)]
    error: Option<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Candidate<'a> {
    #[serde(borrow)]
    content: Option<Content<'a>>,
    #[serde(borrow)]
    finish_reason: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct Content<'a> {
    #[serde(borrow)]
    parts: Option<Vec<Part<'a>>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Part<'a> {
    #[serde(borrow)]
    text: Option<Cow<'a, str>>,
    thought: Option<bool>,
    #[serde(borrow)]
    thought_signature: Option<Cow<'a, str>>,
    #[serde(borrow)]
    function_call: Option<Call<'a>>,
}

#[derive(Deserialize)]
struct Call<'a> {
    #[serde(borrow)]
    id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    name: Option<Cow<'a, str>>,
    #[serde(borrow)]
    args: Option<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Feedback<'a> {
    #[serde(borrow)]
    block_reason: Option<Cow<'a, str>>,
    #[serde(borrow)]
    block_reason_message: Option<Cow<'a, str>>,
}

/// Reads a whole answer.
///
/// # Errors
///
/// [`Unanswered`] when it is no answer or says, with a success, that there is none: the prompt was blocked, or the model
/// produced nothing that can be passed on.
pub fn read_reply(body: &[u8]) -> Result<Reply, Unanswered> {
    let mut reader = StreamReader::default();
    let mut events = Vec::new();
    reader
        .read(b"", body, &mut events)
        .map_err(|Malformed| Unanswered::Malformed)?;
    if !reader.has_candidate && reader.phase != Phase::Over {
        return Err(Unanswered::Malformed);
    }
    reader.finish(&mut events);
    Reply::of_events(events).map_err(Unanswered::Refused)
}

/// What a whole answer says it used, also where it is none: a prompt that was blocked has been read all the same.
pub fn used(body: &[u8]) -> Option<Usage> {
    let response: Response = serde_json::from_slice(body).ok()?;
    usage::report(response.usage_metadata?.get().as_bytes()).ok()?.usage
}

/// Reads the events of a stream.
#[derive(Clone, Debug, Default)]
pub struct StreamReader {
    phase: Phase,
    /// A hash of the answer's id, for ids of calls.
    seed: u64,
    calls: u64,
    has_candidate: bool,
    has_output: bool,
    stop: Option<End>,
    usage: Option<Usage>,
    tier: Option<String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Phase {
    #[default]
    Waiting,
    Begun,
    Over,
}

/// What a `finishReason` says.
#[derive(Clone, Debug, PartialEq, Eq)]
enum End {
    Stop(Stop),
    /// What the model said makes no sense.
    Broken,
}

impl StreamReader {
    /// Takes in one event. Its name says nothing here.
    ///
    /// # Errors
    ///
    /// [`Malformed`] when it is not JSON of this API.
    pub fn read(&mut self, _name: &[u8], data: &[u8], out: &mut Vec<Event>) -> Result<(), Malformed> {
        let data = data.trim_ascii();
        if self.phase == Phase::Over || data.is_empty() || data == b"[DONE]" {
            return Ok(());
        }
        let response: Response = serde_json::from_slice(data).map_err(|_| Malformed)?;
        if response.error.is_some() {
            self.fail(read_refusal(0, data), out);
            return Ok(());
        }
        if self.phase == Phase::Waiting {
            self.phase = Phase::Begun;
            let id = response.response_id.unwrap_or_default();
            self.seed = hash::of(id.as_bytes());
            out.push(Event::Begin {
                id: id.into_owned(),
                model: response.model_version.unwrap_or_default().into_owned(),
            });
        }
        let candidate = response.candidates.into_iter().flatten().next();
        let feedback = response.prompt_feedback.filter(|_| candidate.is_none());
        if let Some(candidate) = candidate {
            self.has_candidate = true;
            for part in candidate
                .content
                .and_then(|content| content.parts)
                .into_iter()
                .flatten()
            {
                self.part(part, out);
            }
            if let Some(reason) = candidate.finish_reason {
                self.stop = end(&reason).or(self.stop.take());
            }
        }
        // What it used is told in every event, as a running total; it counts even where it cannot be read.
        if let Some(raw) = response.usage_metadata
            && let Ok(report) = usage::report(raw.get().as_bytes())
        {
            if report.usage.is_some() && report.usage != self.usage {
                self.usage = report.usage;
                out.extend(report.usage.map(Event::Usage));
            }
            if report.tier.is_some() && report.tier != self.tier {
                self.tier.clone_from(&report.tier);
                out.extend(report.tier.map(Event::Tier));
            }
        }
        if let Some(feedback) = feedback
            && let Some(reason) = feedback.block_reason
        {
            self.fail(blocked(&reason, feedback.block_reason_message.as_deref()), out);
        }
        Ok(())
    }

    /// The connection has ended in order.
    pub fn finish(&mut self, out: &mut Vec<Event>) {
        if self.phase != Phase::Begun {
            return;
        }
        let stop = match self.stop.take() {
            None => return,
            Some(End::Broken) if !self.has_output => {
                let refusal = Refusal::new(Cause::Server, "the model's answer could not be read");
                return self.fail(refusal, out);
            }
            Some(End::Stop(Stop::End) | End::Broken) if self.calls > 0 => Stop::Calls,
            Some(End::Broken) => Stop::End,
            Some(End::Stop(stop)) => stop,
        };
        self.phase = Phase::Over;
        out.push(Event::Stop(stop));
        out.push(Event::End);
    }

    fn part(&mut self, part: Part<'_>, out: &mut Vec<Event>) {
        if let Some(call) = part.function_call {
            self.call(call, part.thought_signature, out);
        } else if let Some(text) = part.text.filter(|text| !text.is_empty()) {
            if part.thought == Some(true) {
                out.push(Event::Thought(text.into_owned()));
            } else {
                self.has_output = true;
                out.push(Event::Text(text.into_owned()));
            }
        }
    }

    fn call(&mut self, call: Call<'_>, signature: Option<Cow<'_, str>>, out: &mut Vec<Event>) {
        let arguments = call
            .args
            .map(RawValue::get)
            .filter(|args| args.starts_with('{'))
            .unwrap_or("{}");
        let id = match call.id.filter(|id| !id.is_empty()) {
            Some(id) => id.into_owned(),
            None => {
                let index = hash::both(self.seed, hash::of(arguments.as_bytes()));
                format!("call_{index:016x}_{}", self.calls)
            }
        };
        self.calls += 1;
        self.has_output = true;
        out.push(Event::Call {
            id,
            name: call.name.unwrap_or_default().into_owned(),
            signature: signature.map(Cow::into_owned),
        });
        out.push(Event::Arguments(arguments.to_owned()));
    }

    fn fail(&mut self, refusal: Refusal, out: &mut Vec<Event>) {
        self.phase = Phase::Over;
        out.push(Event::Failed(refusal));
    }
}

/// What a `finishReason` means; `None`: nothing yet.
fn end(reason: &str) -> Option<End> {
    Some(match reason {
        "" | "FINISH_REASON_UNSPECIFIED" => return None,
        "STOP" => End::Stop(Stop::End),
        "MAX_TOKENS" => End::Stop(Stop::Length),
        "SAFETY"
        | "RECITATION"
        | "BLOCKLIST"
        | "PROHIBITED_CONTENT"
        | "SPII"
        | "MODEL_ARMOR"
        | "IMAGE_SAFETY"
        | "IMAGE_PROHIBITED_CONTENT"
        | "IMAGE_RECITATION" => End::Stop(Stop::Filtered),
        // MALFORMED_FUNCTION_CALL, UNEXPECTED_TOOL_CALL, MALFORMED_RESPONSE, LANGUAGE, OTHER and what is yet to come.
        _ => End::Broken,
    })
}
