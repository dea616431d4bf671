//! Providers by kind, and what a document says otherwise.

use super::*;
use crate::provider::catalogue::Catalogue;
use crate::provider::{Auth, CredentialSource, Embeddings, Facts, MaxTokens, Provider};
use crate::world::compile::{self, Unset};

fn kinds() -> World {
    let text = include_str!("../golden/good-providers.json");
    World::compile(&Document::parse(text).unwrap(), &env).unwrap()
}

fn provider<'w>(world: &'w World, name: &str) -> &'w Provider {
    world.provider(world.provider_by_name(name).unwrap()).unwrap()
}

fn url(provider: &Provider, path: &str) -> String {
    let origin = &provider.endpoint;
    format!("{}{}", origin.authority(), origin.path(provider.dialect, path))
}

#[test]
fn a_kind_gives_endpoint_dialect_and_authentication() {
    let world = kinds();
    for (name, kind, at, credential) in [
        (
            "openai",
            Some("openai"),
            "api.openai.com/v1/chat",
            Some(("authorization", "Bearer sk-openai")),
        ),
        (
            "anthropic",
            Some("anthropic"),
            "api.anthropic.com/v1/chat",
            Some(("x-api-key", "sk-ant")),
        ),
        (
            "my-groq",
            Some("groq"),
            "api.groq.com/openai/v1/chat",
            Some(("authorization", "Bearer sk-openai")),
        ),
        ("xai", Some("xai"), "api.x.ai/v1/chat", None),
        (
            "azure",
            Some("azure"),
            "acme.openai.azure.com/openai/v1/chat?api-version=preview",
            Some(("api-key", "sk-openai")),
        ),
        ("vllm", Some("vllm"), "vllm.svc:8000/v1/chat", None),
        // Its own dialect, so that nothing of its kind but the price is of use.
        (
            "deepseek",
            None,
            "api.deepseek.com/anthropic/v1/chat",
            Some(("x-api-key", "sk-ant")),
        ),
        (
            "unheard-of",
            None,
            "llm.example.com/v1/chat",
            Some(("authorization", "Bearer sk-openai")),
        ),
    ] {
        let provider = provider(&world, name);
        assert_eq!(provider.kind.as_deref(), kind, "{name}");
        assert_eq!(url(provider, "/v1/chat"), at);
        assert_eq!(
            provider.credential().map(|credential| credential.header()),
            credential,
            "{name}"
        );
    }
    let bedrock = provider(&world, "bedrock");
    assert_eq!(bedrock.auth, Auth::AwsSigV4);
    assert_eq!(bedrock.sources, [CredentialSource::Aws]);
    assert_eq!(bedrock.region.as_deref(), Some("eu-central-1"));
    let vertex = provider(&world, "vertex");
    assert_eq!(vertex.auth, Auth::OAuth);
    assert_eq!(vertex.sources, [CredentialSource::File("/run/secrets/token".into())]);
    assert!(vertex.credentials.is_empty());
    assert_eq!(
        url(vertex, "/models/gemini:generateContent"),
        "europe-west4-aiplatform.googleapis.com/v1/projects/acme/locations/europe-west4/publishers/google/models/gemini:generateContent"
    );
    assert_eq!(provider(&world, "anthropic").credentials.len(), 2);
}

#[test]
fn a_provider_is_asked_whether_it_is_there_where_that_is_written() {
    let checked = |check: Value| {
        let provider = json!({"dialect": "openai", "endpoint": "http://10.0.0.1:8000/v1", "health_check": check});
        let world = world(&json!({"providers": {"local": provider}}));
        let check = world.providers[0].health_check.clone();
        check.map(|check| (check.path.to_string(), check.interval.as_secs()))
    };
    assert_eq!(checked(json!({"path": "/health"})), Some(("/health".to_owned(), 10)));
    let busy = json!({"path": "/health?deep=1", "interval": "2m"});
    assert_eq!(checked(busy), Some(("/health?deep=1".to_owned(), 120)));
    assert_eq!(checked(Value::Null), None);
}

#[test]
fn facts_come_from_the_document_then_the_kind_then_the_dialect() {
    let world = kinds();
    let openai = provider(&world, "openai").facts;
    assert!(openai.responses && openai.developer_role);
    assert_eq!(openai.max_tokens, MaxTokens::MaxCompletionTokens);
    let vllm = provider(&world, "vllm").facts;
    assert!(vllm.responses && vllm.developer_role);
    assert_eq!(provider(&world, "unheard-of").facts, Facts::assumed(Dialect::OpenAi));
    assert_eq!(provider(&world, "bedrock").facts.embeddings, Some(Embeddings::Bedrock));
    assert_eq!(provider(&world, "my-groq").facts.embeddings, None);
}

#[test]
fn a_line_in_the_catalogue_is_all_that_a_new_provider_takes() {
    let line = r#"{"kind":"acme","name":"Acme","endpoint":"https://{region}.acme.example/api/v2","settings":{"region":"eu"},"auth":"x-api-key","credential":"ACME_API_KEY","responses":true,"docs":"https://acme.example","seen":["docs"],"checked":"2026-11-25"}"#;
    let rows = format!("{}{line}\n", include_str!("../../provider/catalogue.jsonl"));
    let document = json!({"providers": {
        "acme": {"settings": {"region": "eu"}, "credential": {"env": "OPENAI_API_KEY"}},
        "second": {"kind": "acme", "settings": {"region": "us"}, "credential": {"env": "OPENAI_API_KEY"}},
    }});
    let document = Document::parse(&document.to_string()).unwrap();
    let world = compile::compile(&document, &env, Unset::Problem, Catalogue::of(&rows)).unwrap();
    let acme = provider(&world, "acme");
    assert_eq!(
        url(acme, "/v1/chat/completions"),
        "eu.acme.example/api/v2/chat/completions"
    );
    assert_eq!(acme.credential().unwrap().header(), ("x-api-key", "sk-openai"));
    assert!(acme.facts.responses);
    assert_eq!(&*provider(&world, "second").endpoint.host, "us.acme.example");
    assert!(World::compile(&document, &env).is_err());
}
