//! Asking all subjects of a request, setting aside, and settling.
//!
//! In: subjects, what the request may use, the [`Books`]. Out: a [`Grant`] or an [`Obstacle`]; and later, what the request
//! did use. Of a request either everything is set aside or nothing.

use std::sync::Arc;

use super::cell::{Cell, Held};
use super::judge::{Asking, Measure, Obstacle, Scope, Verdict, Want, judge};
use super::rule::{Budget, Period, Rules, Then, Unit};
use super::store::{Books, Owner, Unwritable, Written};
use super::window::Length;
use crate::world::ProviderId;

/// Something that has rules, and where its state is.
#[derive(Clone, Debug)]
pub struct Subject {
    /// What it is.
    pub scope: Scope,
    /// Its key in the store.
    pub cell: String,
    /// Its rules.
    pub rules: Arc<Rules>,
    /// Which provider it is, should it be one: it is used only if the request goes there.
    pub provider: Option<ProviderId>,
}

/// A subject that was asked.
#[derive(Debug)]
pub struct Asked {
    subject: Subject,
    cell: Cell,
    version: Option<u32>,
    /// What its rules say.
    pub verdict: Verdict,
}

/// What is set aside for a request that was admitted. It has to be settled.
#[derive(Debug, Default)]
#[must_use = "what is set aside is settled"]
pub struct Grant {
    owner: Owner,
    taken: Vec<Taken>,
}

/// What is set aside of one subject.
#[derive(Debug)]
struct Taken {
    subject: Subject,
    part: Part,
}

/// How much is set aside of it.
#[derive(Clone, Copy, Debug)]
struct Part {
    /// When the request was counted, if it was.
    request_at: Option<u64>,
    /// When how many tokens were counted, if they were.
    tokens_at: Option<(u64, u64)>,
    /// Whether it holds a parallel place.
    running: bool,
    nanodollars: u64,
    tokens: u64,
}

/// What a request did use of one subject.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Use {
    /// Tokens, input and output.
    pub tokens: u64,
    /// What they cost.
    pub nanodollars: u64,
}

/// Why nothing was set aside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Denied {
    /// By a rule: what all rules together said at last.
    Rule(Obstacle),
    /// The store could not be written.
    Unwritable,
}

/// A budget whose period is another than before, so that it begins with nothing spent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Afresh {
    /// The subject's key in the store.
    pub cell: String,
    /// The period before.
    pub before: Period,
    /// The period now.
    pub now: Period,
}

impl Subject {
    /// Whether it has a budget that is more than a warning.
    pub fn is_budgeted(&self) -> bool {
        let binds = |budget: &Budget| budget.then != Then::Warn && !budget.shadow;
        self.rules.budgets.iter().any(binds)
    }
}

/// Asks one subject. Should a rule begin or cease to send requests to cheaper models, that is written down at once,
/// because the request may go on without this subject.
pub fn ask(subject: Subject, want: &Want, asking: Asking, books: &mut Books<'_>) -> Asked {
    let (bytes, version) = match books.store.read(&subject.cell) {
        Some((bytes, version)) => (bytes, Some(version)),
        None => (Vec::new(), None),
    };
    let mut cell = Cell::decode(bytes, books.census);
    let verdict = judge(subject.scope, &mut cell, &subject.rules, want, asking);
    let mut asked = Asked {
        subject,
        cell,
        version,
        verdict,
    };
    if asked.verdict.eased != asked.cell.eased() {
        asked.cell.set_eased(asked.verdict.eased);
        // Should somebody else have been first, the next request finds the same. The version is no longer that of what is
        // there, so that to set something aside the subject is asked again.
        books
            .store
            .write(&asked.subject.cell, asked.cell.bytes(), asked.version);
    }
    asked
}

