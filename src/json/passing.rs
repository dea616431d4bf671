//! A JSON document that passes in pieces: members of interest are handed over, the rest is skipped.
//!
//! In: a document cut anywhere. Out: calls to a [`Visit`], the same ones wherever it was cut. What is skipped is neither
//! kept nor validated, so a document of any size costs one look at each of its bytes and no memory; what is kept is
//! bounded. It judges nothing: a document that is not JSON merely becomes [`Scanner::broken`].

use super::{TextLength, flat_run, plain_run};

mod simple;
mod visit;

use simple::{ends_scalar, is_space, kind, simple_name};
pub use visit::{Kind, Visit, Want};

/// The most bytes of one value that are kept for [`Visit::kept`].
pub const KEEP_LIMIT: usize = 64 * 1024;

/// Deeper containers are skipped, whatever the visitor wants.
const DEPTH_LIMIT: usize = 16;

/// Longer names of members are cut: no name of interest is as long.
const NAME_LIMIT: usize = 24;

/// The place outside the document, whose only element is the document itself.
pub const OUTSIDE: u8 = 0;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    /// Before a value, or the end of an array.
    #[default]
    Value,
    /// Before a member's name, or the end of an object.
    Name,
    /// In a member's name that goes on from an earlier piece or has escapes.
    InName { escaped: bool },
    /// Behind a member's name.
    Colon,
    /// Behind the colon, before the member's value.
    Member,
    /// Behind a value.
    After,
    /// In a string.
    InString { escaped: bool },
    /// In a number or word.
    InScalar,
    /// In a container that is not looked into.
    InNested { depth: u32, string: bool, escaped: bool },
    /// Behind the document.
    Done,
    /// At something that is not JSON.
    Broken,
}

/// Follows one document.
#[derive(Clone, Debug)]
pub struct Scanner {
    state: State,
    /// The places of the open containers, outermost first: twice the place, plus one for an object.
    open: [u8; DEPTH_LIMIT],
    depth: usize,
    want: Want,
    kind: Kind,
    name: [u8; NAME_LIMIT],
    name_len: usize,
    /// Whether the present value began in an earlier piece.
    continued: bool,
    kept: Vec<u8>,
    length: TextLength,
}

impl Default for Scanner {
    fn default() -> Self {
        Self {
            state: State::Value,
            open: [0; DEPTH_LIMIT],
            depth: 0,
            want: Want::Skip,
            kind: Kind::Null,
            name: [0; NAME_LIMIT],
            name_len: 0,
            continued: false,
            kept: Vec::new(),
            length: TextLength::default(),
        }
    }
}

impl Scanner {
    /// Makes ready for another document.
    #[inline]
    pub fn reset(&mut self) {
        self.state = State::Value;
        self.depth = 0;
        self.forget();
    }

    /// Lets go of the present value.
    #[inline]
    fn forget(&mut self) {
        self.want = Want::Skip;
        self.continued = false;
        self.kept.clear();
        self.length = TextLength::default();
    }

    /// Whether the document has ended.
    pub fn done(&self) -> bool {
        self.state == State::Done
    }

    /// Whether the document is not JSON.
    pub fn broken(&self) -> bool {
        self.state == State::Broken
    }

    /// Whether nothing of the document has come yet.
    pub fn untouched(&self) -> bool {
        self.state == State::Value && self.depth == 0
    }

