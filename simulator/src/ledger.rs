//! What the provider would bill.
//!
//! In: one [`Bill`] for each reply it starts, with what was generated and what usage has been sent so far. Out: the
//! JSON of `GET /ledger`. Every bill is settled exactly once, when it is dropped: wherever the reply ended.
//!
//! | how a reply ended | bucket |
//! |---|---|
//! | its final usage was sent | `settled` |
//! | it was complete, but carries no usage | `unreported` |
//! | cut by a fault or by the client before its final usage | `interrupted`: `generated` is billed, `reported` is the price of the last usage that was sent |
//! | an error | `errors`, costs nothing |

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;

use crate::prices::{Model, Tokens};

/// Distinct paths counted by name; the rest is counted together.
const PATHS: usize = 500;

/// The provider's books. Cheap to share; all methods are safe to call from any thread.
#[derive(Debug, Default)]
pub struct Ledger(Mutex<Books>);

#[derive(Debug, Default, Serialize)]
struct Books {
    requests: u64,
    paths: BTreeMap<String, u64>,
    attempts: BTreeMap<String, u64>,
    errors_by_status: BTreeMap<u16, u64>,
    /// By credential: how many requests were answered with which status, and how many not at all, and why.
    answers: BTreeMap<String, BTreeMap<String, u64>>,
    leaked_virtual_keys: u64,
    in_flight: u64,
    credentials: BTreeMap<String, BTreeMap<String, Account>>,
}

/// What one credential used of one model (or the sum over all).
#[derive(Clone, Debug, Default, Serialize)]
struct Account {
    settled: Sum,
    unreported: Sum,
    interrupted: Interrupted,
    errors: u64,
    unpriced_requests: u64,
    billed_nanodollars: u64,
}

#[derive(Clone, Debug, Default, Serialize)]
struct Interrupted {
    requests: u64,
    generated: Sum,
    reported: Sum,
}

#[derive(Clone, Debug, Default, Serialize)]
struct Sum {
    requests: u64,
    tokens: Tokens,
    nanodollars: u64,
}

impl Sum {
    fn add(&mut self, tokens: Tokens, nanodollars: u64) {
        self.requests += 1;
        self.tokens += tokens;
        self.nanodollars += nanodollars;
    }

    fn merge(&mut self, other: &Self) {
        self.requests += other.requests;
        self.tokens += other.tokens;
        self.nanodollars += other.nanodollars;
    }
}

impl Account {
    fn merge(&mut self, other: &Self) {
        self.settled.merge(&other.settled);
        self.unreported.merge(&other.unreported);
        self.interrupted.requests += other.interrupted.requests;
        self.interrupted.generated.merge(&other.interrupted.generated);
        self.interrupted.reported.merge(&other.interrupted.reported);
        self.errors += other.errors;
        self.unpriced_requests += other.unpriced_requests;
        self.billed_nanodollars += other.billed_nanodollars;
    }
}

impl Ledger {
    /// Counts a request as it arrives, before anything is known of it but its path and credential.
    pub fn arrived(&self, path: &str, credential: &str, leaks: bool) {
        let mut books = self.books();
        books.requests += 1;
        books.leaked_virtual_keys += u64::from(leaks);
        let known = books.paths.len() < PATHS || books.paths.contains_key(path);
        count(&mut books.paths, if known { path } else { "other" });
        count(&mut books.attempts, credential);
    }

    /// Counts a body that carried a virtual key; headers are counted by [`Ledger::arrived`].
    pub fn leaked(&self) {
        self.books().leaked_virtual_keys += 1;
    }

    /// Counts an error reply. `model` is what the request asked for, if it is one the provider knows.
    pub fn error(&self, credential: &str, model: Option<&str>, status: u16) {
        self.answered(credential, &status.to_string());
        self.failed(credential, model, status);
    }

    /// Counts an error of this status that is told in a reply of status 200.
    pub fn failed(&self, credential: &str, model: Option<&str>, status: u16) {
        let mut books = self.books();
        *books.errors_by_status.entry(status).or_default() += 1;
        books.account(credential, model.unwrap_or("none")).errors += 1;
    }

