//! What Converse answers, whole.
//!
//! In: a `ConverseResponse`. Out: a [`Reply`]. Bedrock names neither the answer nor the model in what it sends. A reason that
//! says the model produced nonsense (`malformed_tool_use`) is the provider's failure if nothing was said before.

use std::borrow::Cow;

use serde_json::value::RawValue;

use super::answer::{Additional, Block, Response, Tier};
use super::refusal::read_refusal;
use super::usage::usage;
use crate::conversation::{Cause, Output, Refusal, Reply, Stop};
use crate::dialect::Unanswered;

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

/// The model said nothing that can be passed on.
pub(super) fn broken() -> Refusal {
    Refusal::new(Cause::Server, "the model's answer could not be read")
}

/// The class of service, if one is told.
pub(super) fn tier(tier: Option<Tier<'_>>) -> Option<String> {
    tier?.r#type.map(Cow::into_owned).filter(|tier| !tier.is_empty())
}

/// What a `stopReason` means; `None`: what the model said makes no sense.
pub(super) fn stop(reason: &str, additional: Option<Additional<'_>>) -> Option<Stop> {
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
