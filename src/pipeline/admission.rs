//! May they: a request's rules, asked; the cheaper model or the shorter answer, should they say so; and what it may use,
//! set aside.
//!
//! In: a [`Course`] (model, body, order of providers) and the books. Out: the course as it may be taken, the [`Grant`] and
//! the [`Notes`] for client and operator, or the fault. It changes nothing unless the request is admitted.

use super::Arrival;
use super::notes::Notes;
use super::ordering;
use super::sent::Body;
use super::{subjects, told, want};
use crate::endpoint::Endpoint;
use crate::fault::{Fault, Limited};
use crate::limit::admit::{self, Asked, Denied, Grant, Subject};
use crate::limit::judge::{self, Asking, Obstacle, Rest, RuleName, Scope, Want};
use crate::limit::store::Books;
use crate::route::Leg;
use crate::translate::Written;
use crate::world::{ModelId, ProviderId};

/// Where a request is to go.
#[derive(Debug)]
pub(super) struct Course {
    pub(super) model: Option<ModelId>,
    pub(super) body: Body,
    pub(super) legs: Vec<Leg>,
    /// What stands for the session it belongs to.
    pub(super) session: Option<u64>,
    /// The client's body, where a leg needs it in other words.
    pub(super) original: Option<Vec<u8>>,
    /// The body in the words of one of the legs' providers.
    pub(super) written: Option<(Leg, Written)>,
}

/// A request that may go on.
#[derive(Debug)]
pub(super) struct Admitted {
    pub(super) course: Course,
    pub(super) grant: Grant,
    pub(super) notes: Notes,
}

/// How often a request is asked anew: for a cheaper model, a shorter answer, another worker that was faster. Each model is
/// left at most once for each rule, so an honest request needs a few.
const ROUNDS: usize = 16;

/// Asks every rule and sets aside what the request may use. `at`: the provider that its host names, where hosts choose.
pub(super) fn admit(
    arrival: &Arrival,
    mut course: Course,
    posts: bool,
    at: Option<ProviderId>,
    books: &mut Books<'_>,
) -> Result<Admitted, (Fault, Option<ModelId>)> {
    let mut notes = Notes::default();
    let mut turned: Vec<(Option<ModelId>, RuleName)> = Vec::new();
    let legs_before = course.legs.clone();
    for round in 0..ROUNDS {
        let subjects = subjects::of(arrival, course.model);
        let has_rules = |leg: &Leg| arrival.world.provider(leg.provider).is_some_and(|p| p.rules.is_some());
        if subjects.is_empty() && !course.legs.iter().any(has_rules) {
            return Ok(Admitted {
                course,
                grant: Grant::default(),
                notes,
            });
        }
        if course.model.is_none()
            && spends_unseen(arrival, posts)
            && subjects.iter().any(Subject::is_budgeted)
            && !arrival.shadow()
        {
            return Err((Fault::CostUnknown, None));
        }
        let size = want::size(arrival, course.model, &course.body, posts, books).cut_to(notes.clamped());
        let want = size.want(arrival, course.model, &course.legs);
        let asking = Asking {
            shadow: arrival.shadow(),
            clamped: notes.clamped().is_some(),
            clock: books.clock,
        };
        let mut asked: Vec<Asked> = subjects
            .into_iter()
            .map(|subject| admit::ask(subject, &want, asking, books))
            .collect();
        let providers = ask_providers(arrival, &mut course.legs, &want, asking, books);
        let unreachable = providers.obstacle;
        asked.extend(providers.asked);

        let downgrades = asked
            .iter()
            .flat_map(|one| &one.verdict.downgrade)
            .chain(&providers.downgrade);
        let fresh = downgrades
            .map(|rule| (belongs_to(*rule, course.model), *rule))
            .find(|found| !turned.contains(found));
        if let Some((whose, rule)) = fresh {
            turned.push((whose, rule));
            if let Some((model, legs)) = cheaper(arrival, course.model, at, course.session, &course.body, books) {
                notes.downgrade(course.model, rule);
                (course.model, course.legs) = (Some(model), legs);
                continue;
            }
        }
        let obstacles = asked.iter().filter_map(|one| one.verdict.obstacle);
        let obstacle = obstacles.chain(unreachable).max_by_key(|obstacle| obstacle.wait);
        if let Some(obstacle) = obstacle {
            let clamps = asked.iter().flat_map(|one| &one.verdict.clamp);
            let rests: Vec<_> = clamps.chain(&providers.clamp).copied().collect();
            let bought = match (notes.clamped(), rests.first()) {
                (None, Some(rest)) => size
                    .bought(arrival, course.model, &course.legs, &rests)
                    .map(|most| (most, rest.rule)),
                _ => None,
            };
            if let Some((most, rule)) = bought {
                notes.clamp(most, rule);
                continue;
            }
            let fault = limited(arrival, course.model, obstacle, &asked, books);
            return Err((fault, notes.asked_for(course.model)));
        }
        match admit::take(asked, &want, asking, books, notes.afresh()) {
            Ok((grant, verdict)) => {
                // What a budget is reckoned with has to be so.
                notes.say(size.unsaid().filter(|_| !asking.shadow && grant.is_budgeted()));
                notes.admitted(arrival, &verdict, books.clock);
                return Ok(Admitted { course, grant, notes });
            }
            Err(Denied::Unwritable) => return Err((Fault::Internal, course.model)),
            // Another worker was faster. What stands in the way now is found in the next round.
            Err(Denied::Rule(obstacle)) if round + 1 == ROUNDS => {
                let fault = limited(arrival, course.model, obstacle, &[], books);
                return Err((fault, notes.asked_for(course.model)));
            }
            Err(Denied::Rule(_)) => {
                if notes.downgraded().is_empty() {
                    course.legs.clone_from(&legs_before);
                }
            }
        }
    }
    Err((Fault::Internal, course.model))
}

