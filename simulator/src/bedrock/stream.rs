//! A reply of Converse as a stream of events.
//!
//! In: what the answer is. Out: the events of `ConverseStreamOutput` in order. A block of text or of reasoning has no
//! `contentBlockStart`: the service model has only starts of tools' blocks. Every event carries padding (`p`), as the
//! service's do, so that its length tells nothing of the text in it.

use super::converse::{metrics, stop_reason, usage};
use crate::answering::{Answering, Part, sealed, signature};
use crate::call::Call;
use crate::json::{Object, object};
use crate::ledger::Produced;
use crate::stream::{Pace, Script, Tells};

const PADDING: &str = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";

/// Composes the events.
pub(super) fn compose(call: &Call, answering: &Answering, tier: &str) -> Script {
    let pace = Pace::new(&call.steering, 0);
    let mut events = Events {
        script: Script::events(&call.steering, pace).framed(call.framing),
        sent: 0,
    };
    events.push(
        "messageStart",
        &object! {"role": "assistant"},
        Produced::Prompt,
        Tells::Nothing,
    );
    let mut before = 0;
    for (index, part) in (0_u64..).zip(&answering.parts) {
        let begun = Produced::Answer(before);
        if let Part::Call { name, .. } = part {
            let tool = object! {"name": name, "toolUseId": call.nth_id("tooluse_", index, 22)};
            let start = object! {"contentBlockIndex": index, "start": object! {"toolUse": tool}};
            events.push("contentBlockStart", &start, begun, Tells::Nothing);
        }
        let mut delta = |delta: Object, so_far: u64| {
            let event = object! {"contentBlockIndex": index, "delta": delta};
            events.push(
                "contentBlockDelta",
                &event,
                Produced::Answer(before + so_far),
                Tells::Nothing,
            );
        };
        for piece in part.answer().iter().flat_map(|answer| &answer.pieces) {
            let said = match part {
                Part::Thought(_) => object! {"reasoningContent": object! {"text": piece.text}},
                Part::Call { .. } => object! {"toolUse": object! {"input": piece.text}},
                _ => object! {"text": piece.text},
            };
            delta(said, piece.so_far);
        }
        match part {
            Part::Thought(answer) => {
                let signed = object! {"signature": signature(&answer.text)};
                delta(object! {"reasoningContent": signed}, answer.tokens);
            }
            Part::Sealed(tokens) => {
                delta(
                    object! {"reasoningContent": object! {"redactedContent": sealed(*tokens)}},
                    *tokens,
                );
            }
            _ => {}
        }
        before += part.tokens();
        let stop = object! {"contentBlockIndex": index};
        events.push("contentBlockStop", &stop, Produced::Answer(before), Tells::Nothing);
    }
    let stop = object! {"stopReason": stop_reason(&answering.ending)};
    events.push("messageStop", &stop, Produced::Everything, Tells::Nothing);
    if !call.steering.no_usage {
        let metadata = object! {
            "metrics": metrics(call), "serviceTier": object! {"type": tier}, "usage": usage(&answering.tokens),
        };
        events.push("metadata", &metadata, Produced::Everything, Tells::All);
    }
    events.script
}

struct Events {
    script: Script,
    sent: usize,
}

impl Events {
    fn push(&mut self, name: &str, payload: &Object, produced: Produced, tells: Tells) {
        self.sent += 1;
        let padding = PADDING.get(..self.sent * 7 % PADDING.len()).unwrap_or_default();
        let payload = payload.clone().and(&object! {"p": padding});
        self.script.push(Some(name), &[&payload.to_string()], produced, tells);
    }
}
