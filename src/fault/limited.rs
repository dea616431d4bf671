//! A refusal by a limit, a budget or the loop guard: which, its value, and when to come back.
//!
//! In: what stands in the way, and whose it is, in words that the caller may read. Out: the message, the wait, the
//! headers. Which status and which body it becomes is the fault's business.

use crate::guard::{Finding, Sign};
use crate::limit::judge::{Measure, Obstacle, Wait};
use crate::limit::rule::{Period, Unit};
use crate::price::Nanodollars;

/// A refusal that another time or a smaller request would not meet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limited {
    /// Its name: `key.rpm`, `team.budget.day`, `loop_guard.tool_calls`.
    pub rule: String,
    /// What kind of refusal it is.
    pub kind: Kind,
    /// What the client is told.
    pub message: String,
    /// After how many seconds it gets in, at least 1. `None`: never, as it is.
    pub retry_after: Option<u64>,
    /// Headers besides.
    pub headers: Vec<(&'static str, String)>,
}

/// What kind of refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Too many requests.
    Requests,
    /// Too many tokens.
    Tokens,
    /// The budget is used up.
    Budget,
    /// The agent runs in a loop.
    Loop(Finding),
}

impl Limited {
    /// The refusal by an obstacle.
    pub fn new(whose: String, obstacle: Obstacle, headers: Vec<(&'static str, String)>) -> Self {
        let Obstacle { rule, most, wait } = obstacle;
        let kind = match rule.measure {
            Measure::Rpm | Measure::Parallel => Kind::Requests,
            Measure::Tpm => Kind::Tokens,
            Measure::Budget(..) => Kind::Budget,
        };
        let retry_after = match wait {
            Wait::Unknown => Some(1),
            Wait::Milliseconds(milliseconds) => Some(milliseconds.div_ceil(1_000).max(1)),
            Wait::Never => None,
        };
        let value = value(rule.measure, most);
        let message = match (kind, retry_after) {
            (Kind::Budget, None) => format!(
                "This request may use more than the whole budget of {whose}: {value}. Shorten it, or lower its longest answer."
            ),
            (_, None) => format!(
                "This request may use more than the rate limit of {whose} ever allows: {value}. Shorten it, or lower its longest \
                 answer."
            ),
            (Kind::Budget, Some(_)) if wait == Wait::Unknown => format!(
                "What is left of the budget of {whose} is set aside for requests under way: {value}. Try again in a moment."
            ),
            (Kind::Budget, Some(seconds)) => {
                format!(
                    "The budget of {whose} is used up: {value}. Try again in {}.",
                    spoken(seconds)
                )
            }
            (_, Some(seconds)) => format!(
                "Rate limit of {whose} reached: {value}. Try again in {}.",
                spoken(seconds)
            ),
        };
        Self {
            rule: rule.to_string(),
            kind,
            message,
            retry_after,
            headers,
        }
    }

    /// The refusal of a loop; `None` where the finding refuses nothing.
    pub fn by_guard(finding: Finding) -> Option<Self> {
        let (sign, wait) = (finding.sign()?, finding.refused_ms()?);
        let seconds = wait.div_ceil(1_000).max(1);
        let what = match sign {
            Sign::ToolCalls => "it calls the same tools with the same arguments again and again",
            Sign::Requests => "it sends the same request again and again",
            Sign::Velocity => "it spends far faster than it used to",
        };
        Some(Self {
            rule: format!("loop_guard.{}", sign.name()),
            kind: Kind::Loop(finding),
            message: format!(
                "This session looks like a runaway loop: {what}. Try again in {}.",
                spoken(seconds)
            ),
            retry_after: Some(seconds),
            headers: Vec::new(),
        })
    }
}

fn value(measure: Measure, most: u64) -> String {
    match measure {
        Measure::Rpm => format!("{most} requests per minute (RPM)"),
        Measure::Tpm => format!("{most} tokens per minute (TPM)"),
        Measure::Parallel => format!("{most} at once"),
        Measure::Budget(unit, period) => {
            let amount = match unit {
                Unit::Nanodollars => dollars(Nanodollars(most)),
                Unit::Tokens => format!("{most} tokens"),
            };
            match period {
                Period::Calendar { span, .. } => format!("{amount} per {}", span.name()),
                Period::Rolling { seconds } => format!("{amount} in any {}", spoken(seconds)),
            }
        }
    }
}

/// Dollars with cents, or with as many decimals as there are.
fn dollars(amount: Nanodollars) -> String {
    let text = amount.to_string();
    let trimmed = text.trim_end_matches('0');
    let decimals = trimmed.rsplit('.').next().map_or(0, str::len);
    match decimals {
        0..2 => text.get(..text.len().saturating_sub(7)).unwrap_or(&text).to_owned(),
        _ => trimmed.to_owned(),
    }
}

/// A time as people say it, of two units at most.
fn spoken(seconds: u64) -> String {
    let units = [(86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")];
    let mut rest = seconds;
    let mut said: Vec<String> = Vec::new();
    for (length, name) in units {
        if said.len() == 2 {
            break;
        }
        if rest >= length {
            said.push(format!("{} {name}", rest / length));
        } else if !said.is_empty() {
            break;
        }
        rest %= length;
    }
    match said.is_empty() {
        true => "0 s".to_owned(),
        false => said.join(" "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limit::judge::{RuleName, Scope};
    use crate::limit::rule::Span;

    fn told(measure: Measure, most: u64, wait: Wait) -> (String, Option<u64>) {
        let rule = RuleName {
            scope: Scope::Key,
            measure,
        };
        let limited = Limited::new("key 'agent'".to_owned(), Obstacle { rule, most, wait }, Vec::new());
        (limited.message, limited.retry_after)
    }

    #[test]
    fn a_refusal_says_which_limit_its_value_and_when_to_come_back() {
        let day = Measure::Budget(
            Unit::Nanodollars,
            Period::Calendar {
                span: Span::Day,
                offset: 0,
            },
        );
        let rolling = Measure::Budget(Unit::Tokens, Period::Rolling { seconds: 86_400 });
        for (measure, most, wait, message, retry_after) in [
            (
                Measure::Rpm,
                60,
                Wait::Milliseconds(11_001),
                "Rate limit of key 'agent' reached: 60 requests per minute (RPM). Try again in 12 s.",
                Some(12),
            ),
            (
                Measure::Parallel,
                4,
                Wait::Unknown,
                "Rate limit of key 'agent' reached: 4 at once. Try again in 1 s.",
                Some(1),
            ),
            (
                day,
                50_000_000_000,
                Wait::Milliseconds(11_520_000),
                "The budget of key 'agent' is used up: $50.00 per day. Try again in 3 h 12 min.",
                Some(11_520),
            ),
            (
                rolling,
                1_000,
                Wait::Unknown,
                "What is left of the budget of key 'agent' is set aside for requests under way: 1000 tokens in any 1 d. Try again \
                 in a moment.",
                Some(1),
            ),
            (
                Measure::Tpm,
                100,
                Wait::Never,
                "This request may use more than the rate limit of key 'agent' ever allows: 100 tokens per minute (TPM). Shorten \
                 it, or lower its longest answer.",
                None,
            ),
        ] {
            assert_eq!(told(measure, most, wait), (message.to_owned(), retry_after));
        }
    }

    #[test]
    fn dollars_have_cents_or_what_they_need() {
        for (amount, text) in [
            (50_000_000_000, "$50.00"),
            (500_000_000, "$0.50"),
            (1_234_500_000, "$1.2345"),
            (1, "$0.000000001"),
        ] {
            assert_eq!(dollars(Nanodollars(amount)), text);
        }
    }
}
