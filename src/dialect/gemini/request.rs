//! A request, as `generateContent` wants it.
//!
//! In: a [`Request`] in normal form. Out: a body, and by name what it cannot say. A schema and a call's arguments go
//! through byte for byte (`parametersJsonSchema`, `responseJsonSchema`, `args`).
//!
//! - A function's response names the function, not only the call, so names are looked up in the calls before. Responses
//!   stand in the order of their calls, which is all that tells two calls of one function apart where there are no ids.
//! - A third generation's model refuses a step whose first call has no signature; where the client has none to give back
//!   (the call is another model's, or the client's dialect has no place for it) Google's documented placeholder stands in.
//! - Pictures that a tool gave are part of its response for the third generation. For older ones they stand behind all
//!   responses: Google counts those against the calls, and wants them together.
//! - Calls have ids for the third generation only; older ones may refuse the member.

use std::collections::HashMap;

use serde_json::value::RawValue;

use super::body::{
    Blob, Body, CallingConfig, Config, Content, Declaration, FileData, FunctionCall, FunctionResponse, Part, Response,
    ToolConfig, Tools,
};
use super::model::Model;
use super::thinking;
use crate::conversation::{Block, Choice, Format, Losses, Media, Request, Role, Tool};
use crate::dialect::{To, form};

/// What Google lets stand for a signature that is not there (ai.google.dev/gemini-api/docs/thought-signatures, "FAQ").
const NO_SIGNATURE: &str = "skip_thought_signature_validator";

/// The most stop sequences a request may have.
const MOST_STOPS: usize = 5;

/// A request's body. What it cannot say goes to `losses`.
pub fn write_request(request: &Request, to: &To<'_>, losses: &mut Losses) -> Vec<u8> {
    let mut writer = Writer {
        model: Model::of(to.model),
        calls: HashMap::new(),
        behind: Vec::new(),
        losses,
    };
    // "Function calling with a response mime type: 'application/json' is unsupported", say models before the third.
    let is_enforced = request.tools.is_empty() || writer.model.is_third();
    let words = if is_enforced {
        None
    } else {
        form::words(&request.format)
    };
    let mut system_instruction = writer.instructions(&request.instructions);
    if let Some(words) = &words {
        writer.losses.hint("response_format");
        let nothing = || Content {
            role: None,
            parts: Vec::new(),
        };
        system_instruction
            .get_or_insert_with(nothing)
            .parts
            .extend(text_part(words));
    }
    let body = Body {
        system_instruction,
        contents: writer.contents(request),
        tools: writer.tools(&request.tools),
        tool_config: writer.choice(request),
        generation_config: writer.config(request, to),
    };
    // Its keys are strings and its numbers finite: this does not fail.
    serde_json::to_vec(&body).unwrap_or_default()
}

struct Writer<'a, 'l> {
    model: Model,
    /// The calls so far, by their ids.
    calls: HashMap<&'a str, Called<'a>>,
    /// What tools gave that is to stand behind their responses.
    behind: Vec<Part<'a>>,
    losses: &'l mut Losses,
}

/// A call: how many came before it, and what it called.
#[derive(Clone, Copy)]
struct Called<'a> {
    place: usize,
    name: &'a str,
}

