//! Anthropic's messages, as a client and as a provider speaks it.
