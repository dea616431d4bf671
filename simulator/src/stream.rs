//! How a reply goes out on the wire, and what is booked while it does.
//!
//! In: a [`Script`], which is every event of a reply with what it tells the client, and the [`Bill`] to keep. Out: an
//! HTTP body. A script is edited by a [`Fault`] before it is played; playing it never decides anything. The bill goes
//! with the body: if the client hangs up, hyper drops the body, and the bill is settled with what was sent until then.
//! How events are framed is in [`Framing`]; Amazon's frames are in [`frames`].

mod cuts;
pub mod frames;

use std::io;
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use futures_util::stream;
use tokio::time::{Instant, sleep, sleep_until};

use cuts::Write;

use crate::ledger::{Bill, Produced};
use crate::prices::Tokens;
use crate::steering::{Chunks, Fault, Steering};

/// Between the last event before a cut and the cut itself, so that the event is on the wire and not lost with it.
const BEFORE_A_CUT: Duration = Duration::from_millis(3);

/// One server-sent event, or one whole JSON body.
#[derive(Clone, Debug)]
pub struct Event {
    bytes: Bytes,
    at: Duration,
    produced: Produced,
    tells: Tells,
}

/// What an event tells the client of its bill.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tells {
    /// Nothing.
    Nothing,
    /// A usage that later ones replace.
    So(Tokens),
    /// The final usage.
    All,
}

/// A reply before it is sent.
#[derive(Clone, Debug, Default)]
pub struct Script {
    events: Vec<Event>,
    end: End,
    crlf: bool,
    framing: Framing,
    pace: Pace,
}

/// How the events of a stream are told apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Framing {
    /// Server-sent events.
    #[default]
    Events,
    /// Amazon's event stream: binary frames with checksums.
    Frames,
    /// The elements of one JSON array, which Google streams unless asked for `alt=sse`.
    Array,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum End {
    /// As the API says.
    #[default]
    Regular,
    /// Regularly as HTTP, but with an error in place of the rest.
    Error,
    Cut,
    Hang,
}

/// When the Nth token of an answer is there.
#[derive(Clone, Copy, Debug, Default)]
pub struct Pace {
    ttft: Duration,
    rate: Option<f64>,
    /// Tokens thought before the first visible one.
    before: u64,
}

impl Pace {
    /// As the steering says, with `reasoning` tokens before the answer.
    pub fn new(steering: &Steering, reasoning: u64) -> Self {
        Self {
            ttft: steering.ttft,
            rate: steering.rate,
            before: reasoning,
        }
    }

    /// From the arrival of the request until `tokens` of the visible answer are there.
    pub fn at(&self, tokens: u64) -> Duration {
        match self.rate {
            Some(rate) if tokens > 0 => self.ttft + Duration::from_secs_f64((self.before + tokens) as f64 / rate),
            _ => self.ttft,
        }
    }

    /// The tokens of the visible answer that are there after `elapsed`.
    pub fn tokens_after(&self, elapsed: Duration) -> Option<u64> {
        let thinking = elapsed.checked_sub(self.ttft)?;
        let made = thinking.as_secs_f64() * self.rate?;
        (made as u64).checked_sub(self.before)
    }
}

impl Script {
    /// A script of server-sent events.
    pub fn events(steering: &Steering, pace: Pace) -> Self {
        Self {
            crlf: steering.crlf,
            pace,
            ..Self::default()
        }
    }

    /// The same with another framing.
    pub fn framed(self, framing: Framing) -> Self {
        Self { framing, ..self }
    }

    /// The same with CR LF at the ends of its lines, whatever the steering says.
    pub fn with_crlf(self) -> Self {
        Self { crlf: true, ..self }
    }

