//! A request, an answer and a stream, there and back.

mod asks;
mod replies;
mod streams;

use crate::conversation::members::Unreadable;
use crate::conversation::{Event, Losses, Reply, Request};
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
    Reply::of_events(events.iter().cloned()).unwrap()
}
