//! A message as a stream of events.

use super::messages::{Answering, stop, usage};
use crate::answering::{Part, sealed, signature};
use crate::call::Call;
use crate::json::{NULL, Object, Written, object};
use crate::ledger::Produced;
use crate::prices::Tokens;
use crate::stream::{Pace, Script, Tells};

/// Composes the events. What is thought counts as part of the answer: it is streamed, and charged, like it.
pub(super) fn compose(call: &Call, answering: &Answering) -> Script {
    let Answering { answer, tier, .. } = answering;
    let tokens = &answer.tokens;
    let mut script = Script::events(&call.steering, Pace::new(&call.steering, 0));
    // The first token is there when the message begins: the API reports it as output already.
    let begun = Tokens {
        output: tokens.output.min(1),
        ..*tokens
    };
    let mut message = object! {
        "id": call.id("msg_", 24),
        "type": "message",
        "role": "assistant",
        "model": answering.model,
        "content": Written("[]"),
        "stop_reason": NULL,
        "stop_sequence": NULL,
    };
    let reports = !call.steering.no_usage;
    message.put_some("usage", &reports.then(|| usage(&begun, tier)));
    let start = object! {"type": "message_start", "message": message};
    let tells = if reports { Tells::So(begun) } else { Tells::Nothing };
    script.push(
        Some("message_start"),
        &[&start.to_string()],
        Produced::Answer(begun.output),
        tells,
    );

    let mut before = 0;
    for (index, part) in (0..).zip(&answer.parts) {
        block(call, &mut script, index, before, part);
        before += part.tokens();
    }

    let mut delta = object! {"type": "message_delta", "delta": stop(&answer.ending)};
    delta.put_some("usage", &reports.then(|| final_usage(tokens)));
    script.push(
        Some("message_delta"),
        &[&delta.to_string()],
        Produced::Everything,
        call.tells_all(),
    );
    script.push(
        Some("message_stop"),
        &[r#"{"type":"message_stop"}"#],
        Produced::Everything,
        Tells::Nothing,
    );
    script
}

/// One content block: its start, a delta for each piece, its stop.
fn block(call: &Call, script: &mut Script, index: u64, before: u64, part: &Part) {
    let (start, kind, member) = match part {
        Part::Thought(_) => {
            let start = object! {"type": "thinking", "thinking": "", "signature": ""};
            (start, "thinking_delta", "thinking")
        }
        Part::Sealed(tokens) => (object! {"type": "redacted_thinking", "data": sealed(*tokens)}, "", ""),
        Part::Text(_) | Part::Refusal(_) => (object! {"type": "text", "text": ""}, "text_delta", "text"),
        Part::Call { name, .. } => {
            let id = call.nth_id("toolu_", index, 24);
            let start = object! {"type": "tool_use", "id": id, "name": name, "input": Written("{}")};
            (start, "input_json_delta", "partial_json")
        }
    };
    // Of the answer's first token `message_start` has already told.
    let begun = Produced::Answer(before.max(1));
    let start = object! {"type": "content_block_start", "index": index, "content_block": start};
    script.push(
        Some("content_block_start"),
        &[&start.to_string()],
        begun,
        Tells::Nothing,
    );
    if index == 0 {
        script.push(Some("ping"), &[r#"{"type":"ping"}"#], begun, Tells::Nothing);
    }
    let head = format!(r#"{{"type":"content_block_delta","index":{index},"delta":{{"type":"{kind}","{member}":""#);
    for piece in part.answer().iter().flat_map(|answer| &answer.pieces) {
        let produced = Produced::Answer(before + piece.so_far);
        script.push(
            Some("content_block_delta"),
            &[&head, &piece.json, r#""}}"#],
            produced,
            Tells::Nothing,
        );
    }
    let made = Produced::Answer(before + part.tokens());
    if let Part::Thought(thought) = part {
        let delta = object! {"type": "signature_delta", "signature": signature(&thought.text)};
        let signature = object! {"type": "content_block_delta", "index": index, "delta": delta};
        script.push(
            Some("content_block_delta"),
            &[&signature.to_string()],
            made,
            Tells::Nothing,
        );
    }
    let stop = format!(r#"{{"type":"content_block_stop","index":{index}}}"#);
    script.push(Some("content_block_stop"), &[&stop], made, Tells::Nothing);
}

/// The cumulative usage of `message_delta`, which repeats the prompt's.
fn final_usage(tokens: &Tokens) -> Object {
    object! {
        "input_tokens": tokens.input,
        "cache_creation_input_tokens": tokens.cache_write_5m + tokens.cache_write_1h,
        "cache_read_input_tokens": tokens.cached_input,
        "output_tokens": tokens.output,
    }
}
