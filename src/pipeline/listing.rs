//! `GET /v1/models` and `/v1/models/{id}`: what the key may use, told by Tollgate itself.
//!
//! In: the caller and the path. Out: the answer in the client's dialect. Nothing of it comes from a provider, and no
//! provider is named.

use serde_json::{Value, json};

use super::Arrival;
use crate::dialect::Dialect;
use crate::endpoint;
use crate::fault::{Answer, Fault};
use crate::route;
use crate::world::ModelId;

/// The list, or the one model that the path names.
pub(super) fn answer(arrival: &Arrival, path: &str) -> Result<Answer, Fault> {
    let body = match endpoint::model_id(path) {
        None => list(arrival),
        Some(id) => {
            let unknown = || Fault::ModelUnknown { model: id.clone() };
            let model = arrival.world.model_by_name(&id).ok_or_else(unknown)?;
            let key = arrival.key.and_then(|key| arrival.world.key(key));
            let permitted = key.is_some_and(|key| key.models.permits(model, &id));
            let usable = permitted && is_reachable(arrival, model);
            usable.then(|| entry(arrival.dialect, &id)).ok_or_else(unknown)?
        }
    };
    Ok(Answer::new(200, &arrival.request_id, body.to_string().into_bytes()))
}

/// Sources: OpenAI API reference, "List models"; Anthropic API reference, "List Models".
fn list(arrival: &Arrival) -> Value {
    let names: Vec<&str> = usable(arrival).map(|(_, name)| name).collect();
    let data: Vec<Value> = names.iter().map(|name| entry(arrival.dialect, name)).collect();
    match arrival.dialect {
        Dialect::Anthropic => {
            json!({"data": data, "has_more": false, "first_id": names.first(), "last_id": names.last()})
        }
        Dialect::OpenAi | Dialect::Gemini | Dialect::Bedrock => json!({"object": "list", "data": data}),
    }
}

/// The times are those of an unknown release: Tollgate knows no model's.
fn entry(dialect: Dialect, name: &str) -> Value {
    match dialect {
        Dialect::Anthropic => {
            json!({"type": "model", "id": name, "display_name": name, "created_at": "1970-01-01T00:00:00Z"})
        }
        Dialect::OpenAi | Dialect::Gemini | Dialect::Bedrock => {
            json!({"id": name, "object": "model", "created": 0, "owned_by": "tollgate"})
        }
    }
}

/// Whether a model can be asked in the client's dialect: where hosts choose, only by providers that speak it.
fn is_reachable(arrival: &Arrival, model: ModelId) -> bool {
    arrival.world.hold_headers || !route::for_model(&arrival.world, model, arrival.dialect).is_empty()
}

/// The models that the key may use and that can be reached in its dialect, by the names in the document. A name that stands
/// for many is not among them.
fn usable(arrival: &Arrival) -> impl Iterator<Item = (ModelId, &str)> {
    let world = &arrival.world;
    let key = arrival.key.and_then(|key| world.key(key));
    world
        .model_ids()
        .filter(move |id| key.is_some_and(|key| key.models.contains(*id)))
        .filter(|id| is_reachable(arrival, *id))
        .filter_map(|id| world.model(id).map(|model| (id, model)))
        .filter(|(_, model)| !model.is_prefix())
        .map(|(id, model)| (id, &*model.name))
}
