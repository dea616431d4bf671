//! What is remembered of one session, and what it leads to.
//!
//! In: a [`Conversation`], the [`Rules`] and the time before each request; what became of it after. Out: a [`Finding`].
//! It does not know whose session it is, nor where it is kept.
//!
//! Times are milliseconds of a steady clock that several threads read: a moment may come after a later one.

use super::{
    Finding, Sign,
    bytes::Reader,
    conversation::{Conversation, TURNS, Turn},
    growing_wait_ms,
    rule::{Rules, Steps},
    velocity::Velocity,
};

/// After so long without use (or, if that is later, after a block) nothing counts as repeated any more.
pub const FORGOTTEN_AFTER_MS: u64 = 15 * 60_000;

/// The longest cycle of turns that is a loop.
const LONGEST_CYCLE: usize = 3;

/// How often something was repeated when its client was last told to wait, and until when.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Wait {
    repetitions: u32,
    until: u64,
}

/// What is remembered of a session.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Session {
    /// The latest turns that were seen, oldest first; at most [`TURNS`].
    turns: Vec<Turn>,
    /// How many turns the last conversation had.
    turns_in_all: u32,
    /// The request that was judged last, whether it was let through or not.
    judged: u64,
    /// How many turns up to the latest did what the one so many (1, 2, 3) turns before did.
    runs: [u32; LONGEST_CYCLE],
    /// What the user said last.
    heard: u32,
    /// The request that was answered last, and how often in a row; 0 when that does not count any more.
    answered: u64,
    answers: u32,
    turns_wait: Wait,
    requests_wait: Wait,
    velocity: Velocity,
    blocked: Option<(Sign, u64)>,
    last_use: u64,
}

impl Session {
    /// The most bytes of [`Session::encode`].
    pub const MOST_BYTES: usize =
        1 + TURNS * 16 + 4 + 8 + LONGEST_CYCLE * 4 + 4 + 8 + 4 + 2 * 12 + Velocity::BYTES + 9 + 8;

    /// Judges a request, and remembers what it shows.
    pub fn observe(&mut self, conversation: &Conversation, rules: &Rules, now_ms: u64) -> Finding {
        self.wake(rules, now_ms);
        self.take(conversation);
        if let Some((sign, until)) = self.blocked {
            let wait_ms = until.saturating_sub(now_ms).max(1);
            return Finding::Block { sign, wait_ms };
        }
        let velocity = self.velocity.judge(rules, now_ms);
        let requests = self.judge_request(conversation, rules, now_ms);
        let turns = self.judge_turns(conversation, rules, now_ms);
        let finding = [velocity, requests, turns]
            .into_iter()
            .max_by_key(|finding| finding.gravity())
            .unwrap_or(Finding::Pass);
        let Finding::Block { sign, .. } = finding else {
            return finding;
        };
        self.blocked = Some((sign, now_ms.saturating_add(rules.block_ms)));
        Finding::Block {
            sign,
            wait_ms: rules.block_ms.max(1),
        }
    }

    /// A request that was let through is over: whether it was answered, and what it cost.
    pub fn settled(&mut self, fingerprint: u64, succeeded: bool, nanodollars: u64, now_ms: u64) {
        self.velocity.spend(nanodollars, now_ms);
        self.last_use = self.last_use.max(now_ms);
        if !succeeded || fingerprint == 0 {
            return;
        }
        if self.answered == fingerprint {
            self.answers = self.answers.saturating_add(1);
        } else {
            (self.answered, self.answers) = (fingerprint, 1);
            self.requests_wait = Wait::default();
        }
    }

    /// Lifts waits and blocks, and counts anew. Whether there was a wait or block to lift.
    pub fn release(&mut self, now_ms: u64) -> bool {
        let waited = self.turns_wait.until.max(self.requests_wait.until) > now_ms || self.velocity.waits(now_ms);
        let lifted = waited || self.blocked_ms(now_ms).is_some();
        self.blocked = None;
        self.forget();
        self.velocity.forgive();
        lifted
    }

    /// What the session is blocked for, and for how many milliseconds to come.
    pub fn blocked_ms(&self, now_ms: u64) -> Option<(Sign, u64)> {
        let (sign, until) = self.blocked?;
        Some((sign, until.checked_sub(now_ms).filter(|left| *left > 0)?))
    }

    /// When it was last used.
    pub fn last_use(&self) -> u64 {
        self.last_use
    }

