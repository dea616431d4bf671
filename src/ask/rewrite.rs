//! A request's body with a few of its members changed; every other byte survives.

use std::ops::Range;

use super::{Ask, IncludeUsage};

/// What is to be changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Edits<'a> {
    /// The model's name.
    pub model: Option<&'a str>,
    /// Whether the stream's usage is asked for. It has an effect only on a stream of an endpoint that knows
    /// `stream_options`, and it is never taken back from a caller who asked.
    pub include_usage: bool,
    /// The most output tokens an answer may have. What the body says already is lowered to it, never raised.
    pub max_output_tokens: Option<u64>,
}

impl Ask {
    /// The edited body; `None` when nothing changes.
    pub fn rewrite(&self, body: &[u8], edits: Edits<'_>) -> Option<Vec<u8>> {
        const WANTED: &str = "{\"include_usage\":true}";
        let mut changes: Vec<(Range<usize>, String)> = Vec::new();
        if let Some(model) = edits.model.filter(|model| *model != self.model) {
            changes.push((self.model_span.clone(), serde_json::to_string(model).ok()?));
        }
        if let Some(most) = edits.max_output_tokens {
            match (self.most_spans.as_slice(), &self.most_null) {
                // A second member of that name would leave it to the provider which of the two counts.
                ([], Some(null)) => changes.push((null.clone(), most.to_string())),
                ([], None) => changes.push((self.inside..self.inside, format!("\"{}\":{most},", self.most_name))),
                (spans, _) => {
                    let larger = |span: &&Range<usize>| {
                        let number = body.get((*span).clone()).and_then(super::count);
                        number.is_none_or(|number| number > most)
                    };
                    changes.extend(spans.iter().filter(larger).map(|span| (span.clone(), most.to_string())));
                }
            }
        }
        if edits.include_usage && self.takes_stream_options && !self.usage_asked {
            changes.push(match &self.include_usage {
                IncludeUsage::NoOptions(at) => (*at..*at, format!("\"stream_options\":{WANTED},")),
                IncludeUsage::NullOptions(span) => (span.clone(), WANTED.to_owned()),
                IncludeUsage::Absent { inside, empty } => (
                    *inside..*inside,
                    format!("\"include_usage\":true{}", if *empty { "" } else { "," }),
                ),
                IncludeUsage::At(span) => (span.clone(), "true".to_owned()),
            });
        }
        if changes.is_empty() {
            return None;
        }
        changes.sort_by_key(|(span, _)| span.start);
        let growth: usize = changes.iter().map(|(_, new)| new.len()).sum();
        let mut rewritten = Vec::with_capacity(body.len() + growth);
        let mut done = 0;
        for (span, new) in changes {
            rewritten.extend_from_slice(body.get(done..span.start)?);
            rewritten.extend_from_slice(new.as_bytes());
            done = span.end;
        }
        rewritten.extend_from_slice(body.get(done..)?);
        Some(rewritten)
    }
}
