use std::collections::{BTreeMap, BTreeSet};

use super::*;

#[test]
fn every_line_of_the_list_parses() {
    for line in LIST.lines().filter(|line| !line.starts_with(PROVIDER)) {
        let parsed: Line = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        price(parsed.rates(), parsed.per_request, &parsed.tiers, &parsed.service_tiers)
            .unwrap_or_else(|error| panic!("{error}: {line}"));
        // What is read without parsing is what parsing gives.
        let (name, also) = listed(line, MODEL, ALSO);
        assert_eq!(name, parsed.model);
        assert_eq!(also.collect::<Vec<_>>(), parsed.also, "{line}");
    }
    assert!(!LIST.contains('\\'));
}

#[test]
fn the_list_covers_the_providers_it_should_and_each_only_once() {
    let mut models = BTreeMap::<_, BTreeSet<_>>::new();
    for entry in entries() {
        assert!(
            models.entry(entry.provider).or_default().insert(entry.model),
            "{} twice",
            entry.model
        );
    }
    for provider in [
        "openai",
        "anthropic",
        "google",
        "mistral",
        "deepseek",
        "groq",
        "x-ai",
        "aws",
        "azure",
        "together",
        "cohere",
    ] {
        assert!(
            models.get(provider).is_some_and(|models| models.len() >= 5),
            "{provider}"
        );
    }
}

#[test]
fn every_listed_model_is_found_by_its_own_name() {
    for entry in entries() {
        assert_eq!(find(entry.provider, entry.model).as_ref(), Some(&entry));
    }
}

#[test]
fn a_provider_whose_models_are_resold_is_in_the_list() {
    for line in LIST.lines().filter(|line| line.starts_with(PROVIDER)) {
        for other in listed(line, PROVIDER, ELSE).1 {
            assert!(part(other).is_some(), "{other}");
        }
    }
}

