//! Anthropic's API: [`messages`], and `stream` for one as a stream; what a request means is in `reading`, what one may not say in `strict`.

pub mod messages;
mod reading;
mod stream;
mod strict;
