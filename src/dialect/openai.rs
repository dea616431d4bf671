//! OpenAI and compatible.
