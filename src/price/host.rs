//! Which provider of the price list is meant, by the host that answers or by the name people give it.
//!
//! In: a host as it stands in an endpoint, or a provider's name. Out: the provider's name in the list. It knows no
//! document: providers there may be called anything, which is why the endpoint's host is asked first.

/// Hosts that belong to one provider, alone.
const HOSTS: [(&str, &str); 36] = [
    ("api.anthropic.com", "anthropic"),
    ("api.arcee.ai", "arcee"),
    ("api.avian.io", "avian"),
    ("inference.baseten.co", "baseten"),
    ("api.cerebras.ai", "cerebras"),
    ("api.cohere.ai", "cohere"),
    ("api.cohere.com", "cohere"),
    ("api.cursor.com", "cursor"),
    ("api.deepseek.com", "deepseek"),
    ("api.doubleword.ai", "doubleword"),
    ("api.elevenlabs.io", "elevenlabs"),
    ("api.fireworks.ai", "fireworks"),
    ("api.githubcopilot.com", "github-copilot"),
    ("api.groq.com", "groq"),
    ("api.meta.ai", "meta"),
    ("api.minimax.io", "minimax"),
    ("api.minimaxi.com", "minimax"),
    ("api.mistral.ai", "mistral"),
    ("codestral.mistral.ai", "mistral"),
    ("api.moonshot.ai", "moonshotai"),
    ("api.moonshot.cn", "moonshotai"),
    ("api.novita.ai", "novita"),
    ("api.openai.com", "openai"),
    ("openrouter.ai", "openrouter"),
    ("api.openrouter.ai", "openrouter"),
    ("oai.endpoints.kepler.ai.cloud.ovh.net", "ovhcloud"),
    ("api.perplexity.ai", "perplexity"),
    ("api.quicksilverpro.io", "quicksilverpro"),
    ("api.together.ai", "together"),
    ("api.together.xyz", "together"),
    ("api.typesafe.ai", "typesafe"),
    ("api.voyageai.com", "voyageai"),
    ("api.x.ai", "x-ai"),
    ("api.z.ai", "zai"),
    ("open.bigmodel.cn", "zhipuai"),
    ("api.cloudflare.com", "cloudflare"),
];

/// Domains whose every host belongs to one provider: a region, a customer's resource.
const DOMAINS: [(&str, &str); 14] = [
    (".api.openai.com", "openai"),
    (".api.x.ai", "x-ai"),
    (".googleapis.com", "google"),
    (".openai.azure.com", "azure"),
    (".cognitiveservices.azure.com", "azure"),
    (".services.ai.azure.com", "azure"),
    (".azure-api.net", "azure"),
    (".api.aws", "aws"),
    (".cloud.databricks.com", "databricks"),
    (".azuredatabricks.net", "databricks"),
    (".gcp.databricks.com", "databricks"),
    (".elevenlabs.io", "elevenlabs"),
    (".modal.run", "modal"),
    (".modal.direct", "modal"),
];

/// Other names that people and other gateways give to providers of the list.
const ALIASES: [(&str, &str); 23] = [
    ("amazon", "aws"),
    ("amazon-bedrock", "aws"),
    ("aws-bedrock", "aws"),
    ("bedrock", "aws"),
    ("azure-openai", "azure"),
    ("azure_openai", "azure"),
    ("claude", "anthropic"),
    ("fireworks-ai", "fireworks"),
    ("fireworks_ai", "fireworks"),
    ("gemini", "google"),
    ("google-vertex", "google"),
    ("vertex", "google"),
    ("vertex-ai", "google"),
    ("vertex_ai", "google"),
    ("copilot", "github-copilot"),
    ("mistralai", "mistral"),
    ("moonshot", "moonshotai"),
    ("together-ai", "together"),
    ("together_ai", "together"),
    ("togetherai", "together"),
    ("voyage", "voyageai"),
    ("grok", "x-ai"),
    ("xai", "x-ai"),
];

/// The provider of the bundled list that answers at `host` (a port and the case of letters are ignored), `None` for a
/// host of nobody in particular.
///
/// A router that serves several providers' prices under one host (`router.huggingface.co`) is nobody in particular.
pub fn provider_for_host(host: &str) -> Option<&'static str> {
    let host = host
        .split(':')
        .next()
        .unwrap_or_default()
        .trim_end_matches('.')
        .to_ascii_lowercase();
    if let Some((_, provider)) = HOSTS.iter().find(|(known, _)| *known == host) {
        return Some(provider);
    }
    if host.starts_with("bedrock-") && (host.ends_with(".amazonaws.com") || host.ends_with(".amazonaws.com.cn")) {
        return Some("aws");
    }
    DOMAINS
        .iter()
        .find(|(domain, _)| host.ends_with(domain))
        .map(|(_, provider)| *provider)
}

/// The name in the list of a provider that may go by another.
pub(super) fn listed_name(provider: &str) -> &str {
    ALIASES
        .iter()
        .find(|(alias, _)| alias.eq_ignore_ascii_case(provider))
        .map_or(provider, |(_, listed)| listed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::price::entries;

    #[test]
    fn an_endpoints_host_tells_the_provider() {
        for (host, provider) in [
            ("api.openai.com", Some("openai")),
            ("API.OpenAI.com:443", Some("openai")),
            ("eu.api.openai.com", Some("openai")),
            ("api.anthropic.com", Some("anthropic")),
            ("acme.openai.azure.com", Some("azure")),
            ("acme.services.ai.azure.com", Some("azure")),
            ("bedrock-runtime.eu-central-1.amazonaws.com", Some("aws")),
            ("bedrock-runtime-fips.us-east-1.amazonaws.com", Some("aws")),
            ("bedrock-mantle.us-east-1.api.aws", Some("aws")),
            ("generativelanguage.googleapis.com", Some("google")),
            ("europe-west4-aiplatform.googleapis.com", Some("google")),
            ("api.mistral.ai", Some("mistral")),
            ("api.deepseek.com", Some("deepseek")),
            ("api.groq.com", Some("groq")),
            ("api.x.ai", Some("x-ai")),
            ("us-east-1.api.x.ai", Some("x-ai")),
            ("api.together.xyz", Some("together")),
            ("openrouter.ai", Some("openrouter")),
            ("127.0.0.1:8000", None),
            ("vllm.internal", None),
            ("evil-api.openai.com.example.org", None),
            ("notapi.x.ai", None),
            ("s3.amazonaws.com", None),
            ("router.huggingface.co", None),
            ("", None),
        ] {
            assert_eq!(provider_for_host(host), provider, "{host}");
        }
    }

    #[test]
    fn every_provider_named_here_is_in_the_list() {
        let listed: Vec<_> = entries().map(|entry| entry.provider).collect();
        for (from, provider) in HOSTS.iter().chain(&DOMAINS).chain(&ALIASES) {
            assert!(
                listed.contains(provider),
                "{from} leads to {provider}, which the list does not have"
            );
        }
        for (alias, _) in ALIASES {
            assert!(!listed.contains(&alias), "{alias} is a provider of its own");
        }
    }
}
