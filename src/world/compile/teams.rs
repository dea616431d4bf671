//! Teams: the names keys are added up by, and the rules they share.

use hashbrown::HashMap;

use super::{Findings, place::Place, rules::Rulebook};
use crate::document::{Document, Mode};
use crate::world::{Team, TeamId, names};

pub(super) struct Teams<'d> {
    pub(super) teams: Vec<Team>,
    pub(super) names: HashMap<&'d str, TeamId>,
}

pub(super) fn compile<'d>(document: &'d Document, rulebook: &mut Rulebook, findings: &mut Findings) -> Teams<'d> {
    let mut compiled = Teams {
        teams: Vec::with_capacity(document.teams.0.len()),
        names: HashMap::with_capacity(document.teams.0.len()),
    };
    for (name, written) in &document.teams.0 {
        let place = Place::At("teams");
        let place = place.member(name);
        findings.objection(place, names::objection(name));
        let id = TeamId(compiled.teams.len() as u32);
        if compiled.names.insert(name.as_str(), id).is_some() {
            findings.problem(place, "the team is written twice", "keep one of them");
        }
        compiled.teams.push(Team {
            name: name.as_str().into(),
            rules: rulebook.rules(place, written.limits.as_deref(), written.budget.as_deref(), findings),
            shadow: written.mode == Some(Mode::Shadow),
        });
    }
    compiled
}
