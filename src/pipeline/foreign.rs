//! An attempt whose exchange lives in another VM.
//!
//! For the moments after a module upgrade in which a request that an old VM began is tried (again) in a new one. All
//! there is to go by is the [`Handoff`]. The gateway role, seeing no attempt in its own VM, reads the answer itself.

use std::rc::Rc;

use super::attempt::Begun;
use super::departure;
use crate::ask::{self, Edits};
use crate::handoff::Handoff;
use crate::headers::Headers;
use crate::provider::Provider;
use crate::world::World;

/// One such attempt.
#[derive(Debug)]
pub struct Foreign {
    world: Rc<World>,
    handoff: Handoff,
}

impl Foreign {
    /// Takes up what was handed off.
    pub fn new(world: Rc<World>, handoff: Handoff) -> Self {
        Self { world, handoff }
    }

    /// The host begins its attempt of this number, counted from 1: those before it may have run where they were not
    /// noted.
    pub fn attempt_is(&mut self, number: usize) {
        self.handoff.begun = self.handoff.begun.max(number.saturating_sub(1));
    }

    /// The attempt begins. `None` where this VM's configuration does not know the provider.
    pub fn begin(&mut self, headers: &Headers) -> Option<Begun> {
        let provider = self.provider(self.handoff.begun)?;
        let departure = departure::to_attempt(provider, &self.handoff.path, headers);
        self.handoff.begun += 1;
        let next_cluster = self
            .provider(self.handoff.begun)
            .map(|provider| provider.name.to_string());
        Some(Begun {
            departure,
            translates: true,
            next_cluster,
        })
    }

    /// What the attempt after this one is handed.
    pub fn handoff(&self) -> &Handoff {
        &self.handoff
    }

    /// The body in the words of the provider; `None` where the client's bytes will do.
    pub fn translate(&self, body: &[u8]) -> Option<Vec<u8>> {
        let (_, model) = self.leg(self.handoff.begun.saturating_sub(1))?;
        let ask = ask::read(self.handoff.endpoint, body).ok()?;
        let renamed = Some(model.as_str()).filter(|model| !model.is_empty() && *model != ask.model);
        let edits = Edits {
            model: renamed,
            include_usage: ask.lacks_usage(),
            max_output_tokens: self.handoff.max_output_tokens,
        };
        ask.rewrite(body, edits)
    }

    /// The last leg is repeated, as within one VM.
    fn leg(&self, index: usize) -> Option<&(String, String)> {
        self.handoff.legs.get(index).or(self.handoff.legs.last())
    }

    fn provider(&self, leg: usize) -> Option<&Provider> {
        let (name, _) = self.leg(leg)?;
        self.world.provider_by_name(name).and_then(|id| self.world.provider(id))
    }
}