    /// Counts how a request was answered that is neither an error nor billed: `200`, or why it was not: `hang`, `reset`,
    /// `drop`.
    pub fn answered(&self, credential: &str, how: &str) {
        self.books().answered(credential, how);
    }

    /// Starts the bill of one reply. It is settled when dropped.
    pub fn open(self: &Arc<Self>, credential: &str, model: Charged, full: Tokens) -> Bill {
        let mut books = self.books();
        books.in_flight += 1;
        books.answered(credential, "200");
        drop(books);
        Bill {
            ledger: Arc::clone(self),
            credential: credential.to_owned(),
            model,
            full,
            produced: Produced::Prompt,
            reported: None,
            ended: Ended::Interrupted,
        }
    }

    /// The books as `GET /ledger` shows them.
    pub fn report(&self) -> serde_json::Value {
        let books = self.books();
        let mut totals = Account::default();
        for account in books.credentials.values().flat_map(BTreeMap::values) {
            totals.merge(account);
        }
        let mut report = serde_json::to_value(&*books).unwrap_or_default();
        if let Some(object) = report.as_object_mut() {
            object.insert("totals".into(), serde_json::to_value(&totals).unwrap_or_default());
        }
        report
    }

    /// Forgets everything but the replies still in flight, which will be billed when they end.
    pub fn reset(&self) {
        let mut books = self.books();
        *books = Books {
            in_flight: books.in_flight,
            ..Books::default()
        };
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Books {
    fn answered(&mut self, credential: &str, how: &str) {
        count(self.answers.entry(credential.to_owned()).or_default(), how);
    }

    fn account(&mut self, credential: &str, model: &str) -> &mut Account {
        self.credentials
            .entry(credential.to_owned())
            .or_default()
            .entry(model.to_owned())
            .or_default()
    }
}

fn count(table: &mut BTreeMap<String, u64>, name: &str) {
    match table.get_mut(name) {
        Some(n) => *n += 1,
        None => drop(table.insert(name.to_owned(), 1)),
    }
}

/// What a reply is charged by: the model as the price sheet calls it, its price and the service tier of the reply.
#[derive(Clone, Debug)]
pub struct Charged {
    /// The model's name in the price sheet.
    pub name: String,
    /// Its price.
    pub price: Arc<Model>,
    /// The service tier the reply reports.
    pub service_tier: Option<String>,
}

impl Charged {
    fn nanodollars(&self, tokens: &Tokens) -> Option<u64> {
        self.price.nanodollars(tokens, self.service_tier.as_deref())
    }
}

/// How far the answer has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Produced {
    /// The prompt was read, nothing else.
    Prompt,
    /// All reasoning and this many tokens of the visible answer were made.
    Answer(u64),
    /// Everything was made.
    Everything,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ended {
    Settled,
    Unreported,
    Interrupted,
    Free,
}

/// The open bill of one reply; settles itself when dropped, as interrupted unless told otherwise.
#[derive(Debug)]
pub struct Bill {
    ledger: Arc<Ledger>,
    credential: String,
    model: Charged,
    full: Tokens,
    produced: Produced,
    reported: Option<Tokens>,
    ended: Ended,
}

impl Bill {
    /// The provider made this much of the answer.
    pub fn produced(&mut self, produced: Produced) {
        self.produced = produced;
    }

    /// A usage that is not final was sent.
    pub fn reported(&mut self, tokens: Tokens) {
        self.reported = Some(tokens);
    }

    /// The final usage was sent: the client can know the whole bill, whatever happens to the rest of the reply.
    pub fn settle(&mut self) {
        self.ended = Ended::Settled;
    }

    /// The reply ended as it should; if no final usage was sent with it, none will be.
    pub fn complete(&mut self) {
        if self.ended == Ended::Interrupted {
            self.ended = Ended::Unreported;
        }
    }

    /// The reply is an error: it costs nothing.
    pub fn waive(&mut self) {
        self.ended = Ended::Free;
    }

    fn generated(&self) -> Tokens {
        match self.produced {
            Produced::Prompt => Tokens {
                output: 0,
                reasoning: 0,
                output_audio: 0,
                ..self.full
            },
            Produced::Answer(n) => Tokens {
                output: n.min(self.full.output),
                output_audio: 0,
                ..self.full
            },
            Produced::Everything => self.full,
        }
    }
}

impl Drop for Bill {
    fn drop(&mut self) {
        let mut books = self.ledger.books();
        books.in_flight = books.in_flight.saturating_sub(1);
        let account = books.account(&self.credential, &self.model.name);
        let (sum, tokens) = match self.ended {
            Ended::Free => return,
            Ended::Settled => (&mut account.settled, self.full),
            Ended::Unreported => (&mut account.unreported, self.full),
            Ended::Interrupted => {
                account.interrupted.requests += 1;
                if let Some(tokens) = self.reported {
                    account
                        .interrupted
                        .reported
                        .add(tokens, self.model.nanodollars(&tokens).unwrap_or(0));
                }
                (&mut account.interrupted.generated, self.generated())
            }
        };
        let cost = self.model.nanodollars(&tokens);
        sum.add(tokens, cost.unwrap_or(0));
        account.unpriced_requests += u64::from(cost.is_none());
        account.billed_nanodollars += cost.unwrap_or(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prices::PriceSheet;

    fn charged(name: &str) -> Charged {
        let sheet = PriceSheet::bundled().unwrap();
        let price = Arc::new(sheet.model(name).unwrap().1.clone());
        Charged {
            name: name.to_owned(),
            price,
            service_tier: None,
        }
    }

    fn full() -> Tokens {
        Tokens {
            input: 100,
            cached_input: 40,
            output: 30,
            reasoning: 10,
            ..Tokens::default()
        }
    }

    #[test]
    fn a_reply_is_in_exactly_one_bucket() {
        let ledger = Arc::new(Ledger::default());
        // 100 × 2,500 + 40 × 1,250 + 40 × 10,000 nanodollars
        let whole = 250_000 + 50_000 + 400_000;

        let mut settled = ledger.open("a", charged("gpt-4o"), full());
        settled.settle();
        settled.complete();
        drop(settled);
        let mut unreported = ledger.open("a", charged("gpt-4o"), full());
        unreported.complete();
        drop(unreported);
        let mut cut = ledger.open("a", charged("gpt-4o"), full());
        cut.produced(Produced::Answer(5));
        cut.reported(Tokens {
            input: 100,
            output: 1,
            ..Tokens::default()
        });
        drop(cut);
        let mut free = ledger.open("a", charged("gpt-4o"), full());
        free.waive();
        drop(free);
        drop(ledger.open("b", charged("gpt-4o"), full()));

        let report = ledger.report();
        let a = &report["credentials"]["a"]["gpt-4o"];
        assert_eq!(a["settled"]["nanodollars"], whole);
        assert_eq!(a["unreported"]["nanodollars"], whole);
        assert_eq!(a["interrupted"]["generated"]["nanodollars"], 250_000 + 50_000 + 150_000);
        assert_eq!(a["interrupted"]["reported"]["nanodollars"], 250_000 + 10_000);
        assert_eq!(
            report["credentials"]["b"]["gpt-4o"]["interrupted"]["generated"]["nanodollars"],
            300_000
        );
        assert_eq!(report["totals"]["billed_nanodollars"], 2 * whole + 450_000 + 300_000);
        assert_eq!(report["in_flight"], 0);
    }

    #[test]
    fn a_reset_keeps_what_is_in_flight() {
        let ledger = Arc::new(Ledger::default());
        ledger.arrived("/v1/models", "a", true);
        let mut bill = ledger.open("a", charged("gpt-4o"), full());
        ledger.reset();
        assert_eq!(ledger.report()["requests"], 0);
        assert_eq!(ledger.report()["in_flight"], 1);
        bill.settle();
        drop(bill);
        assert_eq!(ledger.report()["totals"]["settled"]["requests"], 1);
    }
}
