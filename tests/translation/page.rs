//! What comes out of a case, as a page.
//!
//! In: a [`Case`]. Out: Markdown: requests, replies, streams and errors of every pair the case has something for. It judges
//! nothing.

use std::fmt::Write;

use serde_json::Value;
use tollgate::conversation::{Losses, Refusal};
use tollgate::dialect::Api;
use tollgate::fault::Fault;
use tollgate::meter::Reading;
use tollgate::translate::seal::is_mixed;
use tollgate::translate::{self, Client, Translation};

use super::cases::{APIS, Case, TOLD, asked, dialect, name, pairs};

/// The page of a case.
pub(crate) fn of(case: &Case) -> String {
    let mut page = format!("# {}\n\n{}\n", case.name, case.about);
    requests(case, &mut page);
    replies(case, &mut page);
    streams(case, &mut page);
    errors(case, &mut page);
    page
}

/// A stream, in a client's words.
pub(crate) fn streamed(client: Client, api: Api, stream: &[u8]) -> (Vec<u8>, Translation) {
    let mut translation = Translation::new(client, api, true, true, &TOLD);
    let out = translation.feed(stream, 1, true);
    (out, translation)
}

/// A whole answer, in a client's words.
pub(crate) fn whole(client: Client, api: Api, reply: &[u8]) -> (Vec<u8>, Translation) {
    let mut translation = Translation::new(client, api, false, false, &TOLD);
    let out = translation.feed(reply, 1, true);
    (out, translation)
}

fn requests(case: &Case, page: &mut String) {
    for (client, api) in asked() {
        let Some(body) = case.request(client) else { continue };
        // Where both speak the same, the bytes go through, unless another's seal is in them.
        if client.api() == api && !is_mixed(&body) {
            continue;
        }
        title(page, "Request", name(client.api()), name(api));
        match translate::request(client, api, &body, &case.to(api), None) {
            Ok(written) => {
                lost(&written.losses, page);
                json(&written.body, page);
            }
            Err(unreadable) => line(page, &format!("Unreadable: `{}` {}", unreadable.at, unreadable.what)),
        }
    }
}

fn replies(case: &Case, page: &mut String) {
    for (client, api) in pairs() {
        let Some(body) = case.reply(api) else { continue };
        title(page, "Reply", name(api), name(client.api()));
        let (out, translation) = whole(client, api, &body);
        read(&translation, page);
        match translation.refusal() {
            None => json(&out, page),
            // Nothing has gone out: the client is told of it as of any other error.
            Some(refusal) => refused(refusal, client, page),
        }
    }
}

fn streams(case: &Case, page: &mut String) {
    for (client, api) in pairs() {
        let Some(bytes) = case.stream(api) else { continue };
        title(page, "Stream", name(api), name(client.api()));
        let (out, translation) = streamed(client, api, &bytes);
        read(&translation, page);
        let text = String::from_utf8(out).unwrap();
        writeln!(page, "```text\n{}\n```", text.trim_end()).unwrap();
    }
}

fn errors(case: &Case, page: &mut String) {
    for api in APIS {
        let Some(wrong) = case.refusal(api) else { continue };
        let refusal = translate::refusal(api, wrong.status, &wrong.body());
        writeln!(page, "\n## Error: {}\n", name(api)).unwrap();
        line(
            page,
            &format!("{}, {:?}: {}", wrong.status, refusal.cause, refusal.message),
        );
        for client in [Client::Chat, Client::Messages] {
            refused(&refusal, client, page);
        }
    }
}

/// What a client is told where there is no answer.
fn refused(refusal: &Refusal, client: Client, page: &mut String) {
    let answer = Fault::Provider(refusal.clone()).answer(dialect(client), "req-1");
    let of = match client {
        Client::Chat | Client::Responses => "chat, responses",
        Client::Messages => "messages",
    };
    line(page, &format!("To {of}: {}", answer.status));
    json(&answer.body, page);
}

fn title(page: &mut String, what: &str, from: &str, to: &str) {
    writeln!(page, "\n## {what}: {from} → {to}\n").unwrap();
}

fn line(page: &mut String, text: &str) {
    writeln!(page, "{text}\n").unwrap();
}

fn lost(losses: &Losses, page: &mut String) {
    for loss in losses.iter() {
        let kind = if loss.hint { "hint" } else { "meaning" };
        writeln!(page, "- lost: `{}` (`{}`, {kind})", loss.member, loss.label).unwrap();
    }
    if losses.iter().next().is_some() {
        page.push('\n');
    }
}

/// A body that is indented; what is no JSON, as it is.
fn json(body: &[u8], page: &mut String) {
    let text = match serde_json::from_slice::<Value>(body) {
        Ok(value) => serde_json::to_string_pretty(&value).unwrap(),
        Err(_) => String::from_utf8(body.to_vec()).unwrap(),
    };
    writeln!(page, "```json\n{text}\n```").unwrap();
}

fn read(translation: &Translation, page: &mut String) {
    let Reading {
        reported,
        service_tier,
        model,
        text_bytes,
        finished,
        complete,
        error_in_stream,
        undecoded,
    } = translation.reading();
    let mut facts = vec![format!("{text_bytes} bytes")];
    facts.extend(model.as_ref().map(|model| format!("model {model}")));
    facts.extend(service_tier.as_ref().map(|tier| format!("tier {tier}")));
    for (is, word) in [
        (finished, "finished"),
        (complete, "complete"),
        (error_in_stream, "error"),
        (undecoded, "undecoded"),
    ] {
        facts.extend(is.then(|| word.to_owned()));
    }
    if let Some(usage) = reported {
        let classes = tollgate::usage::CLASSES.iter().zip(usage.classes());
        let some = classes.filter(|(_, count)| *count > 0);
        facts.extend(some.map(|(class, count)| format!("{class} {count}")));
    }
    if let Some(refusal) = translation.refusal() {
        facts.push(format!("{:?}: {}", refusal.cause, refusal.message));
    }
    line(page, &format!("Read: {}", facts.join(", ")));
}
