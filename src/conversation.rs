//! What a model is asked and what it answers, in no dialect's words.
//!
//! In: nothing. Out: the types between a client's dialect and a provider's: a [`Request`], a [`Reply`] or the [`Event`]s of
//! a stream, and a provider's [`Refusal`]. Each dialect reads its own words into these and writes these in its own words
//! ([`crate::dialect`]), so five dialects need five readers and five writers, not twenty-five translations. Where both
//! sides speak the same dialect none of this is used: the original bytes go through.
//!
//! - [`request`]: what is asked; [`reply`]: what is answered, whole or as it comes, and one made of the other (`fold`);
//!   [`refusal`]: why there is no answer.
//! - [`loss`]: what a dialect has no words for, by name, so that it is refused or counted and never lost in silence.
//! - [`members`]: JSON objects read member by member, so that what nobody asked for is known by name.
//!
//! Normal form, which every reader gives and every writer may rely on:
//!
//! - Instructions (system, developer) stand apart, in order, wherever the dialect had them.
//! - Turns alternate: neighbours of one role are merged. A tool's result is content of a user's turn, in front of what else
//!   the user says there. There is no empty turn.
//! - A call's arguments are the text of a JSON object (`{}` where there were none).
//! - In a stream, what follows a [`Event::Call`] as [`Event::Arguments`] belongs to it, until another block begins.

mod fold;
pub mod loss;
pub mod members;
pub mod refusal;
pub mod reply;
pub mod request;

pub use loss::{Loss, Losses};
pub use refusal::{Cause, Refusal};
pub use reply::{Event, Output, Reply, Stop};
pub use request::{Block, Choice, Effort, Format, Media, Reasoning, Request, Role, Tool, Turn};