    /// The media type of a stream in this framing.
    pub fn content_type(&self) -> &'static str {
        match self.framing {
            Framing::Events => "text/event-stream; charset=utf-8",
            Framing::Frames => "application/vnd.amazon.eventstream",
            Framing::Array => "application/json; charset=UTF-8",
        }
    }

    /// A script of one JSON body, which is complete as soon as the handler returns it.
    pub fn json(body: String, tells: Tells) -> Self {
        let event = Event {
            bytes: body.into(),
            at: Duration::ZERO,
            produced: Produced::Everything,
            tells,
        };
        Self {
            events: vec![event],
            ..Self::default()
        }
    }

    /// Appends an event: `event: name` (if any) and `data: …` (the parts joined), or the same in the script's framing. It is
    /// sent when `produced` of the answer is there.
    pub fn push(&mut self, name: Option<&str>, data: &[&str], produced: Produced, tells: Tells) {
        let bytes = match self.framing {
            Framing::Events => self.event(name, data),
            Framing::Frames => frames::message(name.unwrap_or_default(), data.concat().as_bytes()),
            Framing::Array => {
                let before = if self.events.is_empty() { "[" } else { ",\r\n" };
                [&[before], data].concat().concat().into_bytes()
            }
        };
        let at = match produced {
            Produced::Prompt => self.pace.at(0),
            Produced::Answer(n) => self.pace.at(n),
            Produced::Everything => self.events.last().map_or(self.pace.ttft, |event| event.at),
        };
        self.events.push(Event {
            bytes: bytes.into(),
            at,
            produced,
            tells,
        });
    }

    fn event(&self, name: Option<&str>, data: &[&str]) -> Vec<u8> {
        let line = if self.crlf { "\r\n" } else { "\n" };
        let size = data.iter().map(|part| part.len()).sum::<usize>() + name.map_or(0, str::len) + 24;
        let mut bytes = Vec::with_capacity(size);
        if let Some(name) = name {
            for part in ["event: ", name, line] {
                bytes.extend_from_slice(part.as_bytes());
            }
        }
        bytes.extend_from_slice(b"data: ");
        for part in data.iter().chain(&[line, line]) {
            bytes.extend_from_slice(part.as_bytes());
        }
        bytes
    }

    /// Makes the reply go wrong. `error` is an error as the dialect puts it into a stream: its event name and data.
    pub fn spoil(&mut self, fault: Option<Fault>, error: (Option<&str>, &str)) {
        match fault {
            Some(Fault::CutAfter(n)) => (self.end, _) = (End::Cut, self.events.truncate(n)),
            Some(Fault::HangAfter(n)) => (self.end, _) = (End::Hang, self.events.truncate(n)),
            Some(Fault::ErrorAfter(n)) => {
                self.events.truncate(n);
                let produced = self.events.last().map_or(Produced::Prompt, |event| event.produced);
                self.push(error.0, &[error.1], produced, Tells::Nothing);
                self.end = End::Error;
            }
            _ => {}
        }
    }

    /// Like [`Script::spoil`] for a JSON body: half of it, then a cut or silence.
    pub fn spoil_json(&mut self, fault: Option<Fault>) {
        self.end = match fault {
            Some(Fault::CutAfter(_)) => End::Cut,
            Some(Fault::HangAfter(_)) => End::Hang,
            _ => return,
        };
        for event in &mut self.events {
            event.bytes.truncate(event.bytes.len() / 2);
            event.tells = Tells::Nothing;
        }
    }

    /// The size of the whole reply in bytes.
    pub fn size(&self) -> usize {
        self.events.iter().map(|event| event.bytes.len()).sum()
    }

    /// Plays the script: the body of the reply. `started` is when the request arrived.
    ///
    /// # Errors
    /// If compressing fails, which for a body in memory it does not.
    pub fn play(mut self, bill: Bill, started: Instant, chunks: Chunks, gzip: bool) -> io::Result<Body> {
        if self.framing == Framing::Array && matches!(self.end, End::Regular | End::Error) {
            let last = self.events.last_mut();
            if let Some(event) = last {
                event.bytes = [&event.bytes[..], b"]"].concat().into();
            }
        }
        let mut writes = cuts::writes(&self.events, chunks);
        if gzip {
            writes = cuts::compressed(writes, matches!(self.end, End::Regular | End::Error))?;
        }
        let player = Player {
            writes: writes.into_iter(),
            marks: self
                .events
                .into_iter()
                .map(|event| (event.produced, event.tells))
                .collect::<Vec<_>>()
                .into_iter(),
            marked: 0,
            bill,
            started,
            end: self.end,
            first: true,
        };
        Ok(Body::from_stream(stream::unfold(player, |mut player| async move {
            let next = player.next().await;
            next.map(|bytes| (bytes, player))
        })))
    }
}

struct Player {
    writes: std::vec::IntoIter<Write>,
    marks: std::vec::IntoIter<(Produced, Tells)>,
    marked: usize,
    bill: Bill,
    started: Instant,
    end: End,
    first: bool,
}

impl Player {
    async fn next(&mut self) -> Option<io::Result<Bytes>> {
        let Some(write) = self.writes.next() else {
            return self.end().await;
        };
        if !write.at.is_zero() && self.started + write.at > Instant::now() {
            sleep_until(self.started + write.at).await;
        } else if !self.first {
            // Says "not now" once, upon which the server writes out what it has: one write per item.
            tokio::task::yield_now().await;
        }
        self.first = false;
        while self.marked < write.done {
            self.marked += 1;
            let Some((produced, tells)) = self.marks.next() else {
                break;
            };
            self.bill.produced(produced);
            match tells {
                Tells::Nothing => {}
                Tells::So(tokens) => self.bill.reported(tokens),
                Tells::All => self.bill.settle(),
            }
        }
        if self.writes.len() == 0 && self.end == End::Regular {
            self.bill.complete();
        }
        Some(Ok(write.bytes))
    }

    async fn end(&mut self) -> Option<io::Result<Bytes>> {
        match self.end {
            End::Regular | End::Error => None,
            End::Hang => std::future::pending().await,
            End::Cut => {
                sleep(BEFORE_A_CUT).await;
                Some(Err(io::Error::new(io::ErrorKind::ConnectionAborted, "cut on request")))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_comes_at_its_time() {
        let pace = Pace {
            ttft: Duration::from_millis(100),
            rate: Some(10.0),
            before: 5,
        };
        assert_eq!(pace.at(0), Duration::from_millis(100));
        assert_eq!(pace.at(5), Duration::from_millis(1_100));
        assert_eq!(pace.tokens_after(Duration::from_millis(1_150)), Some(5));
        assert_eq!(pace.tokens_after(Duration::from_millis(300)), None);
    }
}
