//! Google's `generateContent`, as a provider speaks it.
