//! A provider's answer, in the client's words, as it comes.
//!
//! In: the bytes of an answer in the provider's API, cut anywhere. Out: bytes in the client's, and a [`Reading`]. An answer
//! that is one document is gathered until it is whole, up to [`WHOLE_LIMIT`]; of a stream one event is put by at most, up to
//! [`EVENT_LIMIT`]. It does not know whether what it gives is passed on.

use super::Client;
use super::seal::{self, Marking};
use super::sides::{Reader, Writer, read_reply, write_reply};
use crate::conversation::{Cause, Event, Output, Refusal, Reply, Stop};
use crate::dialect::{Api, Malformed, Told, Unanswered, gemini};
use crate::framing::eventstream::{Frames, Kind};
use crate::framing::sse::{Blocks, fields};
use crate::meter::Reading;

/// The longest answer that is translated whole, in bytes.
pub const WHOLE_LIMIT: usize = 32 << 20;
/// The longest event of a stream that is translated, in bytes.
pub const EVENT_LIMIT: usize = 4 << 20;

/// An answer on its way.
#[derive(Debug)]
pub struct Translation {
    api: Api,
    marking: Marking,
    form: Form,
    writer: Writer,
    reading: Reading,
    first: Option<u64>,
    refusal: Option<Refusal>,
    withheld: bool,
    events: Vec<Event>,
    over: bool,
}

#[derive(Debug)]
enum Form {
    Whole {
        api: Api,
        body: Vec<u8>,
    },
    Lines {
        reader: Reader,
        blocks: Blocks,
        carry: Vec<u8>,
    },
    Frames {
        reader: Reader,
        frames: Frames,
    },
}

impl Translation {
    /// The answer to a request of a client for which it is translated. `streamed`: the provider answers with a stream of
    /// events; `stream`: the client asked for one.
    pub fn new(client: Client, api: Api, streamed: bool, stream: bool, told: &Told<'_>) -> Self {
        let form = match (streamed, api) {
            (false, _) => Form::Whole { api, body: Vec::new() },
            (true, Api::Converse) => Form::Frames {
                reader: Reader::of(api),
                frames: Frames::default(),
            },
            (true, _) => Form::Lines {
                reader: Reader::of(api),
                blocks: Blocks::default(),
                carry: Vec::new(),
            },
        };
        let writer = Writer::of(client, stream, told);
        Self {
            api,
            marking: Marking::default(),
            form,
            writer,
            reading: Reading::default(),
            first: None,
            refusal: None,
            withheld: false,
            events: Vec::new(),
            over: false,
        }
    }

