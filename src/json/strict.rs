//! A whole JSON document, validated (RFC 8259) in one pass over its bytes.
//!
//! In: bytes that are valid UTF-8. Out: where each thing begins and ends, or what is wrong and where. Nothing is
//! recursive, so no document can exhaust the stack.

use std::{borrow::Cow, ops::Range};

/// The deepest nesting of arrays and objects that is read.
pub const DEPTH_LIMIT: usize = 128;

/// What is wrong with a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wrong {
    /// It is not JSON: at this byte, for this reason.
    At(usize, &'static str),
    /// It is nested more than [`DEPTH_LIMIT`] levels deep.
    TooDeep,
}

/// What kind of value something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `{…}`
    Object,
    /// `[…]`
    Array,
    /// `"…"`
    String,
    /// `-1.5e3`
    Number,
    /// `true`
    True,
    /// `false`
    False,
    /// `null`
    Null,
}

/// Hears of what stands inside a value while it is validated. Depth is 0 for the value itself.
pub trait Listener {
    /// A string that is a value; `inside` is what stands between its quotes, as written.
    fn string(&mut self, _inside: &[u8]) {}
    /// A string that is a member's name.
    fn name(&mut self, _inside: &[u8]) {}
    /// A number.
    fn number(&mut self) {}
    /// An object or array begins.
    fn opened(&mut self, _depth: usize) {}
}

/// Hears nothing.
impl Listener for () {}

