//! What a request asks, read from its body without building a tree of it.
//!
//! In: the bytes of a request body. Out: an [`Ask`] (the few members that decide routing and money, and where they
//! stand), or an [`AskError`] that tells the caller what is wrong and where. The body is validated whole, in one pass.
//! It knows neither keys nor models nor providers.

use std::{fmt, ops::Range};

use crate::endpoint::Endpoint;

/// What a request asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask {
    /// The model's name, unescaped.
    pub model: String,
    /// Where the model's name stands in the body: the bytes of the JSON string with its quotes.
    pub model_span: Range<usize>,
    /// Whether the answer is to be a stream.
    pub stream: bool,
    /// Whether the caller asked by itself for the stream's usage (`stream_options.include_usage`).
    pub usage_asked: bool,
    /// The most output tokens one answer may have, as far as the request says.
    pub max_output_tokens: Option<u64>,
    /// How many answers are generated for the one prompt (`n`, `best_of`); 1 unless said otherwise.
    pub choices: u64,
    /// Tokens of input, estimated from the size of its text.
    pub input_estimate: u64,
}

/// Why a body cannot be taken for a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AskError {
    /// There is no body, or only white space.
    Empty,
    /// It is JSON, but not an object.
    NotObject,
    /// It is not JSON.
    Malformed {
        /// Byte offset, from 0.
        offset: usize,
        /// Line, from 1.
        line: usize,
        /// Column in characters, from 1.
        column: usize,
        /// What is wrong there.
        what: &'static str,
    },
    /// It is not UTF-8.
    InvalidUtf8 {
        /// Byte offset of the first bad byte, from 0.
        offset: usize,
    },
    /// Arrays and objects are nested deeper than is read.
    TooDeep {
        /// The deepest nesting that is read.
        limit: usize,
    },
    /// A member that decides routing or money occurs twice, so that two readers may see two different requests.
    DuplicateMember {
        /// The member.
        name: &'static str,
        /// Byte offset of its second occurrence, from 0.
        offset: usize,
    },
    /// There is no `model`.
    ModelMissing,
    /// `model` is not a string.
    ModelNotString,
    /// A member that decides routing or money has a type it cannot have.
    WrongType {
        /// The member.
        member: &'static str,
    },
}

impl fmt::Display for AskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => write!(f, "the request has no body"),
            Self::NotObject => write!(f, "the request body must be a JSON object"),
            Self::Malformed { line, column, what, .. } => {
                write!(
                    f,
                    "the request body is not valid JSON: {what} at line {line}, column {column}"
                )
            }
            Self::InvalidUtf8 { offset } => {
                write!(f, "the request body is not valid UTF-8: bad byte at offset {offset}")
            }
            Self::TooDeep { limit } => write!(f, "the request body is nested more than {limit} levels deep"),
            Self::DuplicateMember { name, .. } => write!(f, "the member '{name}' occurs more than once"),
            Self::ModelMissing => write!(f, "the member 'model' is missing"),
            Self::ModelNotString => write!(f, "the member 'model' must be a string"),
            Self::WrongType { member } => write!(f, "the member '{member}' has the wrong type"),
        }
    }
}

impl std::error::Error for AskError {}

/// Reads a request body.
pub fn read(_endpoint: Endpoint, _body: &[u8]) -> Result<Ask, AskError> {
    Err(AskError::Empty)
}

impl Ask {
    /// The body with the model's name replaced and the stream's usage asked for; every other byte survives.
    ///
    /// `None` when nothing changes. `include_usage` has an effect only on a stream of an endpoint that knows
    /// `stream_options`.
    pub fn rewrite(&self, _body: &[u8], _model: Option<&str>, _include_usage: bool) -> Option<Vec<u8>> {
        None
    }
}

/// The value of the `model` part of a multipart form, and where it stands in the body.
pub fn multipart_model(_content_type: &str, _body: &[u8]) -> Option<(String, Range<usize>)> {
    None
}
