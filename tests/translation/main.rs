//! Every client's words in every provider's, and back: a matrix of cases and pairs of dialects.
//!
//! `cases/<case>/` has what comes in, in the words of official SDKs and of providers: `client.<api>.json` (a request),
//! `provider.<api>.json` and `provider.<api>.sse` or `.events` (an answer, whole and as a stream; AWS's events are written
//! one a line, the name in front of a tab), `refusal.<api>.json` (an error with its status). `golden/<case>.md` has what
//! comes out of it for every pair, to be read side by side; `UPDATE_GOLDEN=1` writes these pages anew. `holes.md` lists
//! what a pair has no words for, and why.
//!
//! - [`cases`]: what comes in; [`page`]: what comes out, as a page; [`golden`]: whether it is as it was.
//! - [`holes`]: whether the list of what is lost is true; [`shapes`]: whether what is written is as providers publish it.
//! - [`splits`]: streams cut anywhere, and bytes that are no stream; [`folds`]: that a stream says what a whole answer
//!   does, and counts the same; [`pairing`]: that results stay with their calls.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "what is missing fails the test that needs it"
)]

mod cases;
mod folds;
mod golden;
mod holes;
mod page;
mod pairing;
mod shapes;
mod splits;