/// Sets aside what a request may use, of every subject that was asked. Where a subject's state has changed since it was
/// asked, it is asked again; should it refuse now, everything is given back. Says what all of them said in the end. What
/// was begun afresh is noted in `afresh`.
pub fn take(
    asked: Vec<Asked>,
    want: &Want,
    asking: Asking,
    books: &mut Books<'_>,
    afresh: &mut Vec<Afresh>,
) -> Result<(Grant, Verdict), Denied> {
    let mut said = Verdict::default();
    let mut grant = Grant {
        owner: books.owner,
        taken: Vec::with_capacity(asked.len()),
    };
    for Asked {
        subject,
        mut cell,
        version,
        mut verdict,
    } in asked
    {
        let mut part = take_one(&subject, &mut cell, &verdict, want, asking, books.owner, afresh);
        match books.store.write(&subject.cell, cell.bytes(), version) {
            Written::Done => {}
            Written::Failed => {
                give_back(grant, books);
                return Err(Denied::Unwritable);
            }
            Written::Lost => {
                let again = books.update(&subject.cell, |bytes, books| {
                    let mut cell = Cell::decode(bytes, books.census);
                    let verdict = judge(subject.scope, &mut cell, &subject.rules, want, asking);
                    if let Some(obstacle) = verdict.obstacle {
                        return (None, Err(obstacle));
                    }
                    let part = take_one(&subject, &mut cell, &verdict, want, asking, books.owner, afresh);
                    (Some(cell.into_bytes()), Ok((part, verdict)))
                });
                match again {
                    Ok(Ok(again)) => (part, verdict) = again,
                    Ok(Err(obstacle)) => {
                        give_back(grant, books);
                        return Err(Denied::Rule(obstacle));
                    }
                    Err(Unwritable) => {
                        give_back(grant, books);
                        return Err(Denied::Unwritable);
                    }
                }
            }
        }
        grant.taken.push(Taken { subject, part });
        said = said.and(verdict);
    }
    Ok((grant, said))
}

fn take_one(
    subject: &Subject,
    cell: &mut Cell,
    verdict: &Verdict,
    want: &Want,
    asking: Asking,
    owner: Owner,
    afresh: &mut Vec<Afresh>,
) -> Part {
    let clock = asking.clock;
    let (rules, scope) = (&subject.rules, subject.scope);
    cell.set_eased(verdict.eased);
    // What a rule in shadow mode would not have let through does not use it up, or it would count more than it would deny.
    let counts = |is_there: bool, measure| is_there && !verdict.spares(scope, measure);
    let request_at =
        counts(rules.rpm.is_some(), Measure::Rpm).then(|| cell.requests().add(Length::MINUTE, clock.steady, 1));
    let tokens_at = counts(rules.tpm.is_some(), Measure::Tpm).then(|| {
        (
            cell.tokens().add(Length::MINUTE, clock.steady, want.tokens),
            want.tokens,
        )
    });
    let running = counts(rules.parallel.is_some(), Measure::Parallel);
    let of = |unit| {
        let any = rules.budgets.iter().any(|budget| budget.unit == unit);
        if any { want.of(unit) } else { 0 }
    };
    let (nanodollars, tokens) = (of(Unit::Nanodollars), of(Unit::Tokens));
    cell.hold(owner, |held| {
        held.running = held.running.saturating_add(u64::from(running));
        held.nanodollars = held.nanodollars.saturating_add(nanodollars);
        held.tokens = held.tokens.saturating_add(tokens);
    });
    for budget in rules.budgets.iter().filter(|_| verdict.unbegun) {
        if let Some(before) = cell.begin_ledger(budget.unit, budget.period, &rules.budgets) {
            afresh.push(Afresh {
                cell: subject.cell.clone(),
                before,
                now: budget.period,
            });
        }
    }
    Part {
        request_at,
        tokens_at,
        running,
        nanodollars,
        tokens,
    }
}

/// Takes back everything, as if it had never been asked for.
pub fn give_back(grant: Grant, books: &mut Books<'_>) {
    // What cannot be written here is lost with its owner at the latest.
    let _ = settle(grant, None, books, |_| None);
}

