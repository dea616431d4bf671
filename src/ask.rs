//! What a request asks, read from its body without building a tree of it.
//!
//! In: the bytes of a request body. Out: an [`Ask`] (the few members that decide routing and money, and where they
//! stand), or an [`AskError`] that tells the caller what is wrong and where. The body is validated whole, in one pass.
//! It knows neither keys nor models nor providers.

use std::{fmt, ops::Range};

use crate::{
    endpoint::Endpoint,
    json::strict::{self, Cursor, Kind, Wrong},
};

mod member;
mod multipart;
mod rewrite;
mod weigh;

pub use multipart::multipart_model;
pub use rewrite::Edits;

use member::{Member, Seen};
use weigh::Weight;

/// What a request asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask {
    /// The model's name, unescaped.
    pub model: String,
    /// Where the model's name stands in the body: the bytes of the JSON string with its quotes.
    pub model_span: Range<usize>,
    /// Whether the answer is to be a stream.
    pub stream: bool,
    /// Whether the answer is to be worked out later and fetched by other requests (OpenAI responses).
    pub background: bool,
    /// Whether the caller asked by itself for the stream's usage (`stream_options.include_usage`).
    pub usage_asked: bool,
    /// The most output tokens one answer may have, as far as the request says.
    pub max_output_tokens: Option<u64>,
    /// How many answers are generated (`n`, `best_of`, for each of several prompts of a completion); 1 unless said otherwise.
    pub choices: u64,
    /// Tokens of input, estimated from the size of its text.
    pub input_estimate: u64,
    /// The most tokens of input that its text can be.
    pub input_most: u64,
    /// Whether any of the input is to be written to a prompt cache, which may cost more than to read it once.
    pub caches: bool,
    /// Whether there is audio in the input, or asked for as output.
    pub audio: bool,
    /// The service tier that is asked for.
    pub service_tier: Option<String>,
    include_usage: IncludeUsage,
    takes_stream_options: bool,
    /// Where the numbers of [`Ask::max_output_tokens`] stand.
    most_spans: Vec<Range<usize>>,
    /// Where it says in so many words that there is none: a `null` by the usual name.
    most_null: Option<Range<usize>>,
    /// What such a number is called at this endpoint, and where one may be put in: behind the body's `{`.
    most_name: &'static str,
    inside: usize,
}

/// Where `stream_options.include_usage` stands, or would.
#[derive(Clone, Debug, PartialEq, Eq)]
enum IncludeUsage {
    /// There is no `stream_options`; the body's object opens before this offset.
    NoOptions(usize),
    /// `stream_options` is this `null`.
    NullOptions(Range<usize>),
    /// `stream_options` is an object that opens before this offset and has no such member.
    Absent { inside: usize, empty: bool },
    /// It is this value.
    At(Range<usize>),
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
    /// A member that decides routing or money is written in another case, which some servers read and others do not.
    MemberCase {
        /// The member, as it is to be written.
        name: &'static str,
        /// Byte offset, from 0.
        offset: usize,
    },
    /// There is no `model`.
    ModelMissing,
    /// `model` is not a string.
    ModelNotString,
    /// It is a multipart form that two readers may read differently.
    FormMalformed {
        /// What is wrong with it.
        what: &'static str,
    },
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
            Self::MemberCase { name, .. } => write!(f, "the member '{name}' is written in another case"),
            Self::ModelMissing => write!(f, "the member 'model' is missing"),
            Self::ModelNotString => write!(f, "the member 'model' must be a string"),
            Self::FormMalformed { what } => write!(f, "the multipart form cannot be read: {what}"),
            Self::WrongType { member } => write!(f, "the member '{member}' has the wrong type"),
        }
    }
}

impl std::error::Error for AskError {}

impl From<Wrong> for AskError {
    /// Line and column are worked out by [`read`], which has the body.
    fn from(wrong: Wrong) -> Self {
        match wrong {
            Wrong::At(offset, what) => Self::Malformed {
                offset,
                line: 0,
                column: 0,
                what,
            },
            Wrong::TooDeep => Self::TooDeep {
                limit: strict::DEPTH_LIMIT,
            },
        }
    }
}