    /// Ends a block that is over, and forgets what was long ago.
    fn wake(&mut self, rules: &Rules, now_ms: u64) {
        let mut since = self.last_use;
        if let Some((_, until)) = self.blocked {
            since = since.max(until);
            if now_ms >= until {
                self.blocked = None;
                self.calm(rules);
            }
        }
        if now_ms.saturating_sub(since) > FORGOTTEN_AFTER_MS {
            self.forget();
        }
        self.last_use = self.last_use.max(now_ms);
    }

    /// Goes back to where the session is only warned.
    fn calm(&mut self, rules: &Rules) {
        let turns = calm_repetitions(&rules.tool_calls);
        for (cycle, run) in (1_u32..).zip(&mut self.runs) {
            *run = (*run).min((turns - 1).saturating_mul(cycle));
        }
        self.answers = self.answers.min(calm_repetitions(&rules.requests) - 1);
        (self.turns_wait, self.requests_wait) = (Wait::default(), Wait::default());
        self.velocity.forgive();
    }

    fn forget(&mut self) {
        self.runs = [0; LONGEST_CYCLE];
        (self.answered, self.answers) = (0, 0);
        (self.turns_wait, self.requests_wait) = (Wait::default(), Wait::default());
    }

    /// Remembers the turns that were not seen before, and what the user said.
    fn take(&mut self, conversation: &Conversation) {
        // Where ids are missing, what was seen could look new once the turns around it are forgotten.
        if conversation.fingerprint != 0 && conversation.fingerprint == self.judged {
            return;
        }
        self.judged = conversation.fingerprint;
        for turn in unseen(&self.turns, self.turns_in_all, conversation) {
            self.push(*turn);
        }
        if !conversation.turns.is_empty() {
            self.turns_in_all = conversation.turns_in_all;
        }
        if conversation.heard == 0 {
            return;
        }
        // A message that came after the latest turn, and is another than before: the user leads on from here.
        if let Some(latest) = self.latest_of(conversation)
            && conversation.heard != latest.context
            && conversation.heard != self.heard
        {
            self.runs = [0; LONGEST_CYCLE];
            self.turns_wait = Wait::default();
        }
        self.heard = conversation.heard;
    }

    fn push(&mut self, turn: Turn) {
        for (run, before) in self.runs.iter_mut().zip(self.turns.iter().rev()) {
            *run = match turn.repeats(before) {
                true => run.saturating_add(1),
                false => 0,
            };
        }
        if self.runs == [0; LONGEST_CYCLE] {
            self.turns_wait = Wait::default();
        }
        if self.turns.len() >= TURNS {
            self.turns.remove(0);
        }
        self.turns.push(turn);
    }

    /// The latest turn, if it is also that of the conversation: others of this session have loops of their own.
    fn latest_of(&self, conversation: &Conversation) -> Option<Turn> {
        let latest = conversation.turns.last()?;
        self.turns.last().filter(|known| known.is(latest)).copied()
    }

    fn judge_turns(&mut self, conversation: &Conversation, rules: &Rules, now_ms: u64) -> Finding {
        if self.latest_of(conversation).is_none() {
            return Finding::Pass;
        }
        let cycles = (1_u32..).zip(self.runs).map(|(cycle, run)| run / cycle);
        let repetitions = cycles.max().unwrap_or(0).saturating_add(1);
        judge(
            Sign::ToolCalls,
            &rules.tool_calls,
            repetitions,
            &mut self.turns_wait,
            now_ms,
        )
    }

    fn judge_request(&mut self, conversation: &Conversation, rules: &Rules, now_ms: u64) -> Finding {
        if conversation.fingerprint == 0 || conversation.fingerprint != self.answered {
            return Finding::Pass;
        }
        let repetitions = self.answers.saturating_add(1);
        judge(
            Sign::Requests,
            &rules.requests,
            repetitions,
            &mut self.requests_wait,
            now_ms,
        )
    }

    /// Adds it to bytes; at most [`Session::MOST_BYTES`].
    pub fn encode(&self, out: &mut Vec<u8>) {
        let turns = self.turns.iter().take(TURNS);
        out.push(turns.len() as u8);
        for turn in turns {
            out.extend(turn.signature.to_le_bytes());
            out.extend(turn.id.to_le_bytes());
            out.extend(turn.context.to_le_bytes());
        }
        out.extend(self.turns_in_all.to_le_bytes());
        out.extend(self.judged.to_le_bytes());
        for run in self.runs {
            out.extend(run.to_le_bytes());
        }
        out.extend(self.heard.to_le_bytes());
        out.extend(self.answered.to_le_bytes());
        out.extend(self.answers.to_le_bytes());
        for wait in [self.turns_wait, self.requests_wait] {
            out.extend(wait.repetitions.to_le_bytes());
            out.extend(wait.until.to_le_bytes());
        }
        self.velocity.encode(out);
        let (sign, until) = match self.blocked {
            None => (0, 0),
            Some((Sign::ToolCalls, until)) => (1, until),
            Some((Sign::Requests, until)) => (2, until),
            Some((Sign::Velocity, until)) => (3, until),
        };
        out.push(sign);
        out.extend(until.to_le_bytes());
        out.extend(self.last_use.to_le_bytes());
    }

