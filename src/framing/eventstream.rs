//! AWS's event streams (`application/vnd.amazon.eventstream`): where a message ends, and what its headers say.
//!
//! In: the bytes of a stream as they arrive. Out: its [`Message`]s, each with its type, its name and its payload. Bytes are
//! kept only while a message is incomplete. It knows nothing of what a payload says.
//!
//! A message is, in big-endian numbers: its length, its headers' length, a CRC-32 of those eight bytes, the headers, the
//! payload, and a CRC-32 of all before. A header is a name (its length in a byte), a type and a value. Both sums are
//! verified, before anything is believed. Sources: smithy.io/2.0/aws/amazon-eventstream.html; the sum is that of IEEE 802.3.

use std::fmt;

/// The longest message that is taken, in bytes. The bound is ours (AWS's SDKs take 24 MiB and more; an event of a model's
/// answer has a few hundred bytes): a longer one is a broken stream, and is not waited for.
pub const LONGEST: usize = 16 << 20;

/// The length of the two lengths and their sum.
const PRELUDE: usize = 12;

/// The length of a message without headers and payload.
const SHORTEST: usize = PRELUDE + 4;

/// The bytes are no stream of messages, or were changed on their way. Where the next message begins is unknown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Broken;

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a stream of events, or damaged on its way")
    }
}

impl std::error::Error for Broken {}

/// What a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An event (`:message-type` is `event`).
    Event,
    /// An error that the service's model describes (`exception`).
    Exception,
    /// One that it does not (`error`).
    Error,
}

/// A whole message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Message<'a> {
    /// What it is.
    pub kind: Kind,
    /// Its `:event-type`, `:exception-type` or `:error-code`; empty where it has none.
    pub name: &'a str,
    /// The `:error-message`; empty where it has none.
    pub error: &'a str,
    /// What it carries.
    pub payload: &'a [u8],
}

/// Finds the messages of a stream, wherever it is cut.
#[derive(Clone, Debug, Default)]
pub struct Frames {
    /// The beginning of a message whose end has not come.
    held: Vec<u8>,
    is_broken: bool,
}