    /// The media type of what it gives.
    pub fn content_type(&self) -> &'static str {
        match self.writer {
            Writer::Whole { .. } => "application/json",
            Writer::Chat(_) | Writer::Responses(_) | Writer::Messages(_) => "text/event-stream",
        }
    }

    /// Reads the next bytes and gives what they are to the client. `end`: they are the last.
    pub fn feed(&mut self, chunk: &[u8], now_ns: u64, end: bool) -> Vec<u8> {
        let mut out = Vec::new();
        if self.over {
            return out;
        }
        match &mut self.form {
            Form::Whole { api, body } => {
                if body.len().saturating_add(chunk.len()) > WHOLE_LIMIT {
                    self.garbled(&mut out);
                    return out;
                }
                body.extend_from_slice(chunk);
                if end {
                    let (api, body) = (*api, core::mem::take(body));
                    let read = read_reply(api, &body);
                    if read.is_err() && api == Api::Gemini {
                        self.reading.reported = gemini::used(&body);
                    }
                    self.whole(read, &mut out);
                }
                return out;
            }
            Form::Lines { reader, blocks, carry } => {
                let mut rest = chunk;
                let mut broken = false;
                while !rest.is_empty() {
                    let Some(len) = blocks.end(rest) else {
                        carry.extend_from_slice(rest);
                        broken |= carry.len() > EVENT_LIMIT;
                        break;
                    };
                    let (block, after) = rest.split_at_checked(len).unwrap_or((rest, &[]));
                    broken |= match carry.is_empty() {
                        true => read_block(reader, block, &mut self.events).is_err(),
                        false => {
                            carry.extend_from_slice(block);
                            let read = read_block(reader, carry, &mut self.events);
                            carry.clear();
                            read.is_err()
                        }
                    };
                    rest = after;
                }
                if end && !broken {
                    broken |= !carry.is_empty() && read_block(reader, carry, &mut self.events).is_err();
                    carry.clear();
                    reader.finish(&mut self.events);
                }
                self.pass(now_ns, &mut out);
                if broken {
                    self.garbled(&mut out);
                }
            }
            Form::Frames { reader, frames } => {
                let events = &mut self.events;
                let mut broken = false;
                let fed = frames.feed(chunk, |message| {
                    let exception = match message.kind {
                        Kind::Event => None,
                        Kind::Exception | Kind::Error => Some(["exception:", message.name].concat()),
                    };
                    let name = exception.as_deref().unwrap_or(message.name);
                    broken |= reader.read(name.as_bytes(), message.payload, events).is_err();
                });
                broken |= fed.is_err();
                if end && !broken {
                    reader.finish(events);
                }
                self.pass(now_ns, &mut out);
                if broken {
                    self.garbled(&mut out);
                }
            }
        }
        if end && !self.over && !self.reading.complete {
            self.failed(Refusal::new(Cause::Server, ""), &mut out);
        }
        out
    }

    /// What has been read of the answer so far.
    pub fn reading(&self) -> &Reading {
        &self.reading
    }

    /// When the first generated content passed.
    pub fn first_token_ns(&self) -> Option<u64> {
        self.first
    }

    /// The provider's error, if the answer is one or became one.
    pub fn refusal(&self) -> Option<&Refusal> {
        self.refusal.as_ref()
    }

    /// Whether a filter kept the answer back: all of one in one piece, or a stream before its first token.
    pub fn withheld(&self) -> bool {
        self.withheld
    }

    /// Whether the answer broke off without having begun to say anything.
    pub fn is_empty(&self) -> bool {
        self.reading.text_bytes == 0 && self.first.is_none()
    }

    fn whole(&mut self, read: Result<Reply, Unanswered>, out: &mut Vec<u8>) {
        let reply = match read {
            Ok(reply) => reply,
            Err(Unanswered::Malformed) => return self.garbled(out),
            Err(Unanswered::Refused(refusal)) => return self.failed(refusal, out),
        };
        if let Writer::Whole {
            client,
            model,
            id,
            created,
        } = &self.writer
        {
            let told = Told {
                model,
                id,
                created: *created,
                stream_usage: true,
            };
            let mut reply = reply;
            seal::mark_reply(&mut reply, self.api);
            self.reading = reading_of(&reply);
            let silent = self.reading.text_bytes == 0;
            self.withheld = reply.stop.as_ref().is_some_and(|stop| is_filter(stop, silent));
            *out = write_reply(*client, &reply, &told);
            self.over = true;
            return;
        }
        // A provider that does not stream although it was asked to.
        self.events = reply.into_events();
        self.pass(0, out);
    }

    /// Writes the events that were read, and takes note of what they say.
    fn pass(&mut self, now_ns: u64, out: &mut Vec<u8>) {
        for mut event in core::mem::take(&mut self.events) {
            if self.over {
                return;
            }
            if let Some(mark) = self.marking.mark(&mut event, self.api) {
                self.writer.write(&mark, out);
            }
            match &event {
                Event::Text(text) | Event::Thought(text) | Event::Arguments(text) | Event::Declined(text) => {
                    if !text.is_empty() {
                        self.reading.text_bytes += text.len() as u64;
                        self.first.get_or_insert(now_ns);
                    }
                }
                Event::Call { .. } | Event::SealedThought(_) => {
                    self.first.get_or_insert(now_ns);
                }
                Event::Begin { model, .. } => {
                    self.reading.model = Some(model.clone()).filter(|model| !model.is_empty())
                }
                Event::Stop(stop) => {
                    self.reading.finished = true;
                    self.withheld = self.first.is_none() && is_filter(stop, true);
                }
                Event::Usage(usage) => self.reading.reported = Some(*usage),
                Event::Tier(tier) => self.reading.service_tier = Some(tier.clone()),
                Event::End => {
                    self.reading.complete = true;
                    self.over = true;
                }
                Event::Failed(refusal) => {
                    self.reading.error_in_stream = true;
                    self.refusal = Some(refusal.clone());
                    self.over = true;
                }
                Event::Signature(_) => {}
            }
            self.writer.write(&event, out);
        }
    }

    fn failed(&mut self, refusal: Refusal, out: &mut Vec<u8>) {
        self.events = vec![Event::Failed(refusal)];
        self.pass(0, out);
    }

    fn garbled(&mut self, out: &mut Vec<u8>) {
        self.reading.undecoded = true;
        if !self.over {
            self.failed(Refusal::new(Cause::Server, ""), out);
        }
    }
}

/// The first error in the bytes of an answer of this API, if there is one among its first events: for answers that go
/// through as they are.
pub fn refusal_in(api: Api, streamed: bool, bytes: &[u8]) -> Option<Refusal> {
    if !streamed {
        return match read_reply(api, bytes) {
            Err(Unanswered::Refused(refusal)) => Some(refusal),
            Ok(_) | Err(Unanswered::Malformed) => None,
        };
    }
    events_in(api, bytes).into_iter().find_map(|event| match event {
        Event::Failed(refusal) => Some(refusal),
        _ => None,
    })
}

