use super::*;

fn body(fault: &Fault, dialect: Dialect) -> serde_json::Value {
    serde_json::from_slice(&fault.body(dialect, "req-1")).unwrap()
}

#[test]
fn each_dialect_gets_its_own_shape() {
    let fault = Fault::ModelUnknown { model: "gpt-9".into() };
    let openai = body(&fault, Dialect::OpenAi);
    assert_eq!(openai["error"]["code"], "model_not_found");
    assert_eq!(openai["error"]["param"], "model");
    let anthropic = body(&fault, Dialect::Anthropic);
    assert_eq!(anthropic["type"], "error");
    assert_eq!(anthropic["error"]["type"], "not_found_error");
    assert_eq!(anthropic["request_id"], "req-1");
}

#[test]
fn every_outcome_is_in_the_catalogue() {
    let invalid = Fault::BodyInvalid(AskError::Empty);
    for fault in [
        Fault::KeyMissing,
        Fault::KeyUnknown,
        Fault::KeyDisabled,
        Fault::KeyExpired,
        Fault::ModelUnknown { model: String::new() },
        Fault::ModelForbidden { model: String::new() },
        Fault::ModelUnnamed,
        Fault::PathUnknown,
        Fault::MethodWrong { allowed: "GET" },
        Fault::BodyTooLarge { limit: 1 },
        Fault::BodyLate,
        invalid,
        Fault::ContentTypeWrong,
        Fault::ContentEncoded,
        Fault::Upgrade,
        Fault::Background,
        Fault::ProviderNone,
        Fault::ProviderUnreachable,
        Fault::ProviderSilent,
        Fault::ProviderCredential,
        Fault::Internal,
    ] {
        let outcome = fault.outcome();
        let (_, meaning) = crate::metrics::OUTCOMES
            .iter()
            .find(|(known, _)| *known == outcome)
            .expect(outcome);
        if let Some((statuses, _)) = meaning.split_once(": ") {
            assert!(
                statuses.contains(&fault.status().to_string()),
                "{outcome}: {}",
                fault.status()
            );
        }
    }
}

#[test]
fn a_long_model_name_is_not_echoed_whole() {
    let fault = Fault::ModelUnknown {
        model: "x".repeat(10_000),
    };
    assert!(fault.body(Dialect::OpenAi, "").len() < 400);
}

#[test]
fn a_key_problem_is_401_and_names_no_key() {
    for fault in [
        Fault::KeyMissing,
        Fault::KeyUnknown,
        Fault::KeyDisabled,
        Fault::KeyExpired,
    ] {
        let answer = fault.answer(Dialect::OpenAi, "id");
        assert_eq!(answer.status, 401);
        assert!(
            answer
                .headers
                .iter()
                .any(|(name, value)| *name == "x-request-id" && value == "id")
        );
    }
}
