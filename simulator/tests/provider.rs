//! The simulated provider over real connections, as a client sees it.

#[cfg(test)]
#[path = "provider/support.rs"]
mod support;

#[cfg(test)]
#[path = "provider/anthropic.rs"]
mod anthropic;
#[cfg(test)]
#[path = "provider/bedrock.rs"]
mod bedrock;
#[cfg(test)]
#[path = "provider/books.rs"]
mod books;
#[cfg(test)]
#[path = "provider/gemini.rs"]
mod gemini;
#[cfg(test)]
#[path = "provider/meaning.rs"]
mod meaning;
#[cfg(test)]
#[path = "provider/openai.rs"]
mod openai;
#[cfg(test)]
#[path = "provider/refusals.rs"]
mod refusals;
#[cfg(test)]
#[path = "provider/responses.rs"]
mod responses;
#[cfg(test)]
#[path = "provider/steering.rs"]
mod steering;
#[cfg(test)]
#[path = "provider/strict.rs"]
mod strict;
#[cfg(test)]
#[path = "provider/weather.rs"]
mod weather;