impl<'a> Writer<'a, '_> {
    fn instructions(&mut self, instructions: &'a [Block]) -> Option<Content<'a>> {
        let mut parts = Vec::with_capacity(instructions.len());
        for block in instructions {
            match block {
                Block::Text { text, cache } => {
                    self.uncached(cache.is_some());
                    parts.extend(text_part(text));
                }
                _ => self.losses.meaning("system"),
            }
        }
        (!parts.is_empty()).then_some(Content { role: None, parts })
    }

    fn contents(&mut self, request: &'a Request) -> Vec<Content<'a>> {
        let mut turns = request.turns.as_slice();
        if let Some((last, before)) = turns.split_last()
            && last.role == Role::Assistant
            && self.model.samples_alone()
        {
            self.losses
                .meaning_at(format!("messages[{}]", before.len()), "messages");
            turns = before;
        }
        let mut contents = Vec::with_capacity(turns.len());
        for turn in turns {
            let mut parts = Vec::with_capacity(turn.content.len());
            let mut is_first_call = true;
            for block in self.in_order(&turn.content) {
                if !matches!(block, Block::Result { .. }) {
                    parts.append(&mut self.behind);
                }
                self.block(block, &mut is_first_call, &mut parts);
            }
            parts.append(&mut self.behind);
            if !parts.is_empty() {
                let role = match turn.role {
                    Role::User => "user",
                    Role::Assistant => "model",
                };
                contents.push(Content {
                    role: Some(role),
                    parts,
                });
            }
        }
        contents
    }

    /// What is said in a turn, results in the order of their calls: without ids nothing else tells which is whose.
    fn in_order(&self, content: &'a [Block]) -> Vec<&'a Block> {
        let mut blocks: Vec<&Block> = content.iter().collect();
        blocks.sort_by_key(|block| match block {
            Block::Result { id, .. } => self.calls.get(id.as_str()).map_or(usize::MAX - 1, |call| call.place),
            _ => usize::MAX,
        });
        blocks
    }

    fn block(&mut self, block: &'a Block, is_first_call: &mut bool, parts: &mut Vec<Part<'a>>) {
        match block {
            Block::Text { text, cache } => {
                self.uncached(cache.is_some());
                parts.extend(text_part(text));
            }
            Block::Image { media, detail, cache } => {
                self.uncached(cache.is_some());
                if detail.as_deref().is_some_and(|detail| detail != "auto") {
                    self.losses.hint("detail");
                }
                parts.extend(self.media(media, "image/jpeg"));
            }
            Block::Document { media, name, cache } => {
                self.uncached(cache.is_some());
                if name.is_some() {
                    self.losses.hint("filename");
                }
                parts.extend(self.media(media, "application/pdf"));
            }
            Block::Audio { format, data } => parts.push(Part {
                inline_data: Some(Blob {
                    mime_type: format!("audio/{format}"),
                    data,
                }),
                ..Part::default()
            }),
            Block::Call {
                id,
                name,
                arguments,
                signature,
                cache,
            } => {
                self.uncached(cache.is_some());
                let place = self.calls.len();
                self.calls.insert(id, Called { place, name });
                // Of calls at once only the first is signed.
                let placeholder = (*is_first_call && self.model.is_third()).then_some(NO_SIGNATURE);
                *is_first_call = false;
                parts.push(Part {
                    function_call: Some(FunctionCall {
                        id: self.id(id),
                        name,
                        args: object(arguments),
                    }),
                    thought_signature: signature.as_deref().or(placeholder),
                    ..Part::default()
                });
            }
            Block::Result {
                id,
                content,
                failed,
                cache,
            } => {
                self.uncached(cache.is_some());
                self.result(id, content, *failed, parts);
            }
            // It is not asked for again, whoever's it is, and Google refuses a signature that it has not made.
            Block::Thought { .. } | Block::SealedThought { .. } => self.losses.hint("reasoning_content"),
        }
    }

    fn result(&mut self, id: &'a str, content: &'a [Block], failed: bool, parts: &mut Vec<Part<'a>>) {
        let mut text = String::new();
        let mut given = Vec::new();
        for block in content {
            if let Block::Text { text: more, cache } = block {
                self.uncached(cache.is_some());
                if !text.is_empty() {
                    text.push('\n');
                }
                text.push_str(more);
                continue;
            }
            let mut found = Vec::new();
            self.block(block, &mut false, &mut found);
            for part in found {
                // Within a response only bytes are allowed, not addresses.
                if self.model.is_third() && part.inline_data.is_some() {
                    given.push(part);
                } else {
                    self.behind.push(part);
                }
            }
        }
        parts.push(Part {
            function_response: Some(FunctionResponse {
                id: self.id(id),
                name: self.calls.get(id).map_or(id, |call| call.name),
                response: if failed {
                    Response::Error(text)
                } else {
                    Response::Output(text)
                },
                parts: given,
            }),
            ..Part::default()
        });
    }

    fn media(&mut self, media: &'a Media, unknown: &'static str) -> Option<Part<'a>> {
        match media {
            Media::Inline { media_type, data } => Some(Part {
                inline_data: Some(Blob {
                    mime_type: media_type.clone(),
                    data,
                }),
                ..Part::default()
            }),
            Media::Url(url) => Some(Part {
                file_data: Some(FileData {
                    mime_type: media_type(url).unwrap_or(unknown),
                    file_uri: url,
                }),
                ..Part::default()
            }),
            Media::File(_) => {
                self.losses.meaning("file_id");
                None
            }
        }
    }

    fn tools(&mut self, tools: &'a [Tool]) -> Option<[Tools<'a>; 1]> {
        let mut declarations = Vec::with_capacity(tools.len());
        for (index, tool) in tools.iter().enumerate() {
            self.uncached(tool.cache.is_some());
            if tool.strict == Some(true) {
                self.losses.hint("strict");
            }
            if !is_name(&tool.name) {
                self.losses.meaning_at(format!("tools[{index}].name"), "tools");
            }
            declarations.push(Declaration {
                name: &tool.name,
                description: tool.description.as_deref().filter(|text| !text.is_empty()),
                parameters_json_schema: tool.parameters.as_deref(),
            });
        }
        (!declarations.is_empty()).then_some([Tools {
            function_declarations: declarations,
        }])
    }

    fn choice(&mut self, request: &'a Request) -> Option<ToolConfig<'a>> {
        if request.tools.is_empty() {
            return None;
        }
        if request.parallel_calls == Some(false) && request.choice != Some(Choice::Never) {
            self.losses.meaning("parallel_tool_calls");
        }
        let (mode, name) = match request.choice.as_ref()? {
            Choice::Auto => ("AUTO", None),
            Choice::Never => ("NONE", None),
            Choice::Any => ("ANY", None),
            Choice::Tool(name) => ("ANY", Some([name.as_str()])),
        };
        Some(ToolConfig {
            function_calling_config: CallingConfig {
                mode,
                allowed_function_names: name,
            },
        })
    }

    fn config(&mut self, request: &'a Request, to: &To<'_>) -> Config<'a> {
        let mut config = Config {
            max_output_tokens: request.max_output_tokens.or(to.longest),
            temperature: request.temperature,
            top_p: request.top_p,
            top_k: request.top_k,
            seed: request.seed.map(seed),
            presence_penalty: request.presence_penalty,
            frequency_penalty: request.frequency_penalty,
            stop_sequences: request.stop.get(..MOST_STOPS).unwrap_or(&request.stop),
            ..Config::default()
        };
        if request.stop.len() > MOST_STOPS {
            self.losses.meaning("stop");
        }
        if request.user.is_some() {
            self.losses.hint("user");
        }
        if self.model.samples_alone() {
            self.unsampled(&mut config);
        }
        if let Some(reasoning) = request.reasoning {
            config.thinking_config = thinking::config(self.model, reasoning, self.losses);
        }
        self.format(request, &mut config);
        config
    }

    /// Takes out what the newest models do not take: some they would ignore, some refuse.
    fn unsampled(&mut self, config: &mut Config<'_>) {
        let ignored = [
            ("temperature", config.temperature.take().is_some()),
            ("top_p", config.top_p.take().is_some()),
            ("top_k", config.top_k.take().is_some()),
        ];
        for (name, _) in ignored.into_iter().filter(|&(_, given)| given) {
            self.losses.hint(name);
        }
        let refused = [
            ("presence_penalty", config.presence_penalty.take()),
            ("frequency_penalty", config.frequency_penalty.take()),
        ];
        for (name, _) in refused
            .into_iter()
            .filter(|(_, given)| given.is_some_and(|penalty| penalty != 0.0))
        {
            self.losses.meaning(name);
        }
    }

    fn format(&mut self, request: &'a Request, config: &mut Config<'a>) {
        let schema = match &request.format {
            Format::Text => return,
            Format::Object => None,
            Format::Schema { schema, .. } => Some(&**schema),
        };
        if !request.tools.is_empty() && !self.model.is_third() {
            return;
        }
        config.response_mime_type = Some("application/json");
        config.response_json_schema = schema;
    }

    /// Only the third generation gives its calls ids and takes them back.
    fn id(&self, id: &'a str) -> Option<&'a str> {
        self.model.is_third().then_some(id)
    }

    fn uncached(&mut self, is_marked: bool) {
        if is_marked {
            self.losses.hint("cache_control");
        }
    }
}

/// A part of text; Google refuses empty ones.
fn text_part(text: &str) -> Option<Part<'_>> {
    (!text.is_empty()).then(|| Part {
        text: Some(text),
        ..Part::default()
    })
}

/// Arguments as they stand there, if they are an object.
fn object(arguments: &str) -> &RawValue {
    serde_json::from_str(arguments)
        .ok()
        .filter(|value: &&RawValue| value.get().starts_with('{'))
        .unwrap_or(nothing())
}

fn nothing() -> &'static RawValue {
    serde_json::from_str("{}").unwrap_or(RawValue::NULL)
}

/// Google's seeds have 32 bits; the same seed is still the same.
fn seed(seed: i64) -> i32 {
    i32::try_from(seed).unwrap_or((seed ^ (seed >> 32)) as i32)
}

/// Letters, digits, underscores, dots, colons and dashes, a letter or an underscore first, at most 128.
fn is_name(name: &str) -> bool {
    name.len() <= 128
        && name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"_.:-".contains(&byte))
}

/// What an address says of what is there, which Google wants to be told.
fn media_type(url: &str) -> Option<&'static str> {
    let path = url.split(['?', '#']).next()?;
    let (_, extension) = path.rsplit_once('.')?;
    Some(match extension.to_ascii_lowercase().as_str() {
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "webp" => "image/webp",
        "gif" => "image/gif",
        "heic" => "image/heic",
        "heif" => "image/heif",
        "pdf" => "application/pdf",
        "txt" | "md" => "text/plain",
        "html" | "htm" => "text/html",
        "csv" => "text/csv",
        _ => return None,
    })
}
