//! `POST /v1/completions`.

use axum::response::Response;
use serde::Deserialize;
use serde_json::{Value, json};

use super::chat::StreamOptions;
use super::{Answering, reply_model, service_tier, usage};
use crate::call::{Admitted, Call, Reply};
use crate::errors::Problem;
use crate::ledger::Produced;
use crate::stream::{Pace, Script, Tells};

/// What the API allows an answer if a request does not say.
const MOST: u64 = 16;

#[derive(Deserialize)]
struct Ask {
    model: Option<String>,
    #[serde(default)]
    prompt: Value,
    #[serde(default)]
    stream: bool,
    stream_options: Option<StreamOptions>,
    max_tokens: Option<u64>,
}

/// Answers it.
pub async fn handle(Admitted(mut call, body): Admitted) -> Response {
    let composed = compose(&mut call, &body);
    call.answer(composed).await
}

fn compose(call: &mut Call, body: &[u8]) -> Result<Reply, Problem> {
    let ask: Ask = call.parse(body)?;
    let mut charged = call.model(ask.model.as_deref())?;
    service_tier(&mut charged, None);
    // A length that was steered is not cut short by a default nobody wrote.
    let most = ask.max_tokens.or(call.steering.tokens.is_none().then_some(MOST));
    let answering = Answering::decide(call, input_tokens(call, &ask.prompt), most, None);
    call.admit(&charged, answering.tokens.prompt() + answering.tokens.completion())?;
    let include_usage = ask.stream_options.is_some_and(|options| options.include_usage) && !call.steering.no_usage;
    let model = reply_model(call, ask.model.as_deref().unwrap_or_default());
    let finish = if answering.truncated { "length" } else { "stop" };
    let id = call.id("cmpl-", 29);
    let script = if ask.stream {
        stream(call, &answering, &id, model, finish, include_usage)
    } else {
        let mut body = json!({
            "id": id,
            "object": "text_completion",
            "created": call.created,
            "model": model,
            "choices": [{"text": answering.answer.text, "index": 0, "logprobs": null, "finish_reason": finish}],
        });
        if let (false, Some(body)) = (call.steering.no_usage, body.as_object_mut()) {
            body.insert("usage".into(), usage(&answering.tokens));
        }
        Script::json(body.to_string(), call.tells_all())
    };
    Ok(Reply {
        charged,
        tokens: answering.tokens,
        script,
        stream: ask.stream,
        error_event: None,
    })
}

fn stream(call: &Call, answering: &Answering, id: &str, model: &str, finish: &str, include_usage: bool) -> Script {
    let Answering { answer, tokens, .. } = answering;
    let mut script = Script::events(&call.steering, Pace::new(&call.steering, tokens.reasoning));
    let head = format!(
        r#"{{"id":"{id}","object":"text_completion","created":{},"choices":["#,
        call.created
    );
    let model = Value::from(model);
    let tail = format!(
        r#"],"model":{model}{}}}"#,
        if include_usage { r#","usage":null"# } else { "" }
    );
    for piece in &answer.pieces {
        let choice = [
            r#"{"text":""#,
            &piece.json,
            r#"","index":0,"logprobs":null,"finish_reason":null}"#,
        ];
        let data = [&head, choice[0], choice[1], choice[2], &tail];
        script.push(None, &data, Produced::Answer(piece.so_far), Tells::Nothing);
    }
    let last = format!(r#"{{"text":"","index":0,"logprobs":null,"finish_reason":"{finish}"}}"#);
    script.push(None, &[&head, &last, &tail], Produced::Everything, Tells::Nothing);
    if include_usage {
        let end = format!(r#"],"model":{model},"usage":{}}}"#, usage(tokens));
        script.push(None, &[&head, &end], Produced::Everything, Tells::All);
    }
    script.push(None, &["[DONE]"], Produced::Everything, Tells::Nothing);
    script
}

/// A text, several texts, a list of token numbers, or several such lists.
pub(super) fn input_tokens(call: &Call, input: &Value) -> u64 {
    match input {
        Value::String(text) => call.app.texts.count(text),
        Value::Array(items) => items.iter().map(|item| input_tokens(call, item)).sum(),
        Value::Number(_) => 1,
        _ => 0,
    }
}
