//! What is left of an exchange once it is over.

use crate::headers::Headers;

/// How an exchange ended, from the client's side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The response came to its end.
    Complete,
    /// The connection broke before it did.
    Reset,
    /// The client hung up.
    HungUp,
    /// Nothing more would ever have happened: a filter holds everything, or the provider is silent.
    Hung,
    /// The module trapped.
    Trapped,
}

/// One attempt, as the provider saw it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// The cluster it went to; in the shape without held headers, the host.
    pub cluster: String,
    /// The request headers that were sent. None if they never left the gateway.
    pub headers: Option<Headers>,
    /// The request body.
    pub body: Vec<u8>,
    /// Whether the whole request was sent.
    pub ended: bool,
}

/// What is left of an exchange once it is over.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// How it ended.
    pub end: End,
    /// What the client received; 0 if no headers were.
    pub status: u16,
    /// The headers the client received.
    pub headers: Headers,
    /// The body the client received, whole or not.
    pub body: Vec<u8>,
    /// Every attempt, in order.
    pub attempts: Vec<Attempt>,
    /// Network events until the end: chunks that arrived, answers, breaks. A client can hang up before each.
    pub events: usize,
}

impl Outcome {
    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON; fails the test if it is not.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    /// The only attempt; fails the test if there were more or none.
    pub fn attempt(&self) -> &Attempt {
        match self.attempts.as_slice() {
            [attempt] => attempt,
            attempts => panic!("one attempt expected, not {attempts:#?}"),
        }
    }
}
