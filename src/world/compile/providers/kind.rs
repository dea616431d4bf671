//! What a provider is meant to be: its kind's row, and what the document says otherwise.

use super::Findings;
use crate::dialect::Dialect;
use crate::document::{Facts as Written, Provider, member};
use crate::provider::catalogue::{Catalogue, Row};
use crate::provider::{Auth, Facts};

pub(super) struct Meant<'c> {
    /// Its kind's row.
    pub(super) row: Option<Row<'c>>,
    /// Whether it speaks the dialect its kind does, so that the row's endpoint is of use.
    pub(super) as_its_kind: bool,
    /// Whether something is known to be wrong with the kind, so that nothing more needs to be said of what is missing.
    pub(super) reported: bool,
    pub(super) dialect: Dialect,
    pub(super) auth: Auth,
    pub(super) facts: Facts,
}

pub(super) fn meant<'c>(
    path: &str,
    name: &str,
    written: &Provider,
    catalogue: Catalogue<'c>,
    findings: &mut Findings,
) -> Meant<'c> {
    let mut reported = false;
    let row = match &written.kind {
        Some(kind) => {
            let row = catalogue.row(kind);
            if row.is_none() {
                reported = true;
                let otherwise = "`tollgate providers` lists them; of any other, write `dialect` and `endpoint`";
                let remedy = findings.suggestion(kind, catalogue.kinds(), otherwise);
                let problem = format!("there is no kind of provider `{kind}`");
                findings.problem(member(path, "kind"), problem, remedy);
            }
            row
        }
        // A provider of one's own may have the name of one that speaks something else.
        None => catalogue
            .row(name)
            .filter(|row| written.dialect.is_none_or(|dialect| dialect == row.dialect)),
    };
    if row.is_none() && written.dialect.is_none() && !reported {
        reported = missing(path, name, written, catalogue, findings);
    }
    let dialect = written.dialect.or(row.as_ref().map(|row| row.dialect));
    let dialect = dialect.unwrap_or(Dialect::OpenAi);
    let speaking = row.as_ref().filter(|row| row.dialect == dialect);
    let facts = speaking.map_or_else(|| Facts::assumed(dialect), Row::facts);
    let auth = speaking.map_or_else(|| Auth::of(dialect), Row::auth);
    Meant {
        as_its_kind: speaking.is_some(),
        reported,
        dialect,
        auth: written.auth.unwrap_or(auth),
        facts: over(facts, written.facts.as_ref()),
        row,
    }
}

/// Says that nobody knows what the provider speaks. Whether that says enough of a missing endpoint, too.
fn missing(path: &str, name: &str, written: &Provider, catalogue: Catalogue<'_>, findings: &mut Findings) -> bool {
    if written.endpoint.is_some() {
        findings.problem(
            path,
            "`dialect` is missing",
            "add `dialect`: \"openai\" if it is compatible with OpenAI's API",
        );
        return false;
    }
    let otherwise = "add `kind` (`tollgate providers` lists them), or `dialect` and `endpoint`";
    let remedy = match findings.nearest(name, || catalogue.kinds()) {
        Some(kind) => format!("did you mean `{kind}`? Use that name, or add \"kind\": \"{kind}\""),
        None => otherwise.to_owned(),
    };
    findings.problem(path, "it is not known what this is", remedy);
    true
}

fn over(facts: Facts, written: Option<&Written>) -> Facts {
    let Some(written) = written else {
        return facts;
    };
    Facts {
        responses: written.responses.unwrap_or(facts.responses),
        embeddings: written.embeddings.or(facts.embeddings),
        max_tokens: written.max_tokens.unwrap_or(facts.max_tokens),
        stream_options: written.stream_options.unwrap_or(facts.stream_options),
        developer_role: written.developer_role.unwrap_or(facts.developer_role),
        json_schema: written.json_schema.unwrap_or(facts.json_schema),
        reasoning_content: written.reasoning_content.unwrap_or(facts.reasoning_content),
    }
}
