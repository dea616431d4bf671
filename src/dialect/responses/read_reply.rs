//! What a provider answers, whole.
//!
//! In: the body of an answer with a status of success. Out: a [`Reply`]. Items of tools that the provider itself runs say
//! nothing to a client of another dialect, and are passed over. The same objects stand in the events of a stream, and are
//! read here for [`super::stream_reader`], too.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{output, refusal, seal};
use crate::conversation::refusal::{Cause, Refusal};
use crate::conversation::{Output, Reply, Stop};
use crate::dialect::{Malformed, Unanswered, openai};
use crate::usage::Usage;

/// A `response` object, as far as it is looked at.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Whole<'a> {
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    #[serde(borrow)]
    model: Option<&'a RawValue>,
    #[serde(borrow)]
    status: Option<&'a RawValue>,
    #[serde(borrow)]
    output: Option<&'a RawValue>,
    #[serde(borrow)]
    error: Option<&'a RawValue>,
    #[serde(borrow)]
    incomplete_details: Option<&'a RawValue>,
    #[serde(borrow)]
    usage: Option<&'a RawValue>,
    #[serde(borrow)]
    service_tier: Option<&'a RawValue>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Item<'a> {
    #[serde(borrow, rename = "type")]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    #[serde(borrow)]
    call_id: Option<&'a RawValue>,
    #[serde(borrow)]
    name: Option<&'a RawValue>,
    #[serde(borrow)]
    arguments: Option<&'a RawValue>,
    #[serde(borrow)]
    content: Option<&'a RawValue>,
    #[serde(borrow)]
    summary: Option<&'a RawValue>,
    #[serde(borrow)]
    encrypted_content: Option<&'a RawValue>,
    #[serde(borrow)]
    extra_content: Option<&'a RawValue>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Part<'a> {
    #[serde(borrow, rename = "type")]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    text: Option<&'a RawValue>,
    #[serde(borrow)]
    refusal: Option<&'a RawValue>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Details<'a> {
    #[serde(borrow)]
    reason: Option<&'a RawValue>,
}

/// A member that should be a string; `None` where it is something else or nothing.
pub(super) fn string(raw: Option<&RawValue>) -> Option<String> {
    raw.and_then(|raw| serde_json::from_str(raw.get()).ok())
}

/// Reads an answer.
///
/// # Errors
///
/// [`Unanswered::Refused`] for one that failed, [`Unanswered::Malformed`] for what is no answer, or none yet.
pub fn read_reply(body: &[u8]) -> Result<Reply, Unanswered> {
    let whole: Whole<'_> = serde_json::from_slice(body).map_err(|_| Unanswered::Malformed)?;
    let status = string(whole.status);
    match (status.as_deref(), whole.output) {
        (_, None) if whole.error.is_some() => {
            return Err(Unanswered::Refused(whole.refusal()));
        }
        (Some("failed" | "cancelled"), _) => return Err(Unanswered::Refused(whole.refusal())),
        (Some("queued" | "in_progress"), _) | (_, None) => return Err(Unanswered::Malformed),
        (_, Some(_)) => {}
    }
    let output = whole.outputs().map_err(|Malformed| Unanswered::Malformed)?;
    let stop = whole.stop(status.as_deref() == Some(output::INCOMPLETE), &output);
    Ok(Reply {
        id: whole.id(),
        model: whole.model(),
        stop: Some(stop),
        usage: whole.usage(),
        tier: string(whole.service_tier),
        output,
    })
}

impl<'a> Whole<'a> {
    pub(super) fn id(&self) -> String {
        string(self.id).unwrap_or_default()
    }

    pub(super) fn model(&self) -> String {
        string(self.model).unwrap_or_default()
    }

    pub(super) fn tier(&self) -> Option<String> {
        string(self.service_tier)
    }

    /// What it used; `None` where it does not say, or not in numbers.
    pub(super) fn usage(&self) -> Option<Usage> {
        let raw = self.usage?;
        openai::usage(raw.get().as_bytes()).ok().flatten()
    }

    /// Its items, each as it stands there.
    pub(super) fn items(&self) -> Result<Vec<&'a RawValue>, Malformed> {
        let listed = self.output.map_or("[]", RawValue::get);
        serde_json::from_str(listed).map_err(|_| Malformed)
    }

    /// Everything that was generated.
    pub(super) fn outputs(&self) -> Result<Vec<Output>, Malformed> {
        let mut outputs = Vec::new();
        for (index, raw) in (0..).zip(self.items()?) {
            item(raw, index, &mut outputs)?;
        }
        Ok(outputs)
    }

    /// Why it ends.
    pub(super) fn stop(&self, incomplete: bool, output: &[Output]) -> Stop {
        if incomplete {
            return self.cut();
        }
        let has = |what: fn(&Output) -> bool| output.iter().any(what);
        ended(
            has(|piece| matches!(piece, Output::Call { .. })),
            has(|piece| matches!(piece, Output::Declined(_))),
        )
    }

    /// Why it is not whole.
    pub(super) fn cut(&self) -> Stop {
        let details = self.incomplete_details.map(RawValue::get);
        let details: Details<'_> = details
            .and_then(|details| serde_json::from_str(details).ok())
            .unwrap_or_default();
        match string(details.reason).as_deref() {
            Some("content_filter") => Stop::Filtered,
            _ => Stop::Length,
        }
    }

    /// Why it failed.
    pub(super) fn refusal(&self) -> Refusal {
        match self.error {
            Some(error) => refusal::within(error.get().as_bytes()),
            None => Refusal::new(Cause::Server, ""),
        }
    }
}

/// Why a whole answer ends.
pub(super) fn ended(calls: bool, declined: bool) -> Stop {
    match (calls, declined) {
        (true, _) => Stop::Calls,
        (false, true) => Stop::Declined,
        (false, false) => Stop::End,
    }
}

/// Reads the item at `index`: the pieces it consists of.
pub(super) fn item(raw: &RawValue, index: u64, into: &mut Vec<Output>) -> Result<(), Malformed> {
    let item: Item<'_> = serde_json::from_str(raw.get()).map_err(|_| Malformed)?;
    match &*item.kind {
        "message" => {
            for part in parts(item.content)? {
                let piece = match &*part.kind {
                    "refusal" => string(part.refusal).map(Output::Declined),
                    _ => string(part.text).map(Output::Text),
                };
                into.extend(piece);
            }
        }
        "reasoning" => {
            let mut texts = Vec::new();
            for part in parts(item.content)?.into_iter().chain(parts(item.summary)?) {
                texts.extend(string(part.text).filter(|text| !text.is_empty()));
            }
            let text = texts.join(output::BETWEEN_SUMMARIES);
            let encrypted = string(item.encrypted_content).filter(|encrypted| !encrypted.is_empty());
            let seal = encrypted.map(|encrypted| seal::close(&string(item.id).unwrap_or_default(), &encrypted));
            match (text.is_empty(), seal) {
                (true, None) => {}
                (true, Some(seal)) => into.push(Output::SealedThought(seal)),
                (false, signature) => into.push(Output::Thought { text, signature }),
            }
        }
        "function_call" => {
            let arguments = string(item.arguments).unwrap_or_default();
            into.push(Output::Call {
                id: [item.call_id, item.id]
                    .into_iter()
                    .find_map(|id| string(id).filter(|id| !id.is_empty()))
                    .unwrap_or_else(|| format!("call_{index}")),
                name: string(item.name).ok_or(Malformed)?,
                arguments: match arguments.trim().is_empty() {
                    true => "{}".to_owned(),
                    false => arguments,
                },
                signature: item.extra_content.and_then(|extra| output::signature(extra.get())),
            });
        }
        _ => {}
    }
    Ok(())
}

fn parts(listed: Option<&RawValue>) -> Result<Vec<Part<'_>>, Malformed> {
    let listed = listed.map_or("[]", RawValue::get);
    serde_json::from_str(listed).map_err(|_| Malformed)
}
