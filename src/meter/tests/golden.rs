//! Answers in the providers' published formats, whole and cut short.

use super::*;

macro_rules! golden {
    ($name:literal) => {
        (
            include_bytes!(concat!("../../dialect/golden/", $name)).as_slice(),
            $name.ends_with(".sse"),
        )
    };
}

struct Case {
    answer: (&'static [u8], bool),
    endpoint: Endpoint,
    expected: Reading,
}

fn usage(input: u64, output: u64) -> Usage {
    Usage {
        input,
        output,
        ..Usage::default()
    }
}

fn case(answer: (&'static [u8], bool), endpoint: Endpoint, reported: Usage, text: &str, model: &str) -> Case {
    let expected = Reading {
        reported: Some(reported).filter(|usage| !usage.is_zero()),
        service_tier: None,
        model: Some(model.to_owned()).filter(|model| !model.is_empty()),
        text_bytes: text.len() as u64,
        finished: true,
        complete: true,
        error_in_stream: false,
        undecoded: false,
    };
    Case {
        answer,
        endpoint,
        expected,
    }
}

impl Case {
    fn tier(mut self, tier: &str) -> Self {
        self.expected.service_tier = Some(tier.to_owned());
        self
    }

    fn broken_off(mut self) -> Self {
        (
            self.expected.finished,
            self.expected.complete,
            self.expected.error_in_stream,
        ) = (false, false, true);
        self
    }

    /// The answer only says that it is whole, not why it ended.
    fn unfinished(mut self) -> Self {
        self.expected.finished = false;
        self
    }

    fn meter(&self, hide_usage: bool) -> Meter {
        Meter::new(self.endpoint, self.answer.1, hide_usage, true)
    }
}

fn cases() -> Vec<Case> {
    use Endpoint::{ChatCompletions, Completions, Embeddings, Messages, Other, Responses};
    vec![
        case(
            golden!("chat_text.openai.sse"),
            ChatCompletions,
            Usage {
                cached_input: 4,
                ..usage(15, 10)
            },
            "Hello, \"Zoë\"!\n😀",
            "gpt-4o-2024-08-06",
        )
        .tier("default"),
        case(
            golden!("chat_tools.openai.sse"),
            ChatCompletions,
            Usage::default(),
            "get_weather{\"city\":\"Ulm\"}",
            "gpt-4o-mini",
        ),
        case(
            golden!("chat_reasoning.deepseek.sse"),
            ChatCompletions,
            Usage {
                cached_input: 64,
                reasoning: 20,
                ..usage(26, 10)
            },
            "你好Hi",
            "deepseek-reasoner",
        ),
        case(
            golden!("chat.groq.sse"),
            ChatCompletions,
            usage(36, 2),
            "Sure",
            "llama-3.3-70b-versatile",
        ),
        case(
            golden!("chat.azure.sse"),
            ChatCompletions,
            usage(8, 1),
            "Hi",
            "gpt-4o-2024-08-06",
        ),
        case(
            golden!("chat.mistral.sse"),
            ChatCompletions,
            usage(12, 5),
            "HmOui",
            "magistral-medium-latest",
        ),
        case(
            golden!("completions.vllm.sse"),
            Completions,
            usage(5, 2),
            " Once upon",
            "llama-3.3-70b",
        ),
        case(
            golden!("chat_error.openai.sse"),
            ChatCompletions,
            Usage::default(),
            "Hel",
            "gpt-4o",
        )
        .broken_off(),
        case(
            golden!("chat.openai.json"),
            ChatCompletions,
            Usage {
                cached_input: 1024,
                reasoning: 6,
                ..usage(93, 40)
            },
            "Hello! Say \"usage\": {\"prompt_tokens\": 1}",
            "gpt-4.1-2025-04-14",
        )
        .tier("flex"),
        case(
            golden!("embeddings.openai.json"),
            Embeddings,
            usage(8, 0),
            "",
            "text-embedding-3-small",
        ),
        case(
            golden!("responses.openai.sse"),
            Responses,
            Usage {
                cached_input: 7,
                reasoning: 100,
                ..usage(30, 11)
            },
            "ThinkHi there{\"a\":1}",
            "o4-mini-2025-04-16",
        )
        .tier("priority"),
        case(
            golden!("responses.openai.json"),
            Responses,
            usage(328, 52),
            "HmA catf{}",
            "gpt-4o-2024-08-06",
        )
        .tier("default"),
        case(
            golden!("messages.anthropic.sse"),
            Messages,
            Usage {
                cached_input: 100,
                cache_write_5m: 10,
                cache_write_1h: 20,
                ..usage(472, 89)
            },
            "HmmOkay, \"message_stop\"get_weather{\"location\": \"Ulm\"}",
            "claude-sonnet-4-5-20250929",
        )
        .tier("standard"),
        case(
            golden!("messages_error.anthropic.sse"),
            Messages,
            usage(25, 1),
            "Hello",
            "claude-sonnet-4-5-20250929",
        )
        .broken_off(),
        case(
            golden!("messages.anthropic.json"),
            Messages,
            Usage {
                cached_input: 2050,
                cache_write_5m: 2000,
                cache_write_1h: 51,
                ..usage(2095, 503)
            },
            "HmHi!fUlmy",
            "claude-opus-4-1-20250805",
        )
        .tier("batch"),
        case(golden!("image.openai.sse"), Other, usage(50, 50), "", "").unfinished(),
        case(
            golden!("transcription.openai.json"),
            Other,
            Usage {
                input_audio: 14,
                ..usage(0, 45)
            },
            "Imagine the wildest idea",
            "",
        ),
        case(
            golden!("transcription.openai.sse"),
            Other,
            Usage {
                input_audio: 14,
                ..usage(0, 31)
            },
            "I see skies",
            "",
        )
        .unfinished(),
        case(golden!("rerank.cohere.json"), Other, Usage::default(), "", ""),
        case(
            golden!("rerank.jina.json"),
            Other,
            usage(815, 0),
            "",
            "jina-reranker-v2-base-multilingual",
        ),
    ]
}

#[test]
fn every_answer_is_read_as_its_provider_means_it() {
    for case in cases() {
        let text = String::from_utf8_lossy(case.answer.0);
        let (reading, passed) = metered(&mut case.meter(false), &[case.answer.0]);
        assert_eq!(reading, case.expected, "{text}");
        assert_eq!(passed, case.answer.0);
    }
}

#[test]
fn every_answer_is_read_the_same_byte_by_byte() {
    for case in cases() {
        let pieces: Vec<&[u8]> = case.answer.0.chunks(1).collect();
        let (reading, passed) = metered(&mut case.meter(true), &pieces);
        assert_eq!(reading, case.expected, "{}", String::from_utf8_lossy(case.answer.0));
        assert_eq!(passed, metered(&mut case.meter(true), &[case.answer.0]).1);
    }
}

#[test]
fn only_an_event_of_usage_alone_is_hidden() {
    for case in cases() {
        let text = std::str::from_utf8(case.answer.0).unwrap();
        let hides = matches!(case.endpoint, Endpoint::ChatCompletions | Endpoint::Completions) && case.answer.1;
        let expected: String = text
            .split_inclusive("\n\n")
            .filter(|event| !(hides && event.contains("\"choices\":[],") && event.contains("\"usage\":{")))
            .collect();
        let (_, passed) = metered(&mut case.meter(true), &[case.answer.0]);
        assert_eq!(String::from_utf8(passed).unwrap(), expected);
    }
}

#[test]
fn an_answer_cut_anywhere_never_claims_to_be_whole_before_its_usage_was_read() {
    for case in cases() {
        for end in 0..case.answer.0.len() {
            let (reading, passed) = metered(&mut case.meter(false), &[&case.answer.0[..end]]);
            assert!(reading.text_bytes <= case.expected.text_bytes);
            assert!(!reading.undecoded);
            assert_eq!(passed, &case.answer.0[..end]);
            if reading.complete {
                assert_eq!(reading.reported, case.expected.reported);
                assert_eq!(reading.text_bytes, case.expected.text_bytes);
            }
        }
    }
}

#[test]
fn a_message_cut_short_still_has_its_input() {
    let case = case(
        golden!("messages.anthropic.sse"),
        Endpoint::Messages,
        Usage::default(),
        "",
        "",
    );
    let cut = memchr::memmem::find(case.answer.0, b"event: message_delta").unwrap();
    let (reading, _) = metered(&mut case.meter(false), &[&case.answer.0[..cut]]);
    let expected = Usage {
        cached_input: 100,
        cache_write_5m: 10,
        cache_write_1h: 20,
        ..usage(472, 2)
    };
    assert_eq!((reading.reported, reading.complete), (Some(expected), false));
    assert!(reading.text_bytes > 50);
}

proptest! {
    #[test]
    fn every_answer_is_read_the_same_wherever_it_is_cut(cuts: Vec<prop::sample::Index>, hide_usage: bool) {
        for case in cases() {
            let (reading, passed) = metered(&mut case.meter(hide_usage), &cut(case.answer.0, &cuts));
            prop_assert_eq!(reading, case.expected.clone());
            prop_assert_eq!(passed, metered(&mut case.meter(hide_usage), &[case.answer.0]).1);
        }
    }
}