    /// Follows the document through its next bytes.
    pub fn feed(&mut self, piece: &[u8], visit: &mut impl Visit) {
        let mut at = 0;
        // Where the present value, or what this piece has of it, begins.
        let mut start = 0;
        while let Some(&byte) = piece.get(at) {
            match self.state {
                State::Value | State::Name | State::Colon | State::Member | State::After if is_space(byte) => at += 1,
                State::Value => {
                    if byte == b']' && self.depth > 0 && !self.in_object() {
                        at += 1;
                        self.close();
                    } else {
                        start = self.begin(&[], byte, &mut at, visit);
                    }
                }
                State::Name => match byte {
                    b'}' => {
                        at += 1;
                        self.close();
                    }
                    b'"' => {
                        at = self.simple_members(piece, at, visit);
                        if self.state == State::Name {
                            start = self.name(piece, &mut at, visit);
                        }
                    }
                    _ => self.state = State::Broken,
                },
                State::InName { escaped } => {
                    at += 1;
                    match byte {
                        b'"' if !escaped => self.state = State::Colon,
                        _ => {
                            self.push_name(&[byte]);
                            self.state = State::InName {
                                escaped: byte == b'\\' && !escaped,
                            };
                        }
                    }
                }
                State::Colon => {
                    at += 1;
                    self.state = if byte == b':' { State::Member } else { State::Broken };
                }
                State::Member => {
                    let name = self.name;
                    start = self.begin(name.get(..self.name_len).unwrap_or_default(), byte, &mut at, visit);
                }
                State::After => {
                    at += 1;
                    match byte {
                        b',' => self.state = if self.in_object() { State::Name } else { State::Value },
                        b'}' if self.in_object() => self.close(),
                        b']' if !self.in_object() => self.close(),
                        _ => self.state = State::Broken,
                    }
                }
                State::InString { escaped } => {
                    if escaped {
                        at += 1;
                        self.state = State::InString { escaped: false };
                        continue;
                    }
                    at += plain_run(piece.get(at..).unwrap_or_default());
                    match piece.get(at) {
                        Some(b'"') => {
                            self.string_ended(piece, start, at, visit);
                            at += 1;
                            self.value_ended(piece, start, at, visit);
                        }
                        Some(&other) => {
                            at += 1;
                            self.state = State::InString {
                                escaped: other == b'\\',
                            };
                        }
                        None => {}
                    }
                }
                State::InScalar => {
                    if ends_scalar(byte) {
                        if self.want == Want::Vary && !self.continued {
                            visit.varied(start..at, self.kind, false);
                        }
                        self.value_ended(piece, start, at, visit);
                    } else {
                        at += 1;
                    }
                }
                State::InNested { depth, string, escaped } => {
                    at = self.nested(piece, at, depth, string, escaped);
                    if self.state == State::After {
                        self.value_ended(piece, start, at, visit);
                    }
                }
                State::Done | State::Broken => return,
            }
        }
        self.piece_ended(piece, start, visit);
    }

    fn in_object(&self) -> bool {
        self.place() & 1 == 1
    }

    fn place(&self) -> u8 {
        match self.depth.checked_sub(1) {
            Some(innermost) => self.open.get(innermost).copied().unwrap_or_default(),
            None => OUTSIDE << 1,
        }
    }

    fn close(&mut self) {
        self.depth -= usize::from(self.depth > 0);
        self.state = if self.depth == 0 { State::Done } else { State::After };
    }

    /// A member's name begins at `at`. Returns where its value begins, if it does in this piece.
    #[inline]
    fn name(&mut self, piece: &[u8], at: &mut usize, visit: &mut impl Visit) -> usize {
        if let Some((name, start, first)) = simple_name(piece, *at) {
            *at = start;
            return self.begin(name, first, at, visit);
        }
        let rest = piece.get(*at + 1..).unwrap_or_default();
        let (name, behind) = rest.split_at_checked(plain_run(rest)).unwrap_or_default();
        self.name_len = 0;
        self.push_name(name);
        *at += 1 + name.len();
        if behind.first() == Some(&b'"') {
            *at += 1;
            self.state = State::Colon;
        } else {
            self.state = State::InName { escaped: false };
        }
        0
    }

