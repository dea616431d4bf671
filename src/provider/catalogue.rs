//! The providers that are known by name, as rows of facts.
//!
//! In: the name of a kind. Out: its [`Row`]: where such a provider is, what it speaks, how it is shown who asks, and where
//! it differs from others. It knows no document: what an operator writes goes before this.
//!
//! `catalogue.jsonl` is the one file that a new provider touches: a line each, sorted by kind. `docs/providers.md` is made
//! from it. The list stays text, and only the lines of the kinds that a document names are read, when it is loaded.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Auth, Embeddings, Facts, MaxTokens};
use crate::dialect::Dialect;

#[cfg(not(target_arch = "wasm32"))]
mod page;

#[cfg(not(target_arch = "wasm32"))]
pub use page::markdown;

/// How a line begins.
const KIND: &str = r#"{"kind":""#;

/// Rows as text, one a line, compact and without escapes, [`Row::kind`] first.
#[derive(Clone, Copy, Debug)]
pub struct Catalogue<'a>(&'a str);

/// What is known of a kind of provider.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Row<'a> {
    /// The name documents use.
    pub kind: &'a str,
    /// The name people use.
    pub name: &'a str,
    /// The API it speaks.
    #[serde(default = "openai")]
    pub dialect: Dialect,
    /// Its base URL, in which `{name}` stands for a setting.
    pub endpoint: &'a str,
    /// The settings an operator has to make, each with an example.
    #[serde(borrow, default, skip_serializing_if = "BTreeMap::is_empty")]
    pub settings: BTreeMap<&'a str, &'a str>,
    /// How it is shown who asks. Default: as its dialect has it.
    pub auth: Option<Auth>,
    /// The environment variable its key is usually in.
    pub credential: Option<&'a str>,
    /// The `api-version` its requests have to carry.
    pub api_version: Option<&'a str>,
    /// [`Facts::responses`].
    #[serde(default)]
    pub responses: bool,
    /// [`Facts::embeddings`].
    pub embeddings: Option<Embeddings>,
    /// [`Facts::max_tokens`].
    pub max_tokens: Option<MaxTokens>,
    /// [`Facts::stream_options`].
    pub stream_options: Option<bool>,
    /// [`Facts::developer_role`].
    pub developer_role: Option<bool>,
    /// [`Facts::json_schema`].
    pub json_schema: Option<bool>,
    /// [`Facts::reasoning_content`].
    pub reasoning_content: Option<bool>,
    /// Its name in the price list, where it is another than its host and its kind say.
    pub price: Option<&'a str>,
    /// What else an operator should know.
    pub note: Option<&'a str>,
    /// Where its API is documented.
    pub docs: &'a str,
    /// Where these facts were seen.
    pub seen: Vec<Source>,
    /// The day they were looked up: `2026-11-25`.
    pub checked: &'a str,
}

/// Where a fact was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// The provider's own documentation.
    Docs,
    /// Threads of those who met it.
    Issues,
    /// The public catalogue models.dev.
    #[serde(rename = "models.dev")]
    ModelsDev,
    /// LiteLLM's lists of providers.
    Litellm,
    /// Other public programs that call it.
    Program,
}

impl Catalogue<'static> {
    /// The rows that Tollgate brings along.
    pub const BUNDLED: Self = Self(include_str!("catalogue.jsonl"));
}

impl<'a> Catalogue<'a> {
    /// The rows of a text.
    pub fn of(text: &'a str) -> Self {
        Self(text)
    }

    /// The row of this kind, `None` if there is none, or if it cannot be read.
    pub fn row(self, kind: &str) -> Option<Row<'a>> {
        let line = self.0.lines().find(|line| kind_of(line) == Some(kind))?;
        serde_json::from_str(line).ok()
    }

    /// The names of all kinds.
    pub fn kinds(self) -> impl Iterator<Item = &'a str> + Clone {
        self.0.lines().filter_map(kind_of)
    }

    /// All rows that can be read.
    pub fn rows(self) -> impl Iterator<Item = Row<'a>> {
        self.0.lines().filter_map(|line| serde_json::from_str(line).ok())
    }
}

impl Row<'_> {
    /// How it is shown who asks.
    pub fn auth(&self) -> Auth {
        self.auth.unwrap_or(Auth::of(self.dialect))
    }

    /// Where it differs from others of its dialect.
    pub fn facts(&self) -> Facts {
        let assumed = Facts::assumed(self.dialect);
        Facts {
            responses: self.responses,
            embeddings: self.embeddings,
            max_tokens: self.max_tokens.unwrap_or(assumed.max_tokens),
            stream_options: self.stream_options.unwrap_or(assumed.stream_options),
            developer_role: self.developer_role.unwrap_or(assumed.developer_role),
            json_schema: self.json_schema.unwrap_or(assumed.json_schema),
            reasoning_content: self.reasoning_content.unwrap_or(assumed.reasoning_content),
        }
    }

    /// Its base URL with the settings filled in, or the names of those that are missing.
    pub fn url<'s>(&self, setting: impl Fn(&str) -> Option<&'s str>) -> Result<String, Vec<&str>> {
        let mut pieces = self.endpoint.split('{');
        let mut url = pieces.next().unwrap_or_default().to_owned();
        let mut missing = Vec::new();
        for piece in pieces {
            let (name, rest) = piece.split_once('}').unwrap_or((piece, ""));
            match setting(name) {
                Some(value) => url.push_str(value),
                None if missing.contains(&name) => {}
                None => missing.push(name),
            }
            url.push_str(rest);
        }
        if missing.is_empty() { Ok(url) } else { Err(missing) }
    }
}

fn kind_of(line: &str) -> Option<&str> {
    line.strip_prefix(KIND)?.split_once('"').map(|(kind, _)| kind)
}

fn openai() -> Dialect {
    Dialect::OpenAi
}

#[cfg(test)]
mod tests;
