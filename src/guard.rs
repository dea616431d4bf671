//! The runaway-loop guard: an agent that goes round in circles is told, slowed and stopped before it has spent much.
//!
//! In: what a request shows of its conversation ([`conversation`]), the bytes a shared store holds of its session, the
//! operator's [`rule`]s and the time. Out: the new bytes and a [`Finding`]. It knows no headers, no host and no other
//! limits; whoever calls it keeps the bytes, by compare-and-swap, and refuses what is to be refused. It keeps no text:
//! names, arguments, messages and sessions are hashes from the moment they are read.
//!
//! # What is recognised
//!
//! - **Tool calls**: the same tools with the same arguments, turn after turn, or two or three turns taking turns
//!   (A-B-A-B, A-B-C-A-B-C). How the arguments are spelled does not matter (order of members, white space, escapes), nor
//!   what the assistant says between them. A turn is all that one answer calls, so that several calls at once are no loop.
//! - **Requests**: the same body, byte for byte, one answer after the other. Only what was answered counts: a request
//!   that failed may be tried again for as long as its client likes.
//! - **Velocity**: spending that is many times the session's own past, a minute.
//!
//! # What is let through
//!
//! A turn is counted once, however often the conversation is sent again. A turn that differs ends a loop, and so does a
//! message of the user's that differs from the last; where the history starts behind it, the guard goes by the calls
//! alone. What has not been used for a while ([`session::FORGOTTEN_AFTER_MS`]) starts anew: a slow loop costs little.
//! The tool named `computer` may repeat itself: the same click or key again is how one turns pages.
//!
//! # What cannot be seen
//!
//! A conversation that the provider keeps (`previous_response_id`) shows results of calls, not the calls; there the other
//! two signs remain. Conversations side by side in one session hide each other's loops, and two that do the same may look
//! like one: clients that share a key should name their sessions.
//!
//! # Steps
//!
//! Each sign has three thresholds. *Warn* lets the request through. *Slow* refuses it for a wait that doubles with every
//! further repetition (2 s to 60 s); the same request after that wait gets in. *Block* refuses all of the session's
//! requests for a time, after which it starts again as if warned. A refused request never counts. An operator lifts
//! waits and blocks of a session or of a whole key with [`table::Release`].
//!
//! # Reading order
//!
//! [`conversation`] (on [`canonical`] and [`crate::hash`]), [`session`] (with `velocity`), [`table`].

pub mod canonical;
pub mod conversation;
pub mod rule;
pub mod session;
pub mod table;

mod bytes;
mod velocity;

/// What gives a loop away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Sign {
    /// The same tool calls with the same arguments.
    ToolCalls,
    /// The same request.
    Requests,
    /// Spending far above the session's own past.
    Velocity,
}

impl Sign {
    /// Its name in headers and metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::ToolCalls => "tool_calls",
            Self::Requests => "requests",
            Self::Velocity => "velocity",
        }
    }
}

/// What the guard says to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "a finding is acted upon"]
pub enum Finding {
    /// Nothing.
    Pass,
    /// It may pass, and its client should know.
    Warn {
        /// What gives the loop away.
        sign: Sign,
    },
    /// It is too soon.
    Slow {
        /// What gives the loop away.
        sign: Sign,
        /// After how many milliseconds the same request gets in; at least 1.
        wait_ms: u64,
    },
    /// Its session is blocked.
    Block {
        /// What gave the loop away.
        sign: Sign,
        /// After how many milliseconds the block is over; at least 1.
        wait_ms: u64,
    },
}

impl Finding {
    /// The name of the step in headers and metrics; `None` when there is nothing to say.
    pub fn step(self) -> Option<&'static str> {
        match self {
            Self::Pass => None,
            Self::Warn { .. } => Some("warn"),
            Self::Slow { .. } => Some("slow"),
            Self::Block { .. } => Some("block"),
        }
    }

    /// What gave the loop away.
    pub fn sign(self) -> Option<Sign> {
        match self {
            Self::Pass => None,
            Self::Warn { sign } | Self::Slow { sign, .. } | Self::Block { sign, .. } => Some(sign),
        }
    }

    /// How long the request is refused for, in milliseconds; `None` when it may pass.
    pub fn refused_ms(self) -> Option<u64> {
        match self {
            Self::Pass | Self::Warn { .. } => None,
            Self::Slow { wait_ms, .. } | Self::Block { wait_ms, .. } => Some(wait_ms),
        }
    }

    /// How grave it is; between two of the same step, the longer wait.
    fn gravity(self) -> (u8, u64) {
        match self {
            Self::Pass => (0, 0),
            Self::Warn { .. } => (1, 0),
            Self::Slow { wait_ms, .. } => (2, wait_ms),
            Self::Block { wait_ms, .. } => (3, wait_ms),
        }
    }
}

/// How long to wait after having been told to `before` times: 2 s, 4 s, 8 s … 60 s.
fn growing_wait_ms(before: u32) -> u64 {
    (2_000 << before.min(5)).min(60_000)
}

#[cfg(test)]
mod tests;
