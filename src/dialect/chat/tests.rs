//! Chat completions, read and written.

mod error;
mod reply;
mod request;
mod stream;
