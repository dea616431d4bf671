//! What a dialect has no words for.
//!
//! In: names of members, as a reader or a writer comes upon them. Out: [`Losses`], on which the operator's rule is applied:
//! to refuse the request by name, or to drop and count. Readers and writers never decide that themselves.

use std::borrow::Cow;

/// Something of a request that will not reach the provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loss {
    /// The client's name for it, with its path: `logprobs`, `messages[2].content[0].input_audio`. At most 100 bytes.
    pub member: Cow<'static, str>,
    /// The name under which it is counted: one of the dialect's own names, never one a client made up (then `other`).
    pub label: &'static str,
    /// Whether the answer means the same without it: a hint on routing, caching, storage or bookkeeping. Hints are dropped
    /// and counted without being asked for.
    pub hint: bool,
}

/// Everything of a request that will not reach the provider.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Losses(Vec<Loss>);

/// The most that is kept apart; there is no use in telling a client more at once.
const KEPT: usize = 32;

impl Losses {
    /// Something that matters and is one of the dialect's own members.
    pub fn meaning(&mut self, name: &'static str) {
        self.add(Loss {
            member: Cow::Borrowed(name),
            label: name,
            hint: false,
        });
    }

    /// Something the answer means the same without.
    pub fn hint(&mut self, name: &'static str) {
        self.add(Loss {
            member: Cow::Borrowed(name),
            label: name,
            hint: true,
        });
    }

    /// Something that matters, somewhere within the request: `at` is its path there, `label` the dialect's name for such.
    pub fn meaning_at(&mut self, at: String, label: &'static str) {
        self.add(Loss {
            member: shortened(at).into(),
            label,
            hint: false,
        });
    }

    /// A member that the dialect does not have, as far as is known here.
    pub fn unknown(&mut self, at: String) {
        self.meaning_at(at, "other");
    }

    /// Takes in another's.
    pub fn extend(&mut self, other: Losses) {
        for loss in other.0 {
            self.add(loss);
        }
    }

    /// Those that this is not true of are none.
    pub fn retain(&mut self, is_one: impl FnMut(&Loss) -> bool) {
        self.0.retain(is_one);
    }

    /// All of them, each once.
    pub fn iter(&self) -> impl Iterator<Item = &Loss> {
        self.0.iter()
    }

    /// Those that change what the answer means.
    pub fn meanings(&self) -> impl Iterator<Item = &Loss> {
        self.0.iter().filter(|loss| !loss.hint)
    }

    fn add(&mut self, loss: Loss) {
        if self.0.len() < KEPT && !self.0.contains(&loss) {
            self.0.push(loss);
        }
    }
}

fn shortened(mut text: String) -> String {
    let mut end = text.len().min(100);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.truncate(end);
    text
}
