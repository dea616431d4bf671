//! The elements of a request's `input`.
//!
//! In: a string, or an array of items. Out: instructions and turns of the [`Request`], in normal form. Items' own ids and
//! states say nothing that matters here. It does not know the parts of a message ([`super::part`]).

use serde_json::value::RawValue;

use super::super::{output, seal};
use super::part;
use crate::conversation::members::{Members, Unreadable, elements};
use crate::conversation::{Block, Losses, Request, Role, Turn};

/// Items that have no counterpart: calls of tools that OpenAI runs, of tools that take no JSON, and what stands for
/// something in OpenAI's stores.
const MEANT: &[&str] = &[
    "additional_tools",
    "apply_patch_call",
    "apply_patch_call_output",
    "code_interpreter_call",
    "compaction",
    "compaction_trigger",
    "computer_call",
    "computer_call_output",
    "custom_tool_call",
    "custom_tool_call_output",
    "file_search_call",
    "image_generation_call",
    "item_reference",
    "local_shell_call",
    "local_shell_call_output",
    "mcp_approval_request",
    "mcp_approval_response",
    "mcp_call",
    "mcp_list_tools",
    "program",
    "program_output",
    "shell_call",
    "shell_call_output",
    "tool_search_call",
    "tool_search_output",
    "web_search_call",
];

/// Reads `input`.
pub(super) fn read(input: &RawValue, request: &mut Request, losses: &mut Losses) -> Result<(), Unreadable> {
    let what = "must be a string or an array of items";
    if input.get().starts_with('"') {
        let text = serde_json::from_str(input.get()).map_err(|_| Unreadable::new("input", what))?;
        say(request, Role::User, Block::Text { text, cache: None });
        return Ok(());
    }
    for (index, raw) in elements(input, "input", what)?.into_iter().enumerate() {
        let mut item = Members::within(raw, format!("input[{index}]"))?;
        let id = item
            .raw("id")
            .and_then(|id| serde_json::from_str::<String>(id.get()).ok());
        item.raw("status");
        let kind = item.text("type")?;
        match kind.as_deref() {
            None if item.has("role") => message(&mut item, request, losses)?,
            Some("message") => message(&mut item, request, losses)?,
            Some("function_call") => call(&mut item, request, losses)?,
            Some("function_call_output") => result(&mut item, request, losses)?,
            Some("reasoning") => thought(&id.unwrap_or_default(), &mut item, request, losses)?,
            None => return Err(Unreadable::new(item.at("type"), "must be a string")),
            Some(kind) => {
                match MEANT.iter().find(|known| **known == kind) {
                    Some(known) => losses.meaning_at(item.at("type"), known),
                    None => losses.unknown(item.at("type")),
                }
                // Its members are its own.
                continue;
            }
        }
        item.rest(losses);
    }
    for turn in &mut request.turns {
        // A stable order: results, then what else the user says.
        turn.content
            .sort_by_key(|block| turn.role == Role::User && !matches!(block, Block::Result { .. }));
    }
    Ok(())
}

fn say(request: &mut Request, role: Role, block: Block) {
    if matches!(&block, Block::Text { text, cache: None } if text.is_empty()) {
        return;
    }
    match request.turns.last_mut() {
        Some(turn) if turn.role == role => turn.content.push(block),
        _ => request.turns.push(Turn {
            role,
            content: vec![block],
        }),
    }
}

fn message(item: &mut Members<'_>, request: &mut Request, losses: &mut Losses) -> Result<(), Unreadable> {
    let what = "must be user, assistant, system or developer";
    let role: String = item.need("role", what)?;
    let content: &RawValue = item.need("content", "must be a string or an array of parts")?;
    let blocks = part::read(content, &item.at("content"), losses)?;
    match &*role {
        "user" => blocks.into_iter().for_each(|block| say(request, Role::User, block)),
        "assistant" => blocks
            .into_iter()
            .for_each(|block| say(request, Role::Assistant, block)),
        "system" | "developer" => {
            for block in blocks {
                match block {
                    Block::Text { ref text, .. } if text.is_empty() => {}
                    Block::Text { .. } => request.instructions.push(block),
                    _ => losses.meaning_at(item.at("content"), "content"),
                }
            }
        }
        _ => return Err(Unreadable::new(item.at("role"), what)),
    }
    item.lose(&["phase"], true, losses);
    Ok(())
}

fn call(item: &mut Members<'_>, request: &mut Request, losses: &mut Losses) -> Result<(), Unreadable> {
    let what = "must be the text of a JSON object";
    let mut arguments: String = item.need("arguments", what)?;
    if arguments.trim().is_empty() {
        arguments = "{}".to_owned();
    }
    if Members::of(arguments.as_bytes(), "").is_err() {
        return Err(Unreadable::new(item.at("arguments"), what));
    }
    let block = Block::Call {
        id: item.need("call_id", "must be a string")?,
        name: item.need("name", "must be a string")?,
        arguments,
        signature: item
            .raw("extra_content")
            .and_then(|extra| output::signature(extra.get())),
        cache: None,
    };
    say(request, Role::Assistant, block);
    // What OpenAI's SDKs add to an answer of their own, and clients send back with it.
    item.raw("parsed_arguments");
    item.lose(&["async", "caller", "namespace"], true, losses);
    Ok(())
}

fn result(item: &mut Members<'_>, request: &mut Request, losses: &mut Losses) -> Result<(), Unreadable> {
    let output: &RawValue = item.need("output", "must be a string or an array of parts")?;
    let block = Block::Result {
        id: item.need("call_id", "must be a string")?,
        content: part::read(output, &item.at("output"), losses)?,
        failed: false,
        cache: None,
    };
    say(request, Role::User, block);
    item.lose(&["caller", "name", "namespace"], true, losses);
    Ok(())
}

fn thought(id: &str, item: &mut Members<'_>, request: &mut Request, losses: &mut Losses) -> Result<(), Unreadable> {
    let what = "must be an array of parts";
    let mut texts = Vec::new();
    for name in ["content", "summary"] {
        if let Some(parts) = item.raw(name) {
            let at = item.at(name);
            for (index, part) in elements(parts, &at, what)?.into_iter().enumerate() {
                let mut part = Members::within(part, format!("{at}[{index}]"))?;
                part.raw("type");
                texts.extend(part.text("text")?.filter(|text| !text.is_empty()));
                part.rest(losses);
            }
        }
    }
    let text = texts.join(output::BETWEEN_SUMMARIES);
    let encrypted = item.text("encrypted_content")?;
    let block = match encrypted {
        // Thought elsewhere and not shown there; only the place where it is stored knows it.
        None if text.is_empty() => {
            losses.hint("reasoning");
            return Ok(());
        }
        None => Block::Thought { text, signature: None },
        Some(encrypted) if seal::is_bare(&encrypted) => sealed(text, seal::close(id, &encrypted)),
        Some(encrypted) => match encrypted.strip_prefix(output::UNSHOWN) {
            Some(signature) => Block::Thought {
                text,
                signature: Some(signature.to_owned()),
            },
            None => sealed(text, encrypted),
        },
    };
    say(request, Role::Assistant, block);
    Ok(())
}

fn sealed(text: String, seal: String) -> Block {
    match text.is_empty() {
        true => Block::SealedThought { data: seal },
        false => Block::Thought {
            text,
            signature: Some(seal),
        },
    }
}
