//! The members of a request that decide what it costs or where it goes.

/// What a member is to us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Member {
    /// `model`
    Model,
    /// `stream`
    Stream,
    /// `stream_options`
    StreamOptions,
    /// A limit of output tokens, by its name.
    Most(&'static str),
    /// A number of answers to one prompt, by its name.
    Choices(&'static str),
    /// Input as text, possibly in messages.
    Text,
    /// Input as text or as token numbers.
    Tokens,
    /// Input as descriptions of tools, whose member names are input too.
    Schema,
    /// `background`
    Background,
    /// `service_tier`
    ServiceTier,
    /// `speed`
    Speed,
    /// Says that audio is wanted.
    Audio,
    /// `cache_control`
    Caches,
    /// Not read, but two readers must not see two values.
    Guarded,
}

/// Every member of interest, by name.
fn known(name: &[u8]) -> Option<(u32, &'static str, Member)> {
    Some(match name {
        b"model" => (0, "model", Member::Model),
        b"stream" => (1, "stream", Member::Stream),
        b"stream_options" => (2, "stream_options", Member::StreamOptions),
        b"max_tokens" => (3, "max_tokens", Member::Most("max_tokens")),
        b"max_completion_tokens" => (4, "max_completion_tokens", Member::Most("max_completion_tokens")),
        b"max_output_tokens" => (5, "max_output_tokens", Member::Most("max_output_tokens")),
        b"n" => (6, "n", Member::Choices("n")),
        b"best_of" => (7, "best_of", Member::Choices("best_of")),
        b"messages" => (8, "messages", Member::Text),
        b"system" => (9, "system", Member::Text),
        b"instructions" => (10, "instructions", Member::Text),
        b"input" => (11, "input", Member::Tokens),
        b"prompt" => (12, "prompt", Member::Tokens),
        b"tools" => (13, "tools", Member::Schema),
        b"functions" => (14, "functions", Member::Schema),
        b"response_format" => (15, "response_format", Member::Schema),
        b"text" => (16, "text", Member::Schema),
        b"documents" => (17, "documents", Member::Text),
        b"query" => (18, "query", Member::Text),
        b"service_tier" => (19, "service_tier", Member::ServiceTier),
        b"models" => (20, "models", Member::Guarded),
        b"metadata" => (21, "metadata", Member::Guarded),
        b"background" => (22, "background", Member::Background),
        b"audio" => (23, "audio", Member::Audio),
        b"speed" => (24, "speed", Member::Speed),
        b"cache_control" => (25, "cache_control", Member::Caches),
        _ => return None,
    })
}

impl Member {
    pub(super) fn named(name: &[u8]) -> Option<Self> {
        known(name).map(|(_, _, member)| member)
    }
}

/// Which members have been seen.
#[derive(Debug, Default)]
pub(super) struct Seen(u32);

impl Seen {
    /// Notes a member. Its name, when it was there before.
    pub(super) fn again(&mut self, member: &[u8]) -> Option<&'static str> {
        let (bit, name, _) = known(member)?;
        let before = self.0;
        self.0 |= 1 << bit;
        (before & (1 << bit) != 0).then_some(name)
    }
}

/// The name that differs from this one only in case, of a member that decides something. Some servers (Go's `encoding/json`,
/// for one) read `Model` as `model`, and the last of the two; nobody writes it so who does not want to be misread.
pub(super) fn in_another_case(name: &[u8]) -> Option<&'static str> {
    const LONGEST: usize = "max_completion_tokens".len();
    if name.len() > LONGEST || !name.iter().any(u8::is_ascii_uppercase) {
        return None;
    }
    known(&name.to_ascii_lowercase()).map(|(_, name, _)| name)
}