#[test]
fn names_as_requests_have_them_are_found() {
    for (provider, model, listed) in [
        ("openai", "gpt-4o", Some(("openai", "gpt-4o"))),
        ("openai", "gpt-4o-2024-08-06", Some(("openai", "gpt-4o"))),
        ("openai", "gpt-4o-2024-11-20", Some(("openai", "gpt-4o"))),
        ("openai", "gpt-4o-2024-05-13", Some(("openai", "gpt-4o-2024-05-13"))),
        ("openai", "gpt-4o-mini-2024-07-18", Some(("openai", "gpt-4o-mini"))),
        ("openai", "GPT-4o", Some(("openai", "gpt-4o"))),
        ("openai", "gpt-4.1-mini-2025-04-14", Some(("openai", "gpt-4.1-mini"))),
        ("openai", "gpt-5-2025-08-07", Some(("openai", "gpt-5"))),
        ("openai", "o3-mini-2025-01-31", Some(("openai", "o3-mini"))),
        (
            "openai",
            "text-embedding-3-large",
            Some(("openai", "text-embedding-3-large")),
        ),
        ("openai", "omni-moderation-latest", Some(("openai", "moderation"))),
        ("openai", "gpt-4o-1999-01-01", None),
        ("openai", "claude-sonnet-4-5", None),
        ("openai", "", None),
        (
            "anthropic",
            "claude-sonnet-4-5-20250929",
            Some(("anthropic", "claude-sonnet-4-5")),
        ),
        (
            "anthropic",
            "claude-haiku-4-5-20251001",
            Some(("anthropic", "claude-haiku-4-5")),
        ),
        (
            "anthropic",
            "claude-opus-4-1-20250805",
            Some(("anthropic", "claude-opus-4-1")),
        ),
        (
            "anthropic",
            "claude-3-5-sonnet-20241022",
            Some(("anthropic", "claude-3-5-sonnet")),
        ),
        (
            "anthropic",
            "claude-3-5-haiku-latest",
            Some(("anthropic", "claude-3-5-haiku-latest")),
        ),
        ("google", "gemini-2.5-pro", Some(("google", "gemini-2.5-pro"))),
        (
            "google",
            "gemini-2.5-pro-preview-tts",
            Some(("google", "gemini-2.5-pro-tts")),
        ),
        (
            "google",
            "gemini-2.5-flash-lite",
            Some(("google", "gemini-2.5-flash-lite")),
        ),
        ("gemini", "gemini-2.5-flash", Some(("google", "gemini-2.5-flash"))),
        (
            "vertex_ai",
            "claude-sonnet-4-5@20250929",
            Some(("google", "claude-sonnet-4-5")),
        ),
        ("mistral", "mistral-large-latest", Some(("mistral", "mistral-large"))),
        ("deepseek", "deepseek-chat", Some(("deepseek", "deepseek-chat"))),
        ("deepseek", "deepseek-reasoner", Some(("deepseek", "deepseek-reasoner"))),
        (
            "groq",
            "llama-3.3-70b-versatile",
            Some(("groq", "llama-3.3-70b-versatile")),
        ),
        ("xai", "grok-4", Some(("x-ai", "grok-4-0709"))),
        ("x-ai", "grok-4.3-20260101", Some(("x-ai", "grok-4.3"))),
        (
            "aws",
            "anthropic.claude-3-5-sonnet-20241022-v2:0",
            Some(("aws", "regional.anthropic.claude-3-5-sonnet-20241022-v2:0")),
        ),
        (
            "bedrock",
            "eu.anthropic.claude-sonnet-4-5-20250929-v1:0",
            Some(("aws", "regional.anthropic.claude-sonnet-4-5-20250929-v1:0")),
        ),
        (
            "bedrock",
            "global.anthropic.claude-sonnet-4-5-20250929-v1:0",
            Some(("aws", "global.anthropic.claude-sonnet-4-5-20250929-v1:0")),
        ),
        (
            "aws",
            "us.meta.llama3-3-70b-instruct-v1:0",
            Some(("aws", "meta.llama3-3-70b-instruct-v1:0")),
        ),
        ("aws", "amazon.nova-pro-v1:0", Some(("aws", "amazon.nova-pro-v1:0"))),
        ("azure", "gpt-4o-2024-11-20", Some(("openai", "gpt-4o"))),
        ("azure", "o3-mini", Some(("azure", "o3-mini"))),
        ("azure", "claude-sonnet-4-5", Some(("anthropic", "claude-sonnet-4-5"))),
        ("azure", "my-deployment", None),
        (
            "together",
            "meta-llama/Llama-3.3-70B-Instruct-Turbo",
            Some(("together", "meta-llama/Llama-3.3-70B-Instruct-Turbo")),
        ),
        (
            "openrouter",
            "anthropic/claude-sonnet-4.5",
            Some(("openrouter", "anthropic/claude-sonnet-4.5")),
        ),
        ("cohere", "command-r-plus", Some(("cohere", "command-r-plus"))),
        ("nobody", "gpt-4o", None),
        ("", "gpt-4o", None),
    ] {
        let found = find(provider, model);
        assert_eq!(
            found.map(|entry| (entry.provider, entry.model)),
            listed,
            "{model} at {provider}"
        );
    }
}

#[test]
fn a_reseller_does_not_sell_anothers_service_tiers() {
    let (own, resold) = (find("openai", "gpt-5"), find("azure", "gpt-5"));
    let (own, resold) = (own.expect("listed").price, resold.expect("resold").price);
    assert_eq!(own.standard, resold.standard);
    assert!(!own.service_tiers.is_empty());
    assert!(resold.service_tiers.is_empty());
}

#[test]
fn claude_has_a_rate_for_the_hour_long_cache_wherever_it_is_sold() {
    for (provider, model) in [
        ("anthropic", "claude-sonnet-4-5"),
        ("aws", "us.anthropic.claude-sonnet-4-20250514-v1:0"),
        ("google", "claude-sonnet-4-5"),
        ("azure", "claude-sonnet-4-5"),
        ("openrouter", "anthropic/claude-sonnet-4.5"),
    ] {
        let rates = lookup(provider, model).expect("listed").standard.base;
        assert_eq!(rates.cache_write_1h, 2 * rates.input, "{model} at {provider}");
    }
}

#[test]
fn what_is_free_is_listed_as_free_and_what_has_no_price_is_not_listed() {
    assert_eq!(lookup("openai", "omni-moderation-latest"), Some(Price::default()));
    // Billed by the hour of audio, which no usage counts.
    assert_eq!(lookup("openai", "whisper-1"), None);
}