/// Whether a request that names no model may spend what nobody sees: batches, runs of assistants and the like. To keep files
/// costs nothing at the time.
fn spends_unseen(arrival: &Arrival, posts: bool) -> bool {
    posts && arrival.endpoint == Some(Endpoint::Other) && !arrival.keeps_files
}

/// The model whose rule it is: the next model's rule of that name is another. The rules of a key, a team and so on stay
/// the same whatever the model, and send a request on by one model only.
fn belongs_to(rule: RuleName, model: Option<ModelId>) -> Option<ModelId> {
    model.filter(|_| matches!(rule.scope, Scope::Model | Scope::KeyModel))
}

/// What the providers of an order say.
struct Providers {
    /// Those that may be gone to, each once.
    asked: Vec<Asked>,
    /// Their rules that send requests to cheaper models, where no other provider is left to go to.
    downgrade: Vec<RuleName>,
    /// What stands in the way, if none is left.
    obstacle: Option<Obstacle>,
    /// Budgets of one of them that a shorter answer would fit, if none is left.
    clamp: Vec<Rest>,
}

/// Asks the providers of an order: one that refuses is left out of it, and one that is nearly used up and says so comes
/// after the others.
fn ask_providers(
    arrival: &Arrival,
    legs: &mut Vec<Leg>,
    want: &Want,
    asking: Asking,
    books: &mut Books<'_>,
) -> Providers {
    let mut found = Providers {
        asked: Vec::new(),
        downgrade: Vec::new(),
        obstacle: None,
        clamp: Vec::new(),
    };
    let mut full: Vec<(ProviderId, Obstacle)> = Vec::new();
    let mut nearly: Vec<ProviderId> = Vec::new();
    let mut seen: Vec<ProviderId> = Vec::new();
    for leg in legs.iter() {
        if seen.contains(&leg.provider) {
            continue;
        }
        seen.push(leg.provider);
        let Some(subject) = subjects::of_provider(&arrival.world, leg.provider) else {
            continue;
        };
        let asked = admit::ask(subject, want, asking, books);
        if !asked.verdict.downgrade.is_empty() {
            nearly.push(leg.provider);
            found.downgrade.extend(&asked.verdict.downgrade);
        }
        match asked.verdict.obstacle {
            Some(obstacle) => {
                full.push((leg.provider, obstacle));
                if found.clamp.is_empty() {
                    found.clamp = asked.verdict.clamp;
                }
            }
            None => found.asked.push(asked),
        }
    }
    let is_full = |leg: &Leg| full.iter().any(|(provider, _)| *provider == leg.provider);
    if !legs.is_empty() && legs.iter().all(is_full) {
        // Whichever is free first will do.
        found.obstacle = full
            .into_iter()
            .map(|(_, obstacle)| obstacle)
            .min_by_key(|obstacle| obstacle.wait);
        return found;
    }
    found.clamp.clear();
    legs.retain(|leg| !is_full(leg));
    legs.sort_by_key(|leg| nearly.contains(&leg.provider));
    if legs.iter().any(|leg| !nearly.contains(&leg.provider)) {
        // There is a backup: that will do.
        found.downgrade.clear();
        found.asked.iter_mut().for_each(|asked| asked.verdict.downgrade.clear());
    }
    found
}

/// The model that takes the place of another, if the caller may use it and it can be reached as the other was.
fn cheaper(
    arrival: &Arrival,
    model: Option<ModelId>,
    at: Option<ProviderId>,
    session: Option<u64>,
    body: &Body,
    books: &mut Books<'_>,
) -> Option<(ModelId, Vec<Leg>)> {
    let world = &arrival.world;
    let cheaper = world.model(model?)?.cheaper?;
    let may = arrival
        .key
        .and_then(|id| world.key(id))
        .is_some_and(|key| key.models.contains(cheaper));
    let legs = match at {
        _ if !may => return None,
        at => ordering::legs(arrival, cheaper, at, session, body, books),
    };
    (!legs.is_empty()).then_some((cheaper, legs))
}

fn limited(arrival: &Arrival, model: Option<ModelId>, obstacle: Obstacle, asked: &[Asked], books: &Books<'_>) -> Fault {
    let (mut requests, mut tokens) = (None, None);
    for one in asked {
        requests = judge::tighter(requests, one.verdict.requests);
        tokens = judge::tighter(tokens, one.verdict.tokens);
    }
    let headers = told::rates(arrival.dialect, requests, tokens, false, books.clock);
    let whose = told::whose(arrival, model, obstacle.rule.scope);
    Fault::Limited(Box::new(Limited::new(whose, obstacle, headers)))
}