impl Frames {
    /// Takes in bytes and gives each message that is complete with them.
    ///
    /// # Errors
    ///
    /// [`Broken`] when what comes is no message; then, and ever after, none is given.
    pub fn feed(&mut self, bytes: &[u8], mut each: impl FnMut(Message<'_>)) -> Result<(), Broken> {
        if self.is_broken {
            return Err(Broken);
        }
        let fed = self.fed(bytes, &mut each);
        if fed.is_err() {
            *self = Self {
                held: Vec::new(),
                is_broken: true,
            };
        }
        fed
    }

    /// Whether the stream is between two messages: an end here loses nothing.
    pub fn is_whole(&self) -> bool {
        self.held.is_empty() && !self.is_broken
    }

    fn fed(&mut self, mut bytes: &[u8], each: &mut impl FnMut(Message<'_>)) -> Result<(), Broken> {
        // What is held is completed first, by no more than it lacks; the rest need not be copied.
        while !self.held.is_empty() {
            let wanted = match length(&self.held)? {
                None => PRELUDE,
                Some(length) => length,
            };
            let lacking = wanted.saturating_sub(self.held.len());
            let Some((more, rest)) = bytes.split_at_checked(lacking) else {
                self.held.extend_from_slice(bytes);
                return Ok(());
            };
            self.held.extend_from_slice(more);
            bytes = rest;
            if length(&self.held)? == Some(self.held.len()) {
                each(message(&self.held)?);
                self.held.clear();
            }
        }
        while let Some(length) = length(bytes)? {
            let Some((whole, rest)) = bytes.split_at_checked(length) else {
                break;
            };
            each(message(whole)?);
            bytes = rest;
        }
        self.held.extend_from_slice(bytes);
        Ok(())
    }
}

/// The length of the message that begins here; `None`: its prelude is incomplete.
fn length(bytes: &[u8]) -> Result<Option<usize>, Broken> {
    let Some(&prelude) = bytes.first_chunk::<PRELUDE>() else {
        return Ok(None);
    };
    let [a, b, c, d, e, f, g, h, sum @ ..] = prelude;
    let total = u32::from_be_bytes([a, b, c, d]) as usize;
    let headers = u32::from_be_bytes([e, f, g, h]) as usize;
    let is_sound = crc32(&[a, b, c, d, e, f, g, h]) == u32::from_be_bytes(sum);
    match is_sound && total <= LONGEST && total.checked_sub(SHORTEST).is_some_and(|rest| headers <= rest) {
        true => Ok(Some(total)),
        false => Err(Broken),
    }
}

/// A whole message, taken apart.
fn message(bytes: &[u8]) -> Result<Message<'_>, Broken> {
    let (content, sum) = bytes.split_last_chunk::<4>().ok_or(Broken)?;
    if crc32(content) != u32::from_be_bytes(*sum) {
        return Err(Broken);
    }
    let (prelude, content) = content.split_first_chunk::<PRELUDE>().ok_or(Broken)?;
    let [_, _, _, _, a, b, c, d, ..] = *prelude;
    let headers = u32::from_be_bytes([a, b, c, d]) as usize;
    let (headers, payload) = content.split_at_checked(headers).ok_or(Broken)?;
    let mut kind = Kind::Event;
    let (mut event, mut exception, mut code, mut error) = ("", "", "", "");
    for header in Headers(headers) {
        match header? {
            (b":message-type", Value::Text(text)) => {
                kind = match text {
                    "event" => Kind::Event,
                    "exception" => Kind::Exception,
                    "error" => Kind::Error,
                    _ => return Err(Broken),
                }
            }
            (b":event-type", Value::Text(text)) => event = text,
            (b":exception-type", Value::Text(text)) => exception = text,
            (b":error-code", Value::Text(text)) => code = text,
            (b":error-message", Value::Text(text)) => error = text,
            _ => {}
        }
    }
    let name = match kind {
        Kind::Event => event,
        Kind::Exception => exception,
        Kind::Error => code,
    };
    Ok(Message {
        kind,
        name,
        error,
        payload,
    })
}

/// A header's value, as far as anyone asks for it.
enum Value<'a> {
    Text(&'a str),
    Other,
}

/// The headers of a message, in order.
struct Headers<'a>(&'a [u8]);

impl<'a> Headers<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn byte(&mut self) -> Option<u8> {
        let (&byte, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(byte)
    }

    /// Bytes behind their length in two.
    fn counted(&mut self) -> Option<&'a [u8]> {
        let &[a, b] = self.take(2)?.first_chunk()?;
        self.take(usize::from(u16::from_be_bytes([a, b])))
    }

    fn header(&mut self) -> Option<(&'a [u8], Value<'a>)> {
        let length = usize::from(self.byte()?);
        let name = self.take(length)?;
        let value = match self.byte()? {
            // True and false, which need no more.
            0 | 1 => Some(Value::Other),
            // Numbers of one, two, four and eight bytes, and a point in time.
            2 => self.take(1).map(|_| Value::Other),
            3 => self.take(2).map(|_| Value::Other),
            4 => self.take(4).map(|_| Value::Other),
            5 | 8 => self.take(8).map(|_| Value::Other),
            6 => self.counted().map(|_| Value::Other),
            7 => std::str::from_utf8(self.counted()?).ok().map(Value::Text),
            // A UUID.
            9 => self.take(16).map(|_| Value::Other),
            _ => None,
        };
        Some((name, value?))
    }
}

impl<'a> Iterator for Headers<'a> {
    type Item = Result<(&'a [u8], Value<'a>), Broken>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let header = self.header().ok_or(Broken);
        if header.is_err() {
            self.0 = &[];
        }
        Some(header)
    }
}

/// Of each byte, what it does to the sum.
const TABLE: [u32; 256] = {
    let mut table = [0; 256];
    let mut rest: &mut [u32] = &mut table;
    let mut byte = 0;
    while let [first, more @ ..] = rest {
        let mut sum = byte;
        let mut bit = 0;
        while bit < 8 {
            sum = if sum & 1 == 1 {
                (sum >> 1) ^ 0xEDB8_8320
            } else {
                sum >> 1
            };
            bit += 1;
        }
        *first = sum;
        rest = more;
        byte += 1;
    }
    table
};

