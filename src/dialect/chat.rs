//! OpenAI's chat completions, as a client and as a provider speaks it.
