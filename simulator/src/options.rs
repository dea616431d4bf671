//! What the server is started with; the command's arguments are these.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Parser;

/// A simulated LLM provider: OpenAI's, Anthropic's, Google's and Amazon Bedrock's APIs with real token counts, faults on
/// request, and a ledger.
///
/// Point any of their clients at it. `GET /ledger` shows what it would bill, `POST /ledger/reset` empties the
/// books, `POST /weather` makes the day a bad one for everybody, `GET /healthz` says it is up.
#[derive(Clone, Debug, Parser)]
#[command(name = "tollgate-simulator", version, after_long_help = KNOBS)]
pub struct Options {
    /// Where to listen; port 0 picks a free one. The address is the first line on stdout
    #[arg(long, default_value = "127.0.0.1:8000", value_name = "ADDRESS")]
    pub listen: SocketAddr,

    /// A credential that is accepted, and its name in the ledger; repeatable. Without any, all are accepted as `default`
    #[arg(long = "credential", value_name = "NAME=VALUE", value_parser = name_and_value)]
    pub credentials: Vec<(String, String)>,

    /// How to answer requests that do not say so with the header `x-simulate` (knobs: see --help)
    #[arg(long, default_value = "", value_name = "KNOBS")]
    pub simulate: String,

    /// Serve the API below this path as well as at `/`
    #[arg(long, default_value = "", value_name = "PATH")]
    pub base_path: String,

    /// Requests per minute and credential
    #[arg(long, default_value_t = 10_000_000, value_name = "N")]
    pub rpm: u64,

    /// Tokens per minute and credential: the prompt's plus what the answer may have
    #[arg(long, default_value_t = 100_000_000_000, value_name = "N")]
    pub tpm: u64,

    /// A price sheet instead of the bundled one, in the same shape (simulator/prices.json)
    #[arg(long, value_name = "FILE")]
    pub prices: Option<PathBuf>,

    /// A further model to serve, without a price; repeatable
    #[arg(long = "model", value_name = "NAME")]
    pub models: Vec<String>,

    /// Largest request body in bytes; longer ones get 413
    #[arg(long, default_value_t = 64 << 20, value_name = "BYTES")]
    pub max_body: usize,

    /// Threads that serve requests; 0 means one for each core
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub threads: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self::parse_from(["tollgate-simulator"])
    }
}

fn name_and_value(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() && !value.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("a credential is NAME=VALUE".to_owned()),
    }
}

const KNOBS: &str = "\
Knobs, in the header `x-simulate` of a request or in --simulate (comma separated; a header adds to --simulate):
  tokens=N            length of the visible answer (default 32)
  prompt=N            charge N prompt tokens instead of counting them
  ttft_ms=N           time before the first event
  rate=N              tokens per second (default: unlimited)
  cached=N            prompt tokens read from the cache
  cache_write_5m=N    prompt tokens written to the cache for five minutes, cache_write_1h=N for an hour (Anthropic)
  reasoning=N         tokens thought before the answer
  audio_in=N          audio tokens in the prompt, audio_out=N in the answer (OpenAI)
  service_tier=NAME   the tier the reply reports and is billed by
  reply_model=NAME    the model the reply names
  tool=NAME           answer with a call of this tool
  tools=N             answer with N calls at once, of the tools offered before any other
  echo                the text of the answer is a JSON summary of what the request means
  show_reasoning      show what was thought where the API hides it (chat's reasoning_content); sealed: encrypt it
  refusal             the model declines; filtered: the provider's content filter refuses the prompt
  finish=WHY          stop, length, content_filter or stop_sequence
  context=N           refuse prompts of more than N tokens
  strict              refuse what the API does not document (Gemini and Bedrock always do)
  text=unicode        answer with emoji and CJK
  chunks=MODE         event: one write per event (default); whole: one write; bytes: one write per byte;
                      awkward: cuts inside characters, inside `data:` and inside the blank line between events
  crlf                events end their lines with CR LF
  gzip                compress if the client accepts it
  no_usage            report no usage
Faults (the last one counts):
  status=N            an error reply in the provider's shape; retry_after=N adds the header
  flaky=P             P percent of the requests fail with 503, evenly spread
  error_first         200, and an error as the first event of the stream (a JSON reply: as error_body)
  error_after=N       an error event after N events, then the end
  error_body          200 with a JSON body that carries an error
  cut_after=N         the connection is cut after N events (a JSON reply: after half of it)
  hang_after=N        silence after N events (a JSON reply: after half of it)
  hang                no reply at all
  drop                the connection is closed without a reply";
