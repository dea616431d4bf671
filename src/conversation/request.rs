//! What is asked of a model.
//!
//! In: nothing. Out: [`Request`] and its parts, in the normal form that [`crate::conversation`] describes. It knows no
//! dialect; what only one dialect can say is in [`Request::losses`] by name.

use serde_json::value::RawValue;

use super::loss::Losses;

/// One request for an answer.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// What the model is told before the conversation: texts in order.
    pub instructions: Vec<Block>,
    /// The conversation: turns that alternate.
    pub turns: Vec<Turn>,
    /// Functions the model may call.
    pub tools: Vec<Tool>,
    /// Which of them it is to call. `None`: the client did not say.
    pub choice: Option<Choice>,
    /// Whether it may call several at once. `None`: the client did not say.
    pub parallel_calls: Option<bool>,
    /// The form of the answer.
    pub format: Format,
    /// The most tokens of output, reasoning included.
    pub max_output_tokens: Option<u64>,
    /// 0 to 2 (OpenAI, Gemini) or 0 to 1 (Anthropic, Bedrock).
    pub temperature: Option<f64>,
    /// Nucleus sampling, 0 to 1.
    pub top_p: Option<f64>,
    /// Sampling among the so many likeliest tokens.
    pub top_k: Option<u64>,
    /// For answers that can be repeated.
    pub seed: Option<i64>,
    /// -2 to 2.
    pub presence_penalty: Option<f64>,
    /// -2 to 2.
    pub frequency_penalty: Option<f64>,
    /// Texts at which the answer ends.
    pub stop: Vec<String>,
    /// How the model is to reason. `None`: the client did not say.
    pub reasoning: Option<Reasoning>,
    /// Whether the answer is to be a stream.
    pub stream: bool,
    /// Whether the client wants a stream's usage told in a dialect that tells it only when asked.
    pub stream_usage: bool,
    /// The client's name for its end user.
    pub user: Option<String>,
    /// What the client said that has no place here, by name.
    pub losses: Losses,
}

/// Who speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The user, and tools' results.
    User,
    /// The model.
    Assistant,
}

/// What one side says before the other does.
#[derive(Clone, Debug)]
pub struct Turn {
    /// Who.
    pub role: Role,
    /// What, in order; at least one block.
    pub content: Vec<Block>,
}

/// A piece of content. `cache` says that all of the request up to and with this piece is to be kept in the provider's
/// prompt cache.
#[derive(Clone, Debug)]
pub enum Block {
    /// Text.
    Text {
        /// The text.
        text: String,
        /// Keep in the prompt cache.
        cache: Option<Cache>,
    },
    /// A picture.
    Image {
        /// The picture.
        media: Media,
        /// How closely it is to be looked at (`low`, `high`, `auto`).
        detail: Option<String>,
        /// Keep in the prompt cache.
        cache: Option<Cache>,
    },
    /// A file to be read, such as a PDF.
    Document {
        /// The file.
        media: Media,
        /// Its name.
        name: Option<String>,
        /// Keep in the prompt cache.
        cache: Option<Cache>,
    },
    /// Sound, in Base64.
    Audio {
        /// `wav`, `mp3` and the like.
        format: String,
        /// Base64.
        data: String,
    },
    /// The model called a tool. Assistant's turns only.
    Call {
        /// By which its result names it.
        id: String,
        /// The tool.
        name: String,
        /// The text of a JSON object.
        arguments: String,
        /// What the provider wants to see again with it (Gemini's `thoughtSignature`).
        signature: Option<String>,
        /// Keep in the prompt cache.
        cache: Option<Cache>,
    },
    /// What came of a call. User's turns only.
    Result {
        /// The call.
        id: String,
        /// Texts, images and documents.
        content: Vec<Block>,
        /// Whether the tool failed.
        failed: bool,
        /// Keep in the prompt cache.
        cache: Option<Cache>,
    },
    /// What the model thought, shown to the client before. Assistant's turns only.
    Thought {
        /// The text; empty where it is not shown.
        text: String,
        /// The provider's seal on it, without which it is not taken back.
        signature: Option<String>,
    },
    /// The same, encrypted by the provider. Assistant's turns only.
    SealedThought {
        /// As the provider gave it.
        data: String,
    },
}

/// How long a prompt cache is to keep something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cache {
    /// As long as the provider does unasked: five minutes.
    Minutes5,
    /// One hour.
    Hour,
}

/// Where the bytes of a picture or a file are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Media {
    /// In the request.
    Inline {
        /// `image/png`, `application/pdf`, `text/plain`, …
        media_type: String,
        /// Base64 (standard alphabet, as the client wrote it).
        data: String,
    },
    /// For the provider to fetch.
    Url(String),
    /// With the provider, under an id that means nothing to another.
    File(String),
}

/// A function that the model may call.
#[derive(Clone, Debug)]
pub struct Tool {
    /// Its name.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
    /// The JSON Schema of its arguments, byte for byte as the client wrote it. `None`: it has none.
    pub parameters: Option<Box<RawValue>>,
    /// Whether arguments must keep to the schema.
    pub strict: Option<bool>,
    /// Keep in the prompt cache.
    pub cache: Option<Cache>,
}

/// Which tool the model is to call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Choice {
    /// As it sees fit.
    Auto,
    /// None.
    Never,
    /// At least one.
    Any,
    /// This one.
    Tool(String),
}

/// The form of the answer.
#[derive(Clone, Debug, Default)]
pub enum Format {
    /// Text.
    #[default]
    Text,
    /// A JSON object of any shape.
    Object,
    /// JSON of this shape.
    Schema {
        /// What the client calls it.
        name: Option<String>,
        /// What it is.
        description: Option<String>,
        /// The JSON Schema, as the client wrote it.
        schema: Box<RawValue>,
        /// Whether the answer must keep to it.
        strict: Option<bool>,
    },
}

/// How the model is to reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reasoning {
    /// How hard. `None`: as the model does unasked.
    pub effort: Option<Effort>,
    /// The most tokens it may think, where the client said a number.
    pub budget: Option<u64>,
    /// Whether what it thinks is to be shown (as a summary, where that is all there is). `None`: as the dialect does unasked.
    pub shown: Option<bool>,
}

/// How hard the model is to think.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Effort {
    /// Not at all.
    Off,
    /// `minimal`
    Minimal,
    /// `low`
    Low,
    /// `medium`
    Medium,
    /// `high`
    High,
    /// `xhigh`
    XHigh,
    /// `max`
    Max,
}
