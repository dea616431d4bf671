//! An attempt whose exchange lives in another VM.
//!
//! For the moments after a module upgrade in which a request that an old VM began is tried (again) in a new one. All
//! there is to go by is the [`Handoff`]. The gateway role, seeing no attempt in its own VM, reads the answer itself.

use std::rc::Rc;

use super::answer::RETRY;
use super::attempt::Begun;
use super::departure::{self, Kept, Way};
use super::failover::Reason;
use crate::ask::{self, Edits};
use crate::fault::Answer;
use crate::handoff::{Handoff, Stop};
use crate::headers::Headers;
use crate::provider::Provider;
use crate::translate::{Speech, Words};
use crate::world::World;

/// One such attempt.
#[derive(Debug)]
pub struct Foreign {
    world: Rc<World>,
    handoff: Handoff,
    /// The leg of the attempt.
    at: usize,
}

impl Foreign {
    /// Takes up what was handed off.
    pub fn new(world: Rc<World>, handoff: Handoff) -> Self {
        Self { world, handoff, at: 0 }
    }

    /// The host begins its attempt of this number, counted from 1: those before it may have run where they were not
    /// noted.
    pub fn attempt_is(&mut self, number: usize) {
        self.handoff.begun = self.handoff.begun.max(number.saturating_sub(1));
    }

    /// The attempt begins, at this cluster, whatever the order says: another provider's credential must not go there.
    /// `None` where this VM's configuration does not know the provider, or not how to ask it.
    pub fn begin(&mut self, headers: &Headers, cluster: &str) -> Option<Begun> {
        let here = |(_, stop): &(usize, &Stop)| stop.provider == cluster;
        let mut legs = self.handoff.legs.iter().enumerate();
        let begun = self.handoff.begun;
        let to_come = legs.clone().skip(begun).find(here);
        (self.at, _) = to_come.or_else(|| legs.find(here))?;
        let stop = self.handoff.legs.get(self.at)?;
        let provider = self.provider(stop)?;
        let way = Way {
            provider,
            credential: stop.credential,
            speech: self.speech(provider)?,
            model: &stop.model,
            stream: self.handoff.stream,
            path: &self.handoff.path,
            kept: &Kept::of(headers),
        };
        let departure = departure::to_attempt(&way, headers);
        self.handoff.begun += 1;
        let left = self.handoff.legs.iter().skip(self.at);
        let mut others = left.filter(|stop| stop.provider != cluster);
        let next = others.next().and_then(|stop| self.provider(stop));
        Some(Begun {
            departure,
            translates: true,
            next_cluster: next.map(|provider| provider.name.to_string()),
        })
    }

    /// What the attempt after this one is handed.
    pub fn handoff(&self) -> &Handoff {
        &self.handoff
    }

    /// The header by which the host begins another attempt, where an answer of this status is given up for one.
    pub fn moves_on(&self, status: u16) -> Option<(&'static str, &'static str)> {
        Reason::of_status(status)?;
        (self.handoff.begun < self.handoff.legs.len()).then_some((RETRY, "1"))
    }

    /// The body in the words of the provider; `None` where the client's bytes will do.
    ///
    /// # Errors
    ///
    /// What to tell the client, where the provider's API has no words for what it asks.
    pub fn translate(&self, body: &[u8]) -> Result<Option<Vec<u8>>, Answer> {
        let Some(stop) = self.handoff.legs.get(self.at) else {
            return Ok(None);
        };
        let handoff = &self.handoff;
        if let Some(provider) = self.provider(stop)
            && let Some(speech @ (Speech::Translated(..) | Speech::Vectors(_))) = self.speech(provider)
        {
            let words = Words {
                provider,
                speech,
                model: stop.model.as_str().into(),
                longest: None,
                most: handoff.max_output_tokens,
            };
            let said = words.say(body).map(|written| Some(written.body));
            return said.map_err(|fault| fault.answer(handoff.endpoint.dialect(), ""));
        }
        let Ok(ask) = ask::read(handoff.endpoint, body) else {
            return Ok(None);
        };
        let renamed = Some(stop.model.as_str()).filter(|model| !model.is_empty() && *model != ask.model);
        let edits = Edits {
            model: renamed,
            include_usage: ask.lacks_usage()
                && self.provider(stop).is_none_or(|provider| provider.facts.stream_options),
            max_output_tokens: handoff.max_output_tokens,
        };
        Ok(ask.rewrite(body, edits))
    }

    fn provider(&self, stop: &Stop) -> Option<&Provider> {
        let id = self.world.provider_by_name(&stop.provider)?;
        self.world.provider(id)
    }

    fn speech(&self, provider: &Provider) -> Option<Speech> {
        Speech::to(provider, self.handoff.endpoint, self.handoff.endpoint.dialect())
    }
}
