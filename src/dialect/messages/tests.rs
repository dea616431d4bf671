//! A request, an answer and a stream, there and back.

mod asks;
mod replies;
mod streams;

use crate::conversation::members::Unreadable;
use crate::conversation::{Event, Losses, Output, Reply, Request};
use crate::dialect::{ChatFacts, To, Told};

fn told() -> Told<'static> {
    Told {
        model: "smart",
        id: "abc",
        created: 1,
        stream_usage: true,
    }
}

fn to(model: &str) -> To<'_> {
    To {
        model,
        longest: None,
        chat: ChatFacts::default(),
    }
}

fn read(body: &serde_json::Value) -> Result<Request, Unreadable> {
    super::read_request(body.to_string().as_bytes())
}

/// Written for a model, and what was lost: its labels, a hint's in parentheses.
fn written(request: &Request, model: &str) -> (serde_json::Value, Vec<String>) {
    let mut losses = Losses::default();
    let body = super::write_request(request, &to(model), &mut losses);
    (serde_json::from_slice(&body).unwrap(), labels(&losses))
}

fn labels(losses: &Losses) -> Vec<String> {
    let label = |hint: bool, label: &str| if hint { format!("({label})") } else { label.to_owned() };
    losses.iter().map(|loss| label(loss.hint, loss.label)).collect()
}

/// The answer that a stream's events amount to.
fn folded(events: &[Event]) -> Reply {
    let mut reply = Reply::default();
    for event in events {
        match event.clone() {
            Event::Begin { id, model } => (reply.id, reply.model) = (id, model),
            Event::Text(text) => match reply.output.last_mut() {
                Some(Output::Text(last)) => last.push_str(&text),
                _ => reply.output.push(Output::Text(text)),
            },
            Event::Declined(text) => match reply.output.last_mut() {
                Some(Output::Declined(last)) => last.push_str(&text),
                _ => reply.output.push(Output::Declined(text)),
            },
            Event::Thought(more) => match reply.output.last_mut() {
                Some(Output::Thought { text, signature: None }) => text.push_str(&more),
                _ => reply.output.push(Output::Thought {
                    text: more,
                    signature: None,
                }),
            },
            Event::Signature(seal) => match reply.output.last_mut() {
                Some(Output::Thought { signature, .. }) if signature.is_none() => *signature = Some(seal),
                _ => reply.output.push(Output::Thought {
                    text: String::new(),
                    signature: Some(seal),
                }),
            },
            Event::SealedThought(data) => reply.output.push(Output::SealedThought(data)),
            Event::Call { id, name, signature } => reply.output.push(Output::Call {
                id,
                name,
                arguments: String::new(),
                signature,
            }),
            Event::Arguments(more) => match reply.output.last_mut() {
                Some(Output::Call { arguments, .. }) => arguments.push_str(&more),
                _ => panic!("arguments of no call"),
            },
            Event::Stop(stop) => reply.stop = Some(stop),
            Event::Usage(usage) => reply.usage = Some(usage),
            Event::Tier(tier) => reply.tier = Some(tier),
            Event::End => {}
            Event::Failed(refusal) => panic!("{refusal:?}"),
        }
    }
    reply
}
