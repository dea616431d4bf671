//! What the guard needs to know of a request: its latest tool calls, its session, its likeness to other requests.
//!
//! In: an endpoint and a body, validated by [`crate::ask`] (one that is not is read as far as it can be). Out: a
//! [`Conversation`] of hashes. It knows nothing of earlier requests.
//!
//! The body is passed once, without a tree; of its messages only the latest are kept in mind, as places. Then those are
//! looked at again from the end backwards, until there are enough turns, so that a long conversation costs hardly more
//! than passing it.

use std::collections::VecDeque;

use crate::{
    endpoint::Endpoint,
    hash,
    json::strict::{self, Cursor, Wrong},
};

mod turns;

/// The most turns that are looked at.
pub const TURNS: usize = 16;

/// How many of the latest messages are kept in mind, results of tools apart.
const REMEMBERED: usize = 256;

/// The tool calls of one turn: all that an answer calls at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Turn {
    /// What is called with which arguments, whatever the order, each counted once.
    pub signature: u64,
    /// The hash of the first call's id; 0 when it has none.
    pub id: u32,
    /// The hash of the user's latest message before it; 0 when there is none to be seen.
    pub context: u32,
}

impl Turn {
    /// Whether this is the other turn, seen again.
    pub fn is(&self, other: &Self) -> bool {
        self.signature == other.signature && self.id == other.id
    }

    /// Whether this turn does what the other did, without the user having said something else between them.
    pub fn repeats(&self, other: &Self) -> bool {
        let same_context = self.context == other.context || self.context == 0 || other.context == 0;
        self.signature == other.signature && same_context
    }
}

/// What the guard knows of a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Conversation {
    /// The latest turns with tool calls, oldest first; at most [`TURNS`].
    pub turns: Vec<Turn>,
    /// How many there are in all, as far as that can be told cheaply.
    pub turns_in_all: u32,
    /// The hash of the user's latest message; 0 when there is none.
    pub heard: u32,
    /// The hash of the session's name in the API's own fields.
    pub session: Option<u64>,
    /// The hash of the whole body; 0 for requests that may be repeated at will.
    pub fingerprint: u64,
}

/// Reads a request's body.
pub fn read(endpoint: Endpoint, body: &[u8]) -> Conversation {
    let mut reader = Reader {
        endpoint,
        latest: VecDeque::new(),
        turns_in_all: 0,
        session: None,
    };
    let mut cursor = Cursor::new(body);
    if cursor.next_token() == Some(b'{') {
        // A body that is not JSON is refused elsewhere; what was read before is as good as nothing.
        let _ = cursor.object(|cursor, name, _| reader.member(cursor, name));
    }
    let (turns, heard) = turns::look_back(&reader.latest);
    Conversation {
        turns,
        turns_in_all: reader.turns_in_all,
        heard,
        session: reader.session.map(|(_, session)| session),
        fingerprint: match endpoint {
            // Counting tokens and listing models cost nothing.
            Endpoint::CountTokens | Endpoint::Models => 0,
            _ => hash::of(body).max(1),
        },
    }
}

/// The hash of a session's name, from wherever it comes.
pub fn session_hash(name: &[u8]) -> Option<u64> {
    let name = name.trim_ascii();
    (!name.is_empty()).then(|| hash::of(name))
}