/// Whether a filter kept back an answer of this API of which these are all bytes: for answers that go through as they are.
pub fn withheld_in(api: Api, streamed: bool, bytes: &[u8]) -> bool {
    if !streamed {
        let silent = |reply: &Reply| reading_of(reply).text_bytes == 0;
        let read = read_reply(api, bytes);
        return read.is_ok_and(|reply| reply.stop.as_ref().is_some_and(|stop| is_filter(stop, silent(&reply))));
    }
    let events = events_in(api, bytes);
    let says = |event: &Event| match event {
        Event::Text(text) | Event::Thought(text) | Event::Arguments(text) | Event::Declined(text) => !text.is_empty(),
        Event::Call { .. } | Event::SealedThought(_) => true,
        _ => false,
    };
    !events.iter().any(says)
        && events
            .iter()
            .any(|event| matches!(event, Event::Stop(stop) if is_filter(stop, true)))
}

/// What the beginning of a stream of server-sent events says.
fn events_in(api: Api, bytes: &[u8]) -> Vec<Event> {
    let mut reader = Reader::of(api);
    let mut blocks = Blocks::default();
    let mut events = Vec::new();
    let mut rest = bytes;
    while let Some((block, after)) = blocks.end(rest).and_then(|len| rest.split_at_checked(len)) {
        let _ = read_block(&mut reader, block, &mut events);
        rest = after;
    }
    let _ = read_block(&mut reader, rest, &mut events);
    events
}

/// Reads a block of server-sent events: its event's name and its data, which usually stands in one line.
fn read_block(reader: &mut Reader, block: &[u8], out: &mut Vec<Event>) -> Result<(), Malformed> {
    let (mut name, mut data): (&[u8], &[u8]) = (&[], &[]);
    let mut joined: Option<Vec<u8>> = None;
    let mut lines = 0;
    for field in fields(block) {
        match field.name {
            b"event" => name = field.value,
            b"data" if lines == 0 => {
                data = field.value;
                lines = 1;
            }
            b"data" => {
                let joined = joined.get_or_insert_with(|| data.to_vec());
                joined.push(b'\n');
                joined.extend_from_slice(field.value);
            }
            _ => {}
        }
    }
    match lines {
        0 => Ok(()),
        _ => reader.read(name, joined.as_deref().unwrap_or(data), out),
    }
}

/// Whether an answer ends because of a filter. `silent`: nothing was said; a model that declines says so, and Anthropic's filters
/// do not.
///
/// Source: Anthropic documentation, "Streaming refusals".
fn is_filter(stop: &Stop, silent: bool) -> bool {
    *stop == Stop::Filtered || *stop == Stop::Declined && silent
}

fn reading_of(reply: &Reply) -> Reading {
    let text = |output: &Output| match output {
        Output::Text(text) | Output::Declined(text) => text.len(),
        Output::Thought { text, .. } => text.len(),
        Output::Call { arguments, .. } => arguments.len(),
        Output::SealedThought(_) => 0,
    };
    Reading {
        reported: reply.usage,
        service_tier: reply.tier.clone(),
        model: Some(reply.model.clone()).filter(|model| !model.is_empty()),
        text_bytes: reply.output.iter().map(|output| text(output) as u64).sum(),
        finished: reply.stop.is_some(),
        complete: true,
        error_in_stream: false,
        undecoded: false,
    }
}

/// What a stream of a client's own API ends with that broke off: an error, such that its official SDK raises.
pub fn broken_off(client: Client, refusal: Refusal) -> Vec<u8> {
    let told = Told {
        model: "",
        id: "0",
        created: 0,
        stream_usage: false,
    };
    let mut out = Vec::new();
    Writer::of(client, true, &told).write(&Event::Failed(refusal), &mut out);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_kept_back_that_ends_by_a_filter() {
        let chat = |reason: &str, text: &str| {
            let choice = format!(
                r#"{{"index":0,"message":{{"role":"assistant","content":"{text}"}},"finish_reason":"{reason}"}}"#
            );
            format!(r#"{{"id":"a","object":"chat.completion","model":"m","choices":[{choice}]}}"#)
        };
        let streamed = |reason: &str, text: &str| {
            let chunk = |delta: &str, reason: &str| {
                format!(
                    r#"data: {{"id":"a","object":"chat.completion.chunk","model":"m","choices":[{{"index":0,"delta":{delta},"finish_reason":{reason}}}]}}"#
                )
            };
            let delta = format!(r#"{{"role":"assistant","content":"{text}"}}"#);
            let (first, last) = (chunk(&delta, "null"), chunk("{}", &format!("\"{reason}\"")));
            format!("{first}\n\n{last}\n\ndata: [DONE]\n\n")
        };
        for (reason, text, whole, stream) in [
            ("stop", "", false, false),
            ("content_filter", "", true, true),
            ("content_filter", "Half of", true, false),
        ] {
            let is = |streams, body: String| withheld_in(Api::Chat, streams, body.as_bytes());
            assert_eq!(is(false, chat(reason, text)), whole, "{reason} {text}");
            assert_eq!(is(true, streamed(reason, text)), stream, "{reason} {text}");
        }
        assert!(is_filter(&Stop::Declined, true) && !is_filter(&Stop::Declined, false));
    }
}
