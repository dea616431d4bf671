//! Whether a request moves on from a provider, why, and where to.
//!
//! In: what an answer means ([`Refusal`](crate::conversation::Refusal), a status), the order of providers and what has been
//! tried. Out: a [`Reason`], and the next leg. Nothing moves on because of the client's own errors, except to a target that can take what this one
//! cannot: a larger context window, or where the operator says so another content filter.

use super::Now;
use super::sent::Sent;
use crate::conversation::Cause;
use crate::route::Leg;
use crate::world::Failover;

/// Why a request moves on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// No connection came about, TLS included, or it broke before the head of an answer: the host tells of no difference.
    Connect,
    /// The connection broke between the head of the answer and the first of what was asked for.
    Interrupted,
    /// Nothing came in time.
    Timeout,
    /// 429.
    RateLimited,
    /// The account there has nothing left.
    Exhausted,
    /// 408 or 5xx.
    ServerError,
    /// A success that holds an error.
    ErrorInAnswer,
    /// An answer that is none.
    Garbled,
    /// The request is longer than that model's context window.
    ContextWindow,
    /// A content filter stopped it.
    ContentFilter,
    /// The gateway's own credential was refused.
    Credential,
    /// The provider does not know the model.
    NotFound,
}

impl Reason {
    /// Every reason.
    pub const ALL: [Self; 12] = [
        Self::Connect,
        Self::Interrupted,
        Self::Timeout,
        Self::RateLimited,
        Self::Exhausted,
        Self::ServerError,
        Self::ErrorInAnswer,
        Self::Garbled,
        Self::ContextWindow,
        Self::ContentFilter,
        Self::Credential,
        Self::NotFound,
    ];

    /// The value of the label `reason`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Interrupted => "interrupted",
            Self::Timeout => "timeout",
            Self::RateLimited => "rate_limited",
            Self::Exhausted => "exhausted",
            Self::ServerError => "server_error",
            Self::ErrorInAnswer => "error_in_answer",
            Self::Garbled => "garbled",
            Self::ContextWindow => "context_window",
            Self::ContentFilter => "content_filter",
            Self::Credential => "credential",
            Self::NotFound => "not_found",
        }
    }

    /// How an attempt ended that is given up for this reason: a label.
    pub(super) fn outcome(self) -> &'static str {
        match self {
            Self::Connect | Self::Interrupted => "provider_unreachable",
            Self::Timeout => "provider_timeout",
            Self::RateLimited => "provider_rate_limited",
            Self::Exhausted => "provider_exhausted",
            Self::ServerError | Self::ErrorInAnswer | Self::Garbled | Self::NotFound => "provider_error",
            Self::ContextWindow => "context_window_exceeded",
            Self::ContentFilter => "content_filtered",
            Self::Credential => "provider_credential",
        }
    }

    /// Why a status alone is reason enough.
    pub(super) fn of_status(status: u16) -> Option<Self> {
        match status {
            401 | 403 => Some(Self::Credential),
            402 => Some(Self::Exhausted),
            408 => Some(Self::ServerError),
            429 => Some(Self::RateLimited),
            500.. => Some(Self::ServerError),
            _ => None,
        }
    }

    /// Why a cause is, where it is. `in_success`: the answer's status was one of success.
    fn of_cause(cause: Cause, in_success: bool, failover: &Failover) -> Option<Self> {
        match cause {
            Cause::Invalid | Cause::TooLarge => None,
            Cause::ContextExceeded => Some(Self::ContextWindow),
            Cause::Filtered => failover.content_filter.then_some(Self::ContentFilter),
            Cause::NotFound => Some(Self::NotFound),
            Cause::Authentication | Cause::Permission => Some(Self::Credential),
            Cause::Exhausted => Some(Self::Exhausted),
            Cause::RateLimited => Some(Self::RateLimited),
            Cause::Overloaded | Cause::Timeout | Cause::Server if in_success => Some(Self::ErrorInAnswer),
            Cause::Overloaded | Cause::Timeout | Cause::Server => Some(Self::ServerError),
        }
    }

    /// Whether another credential at the same provider may do better.
    fn is_of_the_credential(self) -> bool {
        matches!(self, Self::RateLimited | Self::Exhausted | Self::Credential)
    }
}

impl Sent {
    /// Whether, and why, the latest attempt is to be given up for another because of what its answer means, and which.
    pub(super) fn move_on(&self, cause: Cause, in_success: bool, now: Now) -> Option<(Reason, usize)> {
        let reason = Reason::of_cause(cause, in_success, self.failover())?;
        self.next_for(reason, now).map(|next| (reason, next))
    }

    /// The leg that follows the latest attempt where it is given up for this reason. `None`: nothing is left to try, or no
    /// time to.
    pub(super) fn next_for(&self, reason: Reason, now: Now) -> Option<usize> {
        let failover = self.failover();
        let latest = self.attempts.last()?;
        let spent = now.since(self.arrival.since);
        if self.past_router || self.attempts.len() >= self.most_attempts() || spent >= nanoseconds(failover.total) {
            return None;
        }
        let mut left = self.untried().filter(|(_, leg)| self.can_say(leg));
        match reason {
            Reason::ContextWindow => {
                let context = self.target(&latest.leg).and_then(|target| target.context);
                left.find(
                    |(_, leg)| match (self.target(leg).and_then(|target| target.context), context) {
                        (Some(theirs), Some(ours)) => theirs > ours,
                        (Some(_), None) => true,
                        (None, _) => false,
                    },
                )
            }
            reason if reason.is_of_the_credential() => left.next(),
            // Another credential at the same place does not help.
            _ => left.find(|(_, leg)| leg.provider != latest.leg.provider),
        }
        .map(|(index, _)| index)
    }

    /// Where the attempt after the latest goes if that one never gets an answer: elsewhere, or else once more the same way.
    pub(super) fn next_unanswered(&self) -> Option<usize> {
        let latest = self.attempts.last()?;
        let elsewhere = self.untried().find(|(_, leg)| leg.provider != latest.leg.provider);
        elsewhere.map(|(index, _)| index)
    }

    /// The legs that no attempt has gone to, with their places in the order.
    fn untried(&self) -> impl Iterator<Item = (usize, &Leg)> {
        self.legs
            .iter()
            .enumerate()
            .filter(|(index, _)| self.is_untried(*index))
    }

    /// Whether no attempt has gone to the leg at this place of the order.
    pub(super) fn is_untried(&self, index: usize) -> bool {
        self.attempts.iter().all(|attempt| attempt.index != index)
    }

    /// How many attempts there are at most.
    pub(super) fn most_attempts(&self) -> usize {
        self.legs.len().min(self.failover().attempts)
    }

    /// The rules of moving on.
    pub(super) fn failover(&self) -> &Failover {
        let world = &self.arrival.world;
        self.model
            .and_then(|id| world.model(id))
            .map_or(&world.failover, |model| &model.failover)
    }
}

/// A length of time in nanoseconds.
pub(super) fn nanoseconds(time: std::time::Duration) -> u64 {
    time.as_nanos().try_into().unwrap_or(u64::MAX)
}
