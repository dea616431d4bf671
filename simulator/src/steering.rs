//! How one request asks to be answered: the `x-simulate` header.
//!
//! In: `key=value,key2=value2,flag`. Out: [`Steering`]. A knob nobody knows is refused, so that a typo in a test is
//! not a test that passes. Requests without the header get the server's own default (`--simulate`); a header adds
//! to that default and wins over it.

use std::time::Duration;

/// What a request (or the command line) asks of the simulation. Everything unset is an ordinary, quick, faultless reply.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Steering {
    /// `ttft_ms=N`: time before the first event, or before a JSON reply's first token.
    pub ttft: Duration,
    /// `rate=N`: tokens per second after that; unlimited by default.
    pub rate: Option<f64>,
    /// `tokens=N`: length of the visible answer (of a transcript, too); 32 by default.
    pub tokens: Option<u64>,
    /// `prompt=N`: charge this many prompt tokens instead of counting them.
    pub prompt: Option<u64>,
    /// `cached=N`: of these, read from the cache (Anthropic: beside `input_tokens`).
    pub cached: u64,
    /// `cache_write_5m=N`: Anthropic only.
    pub cache_write_5m: u64,
    /// `cache_write_1h=N`: Anthropic only.
    pub cache_write_1h: u64,
    /// `reasoning=N`: thought before the visible answer, beside `tokens`.
    pub reasoning: u64,
    /// `audio_in=N`: audio tokens in the prompt (OpenAI only).
    pub audio_in: u64,
    /// `audio_out=N`: audio tokens in the answer, beside `tokens` (OpenAI only).
    pub audio_out: u64,
    /// How the reply goes wrong, if it does.
    pub fault: Option<Fault>,
    /// `no_usage`: the reply carries no usage.
    pub no_usage: bool,
    /// `chunks=event|whole|awkward|bytes`: how the reply is cut into writes.
    pub chunks: Chunks,
    /// `crlf`: server-sent events end their lines with CR LF.
    pub crlf: bool,
    /// `retry_after=N`: seconds, on error replies.
    pub retry_after: Option<u64>,
    /// `flaky=P`: this percentage of requests fails with 503, evenly spread by a counter.
    pub flaky: Option<u64>,
    /// `tool=NAME`: answer with a call of this tool.
    pub tool: Option<String>,
    /// `tools=N`: call N tools at once, those that are offered before any other.
    pub tools: Option<usize>,
    /// `show_reasoning`: what is thought is shown where a dialect hides it (chat's `reasoning_content`).
    pub show_reasoning: bool,
    /// `sealed`: what is thought is encrypted (Anthropic's `redacted_thinking`, Bedrock's `redactedContent`).
    pub sealed: bool,
    /// `refusal`: the model declines.
    pub refusal: bool,
    /// `filtered`: the provider's filter refuses the prompt.
    pub filtered: bool,
    /// `finish=stop|length|content_filter|stop_sequence`: why the answer says it ends.
    pub finish: Option<Finish>,
    /// `echo`: the answer's text is a summary of what the request means (`understood`).
    pub echo: bool,
    /// `context=N`: prompts of more tokens are refused.
    pub context: Option<u64>,
    /// `strict`: what the API does not document is refused (Gemini's and Bedrock's always do).
    pub strict: bool,
    /// `service_tier=NAME`: the tier the reply reports and is billed by.
    pub service_tier: Option<String>,
    /// `reply_model=NAME`: the model the reply names, instead of the request's.
    pub reply_model: Option<String>,
    /// `gzip`: compress if the client accepts it.
    pub gzip: bool,
    /// `text=unicode`: answer with emoji and CJK.
    pub unicode: bool,
}

/// Why an answer says it ends, whatever it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finish {
    /// All is said.
    Stop,
    /// It may not be longer.
    Length,
    /// A filter stopped it.
    ContentFilter,
    /// One of the request's stop sequences came up.
    StopSequence,
}

/// The ways a reply goes wrong. Of several, the last one written counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// `status=N`: an error reply in the provider's own shape.
    Status(u16),
    /// `drop`: the connection is closed without a reply.
    Drop,
    /// `hang`: no reply, ever.
    Hang,
    /// `hang_after=N`: nothing more after N events (or after half of a JSON body).
    HangAfter(usize),
    /// `cut_after=N`: the connection is cut after N events (or after half of a JSON body).
    CutAfter(usize),
    /// `error_first`: status 200 and an error as the first event.
    ErrorFirst,
    /// `error_after=N`: an error event after N events, then the regular end of the body.
    ErrorAfter(usize),
    /// `error_body`: status 200 and a JSON body that carries an error.
    ErrorBody,
}

/// How a reply is cut into writes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Chunks {
    /// One write for each server-sent event.
    #[default]
    Event,
    /// One write for the whole body.
    Whole,
    /// Cuts inside `data:`, inside characters, and inside the blank line that ends an event; none at an event's end.
    Awkward,
    /// One write for each byte.
    Bytes,
}

impl Steering {
    /// Reads `text` on top of `self`, which is the default.
    ///
    /// # Errors
    /// Names the knob that is unknown, or whose value is not what it takes.
    pub fn with(&self, text: &str) -> Result<Self, String> {
        let mut steering = self.clone();
        for knob in text.split(',').map(str::trim).filter(|knob| !knob.is_empty()) {
            let (key, value) = knob.split_once('=').unwrap_or((knob, ""));
            steering
                .set(key.trim(), value.trim())
                .map_err(|problem| format!("x-simulate: {knob}: {problem}"))?;
        }
        Ok(steering)
    }

