//! What a provider counted, in one meaning for all of them.
//!
//! In: nothing. Out: [`Usage`], eight disjoint classes of tokens. Each dialect turns its own fields into these classes
//! (OpenAI's cached tokens are part of `prompt_tokens`, Anthropic's stand beside `input_tokens`), so that a price is
//! always a plain sum over classes. It knows neither prices nor wire formats.

/// The names of the classes, in the order of [`Usage::classes`]: the members of a written price, and a label's values.
pub const CLASSES: [&str; 8] = [
    "input",
    "cached_input",
    "cache_write_5m",
    "cache_write_1h",
    "input_audio",
    "output",
    "reasoning",
    "output_audio",
];

/// Tokens of one exchange, in classes that never overlap: the total is the sum of all fields.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Text (and image) input that was neither read from nor written to a prompt cache.
    pub input: u64,
    /// Input read from a prompt cache.
    pub cached_input: u64,
    /// Input written to a prompt cache that lives five minutes.
    pub cache_write_5m: u64,
    /// Input written to a prompt cache that lives one hour.
    pub cache_write_1h: u64,
    /// Audio input that was not cached.
    pub input_audio: u64,
    /// Output the caller sees as text or tool calls, without reasoning and audio.
    pub output: u64,
    /// Output spent on reasoning.
    pub reasoning: u64,
    /// Audio output.
    pub output_audio: u64,
}

impl Usage {
    /// All input, cached or not: what a tier "above a prompt size" compares with.
    pub fn prompt(&self) -> u64 {
        self.input
            .saturating_add(self.cached_input)
            .saturating_add(self.cache_write_5m)
            .saturating_add(self.cache_write_1h)
            .saturating_add(self.input_audio)
    }

    /// All output, reasoning and audio included.
    pub fn completion(&self) -> u64 {
        self.output
            .saturating_add(self.reasoning)
            .saturating_add(self.output_audio)
    }

    /// Each class, in the order of [`CLASSES`].
    pub fn classes(&self) -> [u64; 8] {
        [
            self.input,
            self.cached_input,
            self.cache_write_5m,
            self.cache_write_1h,
            self.input_audio,
            self.output,
            self.reasoning,
            self.output_audio,
        ]
    }

    /// The sum, class by class.
    pub fn plus(&self, other: &Self) -> Self {
        Self {
            input: self.input.saturating_add(other.input),
            cached_input: self.cached_input.saturating_add(other.cached_input),
            cache_write_5m: self.cache_write_5m.saturating_add(other.cache_write_5m),
            cache_write_1h: self.cache_write_1h.saturating_add(other.cache_write_1h),
            input_audio: self.input_audio.saturating_add(other.input_audio),
            output: self.output.saturating_add(other.output),
            reasoning: self.reasoning.saturating_add(other.reasoning),
            output_audio: self.output_audio.saturating_add(other.output_audio),
        }
    }

    /// Whether nothing was counted.
    pub fn is_zero(&self) -> bool {
        *self == Self::default()
    }
}
