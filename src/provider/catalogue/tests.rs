//! What holds of every row.
