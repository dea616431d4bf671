//! What the operator wrote of the loop guard, compiled.

/// The loop guard's thresholds.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Rules {
    /// The lower-case name of the request header that names the agent's session.
    pub session_header: Box<str>,
    /// How often in a row the same tool call, with the same arguments, or the same pair of calls taking turns.
    pub tool_calls: Steps,
    /// How often in a row the same request, byte for byte.
    pub requests: Steps,
    /// How many times the session's own past rate of spending.
    pub velocity: Steps,
    /// Below this rate, in nanodollars a minute, spending is never too fast.
    pub velocity_floor: u64,
    /// How long a block lasts, in milliseconds.
    pub block_ms: u64,
    /// Whether it is only computed and counted, and refuses nothing.
    pub shadow: bool,
}

/// From which number on each step is taken; `None`: never.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Steps {
    /// Say so, in a header and a metric.
    pub warn: Option<u32>,
    /// Refuse for a while, longer each time.
    pub slow: Option<u32>,
    /// Refuse for the whole of the block.
    pub block: Option<u32>,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            session_header: "x-session-id".into(),
            tool_calls: Steps {
                warn: Some(5),
                slow: Some(8),
                block: Some(12),
            },
            requests: Steps {
                warn: Some(6),
                slow: Some(10),
                block: Some(20),
            },
            velocity: Steps {
                warn: Some(5),
                slow: Some(10),
                block: Some(20),
            },
            velocity_floor: 500_000_000,
            block_ms: 600_000,
            shadow: false,
        }
    }
}