    fn set(&mut self, key: &str, value: &str) -> Result<(), String> {
        let number = || value.parse::<u64>().map_err(|_| "takes a whole number".to_owned());
        let events = || number().map(|n| usize::try_from(n).unwrap_or(usize::MAX));
        let name = || {
            if value.is_empty() {
                Err("takes a name".to_owned())
            } else {
                Ok(Some(value.to_owned()))
            }
        };
        let flag = || match value {
            "" | "true" | "1" => Ok(true),
            "false" | "0" => Ok(false),
            _ => Err("takes no value".to_owned()),
        };
        match key {
            "ttft_ms" => self.ttft = Duration::from_millis(number()?),
            "rate" => {
                let rate: f64 = value.parse().map_err(|_| "takes tokens per second".to_owned())?;
                self.rate = (rate.is_finite() && rate > 0.0).then_some(rate);
            }
            "tokens" => self.tokens = Some(number()?.min(1_000_000)),
            "prompt" => self.prompt = Some(number()?),
            "cached" => self.cached = number()?,
            "cache_write_5m" => self.cache_write_5m = number()?,
            "cache_write_1h" => self.cache_write_1h = number()?,
            "reasoning" => self.reasoning = number()?,
            "audio_in" => self.audio_in = number()?,
            "audio_out" => self.audio_out = number()?,
            "status" => {
                let status = u16::try_from(number()?).ok().filter(|s| (400..600).contains(s));
                self.fault = Some(Fault::Status(status.ok_or("takes a status from 400 to 599")?));
            }
            "drop" => self.fault = flag()?.then_some(Fault::Drop),
            "hang" => self.fault = flag()?.then_some(Fault::Hang),
            "hang_after" => self.fault = Some(Fault::HangAfter(events()?)),
            "cut_after" => self.fault = Some(Fault::CutAfter(events()?)),
            "error_first" => self.fault = flag()?.then_some(Fault::ErrorFirst),
            "error_after" => self.fault = Some(Fault::ErrorAfter(events()?)),
            "error_body" => self.fault = flag()?.then_some(Fault::ErrorBody),
            "no_usage" => self.no_usage = flag()?,
            "chunks" => {
                self.chunks = match value {
                    "event" => Chunks::Event,
                    "whole" => Chunks::Whole,
                    "awkward" => Chunks::Awkward,
                    "bytes" => Chunks::Bytes,
                    _ => return Err("takes event, whole, awkward or bytes".to_owned()),
                }
            }
            "crlf" => self.crlf = flag()?,
            "retry_after" => self.retry_after = Some(number()?),
            "flaky" => self.flaky = Some(number()?.min(100)),
            "tool" => self.tool = name()?,
            "tools" => self.tools = Some(events()?.min(64)),
            "show_reasoning" => self.show_reasoning = flag()?,
            "sealed" => self.sealed = flag()?,
            "refusal" => self.refusal = flag()?,
            "filtered" => self.filtered = flag()?,
            "finish" => {
                self.finish = Some(match value {
                    "stop" => Finish::Stop,
                    "length" => Finish::Length,
                    "content_filter" => Finish::ContentFilter,
                    "stop_sequence" => Finish::StopSequence,
                    _ => return Err("takes stop, length, content_filter or stop_sequence".to_owned()),
                });
            }
            "echo" => self.echo = flag()?,
            "context" => self.context = Some(number()?),
            "strict" => self.strict = flag()?,
            "service_tier" => self.service_tier = name()?,
            "reply_model" => self.reply_model = name()?,
            "gzip" => self.gzip = flag()?,
            "text" => {
                self.unicode = match value {
                    "unicode" => true,
                    "plain" => false,
                    _ => return Err("takes plain or unicode".to_owned()),
                }
            }
            _ => return Err("there is no such knob".to_owned()),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knobs_are_read_and_spaces_ignored() {
        let read = Steering::default()
            .with("ttft_ms=200, rate=50,tokens=7 ,crlf,chunks=awkward,tool=weather")
            .unwrap();
        let expected = Steering {
            ttft: Duration::from_millis(200),
            rate: Some(50.0),
            tokens: Some(7),
            crlf: true,
            chunks: Chunks::Awkward,
            tool: Some("weather".into()),
            ..Steering::default()
        };
        assert_eq!(read, expected);
    }

    #[test]
    fn a_header_adds_to_the_default_and_wins_over_it() {
        let default = Steering::default().with("tokens=5,gzip,status=500").unwrap();
        let read = default.with("tokens=6,cut_after=3").unwrap();
        assert_eq!(
            (read.tokens, read.gzip, read.fault),
            (Some(6), true, Some(Fault::CutAfter(3)))
        );
    }

    #[test]
    fn a_typo_is_refused_and_named() {
        for (text, named) in [
            ("cut_afer=3", "cut_afer=3"),
            ("tokens=many", "tokens=many"),
            ("status=200", "status"),
            ("chunks=odd", "chunks"),
            ("hang=maybe", "hang"),
            ("tool", "tool"),
        ] {
            let problem = Steering::default().with(text).unwrap_err();
            assert!(problem.contains(named), "{problem}");
        }
    }
}
