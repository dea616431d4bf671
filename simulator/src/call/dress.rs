//! The headers the providers put on every reply.
//!
//! In: how a request and its credential stand. Out: identifiers, and what is left of the limits, by each provider's names:
//! OpenAI's `x-ratelimit-*` and Anthropic's `anthropic-ratelimit-*`; Google and Amazon tell no limits.

use std::time::Duration;

use axum::http::{HeaderMap, HeaderName, HeaderValue};

use super::Call;
use crate::clock;
use crate::errors::Dialect;
use crate::limits::Standing;

impl Call {
    /// The headers the providers put on every reply.
    pub(super) fn dress(&self, headers: &mut HeaderMap) {
        let mut set = |name: &'static str, value: String| {
            if let Ok(value) = HeaderValue::from_str(&value) {
                headers.insert(HeaderName::from_static(name), value);
            }
        };
        for (name, value) in &self.told {
            set(name, value.clone());
        }
        match self.dialect {
            Dialect::Gemini => set(
                "server-timing",
                format!("gfet4t7; dur={}", self.arrived.elapsed().as_millis()),
            ),
            Dialect::Bedrock => set("x-amzn-requestid", self.uuid()),
            Dialect::OpenAi => {
                set("x-request-id", self.request_id());
                set("openai-organization", "org-simulated".into());
                set("openai-version", "2020-10-01".into());
                set("openai-processing-ms", self.arrived.elapsed().as_millis().to_string());
                let Some(Standing { requests, tokens }) = self.standing else {
                    return;
                };
                set("x-ratelimit-limit-requests", requests.limit.to_string());
                set("x-ratelimit-remaining-requests", requests.remaining.to_string());
                set("x-ratelimit-reset-requests", clock::short(requests.reset));
                set("x-ratelimit-limit-tokens", tokens.limit.to_string());
                set("x-ratelimit-remaining-tokens", tokens.remaining.to_string());
                set("x-ratelimit-reset-tokens", clock::short(tokens.reset));
            }
            Dialect::Anthropic => {
                set("request-id", self.request_id());
                set(
                    "anthropic-organization-id",
                    "00000000-0000-4000-8000-000000000000".into(),
                );
                let Some(Standing { requests, tokens }) = self.standing else {
                    return;
                };
                let at = |reset: Duration| clock::rfc3339(self.created + reset.as_secs_f64().ceil() as u64);
                set("anthropic-ratelimit-requests-limit", requests.limit.to_string());
                set("anthropic-ratelimit-requests-remaining", requests.remaining.to_string());
                set("anthropic-ratelimit-requests-reset", at(requests.reset));
                set("anthropic-ratelimit-tokens-limit", tokens.limit.to_string());
                set("anthropic-ratelimit-tokens-remaining", tokens.remaining.to_string());
                set("anthropic-ratelimit-tokens-reset", at(tokens.reset));
            }
        }
    }
}
