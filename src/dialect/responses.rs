//! OpenAI's responses, as a client and as a provider speaks it.
