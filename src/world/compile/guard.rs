//! The loop guard: what is written over what is inherited.
//!
//! In: a written guard and the one it inherits from. Out: [`Rules`], complete, shared by those with equal ones.

use std::sync::Arc;

use hashbrown::HashSet;

use super::{Findings, numbers, place::Place};
use crate::document::{KeyLoopGuard, LoopGuard, Mode, Steps as WrittenSteps};
use crate::guard::rule::{Rules, Steps};

/// From a second to 30 days.
const BLOCK_FOR: (u64, u64, &str) = (1, 30 * 86_400, "from \"1s\" to \"30d\"");

/// The largest step.
const MOST: u64 = 1_000_000;

/// Headers that may hold the key itself, which is kept nowhere, not even as the name of a session.
const CREDENTIALS: [&str; 5] = ["authorization", "proxy-authorization", "x-api-key", "api-key", "cookie"];

/// The loop guards of all keys.
pub(super) struct Guards {
    /// The one of keys that say nothing of it.
    pub(super) common: Option<Arc<Rules>>,
    known: HashSet<Arc<Rules>>,
}

impl Guards {
    pub(super) fn new(written: Option<&LoopGuard>, findings: &mut Findings) -> Self {
        let common =
            written.map(|written| Arc::new(over(Place::At("loop_guard"), written, Rules::default(), findings)));
        Self {
            known: common.iter().cloned().collect(),
            common,
        }
    }

    /// The guard of the key at `path`.
    pub(super) fn of_key(
        &mut self,
        place: Place<'_>,
        written: Option<&KeyLoopGuard>,
        findings: &mut Findings,
    ) -> Option<Arc<Rules>> {
        let written = match written {
            None => return self.common.clone(),
            Some(KeyLoopGuard::Off) => return None,
            Some(KeyLoopGuard::On(written)) => written,
        };
        let inherited = self.common.as_deref().cloned().unwrap_or_default();
        let rules = over(place.member("loop_guard"), written, inherited, findings);
        Some(
            self.known
                .get_or_insert_with(&rules, |rules| Arc::new(rules.clone()))
                .clone(),
        )
    }
}

/// What is written, and what is inherited where nothing is.
fn over(place: Place<'_>, written: &LoopGuard, inherited: Rules, findings: &mut Findings) -> Rules {
    let header = written.session_header.as_deref();
    let floor = written.velocity_floor_usd_per_minute;
    let floor_at = place.member("velocity_floor_usd_per_minute");
    let block_for = written.block_for.as_deref();
    let seconds = block_for.and_then(|text| numbers::seconds(place.member("block_for"), text, BLOCK_FOR, findings));
    Rules {
        session_header: header
            .and_then(|name| session_header(place.member("session_header"), name, findings))
            .unwrap_or(inherited.session_header),
        tool_calls: steps(
            place.member("tool_calls"),
            written.tool_calls,
            inherited.tool_calls,
            findings,
        ),
        requests: steps(place.member("requests"), written.requests, inherited.requests, findings),
        velocity: steps(place.member("velocity"), written.velocity, inherited.velocity, findings),
        velocity_floor: floor
            .and_then(|dollars| numbers::nanodollars(floor_at, dollars, 0.0, findings))
            .unwrap_or(inherited.velocity_floor),
        block_ms: seconds.map_or(inherited.block_ms, |seconds| seconds * 1000),
        shadow: written.mode.map_or(inherited.shadow, |mode| mode == Mode::Shadow),
    }
}

fn session_header(place: Place<'_>, name: &str, findings: &mut Findings) -> Option<Box<str>> {
    // RFC 9110, section 5.6.2.
    let token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    let name = name.to_ascii_lowercase();
    if name.is_empty() || !name.bytes().all(token) {
        let remedy = "write letters, digits and `-`, such as \"x-session-id\"";
        findings.problem(place, format!("{name:?} is not the name of a header"), remedy);
        return None;
    }
    if CREDENTIALS.contains(&name.as_str()) {
        let remedy = "name a header that says which session it is, such as \"x-session-id\"";
        findings.problem(place, format!("`{name}` holds credentials"), remedy);
        return None;
    }
    Some(name.into())
}

fn steps(place: Place<'_>, written: Option<WrittenSteps>, inherited: Steps, findings: &mut Findings) -> Steps {
    let Some(written) = written else {
        return inherited;
    };
    let mut step = |name: &str, written: Option<Option<u64>>, inherited: Option<u32>| match written {
        None => inherited,
        Some(None) => None,
        Some(Some(from)) => {
            let from = numbers::count(place.member(name), from, MOST, findings);
            // What is out of range is on record; the number it has now hides no other mistake.
            from.and_then(|from| u32::try_from(from).ok())
        }
    };
    let steps = Steps {
        warn: step("warn", written.warn, inherited.warn),
        slow: step("slow", written.slow, inherited.slow),
        block: step("block", written.block, inherited.block),
    };
    let taken = [("warn", steps.warn), ("slow", steps.slow), ("block", steps.block)];
    let taken = taken.into_iter().filter_map(|(name, from)| Some((name, from?)));
    let pairs = taken.clone().zip(taken.skip(1));
    for ((earlier, from), (later, then)) in pairs.filter(|((_, from), (_, then))| from > then) {
        let remedy = format!("raise `{later}`, lower `{earlier}`, or write null for what is never to be done");
        findings.problem(
            place,
            format!("`{earlier}` is at {from}, after `{later}` at {then}"),
            remedy,
        );
    }
    steps
}
