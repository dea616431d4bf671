//! How all subjects stand, as gauges: a round through everything that has rules, a piece at a time.
//!
//! In: the world, the books, and where the last piece ended. Out: observations of gauges. Only what was ever used is shown:
//! a subject without a cell has nothing to tell, and Envoy never forgets a series. It knows no host.

use super::admit;
use super::cell::Cell;
use super::judge::{Measure, Scope};
use super::rule::{Rules, Unit};
use super::standing::{Standing, standings};
use super::store::{Books, Unwritable};
use crate::metrics::{self, Metric, NONE};
use crate::pipeline::subjects;
use crate::world::{Key, World};

/// Where gauges go.
pub trait Show {
    /// Sets a gauge.
    fn set(&mut self, metric: &'static Metric, labels: &[&str], value: u64);

    /// A gauge that counts up and down goes down by so many.
    fn down(&mut self, metric: &'static Metric, labels: &[&str], by: u64);
}

/// A round through all subjects.
#[derive(Clone, Copy, Debug, Default)]
pub struct Round {
    /// The next of the keys.
    next: usize,
    nanodollars: u64,
    tokens: u64,
}

/// How a subject is labelled: key, team, model, provider.
type Names<'a> = [&'a str; 4];

impl Round {
    /// Goes on for so many keys. Whether the round is over.
    pub fn go_on(
        &mut self,
        world: &World,
        books: &mut Books<'_>,
        most: usize,
        show: &mut impl Show,
    ) -> Result<bool, Unwritable> {
        if self.next == 0 {
            *self = Self::default();
            others(world, books, show);
        }
        let keys = world.keys.iter().skip(self.next).take(most);
        let mut seen = 0;
        for key in keys {
            seen += 1;
            self.key(world, key, books, show)?;
        }
        self.next += seen;
        let over = self.next >= world.keys.len();
        if over {
            show.set(&metrics::SET_ASIDE, &[], self.nanodollars);
            show.set(&metrics::SET_ASIDE_TOKENS, &[], self.tokens);
            self.next = 0;
        }
        Ok(over)
    }

    fn key(&mut self, world: &World, key: &Key, books: &mut Books<'_>, show: &mut impl Show) -> Result<(), Unwritable> {
        let name = subjects::key_cell(key);
        let Some((bytes, _)) = books.store.read(&name) else {
            return Ok(());
        };
        let team = key.team.and_then(|id| world.team(id)).map_or(NONE, |team| &*team.name);
        let mut cell = Cell::decode(bytes, books.census);
        if cell.bury(books.census) > 0 {
            let present = admit::clear(&name, books)?;
            show.down(&metrics::IN_FLIGHT, &[&key.name, team], present);
        }
        let held = cell.set_aside();
        self.nanodollars = self.nanodollars.saturating_add(held.nanodollars);
        self.tokens = self.tokens.saturating_add(held.tokens);
        if let Some(rules) = &key.rules {
            let all = standings(Scope::Key, &mut cell, rules, books.clock);
            subject([&key.name, team, NONE, NONE], &all, books, show);
        }
        for (id, rules) in key.per_model.iter() {
            if let Some(model) = world.model(*id) {
                let cell = subjects::key_model_cell(key, model);
                one(
                    [&key.name, team, &model.name, NONE],
                    Scope::KeyModel,
                    &cell,
                    rules,
                    books,
                    show,
                );
            }
        }
        Ok(())
    }
}

/// Everything that is no key.
fn others(world: &World, books: &mut Books<'_>, show: &mut impl Show) {
    if let Some(rules) = &world.all {
        one([NONE; 4], Scope::All, subjects::ALL, rules, books, show);
    }
    for team in &world.teams {
        if let Some(rules) = &team.rules {
            let cell = subjects::team_cell(&team.name);
            one([NONE, &team.name, NONE, NONE], Scope::Team, &cell, rules, books, show);
        }
    }
    for model in &world.models {
        if let Some(rules) = &model.rules {
            let cell = subjects::model_cell(model);
            one([NONE, NONE, &model.name, NONE], Scope::Model, &cell, rules, books, show);
        }
    }
    for provider in &world.providers {
        if let Some(rules) = &provider.rules {
            let cell = subjects::provider_cell(&provider.name);
            one(
                [NONE, NONE, NONE, &provider.name],
                Scope::Provider,
                &cell,
                rules,
                books,
                show,
            );
        }
    }
}

fn one(names: Names<'_>, scope: Scope, cell: &str, rules: &Rules, books: &mut Books<'_>, show: &mut impl Show) {
    if let Some((bytes, _)) = books.store.read(cell) {
        let mut cell = Cell::decode(bytes, books.census);
        let all = standings(scope, &mut cell, rules, books.clock);
        subject(names, &all, books, show);
    }
}

fn subject(names: Names<'_>, all: &[Standing], books: &Books<'_>, show: &mut impl Show) {
    let [key, team, model, provider] = names;
    for standing in all {
        let scope = standing.rule.scope.name();
        let (unit, period) = match standing.rule.measure {
            Measure::Budget(unit, period) => (unit, period.name()),
            rate => {
                let limit = match rate {
                    Measure::Rpm => "rpm",
                    Measure::Tpm => "tpm",
                    Measure::Parallel | Measure::Budget(..) => "parallel",
                };
                let labels = [scope, key, team, model, provider, limit];
                show.set(&metrics::LIMIT, &labels, standing.most);
                show.set(&metrics::LIMIT_REMAINING, &labels, standing.remaining());
                continue;
            }
        };
        // A budget on trial stands beside the one in force, and is another series.
        let then = match standing.shadow {
            true => [standing.then.name(), "_shadow"].concat(),
            false => standing.then.name().to_owned(),
        };
        let labels = [scope, key, team, model, provider, &period, &then];
        let [limit, spent, remaining, aside] = budget_gauges(unit);
        show.set(limit, &labels, standing.most);
        show.set(spent, &labels, standing.used);
        show.set(remaining, &labels, standing.remaining());
        show.set(aside, &labels, standing.set_aside);
        let reset = standing
            .resets_at(books.clock)
            .map_or(0, |at| u64::try_from(at.0).unwrap_or(0));
        show.set(&metrics::BUDGET_RESET, &labels, reset);
    }
}

/// A budget's gauges: its amount, what is spent, what remains, what is set aside.
fn budget_gauges(unit: Unit) -> [&'static Metric; 4] {
    match unit {
        Unit::Nanodollars => [
            &metrics::BUDGET,
            &metrics::BUDGET_SPENT,
            &metrics::BUDGET_REMAINING,
            &metrics::BUDGET_SET_ASIDE,
        ],
        Unit::Tokens => [
            &metrics::TOKEN_BUDGET,
            &metrics::TOKEN_BUDGET_SPENT,
            &metrics::TOKEN_BUDGET_REMAINING,
            &metrics::TOKEN_BUDGET_SET_ASIDE,
        ],
    }
}

/// Whether a series belongs to a subject, by its name as the host keeps it: once the subject is gone, it has to read 0.
pub fn is_of_a_subject(series: &str) -> bool {
    let family = series.split('.').next().unwrap_or_default();
    let families = [&metrics::LIMIT, &metrics::LIMIT_REMAINING, &metrics::BUDGET_RESET];
    let budgets = [Unit::Nanodollars, Unit::Tokens].map(budget_gauges);
    let all = families.into_iter().chain(budgets.into_iter().flatten());
    all.into_iter().any(|metric| metric.name == family)
}
