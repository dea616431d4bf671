//! The turns of a conversation as items of `input`.
//!
//! In: turns in normal form. Out: items, and by name what they cannot say. It does not know the rest of the request.

use super::super::seal;
use super::media::{self, Part};
use super::short;
use super::wire::{Content, Item, Summary};
use crate::conversation::{Block, Losses, Request, Role};

/// The items of `input`.
pub(super) fn items<'a>(request: &'a Request, losses: &mut Losses) -> Vec<Item<'a>> {
    let mut items = Vec::new();
    for turn in &request.turns {
        match turn.role {
            Role::User => user(&turn.content, &mut items, losses),
            Role::Assistant => {
                for block in &turn.content {
                    items.extend(assistant(block, losses));
                }
                // A thought that led to nothing is refused.
                while matches!(items.last(), Some(Item::Reasoning { .. })) {
                    losses.hint("reasoning_content");
                    items.pop();
                }
            }
        }
    }
    items
}

fn user<'a>(blocks: &'a [Block], items: &mut Vec<Item<'a>>, losses: &mut Losses) {
    let mut parts = Vec::new();
    for block in blocks {
        match block {
            Block::Result {
                id,
                content,
                failed,
                cache,
            } => {
                if *failed {
                    losses.hint("is_error");
                }
                if cache.is_some() {
                    losses.hint("cache_control");
                }
                let parts: Vec<_> = content.iter().filter_map(|block| media::part(block, losses)).collect();
                items.push(Item::FunctionCallOutput {
                    call_id: short(id, "call"),
                    output: match parts.is_empty() {
                        // Its words tell that it failed; where there are none, nothing else would.
                        true => Content::Text(if *failed { "The tool failed." } else { "" }),
                        false => brief(parts),
                    },
                });
            }
            said => parts.extend(media::part(said, losses)),
        }
    }
    if !parts.is_empty() {
        items.push(Item::Message {
            role: "user",
            content: brief(parts),
        });
    }
}

fn assistant<'a>(block: &'a Block, losses: &mut Losses) -> Option<Item<'a>> {
    let (text, sealed) = match block {
        Block::Text { text, cache } => {
            if cache.is_some() {
                losses.hint("cache_control");
            }
            return Some(Item::Message {
                role: "assistant",
                content: Content::Text(text),
            });
        }
        Block::Call {
            id,
            name,
            arguments,
            cache,
            ..
        } => {
            if cache.is_some() {
                losses.hint("cache_control");
            }
            return Some(Item::FunctionCall {
                call_id: short(id, "call"),
                name,
                arguments,
            });
        }
        Block::Thought { text, signature } => (&**text, signature.as_deref()),
        Block::SealedThought { data } => ("", Some(&**data)),
        // The model says nothing else.
        _ => {
            losses.meaning("content");
            return None;
        }
    };
    match sealed.and_then(seal::open) {
        Some((id, encrypted_content)) => Some(Item::Reasoning {
            id,
            summary: Some(text)
                .filter(|text| !text.is_empty())
                .into_iter()
                .map(|text| Summary::SummaryText { text })
                .collect(),
            encrypted_content,
        }),
        None => {
            losses.hint("reasoning_content");
            None
        }
    }
}

/// A text by itself is no array.
fn brief(parts: Vec<Part<'_>>) -> Content<'_> {
    match &*parts {
        [Part::Text { text }] => Content::Text(text),
        _ => Content::Parts(parts),
    }
}
