//! What the answer is, in no dialect's words.
//!
//! In: what a request means and how it asks to be answered. Out: thoughts, texts and calls of tools in order, why the
//! answer ends, and what it costs; the dialect writes them down. Signatures are made here, too: they depend on what they
//! sign alone, so that whether one was issued can be checked without remembering it.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use serde_json::Value;

use crate::call::Call;
use crate::errors::{Dialect, Problem};
use crate::prices::Tokens;
use crate::steering::Finish;
use crate::text::{Answer, Kind};
use crate::understood::{Choice, Understood};

/// Tokens of an answer nobody asked a length of.
pub const USUAL_ANSWER: u64 = 32;
/// What a guardrail says in the model's place.
const BLOCKED: &str = "Sorry, the model cannot answer this question.";
/// What a model says that declines.
const DECLINES: &str = "I'm sorry, but I can't help with that.";

/// What the answer is.
#[derive(Debug)]
pub struct Answering {
    /// In order.
    pub parts: Vec<Part>,
    /// Why it ends.
    pub ending: Ending,
    /// What it costs, with reasoning told apart.
    pub tokens: Tokens,
}

/// A piece of the answer.
#[derive(Clone, Debug)]
pub enum Part {
    /// What is thought before the answer.
    Thought(Arc<Answer>),
    /// The same, encrypted: nothing of it is shown.
    Sealed(u64),
    /// Text.
    Text(Arc<Answer>),
    /// The words of a model that declines.
    Refusal(Arc<Answer>),
    /// A call of a tool.
    Call {
        /// The tool.
        name: String,
        /// Its arguments.
        arguments: Arc<Answer>,
    },
}

/// Why an answer ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// All is said.
    Stop,
    /// It may not be longer.
    Length,
    /// Tools are called.
    Calls,
    /// This text came up.
    StopSequence(String),
    /// A filter stopped it.
    Filtered,
    /// The model declined.
    Refused,
    /// A filter refused the prompt.
    Blocked,
}

impl Part {
    /// The text of the part, in the pieces a stream sends; nothing for a thought that is sealed.
    pub fn answer(&self) -> Option<&Answer> {
        match self {
            Self::Thought(answer) | Self::Text(answer) | Self::Refusal(answer) => Some(answer),
            Self::Call { arguments, .. } => Some(arguments),
            Self::Sealed(_) => None,
        }
    }

    /// The tokens of the part that a stream tells of piece by piece.
    pub fn tokens(&self) -> u64 {
        match self {
            Self::Sealed(tokens) => *tokens,
            part => part.answer().map_or(0, |answer| answer.tokens),
        }
    }

    /// Whether the part is thought, open or sealed.
    pub fn is_thought(&self) -> bool {
        matches!(self, Self::Thought(_) | Self::Sealed(_))
    }
}

impl Answering {
    /// Decides what to answer to a prompt of `prompt` tokens.
    ///
    /// # Errors
    /// The provider's refusal of a prompt that is longer than the context window the steering sets.
    pub fn decide(call: &Call, understood: &Understood, prompt: u64) -> Result<Self, Problem> {
        let (steering, texts) = (&call.steering, &call.app.texts);
        // Where what is cached is a part of the prompt, a prompt is at least as long.
        let cached = match call.dialect {
            Dialect::OpenAi | Dialect::Gemini => steering.cached,
            Dialect::Anthropic | Dialect::Bedrock => 0,
        };
        let prompt = steering.prompt.unwrap_or(prompt).max(steering.audio_in + cached);
        call.fits(prompt)?;
        if steering.filtered && call.dialect == Dialect::OpenAi {
            return Err(Problem::filtered());
        }
        let most = understood.number("max_tokens").unwrap_or(u64::MAX);
        let reasoning = if steering.filtered {
            0
        } else {
            steering.reasoning.min(most)
        };
        let mut parts = Vec::new();
        if reasoning > 0 {
            parts.push(if steering.sealed {
                Part::Sealed(reasoning)
            } else {
                Part::Thought(texts.answer(Kind::Plain, reasoning))
            });
        }
        let names = tools(call, understood);
        let mut ending = Ending::Stop;
        if steering.filtered {
            if call.dialect == Dialect::Bedrock {
                parts.push(Part::Text(texts.said(BLOCKED)));
            }
            ending = Ending::Blocked;
        } else if steering.refusal {
            parts.push(Part::Refusal(texts.said(DECLINES)));
            ending = Ending::Refused;
        } else if steering.echo {
            parts.push(Part::Text(texts.said(&understood.summary().to_string())));
        } else if names.is_empty() {
            let kind = if steering.unicode { Kind::Unicode } else { Kind::Plain };
            let wanted = steering.tokens.unwrap_or(USUAL_ANSWER);
            let length = wanted.min(most - reasoning);
            parts.push(Part::Text(texts.answer(kind, length)));
            if length < wanted {
                ending = Ending::Length;
            }
        }
        let mut output = 0;
        if !steering.filtered && !steering.refusal && !names.is_empty() {
            ending = Ending::Calls;
            for (nth, name) in (0..).zip(names) {
                output += texts.count(&name);
                let arguments = texts.answer(Kind::Arguments, nth);
                parts.push(Part::Call { name, arguments });
            }
        }
        match steering.finish {
            Some(Finish::Length) => ending = Ending::Length,
            Some(Finish::ContentFilter) => ending = Ending::Filtered,
            Some(Finish::StopSequence) => {
                ending = Ending::StopSequence(understood.stop().unwrap_or("STOP").to_owned());
            }
            Some(Finish::Stop) | None => {}
        }
        output += parts
            .iter()
            .filter(|part| !part.is_thought())
            .map(Part::tokens)
            .sum::<u64>();
        let tokens = Tokens {
            input: prompt - steering.audio_in - cached,
            cached_input: cached,
            input_audio: steering.audio_in,
            output,
            reasoning,
            output_audio: steering.audio_out,
            ..Tokens::default()
        };
        Ok(Self { parts, ending, tokens })
    }

