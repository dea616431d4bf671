use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

const TOLD: Told<'static> = Told {
    model: "asked",
    id: "x",
    created: 7,
    stream_usage: false,
};

const KINDS: [Kind; 4] = [Kind::Gemini, Kind::Titan, Kind::BedrockCohere, Kind::Cohere];

fn read(body: &Value) -> Embedding {
    read_request(body.to_string().as_bytes()).unwrap()
}

fn names(losses: &Losses) -> Vec<String> {
    losses.iter().map(|loss| loss.member.to_string()).collect()
}

/// What is written, and the names of what is lost.
fn write(kind: Kind, embedding: &Embedding, model: &str) -> (Value, Vec<String>) {
    let mut losses = Losses::default();
    let body = write_request(kind, embedding, model, &mut losses);
    (serde_json::from_slice(&body).unwrap(), names(&losses))
}

fn answer(kind: Kind, body: &Value) -> Embedded {
    read_reply(kind, body.to_string().as_bytes()).unwrap()
}

#[test]
fn each_provider_is_asked_in_its_own_words() {
    let two = read(&json!({"model": "m", "input": ["a", "b"], "dimensions": 256, "encoding_format": "base64"}));
    assert_eq!(two.encoding, Encoding::Base64);
    let one = |text: &str| json!({"model": "models/g-1", "content": {"parts": [{"text": text}]}, "outputDimensionality": 256});
    assert_eq!(
        write(Kind::Gemini, &two, "g-1"),
        (json!({"requests": [one("a"), one("b")]}), vec![])
    );
    let titan = json!({"inputText": "a", "dimensions": 256});
    let model = "amazon.titan-embed-text-v2:0";
    assert_eq!(
        write(Kind::Titan, &two, model),
        (titan.clone(), vec!["input[1]".to_owned()])
    );
    let single = read(&json!({"model": "m", "input": "a", "dimensions": 256}));
    assert_eq!(write(Kind::Titan, &single, model), (titan, vec![]));
    assert_eq!(
        write(Kind::Titan, &single, "amazon.titan-embed-text-v1").1,
        ["dimensions"]
    );
    let mut cohere = json!({"texts": ["a", "b"], "input_type": "search_document", "embedding_types": ["float"],
        "truncate": "NONE", "output_dimension": 256});
    assert_eq!(
        write(Kind::BedrockCohere, &two, "cohere.embed-v4:0"),
        (cohere.clone(), vec![])
    );
    cohere["model"] = json!("embed-v4.0");
    assert_eq!(write(Kind::Cohere, &two, "embed-v4.0"), (cohere, vec![]));
    assert_eq!(write(Kind::Cohere, &two, "embed-english-v3.0").1, ["dimensions"]);
}

#[test]
fn purposes_are_told_where_a_provider_has_words_for_them() {
    let query = read(&json!({"model": "m", "input": "a", "input_type": "query"}));
    let (body, lost) = write(Kind::Gemini, &query, "gemini-embedding-001");
    assert_eq!(
        (&body["requests"][0]["taskType"], lost),
        (&json!("RETRIEVAL_QUERY"), vec![])
    );
    assert_eq!(write(Kind::Gemini, &query, "gemini-embedding-2").1, ["input_type"]);
    assert_eq!(write(Kind::Cohere, &query, "m").0["input_type"], "search_query");
    assert_eq!(write(Kind::Titan, &query, "m").1, ["input_type"]);
}

#[test]
fn tokens_and_too_many_texts_are_told_by_name() {
    for input in [json!([1, 2]), json!([[1, 2], [3]])] {
        let tokens = read(&json!({"model": "m", "input": input}));
        for kind in KINDS {
            assert_eq!(write(kind, &tokens, "m").1, ["input (tokens)"]);
        }
    }
    let many = read(&json!({"model": "m", "input": vec!["a"; 101]}));
    assert_eq!(write(Kind::Gemini, &many, "m").1, ["input[100]"]);
    assert_eq!(write(Kind::Cohere, &many, "m").1, ["input[96]"]);
}

