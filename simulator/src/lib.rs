//! A simulated LLM provider, as an oracle.
//!
//! It speaks OpenAI's, Anthropic's, Google's and Amazon Bedrock's APIs with realistic bodies, counts tokens with a real tokenizer, misbehaves when
//! a request asks it to, and keeps a ledger of what it would bill, to the nanodollar. Tests compare that ledger with what
//! a gateway in front of it measured; the demo uses it instead of a provider that costs money. It shares no code with the
//! gateway: a mistake made twice would cancel out.
//!
//! ```text
//! request → admit (credential, faults, leaks) → dialect: parse, count, compose → limits → bill → play the script
//! ```
//!
//! | module | |
//! |---|---|
//! | [`server`] | connections and routes |
//! | [`call`] | what every request goes through before and after its endpoint |
//! | [`openai`], [`anthropic`], [`gemini`], [`bedrock`] | the endpoints: parse the request, compose the reply |
//! | [`shapes`] | the requests' shapes as published, and whether a body has one |
//! | [`understood`], [`answering`] | what a request means, and what the answer is, in no dialect's words |
//! | [`steering`] | `x-simulate`: how a request asks to be answered |
//! | [`weather`] | a bad day: outages, slowness and limits for everybody, steered at run time |
//! | [`stream`] | a reply as a script of events; faults, pace and cuts; how it goes out |
//! | [`ledger`], [`prices`] | what it costs |
//! | [`limits`], [`errors`] | how the providers refuse |
//! | [`text`], [`clock`], [`json`] | token counts, canned answers, dates, members in order |
//!
//! A reply is composed whole before its first byte is sent, so what it will cost is known from the start; the
//! [`ledger::Bill`] travels with the body and books how much of it went out.
//!
//! ```no_run
//! # async fn example() -> std::io::Result<()> {
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
//! tollgate_simulator::serve(listener, tollgate_simulator::Options::default())?.await
//! # }
//! ```

pub mod answering;
pub mod anthropic;
pub mod bedrock;
pub mod call;
pub mod clock;
pub mod errors;
pub mod gemini;
pub mod json;
pub mod ledger;
pub mod limits;
pub mod openai;
pub mod options;
pub mod prices;
pub mod server;
pub mod shapes;
pub mod steering;
pub mod stream;
pub mod text;
pub mod understood;
pub mod weather;

pub use options::Options;
pub use server::serve;
