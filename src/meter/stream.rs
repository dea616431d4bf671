//! Reads a stream of events as it passes, and withholds the one event nobody but Tollgate asked for.

use super::{
    Passed,
    facts::{Choices, Facts, Shape, Type},
    likeness::Likeness,
};
use crate::{
    framing::sse::{Blocks, fields},
    json::passing::Scanner,
};

/// A block of which more than this is withheld or put by is no longer waited for: while its usage is to be hidden.
const HIDING_LIMIT: usize = 1024 * 1024;

/// The same while nothing is hidden: from there on it is read without being put by.
const READING_LIMIT: usize = 64 * 1024;

/// One stream.
#[derive(Clone, Debug)]
pub(super) struct Stream {
    pub(super) facts: Facts,
    pub(super) text: u64,
    pub(super) first: Option<u64>,
    pub(super) finished: bool,
    pub(super) complete: bool,
    pub(super) error: bool,
    blocks: Blocks,
    /// The block that has begun and not ended, unless it is too large.
    carry: Vec<u8>,
    /// Whether the block that has begun is too large to put by, and is being scanned as it comes.
    large: bool,
    hiding: bool,
    limit: usize,
    scanner: Scanner,
    /// What the latest events looked like; two, because two answers to one prompt may alternate.
    likenesses: [Likeness; 2],
    latest: usize,
}

/// A chunk on its way through, when it does not pass as it is.
#[derive(Debug, Default)]
struct Outgoing {
    /// What passes instead, up to `settled`. `None`: nothing differs so far.
    bytes: Option<Vec<u8>>,
    /// How much of the chunk is decided.
    settled: usize,
}

impl Outgoing {
    /// Lets the chunk pass up to `from`, and not from there to `to`.
    fn withhold(&mut self, chunk: &[u8], from: usize, to: usize) {
        let passing = chunk.get(self.settled..from).unwrap_or_default();
        self.bytes.get_or_insert_default().extend_from_slice(passing);
        self.settled = to;
    }

    /// Lets bytes pass that an earlier chunk brought.
    fn release(&mut self, bytes: &[u8]) {
        self.bytes.get_or_insert_default().extend_from_slice(bytes);
    }

    fn passed(self, chunk: &[u8]) -> Passed {
        match self.bytes {
            None => Passed::Unchanged,
            Some(mut bytes) => {
                bytes.extend_from_slice(chunk.get(self.settled..).unwrap_or_default());
                Passed::Replaced(bytes)
            }
        }
    }
}

impl Stream {
    pub(super) fn new(shape: Shape, hide_usage: bool) -> Self {
        Self {
            facts: Facts::new(shape, true),
            text: 0,
            first: None,
            finished: false,
            complete: false,
            error: false,
            blocks: Blocks::default(),
            carry: Vec::new(),
            large: false,
            hiding: hide_usage,
            limit: if hide_usage { HIDING_LIMIT } else { READING_LIMIT },
            scanner: Scanner::default(),
            likenesses: <[Likeness; 2]>::default(),
            latest: 0,
        }
    }

    #[cfg(test)]
    pub(super) fn limit_to(&mut self, limit: usize) {
        self.limit = limit;
    }

    #[cfg(test)]
    pub(super) fn put_by_len(&self) -> usize {
        self.carry.len()
    }

    pub(super) fn feed(&mut self, chunk: &[u8], now: u64, end: bool) -> Passed {
        let mut outgoing = Outgoing::default();
        let mut at = 0;
        while let Some(rest) = chunk.get(at..).filter(|rest| !rest.is_empty()) {
            if self.blocks.fresh()
                && let Some(len) = self.recognise(rest, now)
            {
                at += len;
                continue;
            }
            let Some(len) = self.blocks.end(rest) else {
                self.put_by(chunk, at, &mut outgoing);
                break;
            };
            let piece = rest.get(..len).unwrap_or_default();
            if self.large {
                self.large = false;
                self.scanner.feed(piece, &mut self.facts);
                self.conclude(now, true);
            } else if self.carry.is_empty() {
                if self.block(piece, now, true) {
                    outgoing.withhold(chunk, at, at + len);
                }
            } else {
                self.carry.extend_from_slice(piece);
                self.carried(now, true, &mut outgoing);
                outgoing.settled = at + len;
            }
            at += len;
        }
        if end {
            if self.large {
                self.large = false;
                self.conclude(now, false);
            } else if !self.carry.is_empty() {
                self.carried(now, false, &mut outgoing);
            }
        }
        outgoing.passed(chunk)
    }

    /// The length of the block at the beginning of `bytes`, if it is like one of the latest.
    #[inline]
    fn recognise(&mut self, bytes: &[u8], now: u64) -> Option<usize> {
        let other = 1 - self.latest;
        let found = match self.likenesses.get(self.latest)?.matches(bytes) {
            Some(found) => found,
            None => {
                let found = self.likenesses.get(other)?.matches(bytes)?;
                self.latest = other;
                found
            }
        };
        self.hiding &= found.len <= self.limit;
        self.passed_text(found.text, now);
        Some(found.len)
    }

