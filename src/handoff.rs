//! What crosses from the gateway role to the provider role.
//!
//! In: an exchange's order of providers. Out: one text, published as a property of the request, and back. Both roles of
//! a worker usually share a VM, and then the number of the exchange is all that is needed to find its state; the rest is
//! for the moment of a module upgrade, when an attempt may start in a newer VM than the one that holds the exchange.
//!
//! The text is lines of tab-separated fields; names in a document and paths have neither tabs nor line breaks.

use crate::endpoint::Endpoint;

/// The property (Envoy's filter state `wasm.tollgate.handoff`) that carries it.
pub const PROPERTY: &str = "tollgate.handoff";
/// The property (`wasm.tollgate.cluster`) that names the cluster of the attempt to come.
pub const CLUSTER_PROPERTY: &str = "tollgate.cluster";
/// The property (`wasm.tollgate.order`) that names the providers of all attempts to come, for a host that has to know them
/// ahead ([`crate::world::World::orders_ahead`]).
pub const ORDER_PROPERTY: &str = "tollgate.order";

/// Where an exchange's state is: a VM, by a number it drew when it started, and the exchange's number in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The VM.
    pub vm: u64,
    /// The exchange, unique within the VM.
    pub exchange: u64,
}

/// Everything an attempt needs when it has nothing but this.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Handoff {
    /// Where the exchange's own state is.
    pub place: Place,
    /// How many attempts have begun.
    pub begun: usize,
    /// What kind of request it is.
    pub endpoint: Endpoint,
    /// The client's path, with its query.
    pub path: String,
    /// What the longest answer was cut down to, if it was.
    pub max_output_tokens: Option<u64>,
    /// Whether a stream was asked for.
    pub stream: bool,
    /// The order: what is left of it when an attempt begins, and what has been tried before that.
    pub legs: Vec<Stop>,
}

/// One leg of the order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stop {
    /// The provider.
    pub provider: String,
    /// Which of its credentials.
    pub credential: usize,
    /// The model's name there; empty where the request names none.
    pub model: String,
}

impl Handoff {
    /// The text of it.
    pub fn encode(&self) -> String {
        let Place { vm, exchange } = self.place;
        let mut text = format!(
            "{vm:x}\t{exchange:x}\t{}\t{}\t{}\t{}\t{}",
            self.begun,
            u8::from(self.stream),
            self.endpoint.name(),
            self.max_output_tokens.map(|most| most.to_string()).unwrap_or_default(),
            self.path
        );
        for stop in &self.legs {
            let Stop {
                provider,
                credential,
                model,
            } = stop;
            text.push_str(&format!("\n{provider}\t{credential}\t{model}"));
        }
        text
    }

    /// Reads the place alone, which is all that is needed within one VM.
    pub fn place(text: &str) -> Option<Place> {
        let mut fields = text.split('\t');
        let vm = u64::from_str_radix(fields.next()?, 16).ok()?;
        let exchange = u64::from_str_radix(fields.next()?, 16).ok()?;
        Some(Place { vm, exchange })
    }

    /// Reads all of it; `None` for any other text.
    pub fn decode(text: &str) -> Option<Self> {
        let place = Self::place(text)?;
        let mut lines = text.split('\n');
        let mut fields = lines.next()?.split('\t').skip(2);
        let begun = fields.next()?.parse().ok()?;
        let stream = fields.next()? == "1";
        let name = fields.next()?;
        let endpoint = Endpoint::ALL.into_iter().find(|endpoint| endpoint.name() == name)?;
        let max_output_tokens = match fields.next()? {
            "" => None,
            most => Some(most.parse().ok()?),
        };
        let path = fields.next()?.to_owned();
        let legs = lines
            .map(|line| {
                let mut fields = line.splitn(3, '\t');
                Some(Stop {
                    provider: fields.next()?.to_owned(),
                    credential: fields.next()?.parse().ok()?,
                    model: fields.next()?.to_owned(),
                })
            })
            .collect::<Option<_>>()?;
        Some(Self {
            place,
            begun,
            endpoint,
            path,
            max_output_tokens,
            stream,
            legs,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_was_encoded_is_decoded(vm: u64, exchange: u64, begun in 0usize..9, path in "/[!-~]{0,30}",
            max_output_tokens: Option<u64>, stream: bool, legs in proptest::collection::vec(("[a-z0-9._-]{1,9}", 0usize..9, "[^\\p{Cc}]{0,20}"), 0..4)) {
            let legs = legs.into_iter().map(|(provider, credential, model)| Stop { provider, credential, model }).collect();
            let handoff = Handoff { place: Place { vm, exchange }, begun, endpoint: Endpoint::Messages, path, max_output_tokens, stream, legs };
            let text = handoff.encode();
            prop_assert_eq!(Handoff::place(&text), Some(handoff.place));
            prop_assert_eq!(Handoff::decode(&text), Some(handoff));
        }

        #[test]
        fn any_text_can_be_decoded(text in ".{0,80}") {
            let _ = Handoff::decode(&text);
        }
    }
}
