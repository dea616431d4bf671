//! What a model thought, in the words that those who follow OpenAI have found for it, and what goes with a call.
//!
//! In: `reasoning_details` (OpenRouter's documented array, which keeps signatures), `reasoning_content` or `reasoning` (text
//! alone), content of the type `thinking` (Mistral), `extra_content` (Google). Out: [`Thought`]s and texts; what is not of
//! the documented shape is left out, because an answer is not refused for it. It does not know whose thoughts they are.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// A thought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Thought {
    /// With its text, which is empty where it is not shown.
    Shown { text: String, signature: Option<String> },
    /// Encrypted.
    Sealed(String),
}

/// An element of `reasoning_details`.
#[derive(Deserialize)]
pub(super) struct Detail<'a> {
    #[serde(borrow, rename = "type")]
    kind: Cow<'a, str>,
    text: Option<String>,
    summary: Option<String>,
    signature: Option<String>,
    data: Option<String>,
}

/// The same, to be written.
#[derive(Serialize)]
pub(super) struct WrittenDetail<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    signature: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<&'a str>,
    format: &'static str,
    index: usize,
}

impl<'a> WrittenDetail<'a> {
    /// A thought (or more of one) with its text.
    pub(super) fn shown(text: Option<&'a str>, signature: Option<&'a str>, index: usize) -> Self {
        Self {
            kind: "reasoning.text",
            text,
            signature,
            data: None,
            format: "unknown",
            index,
        }
    }

    /// An encrypted one.
    pub(super) fn sealed(data: &'a str, index: usize) -> Self {
        Self {
            kind: "reasoning.encrypted",
            text: None,
            signature: None,
            data: Some(data),
            format: "unknown",
            index,
        }
    }
}

/// The elements of `reasoning_details`, as far as they are thoughts.
pub(super) fn details(raw: Option<&RawValue>) -> Vec<Thought> {
    let Some(raw) = raw else { return Vec::new() };
    let listed: Vec<&RawValue> = serde_json::from_str(raw.get()).unwrap_or_default();
    let read = |detail: &RawValue| {
        let detail: Detail = serde_json::from_str(detail.get()).ok()?;
        match &*detail.kind {
            "reasoning.encrypted" => detail.data.filter(|data| !data.is_empty()).map(Thought::Sealed),
            "reasoning.text" | "reasoning.summary" => {
                let text = detail.text.or(detail.summary).unwrap_or_default();
                let signature = detail.signature.filter(|signature| !signature.is_empty());
                (!text.is_empty() || signature.is_some()).then_some(Thought::Shown { text, signature })
            }
            _ => None,
        }
    };
    listed.into_iter().filter_map(read).collect()
}

/// What was thought: the details, else the text. Pieces of one thought are put together, as a client that collected a
/// stream leaves them apart.
pub(super) fn of(raw: Option<&RawValue>, text: String) -> Vec<Thought> {
    let mut whole: Vec<Thought> = Vec::new();
    for thought in details(raw) {
        add(&mut whole, thought);
    }
    if whole.is_empty() && !text.is_empty() {
        whole.push(Thought::Shown { text, signature: None });
    }
    whole
}

/// Adds more of what was thought: text goes on until it is signed.
pub(super) fn add(whole: &mut Vec<Thought>, thought: Thought) {
    match (whole.last_mut(), thought) {
        (
            Some(Thought::Shown {
                text,
                signature: signature @ None,
            }),
            Thought::Shown {
                text: more,
                signature: seal,
            },
        ) => {
            text.push_str(&more);
            *signature = seal;
        }
        (_, thought) => whole.push(thought),
    }
}

/// The text of a string, or of an array of `{"type": "text", "text"}` as Mistral writes thoughts.
pub(super) fn text_of(raw: &RawValue) -> String {
    #[derive(Deserialize)]
    struct Part {
        text: Option<String>,
    }
    if let Ok(text) = serde_json::from_str(raw.get()) {
        return text;
    }
    let parts: Vec<Part> = serde_json::from_str(raw.get()).unwrap_or_default();
    parts.into_iter().filter_map(|part| part.text).collect()
}

/// Google's seal on a call, from its `extra_content`.
pub(super) fn signature_of_call(raw: &RawValue) -> Option<String> {
    #[derive(Deserialize)]
    struct Extra {
        google: Option<Google>,
    }
    #[derive(Deserialize)]
    struct Google {
        thought_signature: Option<String>,
    }
    let extra: Extra = serde_json::from_str(raw.get()).ok()?;
    extra
        .google?
        .thought_signature
        .filter(|signature| !signature.is_empty())
}

/// The same, to be written.
#[derive(Serialize)]
pub(super) struct Extra<'a> {
    google: Google<'a>,
}

#[derive(Serialize)]
struct Google<'a> {
    thought_signature: &'a str,
}

impl<'a> Extra<'a> {
    pub(super) fn new(thought_signature: &'a str) -> Self {
        Self {
            google: Google { thought_signature },
        }
    }
}

/// A call's arguments as the text of a JSON object. A text that is none (models do write such) becomes the only member of
/// one, so that the model sees what it wrote.
pub(super) fn arguments(raw: Option<&RawValue>) -> String {
    let Some(raw) = raw else { return "{}".to_owned() };
    match serde_json::from_str::<String>(raw.get()) {
        Ok(text) => whole(text),
        Err(_) => whole(raw.get().to_owned()),
    }
}

/// The same of a text.
pub(super) fn whole(text: String) -> String {
    if text.trim().is_empty() {
        return "{}".to_owned();
    }
    let is_object = text.trim_start().starts_with('{') && serde_json::from_str::<&RawValue>(&text).is_ok();
    match is_object {
        true => text,
        false => serde_json::json!({ "arguments": text }).to_string(),
    }
}
