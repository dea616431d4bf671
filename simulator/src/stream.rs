//! How a reply goes out on the wire, and what is booked while it does.
//!
//! In: a [`Script`], which is every event of a reply with what it tells the client, and the [`Bill`] to keep. Out: an
//! HTTP body. A script is edited by a [`Fault`] before it is played; playing it never decides anything. The bill goes
//! with the body: if the client hangs up, hyper drops the body, and the bill is settled with what was sent until then.

use std::io::{self, Write as _};
use std::time::Duration;

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use flate2::Compression;
use flate2::write::GzEncoder;
use futures_util::stream;
use tokio::time::{Instant, sleep, sleep_until};

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
    pace: Pace,
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

    /// Appends `event: name` (if any) and `data: …` (the parts joined), sent when `produced` of the answer is there.
    pub fn push(&mut self, name: Option<&str>, data: &[&str], produced: Produced, tells: Tells) {
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
    pub fn play(self, bill: Bill, started: Instant, chunks: Chunks, gzip: bool) -> io::Result<Body> {
        let mut writes = self.writes(chunks);
        if gzip {
            writes = compressed(writes, self.end)?;
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

    fn writes(&self, chunks: Chunks) -> Vec<Write> {
        if chunks == Chunks::Event {
            let write = |(i, e): (usize, &Event)| Write {
                bytes: e.bytes.clone(),
                at: e.at,
                done: i + 1,
            };
            return self.events.iter().enumerate().map(write).collect();
        }
        let mut whole = BytesMut::new();
        let mut cuts = Vec::new();
        for event in &self.events {
            match chunks {
                Chunks::Awkward => cuts.extend(awkward_cuts(&event.bytes).into_iter().map(|cut| whole.len() + cut)),
                Chunks::Bytes => cuts.extend(whole.len() + 1..whole.len() + event.bytes.len() + 1),
                Chunks::Event | Chunks::Whole => {}
            }
            whole.extend_from_slice(&event.bytes);
        }
        cuts.push(whole.len());
        let mut whole = whole.freeze();
        let (mut events, mut done, mut end, mut at) = (self.events.iter(), 0, 0, Duration::ZERO);
        let (mut sent, mut writes) = (0, Vec::new());
        for cut in cuts {
            // An event counts as sent with the write that completes it, and no byte goes out before its event's time.
            let mut next = events.clone();
            while let Some(event) = next.next() {
                if end < cut {
                    at = at.max(event.at);
                }
                if end + event.bytes.len() > cut {
                    break;
                }
                end += event.bytes.len();
                done += 1;
                events = next.clone();
            }
            if cut > sent {
                writes.push(Write {
                    bytes: whole.split_to(cut - sent),
                    at,
                    done,
                });
                sent = cut;
            }
        }
        writes
    }
}

struct Write {
    bytes: Bytes,
    at: Duration,
    /// Events that are complete once this is sent.
    done: usize,
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

/// Two bytes into `data:`, inside the first character of several bytes, and inside the blank line at the end.
fn awkward_cuts(event: &[u8]) -> Vec<usize> {
    let mut cuts = Vec::new();
    if let Some(data) = memchr::memmem::find(event, b"data:") {
        cuts.push(data + 2);
    }
    for (at, pair) in event.windows(2).enumerate() {
        if let [before, byte] = pair
            && *before >= 0xC0
            && *byte & 0xC0 == 0x80
        {
            cuts.push(at + 1);
        }
    }
    if event.ends_with(b"\r\n\r\n") {
        // After each of the four in turn, from event to event, and always between the two lines' own halves.
        cuts.push(event.len() - 1 - event.len() % 3);
    } else if event.ends_with(b"\n\n") {
        cuts.push(event.len() - 1);
    } else {
        cuts.extend((1..event.len()).filter(|at| at % 97 == 0));
        cuts.sort_unstable();
        cuts.dedup();
    }
    cuts
}

fn compressed(writes: Vec<Write>, end: End) -> io::Result<Vec<Write>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    let mut packed = Vec::with_capacity(writes.len());
    for write in writes {
        encoder.write_all(&write.bytes)?;
        encoder.flush()?;
        packed.push(Write {
            bytes: std::mem::take(encoder.get_mut()).into(),
            ..write
        });
    }
    let trailer = encoder.finish()?;
    if let (End::Regular | End::Error, Some(last)) = (end, packed.last_mut()) {
        let mut bytes = BytesMut::from(&last.bytes[..]);
        bytes.extend_from_slice(&trailer);
        last.bytes = bytes.freeze();
    }
    Ok(packed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn script(crlf: bool) -> Script {
        let mut script = Script::events(
            &Steering {
                crlf,
                ..Steering::default()
            },
            Pace::default(),
        );
        for text in ["hello", "wörld", "日本", "🦀"] {
            script.push(
                Some("delta"),
                &["{\"text\":\"", text, "\"}"],
                Produced::Answer(1),
                Tells::Nothing,
            );
        }
        script
    }

    fn joined(writes: &[Write]) -> Vec<u8> {
        writes.iter().flat_map(|write| write.bytes.to_vec()).collect()
    }

    #[test]
    fn however_it_is_cut_the_bytes_are_the_same_and_every_event_is_counted_with_its_last_byte() {
        for crlf in [false, true] {
            let script = script(crlf);
            let plain = joined(&script.writes(Chunks::Event));
            for chunks in [Chunks::Whole, Chunks::Awkward, Chunks::Bytes] {
                let writes = script.writes(chunks);
                assert_eq!(joined(&writes), plain);
                let (mut sent, blank) = (0, if crlf { "\r\n\r\n" } else { "\n\n" });
                for write in &writes {
                    sent += write.bytes.len();
                    let text = String::from_utf8_lossy(&plain[..sent]).into_owned();
                    assert_eq!(write.done, text.matches(blank).count(), "{chunks:?} after {sent}");
                }
            }
            assert_eq!(script.writes(Chunks::Whole).len(), 1);
            assert_eq!(script.writes(Chunks::Bytes).len(), plain.len());
        }
    }

    #[test]
    fn awkward_cuts_are_inside_data_inside_characters_and_inside_the_blank_line() {
        for crlf in [false, true] {
            let script = script(crlf);
            let writes = script.writes(Chunks::Awkward);
            assert!(writes.iter().any(|w| w.bytes.ends_with(b"da")));
            assert!(writes.iter().any(|w| std::str::from_utf8(&w.bytes).is_err()));
            assert!(
                writes
                    .iter()
                    .filter(|w| w.bytes.starts_with(b"\n") || w.bytes.starts_with(b"\r"))
                    .count()
                    >= 4
            );
            let ends = |w: &&Write| w.bytes.ends_with(b"\n\n") || w.bytes.ends_with(b"\r\n\r\n");
            assert!(
                writes.iter().filter(ends).count() <= 1,
                "no cut at an event's end but the last"
            );
        }
    }

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
