//! `POST /v1/completions`.

use axum::response::Response;
use serde::Deserialize;
use serde_json::Value;

use super::chat::StreamOptions;
use super::{reply_model, service_tier, usage};
use crate::answering::{Answering, Ending};
use crate::call::{Admitted, Call, Reply};
use crate::errors::Problem;
use crate::json::{Escaped, NULL, Written, object};
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
    let answering = Answering::text(call, input_tokens(call, &ask.prompt), most)?;
    call.admit(&charged, answering.tokens.prompt() + answering.tokens.completion())?;
    let include_usage = ask.stream_options.is_some_and(|options| options.include_usage) && !call.steering.no_usage;
    let model = reply_model(call, ask.model.as_deref().unwrap_or_default());
    let finish = match answering.ending {
        Ending::Length => "length",
        Ending::Filtered => "content_filter",
        _ => "stop",
    };
    let id = call.id("cmpl-", 29);
    let script = if ask.stream {
        stream(call, &answering, &id, model, finish, include_usage)
    } else {
        let text = &answering.said().text;
        let choice = object! {"text": text, "index": 0, "logprobs": NULL, "finish_reason": finish};
        let mut body = object! {
            "id": id,
            "object": "text_completion",
            "created": call.created,
            "model": model,
            "choices": vec![choice],
        };
        body.put_some("usage", &(!call.steering.no_usage).then(|| usage(&answering.tokens)));
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
    let (answer, tokens) = (answering.said(), &answering.tokens);
    let mut script = Script::events(&call.steering, Pace::new(&call.steering, tokens.reasoning));
    let head = object! {"id": id, "object": "text_completion", "created": call.created};
    let choice = |text: &str, finish: Option<&str>| {
        let choice = object! {"text": Escaped(text), "index": 0, "logprobs": NULL, "finish_reason": finish};
        let mut chunk = head.clone().and(&object! {"choices": vec![choice], "model": model});
        chunk.put_some("usage", &include_usage.then_some(NULL));
        chunk.to_string()
    };
    for piece in &answer.pieces {
        script.push(
            None,
            &[&choice(&piece.json, None)],
            Produced::Answer(piece.so_far),
            Tells::Nothing,
        );
    }
    script.push(None, &[&choice("", Some(finish))], Produced::Everything, Tells::Nothing);
    if include_usage {
        let last = head
            .clone()
            .and(&object! {"choices": Written("[]"), "model": model, "usage": usage(tokens)});
        script.push(None, &[&last.to_string()], Produced::Everything, Tells::All);
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