    fn push_name(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            if let Some(free) = self.name.get_mut(self.name_len) {
                *free = byte;
                self.name_len += 1;
            }
        }
    }

    /// A value begins with the byte `first` at `at`. Returns where what matters of it begins.
    #[inline]
    fn begin(&mut self, name: &[u8], first: u8, at: &mut usize, visit: &mut impl Visit) -> usize {
        let start = *at;
        let Some(kind) = kind(first) else {
            self.state = State::Broken;
            return start;
        };
        self.kind = kind;
        self.want = visit.member(self.place() >> 1, name, self.kind);
        *at += 1;
        match self.kind {
            Kind::String => self.state = State::InString { escaped: false },
            Kind::Null | Kind::Scalar => self.state = State::InScalar,
            Kind::Object | Kind::Array => {
                let object = self.kind == Kind::Object;
                match (self.want, self.open.get_mut(self.depth)) {
                    (Want::Enter(place), Some(open)) => {
                        *open = (place << 1) | u8::from(object);
                        self.depth += 1;
                        self.state = if object { State::Name } else { State::Value };
                    }
                    _ => {
                        self.state = State::InNested {
                            depth: 1,
                            string: false,
                            escaped: false,
                        }
                    }
                }
            }
        }
        start
    }

    /// Goes on in a container that is not looked into; leaves [`State::After`] behind its end.
    fn nested(&mut self, piece: &[u8], from: usize, mut depth: u32, mut string: bool, mut escaped: bool) -> usize {
        let mut at = from;
        while let Some(rest) = piece.get(at..).filter(|rest| !rest.is_empty()) {
            if escaped {
                escaped = false;
                at += 1;
                continue;
            }
            let run = if string { plain_run(rest) } else { flat_run(rest) };
            at += run;
            match rest.get(run) {
                Some(b'"') => string = !string,
                Some(b'\\') if string => escaped = true,
                Some(b'{' | b'[') if !string => depth = depth.saturating_add(1),
                Some(b'}' | b']') if !string => depth -= 1,
                Some(_) => {}
                None => break,
            }
            at += 1;
            if depth == 0 {
                self.state = State::After;
                return at;
            }
        }
        self.state = State::InNested { depth, string, escaped };
        at
    }

    /// The string that was to be counted, or some of it, ends before `at`.
    #[inline]
    fn string_ended(&mut self, piece: &[u8], start: usize, at: usize, visit: &mut impl Visit) {
        if !matches!(self.want, Want::Count | Want::Vary) {
            return;
        }
        let inside = start + usize::from(!self.continued)..at;
        if self.want == Want::Count {
            visit.text(self.length.of(piece.get(inside.clone()).unwrap_or_default()));
        }
        if !self.continued {
            visit.varied(inside, Kind::String, self.want == Want::Count);
        }
    }

    #[inline]
    fn value_ended(&mut self, piece: &[u8], start: usize, at: usize, visit: &mut impl Visit) {
        if let Want::Keep(slot) = self.want {
            let raw = piece.get(start..at).unwrap_or_default();
            let whole = if self.kept.is_empty() {
                raw
            } else {
                self.kept.extend_from_slice(raw);
                self.kept.as_slice()
            };
            visit.kept(slot, Some(whole).filter(|whole| whole.len() <= KEEP_LIMIT));
        }
        self.forget();
        self.state = if self.depth == 0 { State::Done } else { State::After };
    }

    /// The piece ends, perhaps within a value: what is needed of it is put by.
    fn piece_ended(&mut self, piece: &[u8], start: usize, visit: &mut impl Visit) {
        if !matches!(
            self.state,
            State::InString { .. } | State::InScalar | State::InNested { .. }
        ) {
            return;
        }
        let raw = piece.get(start..).unwrap_or_default();
        match self.want {
            Want::Keep(slot) if self.kept.len() + raw.len() > KEEP_LIMIT => {
                visit.kept(slot, None);
                self.kept.clear();
                self.want = Want::Skip;
            }
            Want::Keep(_) => self.kept.extend_from_slice(raw),
            Want::Count => {
                let inside = raw.get(usize::from(!self.continued)..).unwrap_or_default();
                visit.text(self.length.of(inside));
            }
            Want::Vary | Want::Skip | Want::Enter(_) => {}
        }
        self.continued = true;
    }
}

#[cfg(test)]
mod tests;