    #[inline]
    fn passed_text(&mut self, bytes: u64, now: u64) {
        if bytes > 0 {
            self.text = self.text.saturating_add(bytes);
            self.first.get_or_insert(now);
        }
    }

    /// Puts the rest of a chunk by: the block that begins, or goes on, at `from` does not end in it.
    fn put_by(&mut self, chunk: &[u8], from: usize, outgoing: &mut Outgoing) {
        let rest = chunk.get(from..).unwrap_or_default();
        if self.large {
            self.scanner.feed(rest, &mut self.facts);
            return;
        }
        if self.carry.len() + rest.len() <= self.limit {
            self.carry.extend_from_slice(rest);
            if self.hiding {
                outgoing.withhold(chunk, from, chunk.len());
            }
            return;
        }
        // Too large to wait for. What was withheld passes, and with it everything else.
        if self.hiding {
            self.hiding = false;
            if !self.carry.is_empty() {
                outgoing.release(&self.carry);
                outgoing.settled = from;
            }
        }
        self.large = true;
        self.carry.extend_from_slice(rest);
        let block = std::mem::take(&mut self.carry);
        self.begin_event();
        self.scan(&block, false);
    }

    /// The block that was put by has ended, or the stream has.
    fn carried(&mut self, now: u64, ended: bool, outgoing: &mut Outgoing) {
        let mut block = std::mem::take(&mut self.carry);
        let hiding = self.hiding;
        let hidden = self.block(&block, now, ended);
        if hiding {
            outgoing.release(if hidden { &[] } else { &block });
        }
        block.clear();
        self.carry = block;
    }

    /// Reads a block. Whether it is to be hidden.
    fn block(&mut self, block: &[u8], now: u64, ended: bool) -> bool {
        if block.len() > self.limit {
            self.hiding = false;
        }
        self.begin_event();
        let base = self.scan(block, ended);
        let hide = self.conclude(now, ended);
        if let Some(base) = base
            && self.scanner.done()
            && Likeness::is_worth(block, &self.facts.event)
        {
            self.latest = 1 - self.latest;
            if let Some(likeness) = self.likenesses.get_mut(self.latest) {
                likeness.learn(block, base, &self.facts.event);
            }
        }
        hide
    }

    fn begin_event(&mut self) {
        self.scanner.reset();
        self.facts.begin();
    }

    /// Scans the data of a block, which may not have ended. Where it stands, if in one line.
    fn scan(&mut self, block: &[u8], ended: bool) -> Option<usize> {
        const DONE: &[u8] = b"[DONE]";
        let mut base = None;
        let mut lines = 0;
        for field in fields(block) {
            match field.name {
                b"data" if field.value.starts_with(DONE) => {
                    self.complete = true;
                    lines += 1;
                }
                b"data" if !ended && DONE.starts_with(field.value) => {}
                b"data" => {
                    if lines > 0 {
                        self.scanner.feed(b"\n", &mut self.facts);
                    }
                    self.scanner.feed(field.value, &mut self.facts);
                    base = Some(field.at);
                    lines += 1;
                }
                b"event" if field.value == b"error" => self.facts.event.error = true,
                _ => {}
            }
        }
        base.filter(|_| lines == 1)
    }

    /// Draws the conclusions from an event. Whether it is to be hidden.
    fn conclude(&mut self, now: u64, ended: bool) -> bool {
        let event = &self.facts.event;
        let text = event.text;
        let usage_alone = event.usage && event.choices != Choices::Some && !event.error && text == 0;
        self.finished |= event.finished || matches!(event.kind, Type::Last | Type::Failed);
        self.error |= event.error || matches!(event.kind, Type::Failed | Type::Error);
        let is_last = match self.facts.shape {
            // Some servers report with every event: only a report that comes with the end, or after it, is the last.
            Shape::Choices => usage_alone || event.usage && self.finished,
            Shape::Message => event.kind == Type::Last || event.finished && event.usage,
            Shape::Response => matches!(event.kind, Type::Last | Type::Failed),
            Shape::Unknown => event.usage && (event.kind != Type::None || usage_alone || self.finished),
        };
        // Of an event that was cut off, only its beginning has been read.
        self.complete |= is_last && self.scanner.done();
        if event.content && text == 0 {
            self.first.get_or_insert(now);
        }
        let cut_off = !self.scanner.done() && !self.scanner.untouched();
        if (self.scanner.broken() || cut_off && ended) && self.facts.shape != Shape::Unknown {
            self.facts.known.undecoded = true;
        }
        self.passed_text(text, now);
        self.hiding && self.facts.shape == Shape::Choices && usage_alone
    }
}