/// A place in a document.
#[derive(Clone, Debug)]
pub struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    /// The beginning of a document. Its bytes must be valid UTF-8, which is not checked again.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// The offset of the next byte.
    pub fn at(&self) -> usize {
        self.at
    }

    /// How many bytes the document has.
    pub fn length(&self) -> usize {
        self.bytes.len()
    }

    /// The next byte.
    #[inline]
    pub fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    /// The bytes of a span.
    pub fn slice(&self, span: Range<usize>) -> &'a [u8] {
        self.bytes.get(span).unwrap_or_default()
    }

    /// Passes white space and says what follows it.
    #[inline]
    pub fn next_token(&mut self) -> Option<u8> {
        loop {
            match self.peek() {
                Some(b' ' | b'\n' | b'\r' | b'\t') => self.at += 1,
                other => return other,
            }
        }
    }

    /// Passes white space and the given byte.
    #[inline]
    pub fn expect(&mut self, byte: u8, what: &'static str) -> Result<(), Wrong> {
        if self.next_token() == Some(byte) {
            self.at += 1;
            Ok(())
        } else {
            Err(self.wrong(what))
        }
    }

    /// Passes white space up to the end of the document.
    pub fn finish(&mut self) -> Result<(), Wrong> {
        match self.next_token() {
            None => Ok(()),
            Some(_) => Err(self.wrong("unexpected characters after the value")),
        }
    }

    fn wrong(&self, what: &'static str) -> Wrong {
        Wrong::At(
            self.at,
            if self.at < self.bytes.len() {
                what
            } else {
                "unexpected end"
            },
        )
    }

    /// Passes a string; the cursor stands at its opening quote. Returns the span between the quotes.
    #[inline]
    pub fn string(&mut self) -> Result<Range<usize>, Wrong> {
        self.at += 1;
        let start = self.at;
        loop {
            self.at += super::plain_run(self.bytes.get(self.at..).unwrap_or_default());
            match self.peek() {
                Some(b'"') => {
                    let span = start..self.at;
                    self.at += 1;
                    return Ok(span);
                }
                Some(b'\\') => self.escape()?,
                Some(_) => return Err(self.wrong("control character in a string")),
                None => return Err(self.wrong("unexpected end")),
            }
        }
    }

    fn escape(&mut self) -> Result<(), Wrong> {
        self.at += 1;
        match self.peek() {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => self.at += 1,
            Some(b'u') => {
                self.at += 1;
                for _ in 0..4 {
                    if !self.peek().is_some_and(|byte| byte.is_ascii_hexdigit()) {
                        return Err(self.wrong("invalid escape in a string"));
                    }
                    self.at += 1;
                }
            }
            _ => return Err(self.wrong("invalid escape in a string")),
        }
        Ok(())
    }

    fn digits(&mut self) -> Result<(), Wrong> {
        let start = self.at;
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        if self.at == start {
            Err(self.wrong("invalid number"))
        } else {
            Ok(())
        }
    }

    fn number(&mut self) -> Result<(), Wrong> {
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        if self.peek() == Some(b'0') {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(())
    }

    fn word(&mut self, word: &'static [u8], kind: Kind) -> Result<Kind, Wrong> {
        if self.bytes.get(self.at..).is_some_and(|rest| rest.starts_with(word)) {
            self.at += word.len();
            Ok(kind)
        } else {
            Err(self.wrong("expected a value"))
        }
    }

    /// Passes a value that is no object and no array.
    #[inline]
    fn scalar(&mut self, first: Option<u8>, listener: &mut impl Listener) -> Result<Kind, Wrong> {
        match first {
            Some(b'"') => {
                let span = self.string()?;
                listener.string(self.slice(span));
                Ok(Kind::String)
            }
            Some(b'-' | b'0'..=b'9') => {
                self.number()?;
                listener.number();
                Ok(Kind::Number)
            }
            Some(b't') => self.word(b"true", Kind::True),
            Some(b'f') => self.word(b"false", Kind::False),
            Some(b'n') => self.word(b"null", Kind::Null),
            _ => Err(self.wrong("expected a value")),
        }
    }

    /// Passes a member's name and the colon after it.
    #[inline]
    fn name(&mut self, listener: &mut impl Listener) -> Result<(), Wrong> {
        if self.next_token() != Some(b'"') {
            return Err(self.wrong("expected a member's name in quotes"));
        }
        let span = self.string()?;
        listener.name(self.slice(span));
        self.expect(b':', "expected ':'")
    }

    /// Passes a value of any kind and whatever is in it. `outside` is how deep it already stands.
    ///
    /// Returns its kind and its span.
    pub fn value(&mut self, outside: usize, listener: &mut impl Listener) -> Result<(Kind, Range<usize>), Wrong> {
        // One bit for each open container, the innermost lowest: 1 is an object.
        let mut objects: u128 = 0;
        let mut depth: usize = 0;
        let first = self.next_token();
        let start = self.at;
        let outermost = match first {
            Some(b'{') => Kind::Object,
            Some(b'[') => Kind::Array,
            _ => return self.scalar(first, listener).map(|kind| (kind, start..self.at)),
        };
        'value: loop {
            let first = self.next_token();
            if let Some(open @ (b'{' | b'[')) = first {
                if outside + depth >= DEPTH_LIMIT {
                    return Err(Wrong::TooDeep);
                }
                listener.opened(depth);
                self.at += 1;
                depth += 1;
                objects = (objects << 1) | u128::from(open == b'{');
                let close = if open == b'{' { b'}' } else { b']' };
                if self.next_token() != Some(close) {
                    if open == b'{' {
                        self.name(listener)?;
                    }
                    continue 'value;
                }
            } else {
                self.scalar(first, listener)?;
            }
            // A value, or an empty container's opening, is behind us; close whatever closes here.
            loop {
                let in_object = objects & 1 == 1;
                match self.next_token() {
                    Some(b',') => {
                        self.at += 1;
                        if in_object {
                            self.name(listener)?;
                        }
                        continue 'value;
                    }
                    Some(b'}') if in_object => {}
                    Some(b']') if !in_object => {}
                    _ if in_object => return Err(self.wrong("expected ',' or '}'")),
                    _ => return Err(self.wrong("expected ',' or ']'")),
                }
                self.at += 1;
                depth -= 1;
                objects >>= 1;
                if depth == 0 {
                    return Ok((outermost, start..self.at));
                }
            }
        }
    }

    /// Passes an object member by member; the cursor stands at its `{`.
    ///
    /// `member` gets each name, unescaped, and the offset of its opening quote, and passes the value.
    pub fn object<E: From<Wrong>>(
        &mut self,
        mut member: impl FnMut(&mut Self, &[u8], usize) -> Result<(), E>,
    ) -> Result<(), E> {
        self.at += 1;
        if self.next_token() == Some(b'}') {
            self.at += 1;
            return Ok(());
        }
        loop {
            if self.next_token() != Some(b'"') {
                return Err(self.wrong("expected a member's name in quotes").into());
            }
            let offset = self.at;
            let span = self.string()?;
            self.expect(b':', "expected ':'")?;
            match unescaped(self.slice(span)) {
                Some(name) => member(self, &name, offset)?,
                None => return Err(Wrong::At(offset, "unpaired surrogate in a member's name").into()),
            }
            match self.next_token() {
                Some(b',') => self.at += 1,
                Some(b'}') => {
                    self.at += 1;
                    return Ok(());
                }
                _ => return Err(self.wrong("expected ',' or '}'").into()),
            }
        }
    }
}

/// What the inside of a valid JSON string stands for; `None` when its escapes spell half of a surrogate pair.
pub fn unescaped(inside: &[u8]) -> Option<Cow<'_, [u8]>> {
    if memchr::memchr(b'\\', inside).is_none() {
        return Some(Cow::Borrowed(inside));
    }
    let quoted = [b"\"", inside, b"\""].concat();
    serde_json::from_slice::<String>(&quoted)
        .ok()
        .map(|text| Cow::Owned(text.into_bytes()))
}

#[cfg(test)]
mod tests;
