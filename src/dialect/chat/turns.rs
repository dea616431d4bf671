//! A client's messages, put into turns.
//!
//! In: one message after the other. Out: instructions and turns in [`crate::conversation`]'s normal form.
//!
//! Source: openai-python, `types/chat/chat_completion_*_message_param.py`.

use std::borrow::Cow;

use serde_json::value::RawValue;

use super::parts::{cache, content, keep};
use super::thoughts::{self, Thought};
use crate::conversation::members::{Members, Unreadable, elements};
use crate::conversation::{Block, Losses, Role, Turn};

/// What has been read so far.
#[derive(Default)]
pub(super) struct Turns {
    pub(super) instructions: Vec<Block>,
    pub(super) turns: Vec<Turn>,
}

impl Turns {
    /// Takes in the next message.
    pub(super) fn read(&mut self, mut message: Members, losses: &mut Losses) -> Result<(), Unreadable> {
        let role: Cow<str> = message.need("role", "must be a string")?;
        let kept = cache(&mut message)?;
        let mut said = content(&mut message, losses)?;
        match &*role {
            "system" | "developer" => {
                keep(&mut said, kept);
                self.instructions.append(&mut said);
            }
            "user" => {
                keep(&mut said, kept);
                self.add(Role::User, said);
            }
            "assistant" => {
                let mut blocks = thoughts_of(&mut message)?;
                blocks.append(&mut said);
                if let Some(refusal) = message.text("refusal")?.filter(|refusal| !refusal.is_empty()) {
                    blocks.push(text(refusal));
                }
                calls(&mut message, &mut blocks, losses)?;
                keep(&mut blocks, kept);
                message.lose(&["audio", "function_call"], false, losses);
                message.lose(&["annotations"], true, losses);
                self.add(Role::Assistant, blocks);
            }
            "tool" => {
                let id = message.need("tool_call_id", "must be a string")?;
                self.result(Block::Result {
                    id,
                    content: said,
                    failed: false,
                    cache: kept,
                });
            }
            // The deprecated function calls have no ids, so that calls and results cannot be matched.
            "function" => losses.meaning_at(message.at("role"), "function"),
            _ => {
                return Err(Unreadable::new(
                    message.at("role"),
                    "must be system, developer, user, assistant or tool",
                ));
            }
        }
        message.lose(&["name"], true, losses);
        message.rest(losses);
        Ok(())
    }

    fn add(&mut self, role: Role, mut content: Vec<Block>) {
        match self.turns.last_mut() {
            _ if content.is_empty() => {}
            Some(turn) if turn.role == role => turn.content.append(&mut content),
            _ => self.turns.push(Turn { role, content }),
        }
    }

    /// Results stand in front of what else the user says in their turn.
    fn result(&mut self, result: Block) {
        match self.turns.last_mut() {
            Some(turn) if turn.role == Role::User => {
                let is_result = |block: &Block| matches!(block, Block::Result { .. });
                let at = turn.content.iter().position(|block| !is_result(block));
                turn.content.insert(at.unwrap_or(turn.content.len()), result);
            }
            _ => self.turns.push(Turn {
                role: Role::User,
                content: vec![result],
            }),
        }
    }
}

fn text(text: String) -> Block {
    Block::Text { text, cache: None }
}

/// What the model thought, as it was told in an answer.
fn thoughts_of(message: &mut Members) -> Result<Vec<Block>, Unreadable> {
    let details = message.raw("reasoning_details");
    let content = message.text("reasoning_content")?;
    let reasoning = message.text("reasoning")?;
    let told = content.or(reasoning).unwrap_or_default();
    let mut blocks: Vec<Block> = Vec::new();
    for thought in thoughts::of(details, told) {
        match thought {
            Thought::Sealed(data) => blocks.push(Block::SealedThought { data }),
            Thought::Shown { text, signature } => blocks.push(Block::Thought { text, signature }),
        }
    }
    Ok(blocks)
}

fn calls(message: &mut Members, blocks: &mut Vec<Block>, losses: &mut Losses) -> Result<(), Unreadable> {
    const WHAT: &str = "must be an array of tool calls";
    let at = message.at("tool_calls");
    let Some(listed) = message.raw("tool_calls") else {
        return Ok(());
    };
    for (index, call) in elements(listed, &at, WHAT)?.into_iter().enumerate() {
        let mut call = Members::within(call, format!("{at}[{index}]"))?;
        let kind: Option<Cow<str>> = call.take("type", "must be a string")?;
        if kind.is_some_and(|kind| kind != "function") {
            losses.meaning_at(call.at("custom"), "custom");
            continue;
        }
        let id = call.need("id", "must be a string")?;
        let function: &RawValue = call.need("function", "must be an object")?;
        let mut function = Members::within(function, call.at("function"))?;
        let signature = call.raw("extra_content").and_then(thoughts::signature_of_call);
        blocks.push(Block::Call {
            id,
            name: function.need("name", "must be a string")?,
            arguments: thoughts::arguments(function.raw("arguments")),
            signature,
            cache: None,
        });
        call.lose(&["index"], true, losses);
        function.rest(losses);
        call.rest(losses);
    }
    Ok(())
}