/// Reads a request body.
///
/// # Errors
///
/// See [`AskError`]. A body that is no valid JSON is reported as such before anything else; [`AskError::ModelMissing`]
/// comes last, so that it means: a valid object without a model (which some endpoints allow).
pub fn read(endpoint: Endpoint, body: &[u8]) -> Result<Ask, AskError> {
    if let Err(error) = std::str::from_utf8(body) {
        return Err(AskError::InvalidUtf8 {
            offset: error.valid_up_to(),
        });
    }
    let mut cursor = Cursor::new(body);
    let read = match cursor.next_token() {
        None => return Err(AskError::Empty),
        Some(b'{') => object(endpoint, &mut cursor),
        Some(_) => cursor
            .value(0, &mut ())
            .map_err(AskError::from)
            .and(Err(AskError::NotObject)),
    };
    let read = match read {
        // What the members mean is only worth saying of a body that is JSON to its end.
        Err(
            error @ (AskError::NotObject
            | AskError::ModelMissing
            | AskError::ModelNotString
            | AskError::WrongType { .. }
            | AskError::DuplicateMember { .. }
            | AskError::MemberCase { .. }),
        ) => cursor.finish().map_err(AskError::from).and(Err(error)),
        Ok(ask) => cursor.finish().map_err(AskError::from).map(|()| ask),
        error => error,
    };
    read.map_err(|error| located(error, body))
}

/// The error with its line and column filled in.
fn located(error: AskError, body: &[u8]) -> AskError {
    let AskError::Malformed { offset, what, .. } = error else {
        return error;
    };
    let before = String::from_utf8_lossy(body.get(..offset).unwrap_or(body));
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    AskError::Malformed {
        offset,
        line,
        column,
        what,
    }
}

/// Reads the body's object; the cursor stands at its `{`.
fn object(endpoint: Endpoint, cursor: &mut Cursor) -> Result<Ask, AskError> {
    let mut seen = Seen::default();
    let mut fault: Option<AskError> = None;
    let mut weight = Weight::default();
    let mut model = None;
    let mut stream = false;
    let mut background = false;
    let inside = cursor.at() + 1;
    let mut options = IncludeUsage::NoOptions(inside);
    let mut usage_asked = false;
    let mut most: Option<u64> = None;
    let mut most_spans = Vec::new();
    let mut most_null = None;
    let mut unlimited = false;
    let mut service_tier = None;
    let mut audio = false;
    let mut caches = false;
    let mut choices = 1;
    cursor.object(|cursor, name, offset| -> Result<(), AskError> {
        let member = Member::named(name);
        if let Some(name) = seen.again(name) {
            fault.get_or_insert(AskError::DuplicateMember { name, offset });
        }
        if let Some(name) = member::in_another_case(name) {
            fault.get_or_insert(AskError::MemberCase { name, offset });
        }
        let Some(member) = member else {
            cursor.value(1, &mut ())?;
            return Ok(());
        };
        let mut wrong = |member| {
            fault.get_or_insert(AskError::WrongType { member });
        };
        match member {
            Member::StreamOptions => {
                if cursor.next_token() == Some(b'{') {
                    (options, usage_asked) = stream_options(cursor, &mut fault)?;
                } else {
                    match cursor.value(1, &mut ())? {
                        (Kind::Null, span) => options = IncludeUsage::NullOptions(span),
                        _ => wrong("stream_options"),
                    }
                }
                return Ok(());
            }
            Member::Text | Member::Tokens | Member::Schema => {
                cursor.value(1, &mut weight.listen(member))?;
                return Ok(());
            }
            _ => {}
        }
        let (kind, span) = cursor.value(1, &mut ())?;
        match (member, kind) {
            (Member::Model, Kind::String) => {
                let inside = cursor.slice(span.start + 1..span.end.saturating_sub(1));
                let text = strict::unescaped(inside).and_then(|text| String::from_utf8(text.into_owned()).ok());
                match text {
                    Some(text) => model = Some((text, span)),
                    None => return Err(Wrong::At(span.start, "unpaired surrogate in 'model'").into()),
                }
            }
            (Member::Model, Kind::Null) => {}
            (Member::Model, _) => {
                fault.get_or_insert(AskError::ModelNotString);
            }
            (Member::Stream, Kind::True) => stream = true,
            (Member::Stream, Kind::False | Kind::Null) => {}
            (Member::Stream, _) => wrong("stream"),
            (Member::Background, Kind::True) => background = true,
            (Member::Background, Kind::False | Kind::Null) => {}
            (Member::Background, _) => wrong("background"),
            (Member::Most(name), Kind::Null) if most_names(endpoint).first() == Some(&name) => most_null = Some(span),
            (Member::Most(_) | Member::Choices(_), Kind::Null) => {}
            // By another name it is none: the provider would not look at it.
            (Member::Most(name), Kind::Number) if most_names(endpoint).contains(&name) => {
                let number = count(cursor.slice(span.clone()));
                // Negative numbers are "no limit" to some servers, whatever else the request says.
                unlimited |= number.is_none();
                most = most.max(number);
                most_spans.push(span);
            }
            (Member::Most(_), Kind::Number) => {}
            (Member::ServiceTier, Kind::String) => {
                let inside = cursor.slice(span.start + 1..span.end.saturating_sub(1));
                let tier = strict::unescaped(inside).and_then(|tier| String::from_utf8(tier.into_owned()).ok());
                service_tier = service_tier.take().or(tier);
            }
            // Anthropic bills what is to be fast at rates of its own, as others bill a tier.
            (Member::Speed, Kind::String) => service_tier = Some("fast".to_owned()),
            (Member::Caches, _) => caches = true,
            (Member::Audio, _) => audio = true,
            (Member::Choices(_), Kind::Number) => choices = choices.max(count(cursor.slice(span)).unwrap_or(1)),
            (Member::Most(name) | Member::Choices(name), _) => wrong(name),
            _ => {}
        }
        Ok(())
    })?;
    if let Some(fault) = fault {
        return Err(fault);
    }
    let (model, model_span) = model.ok_or(AskError::ModelMissing)?;
    Ok(Ask {
        model,
        model_span,
        stream,
        background,
        usage_asked,
        max_output_tokens: most.filter(|_| !unlimited),
        choices: match endpoint {
            // Each of several prompts has answers of its own.
            Endpoint::Completions => choices.saturating_mul(weight.prompts()),
            _ => choices,
        },
        input_estimate: weight.tokens(),
        input_most: weight.most_tokens(cursor.length() as u64).max(weight.tokens()),
        caches: caches || weight.caches(),
        audio: audio || weight.audio(),
        service_tier,
        include_usage: options,
        takes_stream_options: stream && endpoint.takes_stream_options(),
        most_spans,
        most_null,
        most_name: most_names(endpoint).first().copied().unwrap_or("max_tokens"),
        inside,
    })
}

