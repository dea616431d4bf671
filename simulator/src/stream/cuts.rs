//! How the events of a reply are cut into writes.
//!
//! In: events, and how to cut. Out: the same bytes as writes, each with its time and the number of events that are
//! complete with it. Where they are cut depends on nothing but the bytes.

use std::io::{self, Write as _};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use flate2::Compression;
use flate2::write::GzEncoder;

use super::Event;
use crate::steering::Chunks;

/// What goes out at once.
pub(super) struct Write {
    pub(super) bytes: Bytes,
    /// When, from the arrival of the request.
    pub(super) at: Duration,
    /// Events that are complete once this is sent.
    pub(super) done: usize,
}

/// Cuts them.
pub(super) fn writes(events: &[Event], chunks: Chunks) -> Vec<Write> {
    if chunks == Chunks::Event {
        let write = |(i, e): (usize, &Event)| Write {
            bytes: e.bytes.clone(),
            at: e.at,
            done: i + 1,
        };
        return events.iter().enumerate().map(write).collect();
    }
    let mut whole = BytesMut::new();
    let mut cuts = Vec::new();
    for event in events {
        match chunks {
            Chunks::Awkward => cuts.extend(awkward_cuts(&event.bytes).into_iter().map(|cut| whole.len() + cut)),
            Chunks::Bytes => cuts.extend(whole.len() + 1..whole.len() + event.bytes.len() + 1),
            Chunks::Event | Chunks::Whole => {}
        }
        whole.extend_from_slice(&event.bytes);
    }
    cuts.push(whole.len());
    let mut whole = whole.freeze();
    let (mut left, mut done, mut end, mut at) = (events.iter(), 0, 0, Duration::ZERO);
    let (mut sent, mut writes) = (0, Vec::new());
    for cut in cuts {
        // An event counts as sent with the write that completes it, and no byte goes out before its event's time.
        let mut next = left.clone();
        while let Some(event) = next.next() {
            if end < cut {
                at = at.max(event.at);
            }
            if end + event.bytes.len() > cut {
                break;
            }
            end += event.bytes.len();
            done += 1;
            left = next.clone();
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

/// Compresses each write on its own, so that it can be read when it arrives. `whole` says whether the last one is the end
/// of the reply, and not of what was left of it.
pub(super) fn compressed(writes: Vec<Write>, whole: bool) -> io::Result<Vec<Write>> {
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
    if let (true, Some(last)) = (whole, packed.last_mut()) {
        let mut bytes = BytesMut::from(&last.bytes[..]);
        bytes.extend_from_slice(&trailer);
        last.bytes = bytes.freeze();
    }
    Ok(packed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::Produced;
    use crate::steering::Steering;
    use crate::stream::{Pace, Script, Tells};

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
            let plain = joined(&writes(&script.events, Chunks::Event));
            for chunks in [Chunks::Whole, Chunks::Awkward, Chunks::Bytes] {
                let writes = writes(&script.events, chunks);
                assert_eq!(joined(&writes), plain);
                let (mut sent, blank) = (0, if crlf { "\r\n\r\n" } else { "\n\n" });
                for write in &writes {
                    sent += write.bytes.len();
                    let text = String::from_utf8_lossy(&plain[..sent]).into_owned();
                    assert_eq!(write.done, text.matches(blank).count(), "{chunks:?} after {sent}");
                }
            }
            assert_eq!(writes(&script.events, Chunks::Whole).len(), 1);
            assert_eq!(writes(&script.events, Chunks::Bytes).len(), plain.len());
        }
    }

    #[test]
    fn awkward_cuts_are_inside_data_inside_characters_and_inside_the_blank_line() {
        for crlf in [false, true] {
            let script = script(crlf);
            let writes = writes(&script.events, Chunks::Awkward);
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
}