#[test]
fn what_is_not_of_its_type_is_refused_by_name() {
    for (body, at) in [
        (json!({"model": "m"}), "input"),
        (json!({"model": "m", "input": []}), "input"),
        (json!({"model": "m", "input": [1, "a"]}), "input"),
        (
            json!({"model": "m", "input": "a", "encoding_format": "hex"}),
            "encoding_format",
        ),
        (json!({"model": "m", "input": "a", "dimensions": "many"}), "dimensions"),
    ] {
        assert_eq!(read_request(body.to_string().as_bytes()).unwrap_err().at, at, "{body}");
    }
    let odd = read(&json!({"model": "m", "input": "a", "user": "u", "odd": 1, "input_type": "image"}));
    assert_eq!(names(&odd.losses), ["input_type", "user", "odd"]);
}

#[test]
fn paths_name_the_model() {
    assert_eq!(Kind::of_bedrock("amazon.titan-embed-text-v2:0"), Some(Kind::Titan));
    assert_eq!(Kind::of_bedrock("us.cohere.embed-v4:0"), Some(Kind::BedrockCohere));
    assert_eq!(Kind::of_bedrock("amazon.nova-2-multimodal-embeddings-v1:0"), None);
    assert_eq!(
        path(Kind::Gemini, "models/gemini-embedding-001"),
        "/models/gemini-embedding-001:batchEmbedContents"
    );
    assert_eq!(
        path(Kind::Titan, "amazon.titan-embed-text-v2:0"),
        "/model/amazon.titan-embed-text-v2%3A0/invoke"
    );
    assert_eq!(path(Kind::Cohere, "m"), "/v2/embed");
}

#[test]
fn each_providers_answer_is_read() {
    let vectors = vec![vec![0.6, 0.8], vec![1.0, 0.0]];
    let counted = |input| {
        Some(Usage {
            input,
            ..Usage::default()
        })
    };
    let gemini =
        json!({"embeddings": [{"values": [0.6, 0.8]}, {"values": [3, 0]}], "usageMetadata": {"promptTokenCount": 4}});
    let expected = Embedded {
        vectors: vectors.clone(),
        usage: counted(4),
    };
    assert_eq!(answer(Kind::Gemini, &gemini), expected);
    let titan = json!({"embedding": [0.6, 0.8], "inputTextTokenCount": 2, "embeddingsByType": {"float": [0.6, 0.8]}});
    assert_eq!(
        answer(Kind::Titan, &titan),
        Embedded {
            vectors: vectors[..1].to_vec(),
            usage: counted(2)
        }
    );
    let home = json!({"id": "x", "texts": ["a"], "embeddings": {"float": [[0.6, 0.8], [1, 0]]}, "response_type": "embeddings_by_type",
        "meta": {"api_version": {"version": "2"}, "billed_units": {"input_tokens": 4}}});
    assert_eq!(answer(Kind::Cohere, &home), expected);
    let floats = json!({"id": "x", "embeddings": [[0.6, 0.8], [1, 0]], "response_type": "embeddings_floats"});
    assert_eq!(answer(Kind::BedrockCohere, &floats), Embedded { vectors, usage: None });
    for kind in KINDS {
        assert_eq!(read_reply(kind, b"{}"), Err(Unanswered::Malformed));
        let refused = read_reply(kind, br#"{"error":{"message":"x","code":429}}"#);
        assert!(matches!(refused, Err(Unanswered::Refused(_))));
    }
}

#[test]
fn an_answer_is_written_in_both_encodings() {
    let embedded = Embedded {
        vectors: vec![vec![0.1, -2.5]],
        usage: Some(Usage {
            input: 3,
            ..Usage::default()
        }),
    };
    let written = |encoding| serde_json::from_slice::<Value>(&write_reply(&embedded, encoding, &TOLD)).unwrap();
    let mut expected = json!({"object": "list", "model": "asked", "usage": {"prompt_tokens": 3, "total_tokens": 3},
        "data": [{"object": "embedding", "index": 0, "embedding": [0.1, -2.5]}]});
    assert_eq!(written(Encoding::Float), expected);
    // 0x3dcccccd and 0xc0200000, the last byte first.
    expected["data"][0]["embedding"] = json!("zczMPQAAIMA=");
    assert_eq!(written(Encoding::Base64), expected);
}

proptest! {
    #[test]
    fn no_bytes_panic(body: Vec<u8>, text in "[\\[{\"a-z:,}\\]0-9]{0,40}") {
        let within = format!(r#"{{"input":{text},"embeddings":{text},"embedding":{text}}}"#);
        for body in [&body[..], text.as_bytes(), within.as_bytes()] {
            let _ = read_request(body);
            for kind in KINDS {
                let _ = read_reply(kind, body);
            }
        }
    }
}
