//! A message as a stream of events.

use serde_json::{Value, json};

use super::messages::{Answering, usage};
use crate::call::Call;
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
    let mut message = json!({
        "id": call.id("msg_", 24),
        "type": "message",
        "role": "assistant",
        "model": answering.model,
        "content": [],
        "stop_reason": null,
        "stop_sequence": null,
    });
    let mut tells = Tells::Nothing;
    if let (false, Some(message)) = (call.steering.no_usage, message.as_object_mut()) {
        message.insert("usage".into(), usage(&begun, tier));
        tells = Tells::So(begun);
    }
    let start = json!({"type": "message_start", "message": message});
    script.push(
        Some("message_start"),
        &[&start.to_string()],
        Produced::Answer(begun.output),
        tells,
    );

    let mut index = 0;
    let mut before = 0;
    if let Some(thinking) = thinking {
        let start = json!({"type": "thinking", "thinking": "", "signature": ""});
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
        None => json!({"type": "text", "text": ""}),
        Some(name) => json!({"type": "tool_use", "id": call.id("toolu_", 24), "name": name, "input": {}}),
    };
    let delta = if tool.is_some() {
        ("input_json_delta", "partial_json")
    } else {
        ("text_delta", "text")
    };
    block(&mut script, index, before, &start, delta, answer, false);

    let mut delta = json!({
        "type": "message_delta",
        "delta": {"stop_reason": answering.stop_reason, "stop_sequence": null},
    });
    if let (false, Some(delta)) = (call.steering.no_usage, delta.as_object_mut()) {
        delta.insert("usage".into(), final_usage(tokens));
    }
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
    start: &Value,
    (kind, member): (&str, &str),
    answer: &Answer,
    signed: bool,
) {
    // Of the answer's first token `message_start` has already told.
    let begun = Produced::Answer(before.max(1));
    let start = json!({"type": "content_block_start", "index": index, "content_block": start});
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
        let signature = json!({
            "type": "content_block_delta", "index": index,
            "delta": {"type": "signature_delta", "signature": SIGNATURE},
        });
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
fn final_usage(tokens: &Tokens) -> Value {
    json!({
        "input_tokens": tokens.input,
        "cache_creation_input_tokens": tokens.cache_write_5m + tokens.cache_write_1h,
        "cache_read_input_tokens": tokens.cached_input,
        "output_tokens": tokens.output,
    })
}
