//! Why a provider gave no answer, in no dialect's words.
//!
//! In: nothing. Out: a [`Refusal`], which decides whether another provider is tried and what the client is told. It does
//! not know what a status or a body looks like; each dialect reads its own.

/// A provider's error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// What is wrong.
    pub cause: Cause,
    /// The provider's words, at most [`MESSAGE_LIMIT`] bytes. They are shown only where they concern the client's own
    /// request ([`Cause::is_the_clients`]).
    pub message: String,
}

/// The longest message that is kept, in bytes.
pub const MESSAGE_LIMIT: usize = 2048;

/// What is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The request itself.
    Invalid,
    /// It is longer than the model's context window.
    ContextExceeded,
    /// A content filter does not let it through.
    Filtered,
    /// The body is too large for the provider.
    TooLarge,
    /// There is no such model (or endpoint) there.
    NotFound,
    /// The provider does not know or trust our credential.
    Authentication,
    /// Our credential may not do this.
    Permission,
    /// Our account there has run out of money or quota; waiting a little does not help.
    Exhausted,
    /// Too many requests or tokens for our credential.
    RateLimited,
    /// The provider has more to do than it can.
    Overloaded,
    /// The provider took too long.
    Timeout,
    /// Anything else that is the provider's fault.
    Server,
}

impl Cause {
    /// Whether it is about the client's own request, so that no other provider of the same kind would answer it.
    pub fn is_the_clients(self) -> bool {
        matches!(
            self,
            Self::Invalid | Self::ContextExceeded | Self::Filtered | Self::TooLarge
        )
    }
}

impl Refusal {
    /// A refusal with the provider's words, cut to [`MESSAGE_LIMIT`].
    pub fn new(cause: Cause, message: &str) -> Self {
        let mut end = message.len().min(MESSAGE_LIMIT);
        while !message.is_char_boundary(end) {
            end -= 1;
        }
        Self {
            cause,
            message: message.get(..end).unwrap_or_default().to_owned(),
        }
    }
}