    /// Reads what [`Session::encode`] wrote; `None` of anything else.
    pub(super) fn decode(bytes: &mut Reader) -> Option<Self> {
        let count = usize::from(bytes.u8()?);
        if count > TURNS {
            return None;
        }
        let mut session = Self::default();
        session.turns.reserve_exact(count + 1);
        for _ in 0..count {
            session.turns.push(Turn {
                signature: bytes.u64()?,
                id: bytes.u32()?,
                context: bytes.u32()?,
            });
        }
        session.turns_in_all = bytes.u32()?;
        session.judged = bytes.u64()?;
        for run in &mut session.runs {
            *run = bytes.u32()?;
        }
        session.heard = bytes.u32()?;
        session.answered = bytes.u64()?;
        session.answers = bytes.u32()?;
        for wait in [&mut session.turns_wait, &mut session.requests_wait] {
            wait.repetitions = bytes.u32()?;
            wait.until = bytes.u64()?;
        }
        session.velocity = Velocity::decode(bytes)?;
        session.blocked = match (bytes.u8()?, bytes.u64()?) {
            (0, 0) => None,
            (1, until) => Some((Sign::ToolCalls, until)),
            (2, until) => Some((Sign::Requests, until)),
            (3, until) => Some((Sign::Velocity, until)),
            _ => return None,
        };
        session.last_use = bytes.u64()?;
        Some(session)
    }
}

/// The turns of a conversation that come after all that are known.
///
/// Each known turn accounts for one of the conversation's, so that where ids are missing or always the same, four calls
/// are still one more than three.
fn unseen<'c>(known: &[Turn], known_in_all: u32, conversation: &'c Conversation) -> &'c [Turn] {
    let turns = conversation.turns.as_slice();
    let mut left = known.to_vec();
    let mut seen = 0;
    for (count, turn) in (1..).zip(turns) {
        if let Some(at) = left.iter().position(|known| known.is(turn)) {
            left.swap_remove(at);
            seen = count;
        }
    }
    // Of a loop that is longer than what is looked at, the conversation's length says how far it has gone on.
    if seen == TURNS
        && turns.len() == TURNS
        && let Some(latest) = turns.last()
        && turns.iter().filter(|turn| turn.is(latest)).count() > 1
    {
        let grown = conversation.turns_in_all.saturating_sub(known_in_all);
        seen = seen.saturating_sub(usize::try_from(grown).unwrap_or(TURNS));
    }
    turns.get(seen..).unwrap_or_default()
}

/// The most repetitions that lead to no more than a warning; at least 1.
fn calm_repetitions(steps: &Steps) -> u32 {
    let below = |step: Option<u32>| step.map_or(u32::MAX, |step| step.saturating_sub(1));
    steps
        .warn
        .unwrap_or(1)
        .min(below(steps.slow))
        .min(below(steps.block))
        .max(1)
}

/// Judges something by how often it was repeated. Once is no repetition.
fn judge(sign: Sign, steps: &Steps, repetitions: u32, wait: &mut Wait, now_ms: u64) -> Finding {
    let reached = |step: Option<u32>| step.is_some_and(|step| repetitions >= step.max(2));
    if reached(steps.block) {
        return Finding::Block { sign, wait_ms: 0 };
    }
    match steps.slow {
        Some(slow) if reached(Some(slow)) => {
            if wait.repetitions != repetitions {
                *wait = Wait {
                    repetitions,
                    until: now_ms.saturating_add(growing_wait_ms(repetitions - slow.max(2))),
                };
            }
            let wait_ms = wait.until.saturating_sub(now_ms);
            if wait_ms > 0 {
                return Finding::Slow { sign, wait_ms };
            }
        }
        _ => *wait = Wait::default(),
    }
    match reached(steps.warn) {
        true => Finding::Warn { sign },
        false => Finding::Pass,
    }
}

#[cfg(test)]
mod tests;
