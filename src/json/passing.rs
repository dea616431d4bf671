//! A JSON document that passes in pieces: members of interest are handed over, the rest is skipped.