/// The CRC-32 of bytes.
fn crc32(bytes: &[u8]) -> u32 {
    let step = |sum: u32, &byte: &u8| {
        let index = usize::from(sum as u8 ^ byte);
        // The table has an entry for each byte.
        (sum >> 8) ^ TABLE.get(index).copied().unwrap_or_default()
    };
    !bytes.iter().fold(!0, step)
}

/// A message with headers of text, as a service writes it: for tests of whoever reads one.
pub fn encode(headers: &[(&str, &str)], payload: &[u8]) -> Vec<u8> {
    let mut written = Vec::new();
    for (name, value) in headers {
        written.push(name.len() as u8);
        written.extend_from_slice(name.as_bytes());
        written.push(7);
        written.extend_from_slice(&(value.len() as u16).to_be_bytes());
        written.extend_from_slice(value.as_bytes());
    }
    assemble(&written, payload)
}

/// An event, as Bedrock writes it.
pub fn encode_event(name: &str, payload: &[u8]) -> Vec<u8> {
    let headers = [
        (":event-type", name),
        (":content-type", "application/json"),
        (":message-type", "event"),
    ];
    encode(&headers, payload)
}

/// An exception, as Bedrock writes it.
pub fn encode_exception(name: &str, payload: &[u8]) -> Vec<u8> {
    let headers = [
        (":exception-type", name),
        (":content-type", "application/json"),
        (":message-type", "exception"),
    ];
    encode(&headers, payload)
}

