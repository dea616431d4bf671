//! What holds for every rendered configuration.