/// What a limit of output tokens may be called, the usual name first.
///
/// Sources: OpenAI API reference, "Create chat completion", "Create completion", "Create a model response"; Anthropic API
/// reference, "Create a Message".
fn most_names(endpoint: Endpoint) -> &'static [&'static str] {
    match endpoint {
        Endpoint::ChatCompletions => &["max_completion_tokens", "max_tokens"],
        Endpoint::Responses => &["max_output_tokens"],
        Endpoint::Completions | Endpoint::Messages | Endpoint::CountTokens => &["max_tokens"],
        Endpoint::Embeddings | Endpoint::Models | Endpoint::Status => &[],
        Endpoint::Other => &["max_tokens", "max_completion_tokens", "max_output_tokens"],
    }
}

/// Reads `stream_options`; the cursor stands at its `{`.
fn stream_options(cursor: &mut Cursor, fault: &mut Option<AskError>) -> Result<(IncludeUsage, bool), AskError> {
    const NAME: &str = "stream_options.include_usage";
    let inside = cursor.at() + 1;
    let mut empty = true;
    let mut found = None;
    let mut asked = false;
    cursor.object(|cursor, name, offset| -> Result<(), AskError> {
        empty = false;
        let (kind, span) = cursor.value(2, &mut ())?;
        if name.eq_ignore_ascii_case(b"include_usage") && found.is_some() {
            fault.get_or_insert(AskError::DuplicateMember { name: NAME, offset });
        } else if name == b"include_usage" {
            if !matches!(kind, Kind::True | Kind::False | Kind::Null) {
                fault.get_or_insert(AskError::WrongType { member: NAME });
            }
            asked = kind == Kind::True;
            found = Some(span);
        }
        Ok(())
    })?;
    Ok((
        found.map_or(IncludeUsage::Absent { inside, empty }, IncludeUsage::At),
        asked,
    ))
}

/// A number of tokens or answers as a JSON number. Negative ones (which some servers take for "no limit") are none.
fn count(number: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(number).ok()?;
    let value = text.parse::<u64>().ok().or_else(|| {
        // `as` saturates, which is right for a limit.
        text.parse::<f64>()
            .ok()
            .filter(|value| *value >= 0.0)
            .map(|value| value.ceil() as u64)
    })?;
    Some(value)
}

impl Ask {
    /// Whether this is a stream that tells its usage only when asked, and the caller did not ask.
    pub fn lacks_usage(&self) -> bool {
        self.takes_stream_options && !self.usage_asked
    }
}

#[cfg(test)]
mod tests;