fn assemble(headers: &[u8], payload: &[u8]) -> Vec<u8> {
    let total = (SHORTEST + headers.len() + payload.len()) as u32;
    let mut message = Vec::with_capacity(total as usize);
    message.extend_from_slice(&total.to_be_bytes());
    message.extend_from_slice(&(headers.len() as u32).to_be_bytes());
    message.extend_from_slice(&crc32(&message).to_be_bytes());
    message.extend_from_slice(headers);
    message.extend_from_slice(payload);
    message.extend_from_slice(&crc32(&message).to_be_bytes());
    message
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    type Found = (Kind, String, Vec<u8>);

    fn feed(frames: &mut Frames, bytes: &[u8], found: &mut Vec<Found>) -> Result<(), Broken> {
        frames.feed(bytes, |message| {
            found.push((message.kind, message.name.to_owned(), message.payload.to_vec()));
        })
    }

    fn read(pieces: &[&[u8]]) -> Result<Vec<Found>, Broken> {
        let mut frames = Frames::default();
        let mut found = Vec::new();
        for piece in pieces {
            feed(&mut frames, piece, &mut found)?;
        }
        Ok(found)
    }

    #[test]
    fn the_sum_is_that_of_ieee() {
        assert_eq!(crc32(b"123456789"), 0xCBF4_3926);
    }

    #[test]
    fn the_least_message_is_as_amazon_describes_it() {
        // The first vector of AWS's own test suites: no headers, no payload.
        let empty = [
            0, 0, 0, 0x10, 0, 0, 0, 0, 0x05, 0xc2, 0x48, 0xeb, 0x7d, 0x98, 0xc8, 0xff,
        ];
        assert_eq!(assemble(b"", b""), empty);
        assert_eq!(read(&[&empty]), Ok(vec![(Kind::Event, String::new(), vec![])]));
    }

    #[test]
    fn every_type_of_header_is_passed_over() {
        let values: [&[u8]; 10] = [
            &[0],
            &[1],
            &[2, 9],
            &[3, 1, 2],
            &[4, 1, 2, 3, 4],
            &[5, 1, 2, 3, 4, 5, 6, 7, 8],
            &[6, 0, 3, 1, 2, 3],
            &[7, 0, 2, b'h', b'i'],
            &[8, 1, 2, 3, 4, 5, 6, 7, 8],
            &[9, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16],
        ];
        let mut headers = Vec::new();
        for value in values {
            headers.extend_from_slice(b"\x01x");
            headers.extend_from_slice(value);
        }
        headers.extend_from_slice(b"\x0b:event-type\x07\x00\x01e");
        let message = assemble(&headers, b"{}");
        assert_eq!(
            read(&[&message]),
            Ok(vec![(Kind::Event, "e".to_owned(), b"{}".to_vec())])
        );
        headers.extend_from_slice(b"\x01x\x0a");
        assert_eq!(read(&[&assemble(&headers, b"{}")]), Err(Broken));
        assert_eq!(read(&[&assemble(b"\x09short", b"")]), Err(Broken));
        assert_eq!(read(&[&assemble(b"\x01x\x07\x00\x01\xff", b"")]), Err(Broken));
    }

    #[test]
    fn exceptions_and_errors_have_names_of_their_own() {
        let exception = encode_exception("throttlingException", br#"{"message":"slow"}"#);
        let error = encode(
            &[
                (":message-type", "error"),
                (":error-code", "Oops"),
                (":error-message", "why"),
            ],
            b"",
        );
        let found = read(&[&exception, &error]).unwrap();
        assert_eq!(found[0].0, Kind::Exception);
        assert_eq!(found[0].1, "throttlingException");
        assert_eq!((found[1].0, found[1].1.as_str()), (Kind::Error, "Oops"));
        Frames::default()
            .feed(&error, |message| assert_eq!(message.error, "why"))
            .unwrap();
    }

    #[test]
    fn what_is_too_long_is_not_waited_for() {
        let prelude = |total: u32, headers: u32| {
            let mut bytes = [total.to_be_bytes(), headers.to_be_bytes()].concat();
            bytes.extend_from_slice(&crc32(&bytes).to_be_bytes());
            bytes
        };
        let longest = LONGEST as u32;
        assert_eq!(read(&[&prelude(longest, 0)]), Ok(vec![]));
        for (total, headers) in [
            (longest + 1, 0),
            (u32::MAX, 0),
            (15, 0),
            (0, 0),
            (20, 5),
            (20, u32::MAX),
        ] {
            assert_eq!(read(&[&prelude(total, headers)]), Err(Broken), "{total} {headers}");
        }
        let mut frames = Frames::default();
        assert!(feed(&mut frames, &prelude(3, 0), &mut Vec::new()).is_err());
        let event = encode_event("a", b"");
        assert_eq!(
            feed(&mut frames, &event, &mut Vec::new()),
            Err(Broken),
            "it stays broken"
        );
        assert!(!frames.is_whole());
    }

    fn messages() -> impl Strategy<Value = Vec<Found>> {
        let kind = prop::sample::select(vec![Kind::Event, Kind::Exception]);
        let payload = prop::collection::vec(any::<u8>(), 0..40);
        prop::collection::vec((kind, "[a-z]{0,9}", payload), 0..6)
    }

    fn encoded(messages: &[Found]) -> Vec<u8> {
        let encode = |(kind, name, payload): &Found| match kind {
            Kind::Exception => encode_exception(name, payload),
            _ => encode_event(name, payload),
        };
        messages.iter().flat_map(encode).collect()
    }

    proptest! {
        #[test]
        fn messages_are_the_same_wherever_the_stream_is_cut(messages in messages(), cuts: Vec<prop::sample::Index>) {
            let stream = encoded(&messages);
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(stream.len() + 1)).collect();
            cuts.extend([0, stream.len()]);
            cuts.sort_unstable();
            let pieces: Vec<&[u8]> = cuts.windows(2).map(|cut| &stream[cut[0]..cut[1]]).collect();
            prop_assert_eq!(read(&pieces), Ok(messages));
        }

        #[test]
        fn no_damaged_byte_is_believed(messages in messages(), at: prop::sample::Index, flip in 1_u8..) {
            let mut stream = encoded(&messages);
            prop_assume!(!stream.is_empty());
            let at = at.index(stream.len());
            stream[at] ^= flip;
            let mut frames = Frames::default();
            let mut found = Vec::new();
            let fed = feed(&mut frames, &stream, &mut found);
            prop_assert!(fed.is_err() || !frames.is_whole());
            prop_assert!(messages.starts_with(&found));
        }

        #[test]
        fn no_bytes_panic(pieces: Vec<Vec<u8>>, headers: Vec<u8>) {
            let pieces: Vec<&[u8]> = pieces.iter().map(Vec::as_slice).collect();
            let _ = read(&pieces);
            let _ = read(&[&assemble(&headers, b"")]);
        }
    }
}
