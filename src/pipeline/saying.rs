//! Whether, and how, what a client asks can be said to the providers of an order.
//!
//! In: a [`Course`] and the client's body. Out: the course without the legs whose providers have no words for something that
//! matters, as far as that is looked into: the first that has is found, and the request put into its words. Those behind it
//! are backups, which few requests come to; of them it is found out when one does.

use super::Arrival;
use super::admission::Course;
use super::sent::Body;
use crate::fault::Fault;
use crate::route::Leg;
use crate::translate::{Client, Speech, Words};
use crate::world::ModelId;

/// How a leg's provider is spoken to.
pub(super) fn speech(arrival: &Arrival, leg: &Leg) -> Option<Speech> {
    let endpoint = arrival.endpoint?;
    let speech = Speech::to(arrival.world.provider(leg.provider)?, endpoint, arrival.dialect)?;
    Some(match (speech, Client::at(endpoint)) {
        (Speech::Same, Some(client)) if arrival.mixed => Speech::Translated(client, client.api()),
        _ => speech,
    })
}

/// Leaves out the legs at the beginning whose providers cannot be asked this, and puts the body into the first one's words.
pub(super) fn settle(arrival: &Arrival, course: &mut Course, bytes: &[u8]) -> Result<(), Fault> {
    let Body::Json(ask) = &course.body else {
        return Ok(());
    };
    let mut wordless = None;
    while let Some(leg) = course.legs.first().copied() {
        match words(arrival, course.model, &ask.model, &leg, None) {
            None => break,
            Some(words) => match words.say(bytes) {
                Ok(written) => {
                    course.written = Some((leg, written));
                    break;
                }
                Err(fault) => {
                    wordless.get_or_insert(fault);
                    course.legs.remove(0);
                }
            },
        }
    }
    let translated = |leg: &Leg| speech(arrival, leg).is_some_and(|speech| speech != Speech::Same);
    if course.legs.iter().skip(1).any(translated) {
        course.original = Some(bytes.to_vec());
    }
    match (course.legs.is_empty(), wordless) {
        (true, Some(fault)) => Err(fault),
        _ => Ok(()),
    }
}

/// What a leg's provider is to be told in other words; `None` where the client's own will do. `asked`: the client's name of the
/// model; `most`: what its longest answer is cut down to.
pub(super) fn words<'a>(
    arrival: &'a Arrival,
    model: Option<ModelId>,
    asked: &'a str,
    leg: &Leg,
    most: Option<u64>,
) -> Option<Words<'a>> {
    let world = &arrival.world;
    let speech = speech(arrival, leg).filter(|speech| *speech != Speech::Same)?;
    let model = model.and_then(|id| world.model(id));
    let target = model.and_then(|model| model.targets.get(leg.target?));
    Some(Words {
        provider: world.provider(leg.provider)?,
        speech,
        model: target.map_or(asked.into(), |target| target.name_for(asked)),
        longest: model.and_then(|model| model.max_output_tokens),
        most,
    })
}