/// The request is over: puts what it did use in the place of what was set aside. `used` says so for a provider, and with
/// `None` for everybody else; if it says nothing, the subject was never used. `present` is the cell of the key and by whom
/// the request was counted there as present, if it was. Whether it was still counted there.
pub fn settle(
    grant: Grant,
    present: Option<(&str, Owner)>,
    books: &mut Books<'_>,
    used: impl Fn(Option<ProviderId>) -> Option<Use>,
) -> Result<bool, Unwritable> {
    let (mut result, mut was_present, mut left) = (Ok(()), false, present.is_none());
    for taken in &grant.taken {
        let leaves = present
            .filter(|(cell, _)| *cell == taken.subject.cell)
            .map(|(_, owner)| owner);
        let of_it = used(taken.subject.provider);
        let settled = books.update(&taken.subject.cell, |bytes, books| {
            let mut cell = Cell::decode(bytes, books.census);
            let was_present = taken.settle(&mut cell, grant.owner, of_it, leaves, books);
            (Some(cell.into_bytes()), was_present)
        });
        match settled {
            Ok(there) if leaves.is_some() => (was_present, left) = (there, true),
            Ok(_) => {}
            Err(error) => result = Err(error),
        }
    }
    if let Some((cell, owner)) = present
        && !left
    {
        was_present = leave(cell, owner, books)?;
    }
    result.map(|()| was_present)
}

impl Taken {
    fn settle(
        &self,
        cell: &mut Cell,
        owner: Owner,
        used: Option<Use>,
        leaves: Option<Owner>,
        books: &Books<'_>,
    ) -> bool {
        let clock = books.clock;
        let part = self.part;
        cell.hold(owner, |held| {
            held.running = held.running.saturating_sub(u64::from(part.running));
            held.nanodollars = held.nanodollars.saturating_sub(part.nanodollars);
            held.tokens = held.tokens.saturating_sub(part.tokens);
        });
        let was_present = leaves.is_some_and(|owner| cell.hold(owner, step_out));
        if let (Some(at), None) = (part.request_at, used) {
            cell.requests().take_back(Length::MINUTE, at, 1);
        }
        let Use { tokens, nanodollars } = used.unwrap_or_default();
        if let Some((at, counted)) = part.tokens_at {
            match counted.checked_sub(tokens) {
                Some(over) => cell.tokens().take_back(Length::MINUTE, at, over),
                None => {
                    cell.tokens().add(Length::MINUTE, clock.steady, tokens - counted);
                }
            }
        }
        if used.is_some() {
            let budgets = &self.subject.rules.budgets;
            for (index, budget) in budgets.iter().enumerate() {
                let same = |other: &Budget| (other.unit, other.period) == (budget.unit, budget.period);
                if budgets.iter().take(index).any(same) {
                    // Two budgets of one unit and period share a ledger.
                    continue;
                }
                let amount = match budget.unit {
                    Unit::Nanodollars => nanodollars,
                    Unit::Tokens => tokens,
                };
                cell.spend(budget, budgets, clock, amount);
            }
        }
        was_present
    }
}

impl Grant {
    /// Whether any of it is set aside of a budget that is more than a warning.
    pub fn is_budgeted(&self) -> bool {
        self.taken.iter().any(|taken| taken.subject.is_budgeted())
    }

    /// Who holds it.
    pub fn owner(&self) -> Owner {
        self.owner
    }
}

/// Counts a request as present at its key.
pub fn enter(cell: &str, books: &mut Books<'_>) -> Result<(), Unwritable> {
    books.update(cell, |bytes, books| {
        let mut cell = Cell::decode(bytes, books.census);
        cell.hold(books.owner, |held| held.present = held.present.saturating_add(1));
        (Some(cell.into_bytes()), ())
    })
}

/// Counts it out again. `false`: it was not counted any more, because whoever counted it was taken for dead.
pub fn leave(cell: &str, owner: Owner, books: &mut Books<'_>) -> Result<bool, Unwritable> {
    books.update(cell, |bytes, books| {
        let mut cell = Cell::decode(bytes, books.census);
        let was_present = cell.hold(owner, step_out);
        (was_present.then(|| cell.into_bytes()), was_present)
    })
}

fn step_out(held: &mut Held) -> bool {
    let was_present = held.present > 0;
    held.present = held.present.saturating_sub(1);
    was_present
}

/// Counts out what the dead have left in a cell: how many of their requests were still counted as present there.
pub fn clear(cell: &str, books: &mut Books<'_>) -> Result<u64, Unwritable> {
    books.update(cell, |bytes, books| {
        let mut cell = Cell::decode(bytes, books.census);
        let present = cell.bury(books.census);
        ((present > 0).then(|| cell.into_bytes()), present)
    })
}

#[cfg(test)]
mod tests;
