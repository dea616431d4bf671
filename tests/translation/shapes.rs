//! Whether what is written is as providers publish it.
//!
//! The shapes are those by which the simulated providers judge what they are asked.

#[path = "../../simulator/src/shapes.rs"]
#[expect(dead_code, unreachable_pub, reason = "the simulator's own, as it is")]
mod published;

use published::Shapes;
use tollgate::dialect::Api;
use tollgate::translate;

use super::cases::{Case, name, pairs};

#[test]
fn every_request_has_the_published_shape() {
    let all = [
        (
            Api::Chat,
            "Request",
            include_str!("../../simulator/src/shapes/chat.txt"),
            false,
        ),
        (
            Api::Messages,
            "Request",
            include_str!("../../simulator/src/shapes/messages.txt"),
            false,
        ),
        (
            Api::Gemini,
            "GenerateContentRequest",
            include_str!("../../simulator/src/shapes/gemini.txt"),
            true,
        ),
        (
            Api::Converse,
            "ConverseRequest",
            include_str!("../../simulator/src/shapes/converse.txt"),
            false,
        ),
    ];
    let mut wrong = Vec::new();
    for (of, kind, text, snake_too) in all {
        let shapes = Shapes::parse(text, snake_too);
        for case in Case::all() {
            for (client, api) in pairs().filter(|(_, api)| *api == of) {
                let Some(body) = case.request(client) else { continue };
                let written = translate::request(client, api, &body, &case.to(api), None).unwrap();
                let value = serde_json::from_slice(&written.body).unwrap();
                if let Err(mismatch) = shapes.check(kind, &value) {
                    let pair = format!("{} → {}", name(client.api()), name(api));
                    wrong.push(format!("{}, {pair}: {mismatch:?}", case.name));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
