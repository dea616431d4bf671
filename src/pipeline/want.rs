//! What a request may come to, before it is sent: tokens and money to set aside.
//!
//! In: what it asks, the order of providers and their prices. Out: a [`Want`]. What its text can be at most is known, and
//! so is its longest answer where it says one; where it says none, the model's longest or the key's habit is taken.

use std::sync::Arc;

use super::Arrival;
use super::sent::Body;
use super::subjects;
use crate::ask::Ask;
use crate::endpoint::Endpoint;
use crate::limit::habit;
use crate::limit::judge::{Rest, Want};
use crate::limit::rule::Unit;
use crate::limit::store::Books;
use crate::price::{Expected, Nanodollars, Price};
use crate::route::Leg;
use crate::world::ModelId;

/// The shortest answer that a budget's rest is spent on. OpenAI's responses take no lower limit.
const SHORTEST: u64 = 16;

/// The most tokens of input that a form is reckoned with: ten large images.
const MOST_OF_FORM: u64 = 16_000;

/// What is known of a request's size.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Size<'a> {
    /// Whether it can cost anything.
    costs: bool,
    /// Tokens of input: expected, and at most.
    input: u64,
    input_most: u64,
    /// Tokens of one answer: expected, and at most.
    output: u64,
    output_most: u64,
    choices: u64,
    /// The model's longest answer, where the request says none and could.
    unsaid: Option<u64>,
    /// Whether the endpoint takes a longest answer at all.
    generates: bool,
    ask: Option<&'a Ask>,
    /// The model's name as the client has it.
    asked: &'a str,
}

/// Looks at a request's size. What the key is used to is looked up only where the request does not say.
pub(super) fn size<'a>(
    arrival: &Arrival,
    model: Option<ModelId>,
    body: &'a Body,
    posts: bool,
    books: &mut Books<'_>,
) -> Size<'a> {
    let endpoint = arrival.endpoint.unwrap_or(Endpoint::Other);
    let free = !posts || matches!(endpoint, Endpoint::CountTokens | Endpoint::Models);
    let named = model.and_then(|id| arrival.world.model(id));
    let ask = match body {
        Body::Json(ask) if !free => ask,
        // What is in a form is not looked into; it is a medium and some words about it.
        Body::Form { bytes, .. } if !free => {
            let most = (*bytes as u64).min(MOST_OF_FORM);
            let output = named
                .and_then(|model| model.max_output_tokens)
                .unwrap_or(habit::AT_FIRST);
            return Size {
                costs: true,
                input: most.min(habit::AT_FIRST),
                input_most: most,
                output,
                output_most: output,
                choices: 1,
                asked: body.model(),
                ..Size::default()
            };
        }
        Body::Json(_) | Body::Form { .. } | Body::Opaque => {
            return Size {
                costs: !free,
                asked: body.model(),
                ..Size::default()
            };
        }
    };
    let generates = matches!(
        endpoint,
        Endpoint::ChatCompletions | Endpoint::Completions | Endpoint::Responses | Endpoint::Messages
    );
    let (output, output_most) = match (endpoint, ask.max_output_tokens, named) {
        (Endpoint::Embeddings, ..) => (0, 0),
        (_, Some(most), _) => (most, most),
        (_, None, Some(model)) => {
            let key = arrival.key.and_then(|id| arrival.world.key(id));
            let usual = key.map_or(habit::AT_FIRST, |key| {
                habit::expected(&subjects::habit_cell(key, model), books)
            });
            match model.max_output_tokens {
                Some(most) => (usual.min(most), most),
                None => (usual, usual),
            }
        }
        (_, None, None) => (habit::AT_FIRST, habit::AT_FIRST),
    };
    Size {
        costs: true,
        input: ask.input_estimate,
        input_most: ask.input_most,
        output,
        output_most,
        choices: ask.choices.max(1),
        unsaid: match ask.max_output_tokens {
            None if generates => named.and_then(|model| model.max_output_tokens),
            _ => None,
        },
        generates,
        ask: Some(ask),
        asked: body.model(),
    }
}

impl Size<'_> {
    /// The same with answers cut to so many tokens.
    pub(super) fn cut_to(self, most: Option<u64>) -> Self {
        match most {
            None => self,
            Some(most) => Self {
                output: self.output.min(most),
                output_most: self.output_most.min(most),
                ..self
            },
        }
    }

    /// The longest answer that the request has to be made to say, because what is set aside is reckoned with it.
    pub(super) fn unsaid(&self) -> Option<u64> {
        self.unsaid
    }

    /// What is to be set aside: the dearest of the providers that may serve it.
    pub(super) fn want(&self, arrival: &Arrival, model: Option<ModelId>, legs: &[Leg]) -> Want {
        if !self.costs {
            return Want {
                free: true,
                ..Want::default()
            };
        }
        let output_most = self.output_most.saturating_mul(self.choices);
        let mut want = Want {
            tokens: self.input.saturating_add(self.output.saturating_mul(self.choices)),
            most_tokens: self.input_most.saturating_add(output_most),
            most_nanodollars: 0,
            unpriced: true,
            free: false,
        };
        for leg in legs {
            if let Some(price) = price(arrival, model, leg, self.asked) {
                let (Nanodollars(most), _) = price.most(&self.expected(output_most));
                want.most_nanodollars = want.most_nanodollars.max(most);
                want.unpriced = false;
            }
        }
        want
    }

    /// The longest answer that what is left of some budgets buys, from whichever provider; `None`: none worth having.
    pub(super) fn bought(
        &self,
        arrival: &Arrival,
        model: Option<ModelId>,
        legs: &[Leg],
        rests: &[Rest],
    ) -> Option<u64> {
        if !self.generates {
            return None;
        }
        let mut most = self.output_most;
        for rest in rests {
            let tokens = match rest.unit {
                Unit::Tokens => rest.rest.checked_sub(self.input_most)? / self.choices,
                Unit::Nanodollars => {
                    let mut tokens = u64::MAX;
                    for price in legs.iter().filter_map(|leg| price(arrival, model, leg, self.asked)) {
                        let (Nanodollars(input), rate) = price.most(&self.expected(0));
                        let picodollars = u128::from(rest.rest.checked_sub(input)?) * 1_000;
                        let per_token = u128::from(rate) * u128::from(self.choices);
                        // A picodollar less, because what the whole costs is rounded up.
                        let buys = picodollars.saturating_sub(1_000).checked_div(per_token);
                        tokens = tokens.min(buys.and_then(|buys| u64::try_from(buys).ok()).unwrap_or(u64::MAX));
                    }
                    tokens
                }
            };
            most = most.min(tokens);
        }
        (most >= SHORTEST).then_some(most)
    }

    fn expected(&self, output: u64) -> Expected<'_> {
        Expected {
            input: self.input_most,
            output,
            caches: self.ask.is_some_and(|ask| ask.caches),
            audio: self.ask.is_some_and(|ask| ask.audio),
            service_tier: self.ask.and_then(|ask| ask.service_tier.as_deref()),
        }
    }
}

fn price(arrival: &Arrival, model: Option<ModelId>, leg: &Leg, asked: &str) -> Option<Arc<Price>> {
    let model = arrival.world.model(model?)?;
    arrival.world.price(model.targets.get(leg.target?)?, asked)
}
