//! Whose seal is on what a model thought.
//!
//! In: the seals (signatures, encrypted thoughts) that providers put on thoughts and calls, and want to see again with them.
//! Out: the same, marked with whose they are on their way to a client of another API; and on the way back the seal alone for
//! whom it is from, and nothing for anybody else: no provider takes another's. A thought without a seal is marked, too, so that
//! it is known by one glance at a body that a conversation has passed through more than one API.

use super::Client;
use crate::conversation::{Block, Event, Output, Reply, Request};
use crate::dialect::Api;

/// What a mark begins with.
const MARK: &str = "tollgate1:";

/// Whether a body holds something that another API's provider gave.
pub fn is_mixed(body: &[u8]) -> bool {
    memchr::memmem::find(body, MARK.as_bytes()).is_some()
}

/// A seal, marked with whose it is.
fn marked(api: Api, seal: &str) -> String {
    format!("{MARK}{}:{seal}", family(api))
}

/// The seal alone, if it is of a provider of this API; `client`: the API in which it came.
fn opened(seal: &str, client: Client, to: Api) -> Option<String> {
    let (of, seal) = match seal.strip_prefix(MARK) {
        Some(rest) => rest.split_once(':')?,
        // From a provider that speaks as the client does.
        None => (family(client.api()), seal),
    };
    (of == family(to) && !seal.is_empty()).then(|| seal.to_owned())
}

/// APIs whose providers take one another's seals. Anthropic's are the same wherever its models are hosted.
///
/// Source: Anthropic documentation, "Extended thinking": signatures are compatible across platforms.
fn family(api: Api) -> &'static str {
    match api {
        Api::Chat => "chat",
        Api::Responses => "responses",
        Api::Messages | Api::Converse => "claude",
        Api::Gemini => "gemini",
    }
}

/// Takes the marks off a request, and with them what is not for this provider: hints that are lost. Of a thought whose seal
/// is taken off, whoever writes it for the provider says whether it is lost.
pub(super) fn open(request: &mut Request, client: Client, to: Api) {
    let Request { turns, losses, .. } = request;
    for turn in turns.iter_mut() {
        turn.content.retain_mut(|block| match block {
            Block::Thought { signature, .. } => {
                *signature = signature.take().and_then(|seal| opened(&seal, client, to));
                true
            }
            Block::Call { signature, .. } => {
                if let Some(seal) = signature.take() {
                    *signature = opened(&seal, client, to);
                    if signature.is_none() {
                        losses.hint("extra_content");
                    }
                }
                true
            }
            Block::SealedThought { data } => match opened(data, client, to) {
                Some(opened) => {
                    *data = opened;
                    true
                }
                None => {
                    losses.hint("reasoning_content");
                    false
                }
            },
            _ => true,
        });
    }
    turns.retain(|turn| !turn.content.is_empty());
}

/// Marks the seals of a whole answer.
pub(super) fn mark_reply(reply: &mut Reply, api: Api) {
    for output in &mut reply.output {
        match output {
            Output::Thought { signature, .. } => {
                *signature = Some(marked(api, signature.as_deref().unwrap_or_default()))
            }
            Output::SealedThought(data) => *data = marked(api, data),
            Output::Call {
                signature: Some(signature),
                ..
            } => *signature = marked(api, signature),
            Output::Call { signature: None, .. } | Output::Text(_) | Output::Declined(_) => {}
        }
    }
}

/// Marks the seals of an answer that comes step by step.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Marking {
    /// Whether a thought has begun that has no seal yet.
    open: bool,
}

impl Marking {
    /// The mark that goes before an event, where a thought ends with it that has no seal; and the event's own seal, marked.
    pub(super) fn mark(&mut self, event: &mut Event, api: Api) -> Option<Event> {
        let ends = match event {
            Event::Thought(text) => {
                self.open |= !text.is_empty();
                false
            }
            Event::Signature(seal) => {
                *seal = marked(api, seal);
                self.open = false;
                false
            }
            Event::SealedThought(data) => {
                *data = marked(api, data);
                true
            }
            Event::Call {
                signature: Some(signature),
                ..
            } => {
                *signature = marked(api, signature);
                true
            }
            Event::Call { signature: None, .. } | Event::Text(_) | Event::Declined(_) | Event::Stop(_) | Event::End => {
                true
            }
            Event::Begin { .. } | Event::Arguments(_) | Event::Usage(_) | Event::Tier(_) | Event::Failed(_) => false,
        };
        let seals = ends && core::mem::take(&mut self.open);
        seals.then(|| Event::Signature(marked(api, "")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seal_is_for_whom_it_is_from() {
        for (from, client) in [
            (Api::Gemini, Client::Chat),
            (Api::Messages, Client::Responses),
            (Api::Responses, Client::Messages),
        ] {
            let sent = marked(from, "EqRk:9");
            assert!(is_mixed(sent.as_bytes()));
            assert_eq!(opened(&sent, client, from).as_deref(), Some("EqRk:9"));
            for to in [Api::Chat, Api::Responses, Api::Messages, Api::Gemini] {
                assert_eq!(opened(&sent, client, to).is_some(), to == from, "{from:?} {to:?}");
            }
        }
        assert_eq!(
            opened("native", Client::Messages, Api::Converse).as_deref(),
            Some("native")
        );
        assert_eq!(opened("native", Client::Messages, Api::Gemini), None);
        assert_eq!(opened(&marked(Api::Chat, ""), Client::Chat, Api::Chat), None);
    }

    #[test]
    fn a_thought_without_a_seal_is_marked_when_it_ends() {
        let mut marking = Marking::default();
        let mut marks = |mut event: Event| {
            let before = marking.mark(&mut event, Api::Gemini);
            (before, event)
        };
        assert_eq!(marks(Event::Thought("hm".into())).0, None);
        let (before, _) = marks(Event::Text("a".into()));
        assert_eq!(before, Some(Event::Signature("tollgate1:gemini:".into())));
        assert_eq!(marks(Event::Text("b".into())).0, None);
        marks(Event::Thought("so".into()));
        let (before, event) = marks(Event::Signature("s".into()));
        assert_eq!((before, event), (None, Event::Signature("tollgate1:gemini:s".into())));
        assert_eq!(marks(Event::End).0, None);
    }
}
