//! The readers and writers of all APIs, behind one face.
//!
//! In: an API. Out: whoever reads a provider's answers in it, or writes a client's. It knows no more than that.

use super::Client;
use crate::conversation::{Event, Reply};
use crate::dialect::{Api, Malformed, Told, Unanswered, chat, converse, gemini, messages, responses};

#[derive(Debug)]
pub(super) enum Reader {
    Chat(chat::StreamReader),
    Responses(responses::StreamReader),
    Messages(messages::StreamReader),
    Gemini(gemini::StreamReader),
    Converse(converse::StreamReader),
}

#[derive(Debug)]
pub(super) enum Writer {
    /// The client waits for one document.
    Whole {
        client: Client,
        model: String,
        id: String,
        created: u64,
    },
    Chat(chat::StreamWriter),
    Responses(responses::StreamWriter),
    Messages(messages::StreamWriter),
}

impl Reader {
    pub(super) fn of(api: Api) -> Self {
        match api {
            Api::Chat => Self::Chat(chat::StreamReader::default()),
            Api::Responses => Self::Responses(responses::StreamReader::default()),
            Api::Messages => Self::Messages(messages::StreamReader::default()),
            Api::Gemini => Self::Gemini(gemini::StreamReader::default()),
            Api::Converse => Self::Converse(converse::StreamReader::default()),
        }
    }

    pub(super) fn read(&mut self, name: &[u8], data: &[u8], out: &mut Vec<Event>) -> Result<(), Malformed> {
        match self {
            Self::Chat(reader) => reader.read(name, data, out),
            Self::Responses(reader) => reader.read(name, data, out),
            Self::Messages(reader) => reader.read(name, data, out),
            Self::Gemini(reader) => reader.read(name, data, out),
            Self::Converse(reader) => reader.read(name, data, out),
        }
    }

    pub(super) fn finish(&mut self, out: &mut Vec<Event>) {
        match self {
            Self::Chat(reader) => reader.finish(out),
            Self::Responses(reader) => reader.finish(out),
            Self::Messages(reader) => reader.finish(out),
            Self::Gemini(reader) => reader.finish(out),
            Self::Converse(reader) => reader.finish(out),
        }
    }
}

impl Writer {
    pub(super) fn of(client: Client, stream: bool, told: &Told<'_>) -> Self {
        match (stream, client) {
            (false, _) => Self::Whole {
                client,
                model: told.model.to_owned(),
                id: told.id.to_owned(),
                created: told.created,
            },
            (true, Client::Chat) => Self::Chat(chat::StreamWriter::new(told)),
            (true, Client::Responses) => Self::Responses(responses::StreamWriter::new(told)),
            (true, Client::Messages) => Self::Messages(messages::StreamWriter::new(told)),
        }
    }

    /// The client that waits for one document gets it from [`write_reply`] alone.
    pub(super) fn write(&mut self, event: &Event, out: &mut Vec<u8>) {
        match self {
            Self::Whole { .. } => {}
            Self::Chat(writer) => writer.write(event, out),
            Self::Responses(writer) => writer.write(event, out),
            Self::Messages(writer) => writer.write(event, out),
        }
    }
}

pub(super) fn read_reply(api: Api, body: &[u8]) -> Result<Reply, Unanswered> {
    match api {
        Api::Chat => chat::read_reply(body),
        Api::Responses => responses::read_reply(body),
        Api::Messages => messages::read_reply(body),
        Api::Gemini => gemini::read_reply(body),
        Api::Converse => converse::read_reply(body),
    }
}

/// Writes a whole answer for a client.
pub(super) fn write_reply(client: Client, reply: &Reply, told: &Told<'_>) -> Vec<u8> {
    match client {
        Client::Chat => chat::write_reply(reply, told),
        Client::Responses => responses::write_reply(reply, told),
        Client::Messages => messages::write_reply(reply, told),
    }
}
