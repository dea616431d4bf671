//! A whole answer made of its events, and the other way round.
//!
//! In: a [`Reply`] or [`Event`]s. Out: the other. It knows no dialect.

use super::refusal::Refusal;
use super::reply::{Event, Output, Reply, Stop};

impl Reply {
    /// All events of an answer as one. Arguments that belong to no call are left out.
    ///
    /// # Errors
    ///
    /// The refusal it ended with.
    pub fn of_events(events: impl IntoIterator<Item = Event>) -> Result<Self, Refusal> {
        let mut reply = Self::default();
        for event in events {
            match (event, reply.output.last_mut()) {
                (Event::Begin { id, model }, _) => (reply.id, reply.model) = (id, model),
                (Event::Text(more), Some(Output::Text(text)))
                | (Event::Declined(more), Some(Output::Declined(text)))
                | (Event::Thought(more), Some(Output::Thought { text, signature: None })) => text.push_str(&more),
                (Event::Arguments(more), Some(Output::Call { arguments, .. })) => arguments.push_str(&more),
                (Event::Signature(seal), Some(Output::Thought { signature, .. })) if signature.is_none() => {
                    *signature = Some(seal);
                }
                (Event::Text(text), _) => reply.output.push(Output::Text(text)),
                (Event::Declined(text), _) => reply.output.push(Output::Declined(text)),
                (Event::Thought(text), _) => reply.output.push(Output::Thought { text, signature: None }),
                (Event::Signature(seal), _) => reply.output.push(Output::Thought {
                    text: String::new(),
                    signature: Some(seal),
                }),
                (Event::SealedThought(data), _) => reply.output.push(Output::SealedThought(data)),
                (Event::Call { id, name, signature }, _) => reply.output.push(Output::Call {
                    id,
                    name,
                    arguments: String::new(),
                    signature,
                }),
                (Event::Stop(stop), _) => reply.stop = Some(stop),
                (Event::Usage(usage), _) => reply.usage = Some(usage),
                (Event::Tier(tier), _) => reply.tier = Some(tier),
                (Event::Failed(refusal), _) => return Err(refusal),
                (Event::Arguments(_) | Event::End, _) => {}
            }
        }
        Ok(reply)
    }

    /// The events of an answer, as if it had come step by step; one of which nothing else is known ends in order.
    pub fn into_events(self) -> Vec<Event> {
        let mut events = vec![Event::Begin {
            id: self.id,
            model: self.model,
        }];
        for output in self.output {
            match output {
                Output::Text(text) => events.push(Event::Text(text)),
                Output::Thought { text, signature } => {
                    events.push(Event::Thought(text));
                    events.extend(signature.map(Event::Signature));
                }
                Output::SealedThought(data) => events.push(Event::SealedThought(data)),
                Output::Call {
                    id,
                    name,
                    arguments,
                    signature,
                } => {
                    events.push(Event::Call { id, name, signature });
                    events.push(Event::Arguments(arguments));
                }
                Output::Declined(text) => events.push(Event::Declined(text)),
            }
        }
        events.push(Event::Stop(self.stop.unwrap_or(Stop::End)));
        events.extend(self.tier.map(Event::Tier));
        events.extend(self.usage.map(Event::Usage));
        events.push(Event::End);
        events
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conversation::Cause;

    fn said(text: &str) -> Event {
        Event::Text(text.to_owned())
    }

    #[test]
    fn pieces_add_up_to_the_answer_that_is_made_of_them() {
        let thought = |text: &str, seal: &str| Output::Thought {
            text: text.to_owned(),
            signature: Some(seal.to_owned()),
        };
        let reply = Reply {
            id: "id".to_owned(),
            model: "m".to_owned(),
            output: vec![
                thought("Hm.", "s"),
                thought("So?", "t"),
                Output::Text("Hi".to_owned()),
                Output::SealedThought("x".to_owned()),
                Output::Call {
                    id: "c".to_owned(),
                    name: "f".to_owned(),
                    arguments: "{}".to_owned(),
                    signature: None,
                },
                Output::Declined("No".to_owned()),
            ],
            stop: Some(Stop::Calls),
            usage: None,
            tier: Some("flex".to_owned()),
        };
        assert_eq!(Reply::of_events(reply.clone().into_events()), Ok(reply));
        let pieces = [said("a"), said("b"), Event::Arguments("{}".to_owned())];
        let whole = Reply::of_events(pieces).map(|reply| reply.output);
        assert_eq!(whole, Ok(vec![Output::Text("ab".to_owned())]));
    }

    #[test]
    fn what_breaks_off_is_refused() {
        let refusal = Refusal::new(Cause::Server, "why");
        assert_eq!(
            Reply::of_events([said("a"), Event::Failed(refusal.clone())]),
            Err(refusal)
        );
    }
}
