//! The catalogue as `docs/providers.md` has it.
//!
//! In: the rows. Out: the page, a table of where providers are and one of where they differ from others.

use super::{Catalogue, Row, Source};
use crate::provider::{Auth, Embeddings, Facts};

/// The page.
pub fn markdown() -> String {
    let rows: Vec<Row<'_>> = Catalogue::BUNDLED.rows().collect();
    let mut page = format!("{HEAD}\n{} kinds:\n\n", rows.len());
    page.push_str("| kind | provider | dialect | endpoint | authentication | usual variable | seen |\n|---|---|---|---|---|---|---|\n");
    for row in &rows {
        let Row {
            kind,
            name,
            endpoint,
            docs,
            ..
        } = row;
        let seen: Vec<&str> = row.seen.iter().map(|source| source.name()).collect();
        page.push_str(&format!(
            "| `{kind}` | [{name}]({docs}) | {} | `{endpoint}` | {} | {} | {}, {} |\n",
            row.dialect.name(),
            row.auth().name(),
            row.credential.map(|name| format!("`{name}`")).unwrap_or_default(),
            seen.join(", "),
            row.checked,
        ));
    }
    page.push_str(FACTS);
    for row in &rows {
        let Facts {
            responses,
            embeddings,
            max_tokens,
            stream_options,
            developer_role,
            json_schema,
            reasoning_content,
        } = row.facts();
        let differs = row.facts()
            != Facts {
                responses: false,
                embeddings: None,
                ..Facts::assumed(row.dialect)
            };
        if differs || row.note.is_some() {
            page.push_str(&format!(
                "| `{}` | {} | {} | {} | {} | {} | {} | {} | {} |\n",
                row.kind,
                yes(responses),
                embeddings.map_or("", Embeddings::name),
                max_tokens.name(),
                yes(stream_options),
                yes(developer_role),
                yes(json_schema),
                yes(reasoning_content),
                row.note.unwrap_or_default(),
            ));
        }
    }
    page
}

fn yes(fact: bool) -> &'static str {
    if fact { "yes" } else { "" }
}

impl Source {
    /// Its name on the page.
    pub fn name(self) -> &'static str {
        match self {
            Self::Docs => "docs",
            Self::Issues => "issues",
            Self::ModelsDev => "models.dev",
            Self::Litellm => "litellm",
            Self::Program => "program",
        }
    }
}

impl Row<'_> {
    /// A document's provider of this kind, as it would be written: what the kind leaves open, with examples.
    pub fn example(&self) -> serde_json::Value {
        let mut provider = serde_json::Map::new();
        if !self.settings.is_empty() {
            provider.insert("settings".to_owned(), serde_json::json!(self.settings));
        }
        let credential = match (self.auth(), self.credential) {
            (Auth::OAuth, None) => Some(serde_json::json!({"file": "/run/secrets/token"})),
            (auth, Some(variable)) if auth.header().is_some() => Some(serde_json::json!({"env": variable})),
            _ => None,
        };
        provider.extend(credential.map(|credential| ("credential".to_owned(), credential)));
        provider.into()
    }
}

const HEAD: &str = r#"# Providers

Generated from `src/provider/catalogue.jsonl`; a test compares. `tollgate providers` shows the same.

Of a provider of a known kind a document needs no more than its credential, and what its endpoint leaves open:

```json
{
  "providers": {
    "groq": {"credential": {"env": "GROQ_API_KEY"}},
    "azure-eu": {"kind": "azure", "settings": {"resource": "my-resource"}, "credential": {"env": "AZURE_OPENAI_API_KEY"}},
    "vertex": {"settings": {"location": "europe-west4", "project": "my-project"}, "credential": {"file": "/run/secrets/token"}},
    "bedrock": {"settings": {"region": "eu-central-1"}},
    "my-own": {"dialect": "openai", "endpoint": "https://llm.example.com/v1", "credential": {"env": "MY_OWN_KEY"}}
  }
}
```

- A provider whose own name is a kind needs no `kind`. What is written goes before what the kind says: `endpoint`,
  `dialect`, `auth`, `api_version`, and single `facts`.
- One of no known kind needs `dialect` and `endpoint`, and nothing else: see `my-own`.
- `settings` has what stands for the `{…}` in the endpoint.
- `credential` is `{"env": "NAME"}`, or `{"file": "/path"}` for a token that something renews: Envoy watches the file.
  `credentials` is a list of several, which take turns when one is refused for its rate limit.
- `auth` is how the credential is shown: `bearer`, `x-api-key`, `api-key`, `x-goog-api-key`, `oauth` (a bearer token that
  expires), `aws_sigv4` (Envoy signs with its own AWS credentials), `envoy` (Envoy's own configuration adds it) or `none`.

The column *seen* says where the facts come from and when they were looked up: the provider's documentation (`docs`), the
catalogue of models.dev, LiteLLM's lists of providers, other public programs that call it (`program`), or threads of those
who met its limits (`issues`). Prices are in `tollgate prices`.
"#;

const FACTS: &str = "
## Where they differ

What a translation from another dialect has to know. Kinds that are not listed are as OpenAI-compatible ones are taken to be:
chat completions with `max_tokens`, `stream_options` and JSON schemas; no `/responses` (put into chat completions), no role
`developer` (said as `system`), no embeddings that are known of, and no `reasoning_content` taken back. `facts` in a document say otherwise.

| kind | `responses` | `embeddings` | `max_tokens` | `stream_options` | `developer_role` | `json_schema` | `reasoning_content` | note |
|---|---|---|---|---|---|---|---|---|
";
