//! The latest turns of a conversation and the user's latest message, from the places where they stand.
//!
//! In: places in a body. Out: [`Turn`]s. It looks at no more of them than it needs, from the end backwards.

use std::collections::VecDeque;

use super::{Fields, Place, TURNS, Turn, inside, objects};
use crate::guard::canonical;
use crate::hash;

/// The most calls of one turn that are looked at.
const CALLS: usize = 32;

/// How many bytes at the beginning and at the end of a user's message tell it from others.
const HEARD: usize = 512;

/// The tool that may repeat itself: a click or key of Anthropic's and OpenAI's computer use says nothing of what it does.
const COMPUTER: &[u8] = b"computer";

/// The latest turns, oldest first, and the hash of the user's latest message.
pub(super) fn look_back(places: &VecDeque<Place>) -> (Vec<Turn>, u32) {
    let mut turns: Vec<Turn> = Vec::new();
    let mut heard = 0;
    // How many of the turns found so far know what the user said before them.
    let mut settled = 0;
    let mut calls = Calls::default();
    for place in places.iter().rev() {
        if !matches!(place, Place::Item(_)) {
            turns.extend(calls.turn());
        }
        if turns.len() >= TURNS && settled >= TURNS {
            break;
        }
        let full = turns.len() >= TURNS;
        match *place {
            Place::User(content) => {
                let message = user_message(content);
                if message == 0 {
                    continue;
                }
                if heard == 0 {
                    heard = message;
                }
                for turn in turns.iter_mut().skip(settled) {
                    turn.context = message;
                }
                settled = turns.len();
            }
            _ if full => {}
            Place::Calls(raw) => objects(raw, |call| {
                let tool = Fields::of(call.tool);
                calls.add(call.id, tool.name, tool.arguments);
                true
            }),
            Place::FunctionCall(raw) => {
                let call = Fields::of(raw);
                calls.add(b"", call.name, call.arguments);
            }
            Place::Blocks(raw) => objects(raw, |block| {
                if block.kind == b"\"tool_use\"" {
                    calls.add(block.id, block.name, block.arguments);
                }
                true
            }),
            Place::Item(raw) => {
                let item = Fields::of(raw);
                let name = if item.name.is_empty() { item.kind } else { item.name };
                calls.add(item.id, name, item.arguments);
            }
            Place::Output => {}
        }
        if !matches!(place, Place::Item(_)) {
            turns.extend(calls.turn());
        }
    }
    turns.extend(calls.turn());
    turns.truncate(TURNS);
    turns.reverse();
    (turns, heard)
}

/// The calls of a turn, as far as they have been seen.
#[derive(Debug, Default)]
struct Calls {
    signatures: Vec<u64>,
    id: u32,
}

impl Calls {
    fn add(&mut self, id: &[u8], name: &[u8], arguments: &[u8]) {
        if self.signatures.len() >= CALLS {
            return;
        }
        let id = inside(id).filter(|id| !id.is_empty()).map_or(0, hash::of);
        let name = inside(name).unwrap_or_default();
        let mut signature = hash::both(hash::of(name), canonical::of_arguments(arguments));
        if name == COMPUTER || name == b"computer_call" {
            signature = hash::both(signature, id);
        }
        if self.signatures.is_empty() && id != 0 {
            self.id = hash::short(id);
        }
        self.signatures.push(signature);
    }

    /// The turn that these calls make; begins another.
    fn turn(&mut self) -> Option<Turn> {
        let Self { mut signatures, id } = std::mem::take(self);
        signatures.sort_unstable();
        signatures.dedup();
        let signature = signatures.into_iter().reduce(hash::both)?;
        Some(Turn {
            signature,
            id,
            context: 0,
        })
    }
}

/// The hash of what a user said; 0 when it is the results of tools, or nothing.
fn user_message(content: &[u8]) -> u32 {
    if content.is_empty() {
        return 0;
    }
    if let Some(text) = inside(content) {
        return hash::short(ends(text));
    }
    let mut texts = None;
    let mut is_results = false;
    objects(content, |block| {
        is_results = block.kind == b"\"tool_result\"";
        if let Some(text) = inside(block.text) {
            texts = Some(hash::both(texts.unwrap_or_default(), ends(text)));
        }
        !is_results
    });
    match is_results {
        true => 0,
        false => hash::short(texts.unwrap_or_else(|| ends(content))),
    }
}

/// The hash of a text by its length, its beginning and its end.
fn ends(text: &[u8]) -> u64 {
    match (text.first_chunk::<HEARD>(), text.last_chunk::<HEARD>()) {
        (Some(first), Some(last)) => hash::both(hash::both(hash::of(first), hash::of(last)), text.len() as u64),
        _ => hash::of(text),
    }
}
