//! Anthropic's API: `messages`; what a request means is in `reading`, what one may not say in `strict`.

pub mod messages;
mod reading;
mod stream;
mod strict;
