//! A message as a stream of events.

use super::messages::{Answering, usage};
use crate::call::Call;
use crate::json::{NULL, Object, Written, object};
use crate::ledger::Produced;
use crate::prices::Tokens;
use crate::stream::{Pace, Script, Tells};
use crate::text::Answer;

/// What a thinking block is signed with.
pub(super) const SIGNATURE: &str = "c2ltdWxhdGVk";

/// Composes the events. What is thought counts as part of the answer: it is streamed, and charged, like it.
pub(super) fn compose(call: &Call, answering: &Answering) -> Script {
    let Answering {
        answer,
        thinking,
        tool,
        tokens,
        tier,
        ..
    } = answering;
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

    let mut index = 0;
    let mut before = 0;
    if let Some(thinking) = thinking {
        let start = object! {"type": "thinking", "thinking": "", "signature": ""};
        block(
            &mut script,
            index,
            before,
            &start,
            ("thinking_delta", "thinking"),
            thinking,
            true,
        );
        before = thinking.tokens;
        index += 1;
    }
    let start = match tool {
        None => object! {"type": "text", "text": ""},
        Some(name) => object! {"type": "tool_use", "id": call.id("toolu_", 24), "name": name, "input": Written("{}")},
    };
    let delta = if tool.is_some() {
        ("input_json_delta", "partial_json")
    } else {
        ("text_delta", "text")
    };
    block(&mut script, index, before, &start, delta, answer, false);

    let stop = object! {"stop_reason": answering.stop_reason, "stop_sequence": NULL};
    let mut delta = object! {"type": "message_delta", "delta": stop};
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
fn block(
    script: &mut Script,
    index: u64,
    before: u64,
    start: &Object,
    (kind, member): (&str, &str),
    answer: &Answer,
    signed: bool,
) {
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
    for piece in &answer.pieces {
        let produced = Produced::Answer(before + piece.so_far);
        script.push(
            Some("content_block_delta"),
            &[&head, &piece.json, r#""}}"#],
            produced,
            Tells::Nothing,
        );
    }
    let made = Produced::Answer(before + answer.tokens);
    if signed {
        let delta = object! {"type": "signature_delta", "signature": SIGNATURE};
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
