//! From a client's API to a provider's, and back.
//!
//! In: a request's body and the APIs of both sides; then the provider's answer, cut anywhere. Out: the body in the
//! provider's words and what was lost of it; then the answer in the client's words, with a
//! [`Reading`](crate::meter::Reading) of it. It decides neither where a request goes nor what becomes of a loss. What each
//! API says is in [`crate::dialect`]; here they are only brought together.
//!
//! - [`speech`]: how a provider is spoken to about what a client asks.
//! - [`words`]: a request in a provider's words, or what there are no words for.
//! - [`answer`]: an answer on its way back, by way of `sides`.
//! - `kept`: what has no place between dialects, where both sides speak the same after all.
//! - [`seal`]: whose seal is on what a model thought.
//! - [`vectors`]: embeddings, both ways.

use crate::conversation::members::Unreadable;
use crate::conversation::{Losses, Refusal, Request};
use crate::dialect::{Api, To, chat, converse, gemini, messages, responses};
use crate::embedding::{self, Encoding};
use crate::endpoint::Endpoint;

pub mod answer;
mod kept;
pub mod seal;
mod sides;
pub mod speech;
pub mod vectors;
pub mod words;

pub use answer::Translation;
pub use speech::{Client, Speech};
pub use vectors::Vectors;
pub use words::Words;

/// A request, in a provider's words.
#[derive(Clone, Debug)]
pub struct Written {
    /// The body.
    pub body: Vec<u8>,
    /// What is not in it.
    pub losses: Losses,
    /// In what form the client wants vectors, where it asks for them.
    pub encoding: Encoding,
}

/// Reads what a client asks (`said`) and writes it for a provider. `most`: what its longest answer is cut down to, if it is.
///
/// # Errors
///
/// [`Unreadable`] where it is no request of the client's own API.
pub fn request(client: Client, api: Api, said: &[u8], to: &To<'_>, most: Option<u64>) -> Result<Written, Unreadable> {
    let mut request: Request = match client {
        Client::Chat => chat::read_request(said),
        Client::Responses => responses::read_request(said),
        Client::Messages => messages::read_request(said),
    }?;
    seal::open(&mut request, client, api);
    if most.is_some() {
        request.max_output_tokens = most;
    }
    let mut losses = core::mem::take(&mut request.losses);
    let write = match api {
        Api::Chat => chat::write_request,
        Api::Responses => responses::write_request,
        Api::Messages => messages::write_request,
        Api::Gemini => gemini::write_request,
        Api::Converse => converse::write_request,
    };
    let mut unsaid = Losses::default();
    let mut body = write(&request, to, &mut unsaid);
    // What only the client's own dialect has words for, its providers understand.
    if client.api() == api {
        kept::keep(said, &mut body, &mut losses);
    }
    losses.extend(unsaid);
    Ok(Written {
        body,
        losses,
        encoding: Encoding::default(),
    })
}

/// What a provider's error to a request means that was put to it so; `None` where that is not known.
pub fn refused(speech: Speech, endpoint: Endpoint, status: u16, body: &[u8]) -> Option<Refusal> {
    match speech {
        Speech::Vectors(_) => Some(embedding::read_refusal(status, body)),
        Speech::Same | Speech::Translated(..) => speech.api(endpoint).map(|api| refusal(api, status, body)),
    }
}

/// What a provider's error means.
pub fn refusal(api: Api, status: u16, body: &[u8]) -> Refusal {
    match api {
        Api::Chat => chat::read_refusal(status, body),
        Api::Responses => responses::read_refusal(status, body),
        Api::Messages => messages::read_refusal(status, body),
        Api::Gemini => gemini::read_refusal(status, body),
        Api::Converse => converse::read_refusal(status, body),
    }
}