/// The place of something that may matter to the latest turns, in the bytes of the body.
#[derive(Clone, Copy, Debug)]
enum Place<'a> {
    /// The content of a user's message, which with Anthropic may be the results of tools instead.
    User(&'a [u8]),
    /// `tool_calls` of a message (OpenAI chat).
    Calls(&'a [u8]),
    /// `function_call` of a message (OpenAI chat, in former times).
    FunctionCall(&'a [u8]),
    /// The content of an assistant's message (Anthropic).
    Blocks(&'a [u8]),
    /// An item that is a call (OpenAI responses). Those next to each other are one turn.
    Item(&'a [u8]),
    /// An item that ends a turn (OpenAI responses).
    Output,
}

struct Reader<'a> {
    endpoint: Endpoint,
    latest: VecDeque<Place<'a>>,
    turns_in_all: u32,
    /// The session with the rank of the field it is from.
    session: Option<(u8, u64)>,
}

impl<'a> Reader<'a> {
    /// Reads a member of the body.
    fn member(&mut self, cursor: &mut Cursor<'a>, name: &[u8]) -> Result<(), Wrong> {
        let messages: &[u8] = match self.endpoint {
            Endpoint::ChatCompletions | Endpoint::Messages => b"messages",
            Endpoint::Responses => b"input",
            _ => b"",
        };
        if !messages.is_empty() && name == messages {
            return match cursor.next_token() {
                Some(b'[') => array(cursor, |cursor| self.message(cursor)),
                _ => {
                    let (_, span) = cursor.value(1, &mut ())?;
                    self.remember(Place::User(cursor.slice(span)));
                    Ok(())
                }
            };
        }
        let rank = match name {
            b"conversation" => 0,
            b"prompt_cache_key" => 1,
            b"metadata" => 2,
            b"safety_identifier" => 4,
            b"user" => 5,
            _ => {
                cursor.value(1, &mut ())?;
                return Ok(());
            }
        };
        if cursor.next_token() == Some(b'{') {
            cursor.object(|cursor, name, _| {
                let (_, span) = cursor.value(2, &mut ())?;
                match (rank, name) {
                    (0, b"id") | (2, b"session_id") => self.name_session(rank, cursor.slice(span)),
                    (2, b"user_id") => self.name_session(3, cursor.slice(span)),
                    _ => {}
                }
                Ok::<(), Wrong>(())
            })
        } else {
            let (_, span) = cursor.value(1, &mut ())?;
            if rank != 2 {
                self.name_session(rank, cursor.slice(span));
            }
            Ok(())
        }
    }

    /// Takes a string for the session's name, unless one of a better rank is known.
    fn name_session(&mut self, rank: u8, raw: &[u8]) {
        let Some(session) = inside(raw)
            .and_then(strict::unescaped)
            .and_then(|name| session_hash(&name))
        else {
            return;
        };
        if self.session.is_none_or(|(known, _)| rank < known) {
            self.session = Some((rank, session));
        }
    }

    /// Reads a message, or an item of OpenAI responses.
    fn message(&mut self, cursor: &mut Cursor<'a>) -> Result<(), Wrong> {
        if cursor.next_token() != Some(b'{') {
            cursor.value(2, &mut ())?;
            return Ok(());
        }
        let start = cursor.at();
        let fields = Fields::read(cursor)?;
        let whole = cursor.slice(start..cursor.at());
        let place = match self.endpoint {
            Endpoint::Responses => match fields.kind {
                b"\"function_call\""
                | b"\"custom_tool_call\""
                | b"\"local_shell_call\""
                | b"\"shell_call\""
                | b"\"apply_patch_call\""
                | b"\"computer_call\"" => Place::Item(whole),
                kind if kind.ends_with(b"_output\"") => Place::Output,
                _ if fields.role == b"\"user\"" => Place::User(fields.content),
                _ => return Ok(()),
            },
            _ => match fields.role {
                b"\"user\"" => Place::User(fields.content),
                b"\"assistant\"" if self.endpoint == Endpoint::Messages => Place::Blocks(fields.content),
                b"\"assistant\"" if fields.tool_calls.first() == Some(&b'[') => Place::Calls(fields.tool_calls),
                b"\"assistant\"" if fields.function_call.first() == Some(&b'{') => {
                    Place::FunctionCall(fields.function_call)
                }
                _ => return Ok(()),
            },
        };
        if matches!(place, Place::Calls(_) | Place::FunctionCall(_) | Place::Item(_)) {
            self.turns_in_all = self.turns_in_all.saturating_add(1);
        }
        self.remember(place);
        Ok(())
    }

    fn remember(&mut self, place: Place<'a>) {
        if self.latest.len() >= REMEMBERED {
            self.latest.pop_front();
        }
        self.latest.push_back(place);
    }
}

/// The values of an object's members that matter to somebody, as they are spelled; empty when they are not there.
#[derive(Clone, Copy, Debug, Default)]
struct Fields<'a> {
    role: &'a [u8],
    kind: &'a [u8],
    content: &'a [u8],
    tool_calls: &'a [u8],
    function_call: &'a [u8],
    /// `function` or `custom` of a tool call.
    tool: &'a [u8],
    name: &'a [u8],
    arguments: &'a [u8],
    id: &'a [u8],
    text: &'a [u8],
}

impl<'a> Fields<'a> {
    /// Reads the object at the cursor.
    fn read(cursor: &mut Cursor<'a>) -> Result<Self, Wrong> {
        let mut fields = Self::default();
        cursor.object(|cursor, name, _| {
            let (_, span) = cursor.value(3, &mut ())?;
            let value = cursor.slice(span);
            let field = match name {
                b"role" => &mut fields.role,
                b"type" => &mut fields.kind,
                b"content" => &mut fields.content,
                b"tool_calls" => &mut fields.tool_calls,
                b"function_call" => &mut fields.function_call,
                b"function" | b"custom" => &mut fields.tool,
                b"name" => &mut fields.name,
                b"arguments" | b"input" | b"action" | b"operation" => &mut fields.arguments,
                // An item has an `id` of its own beside that of its call.
                b"call_id" => &mut fields.id,
                b"id" if fields.id.is_empty() => &mut fields.id,
                b"text" => &mut fields.text,
                _ => return Ok(()),
            };
            *field = value;
            Ok::<(), Wrong>(())
        })?;
        Ok(fields)
    }

    /// The same of bytes that are known to be one value; nothing when it is no object.
    fn of(raw: &'a [u8]) -> Self {
        let mut cursor = Cursor::new(raw);
        match cursor.next_token() {
            Some(b'{') => Self::read(&mut cursor).unwrap_or_default(),
            _ => Self::default(),
        }
    }
}

/// Passes an array element by element; the cursor stands at its `[`.
fn array<'a>(
    cursor: &mut Cursor<'a>,
    mut element: impl FnMut(&mut Cursor<'a>) -> Result<(), Wrong>,
) -> Result<(), Wrong> {
    cursor.expect(b'[', "expected '['")?;
    if cursor.next_token() == Some(b']') {
        return cursor.expect(b']', "expected ']'");
    }
    loop {
        element(cursor)?;
        if cursor.next_token() != Some(b',') {
            return cursor.expect(b']', "expected ',' or ']'");
        }
        cursor.expect(b',', "expected ','")?;
    }
}

/// Shows each object of an array, given as bytes, until `object` says that it has seen enough.
fn objects<'a>(raw: &'a [u8], mut object: impl FnMut(Fields<'a>) -> bool) {
    let mut cursor = Cursor::new(raw);
    if cursor.next_token() != Some(b'[') {
        return;
    }
    let _ = array(&mut cursor, |cursor| {
        if cursor.next_token() != Some(b'{') {
            return cursor.value(4, &mut ()).map(|_| ());
        }
        match object(Fields::read(cursor)?) {
            true => Ok(()),
            false => Err(Wrong::TooDeep),
        }
    });
}

/// What stands between the quotes of a string; `None` of anything else.
fn inside(raw: &[u8]) -> Option<&[u8]> {
    raw.strip_prefix(b"\"")?.strip_suffix(b"\"")
}

#[cfg(test)]
mod tests;