    /// Decides what to answer where there is nothing but text, of at most `most` tokens.
    ///
    /// # Errors
    /// Those of [`Answering::decide`].
    pub fn text(call: &Call, prompt: u64, most: Option<u64>) -> Result<Self, Problem> {
        let mut understood = Understood::default();
        understood.sample("max_tokens", most.map(Value::from).as_ref());
        Self::decide(call, &understood, prompt)
    }

    /// The text that is said, of all parts the first.
    pub fn said(&self) -> Arc<Answer> {
        let mut texts = self.parts.iter().filter_map(|part| match part {
            Part::Text(answer) | Part::Refusal(answer) => Some(answer),
            _ => None,
        });
        texts.next().map_or_else(Arc::default, Arc::clone)
    }

    /// The calls of tools: their names and arguments.
    pub fn calls(&self) -> impl Iterator<Item = (&str, &Arc<Answer>)> {
        self.parts.iter().filter_map(|part| match part {
            Part::Call { name, arguments } => Some((name.as_str(), arguments)),
            _ => None,
        })
    }

    /// Counts what is cached beside the prompt, and thoughts as output, as Anthropic and Bedrock do.
    pub fn with_cache_beside(mut self, call: &Call) -> Self {
        let tokens = &mut self.tokens;
        tokens.cached_input = call.steering.cached;
        tokens.cache_write_5m = call.steering.cache_write_5m;
        tokens.cache_write_1h = call.steering.cache_write_1h;
        tokens.output += std::mem::take(&mut tokens.reasoning);
        self
    }
}

/// The tools to call: those the steering asks for, or the one that the request insists on.
fn tools(call: &Call, understood: &Understood) -> Vec<String> {
    let offered = || understood.tools.iter().map(|tool| tool.name.clone());
    let first = call.steering.tool.clone().or_else(|| match &understood.choice {
        Some(Choice::Tool(name)) => Some(name.clone()),
        Some(Choice::Any) => offered().next(),
        _ => None,
    });
    let Some(wanted) = call.steering.tools else {
        return first.into_iter().collect();
    };
    let mut names: Vec<String> = first.into_iter().collect();
    for name in offered() {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let known = names.len();
    let more = (known..wanted).map(|nth| match names.get(nth.checked_rem(known).unwrap_or(0)) {
        Some(name) => name.clone(),
        None => format!("tool_{}", nth + 1),
    });
    let more: Vec<String> = more.collect();
    names.extend(more);
    names.truncate(wanted);
    names
}

/// What the simulation signs `text` with: Base64 that depends on the text alone.
pub fn signature(text: &str) -> String {
    // FNV-1a: no one forges signatures of a simulation, and a changed text has another one.
    let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    STANDARD.encode(format!("simulated {hash:016x}"))
}

/// Whether a signature is one that [`signature`] made, of whatever text.
pub fn is_signature(given: &str) -> bool {
    let decoded = STANDARD.decode(given).unwrap_or_default();
    let text = String::from_utf8(decoded).unwrap_or_default();
    text.strip_prefix("simulated ")
        .is_some_and(|hash| hash.len() == 16 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// A thought that is encrypted.
pub fn sealed(tokens: u64) -> String {
    STANDARD.encode(format!("simulated seal of {tokens} {}", signature(&tokens.to_string())))
}

/// Whether a sealed thought is one that [`sealed`] made.
pub fn is_sealed(data: &str) -> bool {
    let decoded = STANDARD.decode(data).unwrap_or_default();
    let text = String::from_utf8(decoded).unwrap_or_default();
    let tokens = text
        .strip_prefix("simulated seal of ")
        .and_then(|rest| rest.split_once(' ')?.0.parse().ok());
    tokens.is_some_and(|tokens| sealed(tokens) == data)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_of_what_it_signs() {
        assert_eq!(signature("a"), signature("a"));
        assert_ne!(signature("a"), signature("b"));
        assert!(is_signature(&signature("a")) && !is_signature("c2ltdWxhdGVk"));
        assert!(is_sealed(&sealed(7)));
        assert!(!is_sealed("c2ltdWxhdGVk"));
    }
}
