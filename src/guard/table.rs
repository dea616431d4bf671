//! Where sessions are kept: a fixed number of buckets, each one value of a store that all workers share.
//!
//! In: the bytes of a bucket, whose session it is, and what happened. Out: the new bytes. It does not know the store; its
//! caller writes the bytes back by compare-and-swap, and asks again when another was faster. Bytes that nobody here wrote
//! are an empty bucket: the guard then starts anew, which is better than to fail a request.
//!
//! A session takes at most [`ENTRY_BYTES`], a bucket of [`SESSIONS`] at most [`BUCKET_BYTES`], all [`BUCKETS`] together
//! 1.6 MB and what the store needs to keep them. Where a bucket is full, the session that has been unused for longest makes
//! room: first one that would start anew anyway, then one of the same key, and a blocked one last, so that nobody gets rid
//! of a block by naming many sessions, nor of others' memory.

use std::ops::Range;

use super::{
    Finding,
    bytes::Reader,
    conversation::{Conversation, session_hash},
    rule::Rules,
    session::{FORGOTTEN_AFTER_MS, Session},
};
use crate::hash;

/// How many buckets there are.
pub const BUCKETS: u32 = 1024;

/// How many sessions a bucket has room for.
pub const SESSIONS: usize = 4;

/// The most bytes of a session with whose it is.
pub const ENTRY_BYTES: usize = 8 + 4 + Session::MOST_BYTES;

/// The most bytes of a bucket.
pub const BUCKET_BYTES: usize = 2 + SESSIONS * ENTRY_BYTES;

/// The first byte of a bucket: how it is written.
const FORMAT: u8 = 1;

/// Whose session it is, as hashes. A client can choose its session's, but not its key's, and a place is both.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Place {
    session: u64,
    key: u32,
}

impl Place {
    /// The place of a key's session, by the hash of its name ([`session_of`]); without one, of all that the key does
    /// without naming a session.
    pub fn of(key: &str, session: Option<u64>) -> Self {
        let of_key = hash::of(key.as_bytes());
        Self {
            session: session.map_or(of_key, |session| hash::both(of_key, session)),
            key: key_hash(key),
        }
    }

    /// Its bucket.
    pub fn bucket(&self) -> u32 {
        (self.session % u64::from(BUCKETS)) as u32
    }
}

/// The name of a bucket in the store.
pub fn bucket_name(bucket: u32) -> String {
    format!("tollgate.loop.{bucket}")
}

/// A request's session: what the header says, else the API's own fields.
pub fn session_of(header: Option<&[u8]>, conversation: &Conversation) -> Option<u64> {
    header.and_then(session_hash).or(conversation.session)
}

/// Judges a request. The bucket's new bytes, and what to do with the request.
pub fn observe(
    bucket: Option<&[u8]>,
    place: &Place,
    conversation: &Conversation,
    rules: &Rules,
    now_ms: u64,
) -> (Vec<u8>, Finding) {
    let mut bucket = Bucket::decode(bucket.unwrap_or_default());
    let finding = bucket.with(place, now_ms, |session| session.observe(conversation, rules, now_ms));
    (bucket.encode(), finding)
}

/// A request that was let through is over: whether it was answered, and what it cost. The bucket's new bytes; `None` when
/// its session is no longer kept.
pub fn settle(
    bucket: Option<&[u8]>,
    place: &Place,
    fingerprint: u64,
    succeeded: bool,
    nanodollars: u64,
    now_ms: u64,
) -> Option<Vec<u8>> {
    let mut bucket = Bucket::decode(bucket?);
    let session = bucket.find(place)?;
    session.settled(fingerprint, succeeded, nanodollars, now_ms);
    Some(bucket.encode())
}

/// What an operator wants released: a session of a key, or all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Release {
    key: u32,
    place: Option<Place>,
}

impl Release {
    /// By the key's name, and the session's as the client names it; a blank one is none, as in a request.
    pub fn of(key: &str, session: Option<&[u8]>) -> Self {
        Self {
            key: key_hash(key),
            place: session
                .and_then(session_hash)
                .map(|session| Place::of(key, Some(session))),
        }
    }

    /// The buckets to apply it to.
    pub fn buckets(&self) -> Range<u32> {
        match self.place {
            Some(place) => place.bucket()..place.bucket() + 1,
            None => 0..BUCKETS,
        }
    }

    /// The bucket's new bytes, and how many sessions had a wait or a block to lift; `None` when there is none of them in
    /// it.
    pub fn apply(&self, bucket: &[u8], now_ms: u64) -> Option<(Vec<u8>, usize)> {
        let mut bucket = Bucket::decode(bucket);
        let (mut found, mut lifted) = (false, 0);
        for entry in &mut bucket.entries {
            let meant = match self.place {
                Some(place) => entry.place == place,
                None => entry.place.key == self.key,
            };
            if meant {
                found = true;
                lifted += usize::from(entry.session.release(now_ms));
            }
        }
        found.then(|| (bucket.encode(), lifted))
    }
}

/// The sessions of a bucket.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bucket {
    entries: Vec<Entry>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    place: Place,
    session: Session,
}

impl Bucket {
    /// Reads what [`Bucket::encode`] wrote; empty of anything else.
    pub fn decode(bytes: &[u8]) -> Self {
        Self::read(&mut Reader(bytes)).unwrap_or_default()
    }

    fn read(bytes: &mut Reader) -> Option<Self> {
        if bytes.u8()? != FORMAT {
            return None;
        }
        let count = usize::from(bytes.u8()?);
        if count > SESSIONS {
            return None;
        }
        let mut entries = Vec::with_capacity(SESSIONS);
        for _ in 0..count {
            entries.push(Entry {
                place: Place {
                    session: bytes.u64()?,
                    key: bytes.u32()?,
                },
                session: Session::decode(bytes)?,
            });
        }
        bytes.0.is_empty().then_some(Self { entries })
    }

    /// Its bytes; at most [`BUCKET_BYTES`].
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(BUCKET_BYTES);
        let entries = self.entries.iter().take(SESSIONS);
        bytes.push(FORMAT);
        bytes.push(entries.len() as u8);
        for entry in entries {
            bytes.extend(entry.place.session.to_le_bytes());
            bytes.extend(entry.place.key.to_le_bytes());
            entry.session.encode(&mut bytes);
        }
        bytes
    }

    /// A session that is kept here.
    pub fn find(&mut self, place: &Place) -> Option<&mut Session> {
        let entry = self.entries.iter_mut().find(|entry| entry.place == *place)?;
        Some(&mut entry.session)
    }

    /// Does something with a session, which is made (and another given up for it) where it is not kept yet.
    pub fn with<T>(&mut self, place: &Place, now_ms: u64, act: impl FnOnce(&mut Session) -> T) -> T {
        let known = self.entries.iter().position(|entry| entry.place == *place);
        let mut entry = match known {
            Some(at) => self.entries.swap_remove(at),
            None => {
                self.make_room(place, now_ms);
                Entry {
                    place: *place,
                    session: Session::default(),
                }
            }
        };
        let result = act(&mut entry.session);
        self.entries.push(entry);
        result
    }

    fn make_room(&mut self, place: &Place, now_ms: u64) {
        if self.entries.len() < SESSIONS {
            return;
        }
        let dear = |entry: &Entry| {
            let last_use = entry.session.last_use();
            let blocked = entry.session.blocked_ms(now_ms).is_some();
            let counts = now_ms.saturating_sub(last_use) <= FORGOTTEN_AFTER_MS;
            (blocked, counts, entry.place.key != place.key, last_use)
        };
        let least = self.entries.iter().enumerate().min_by_key(|(_, entry)| dear(entry));
        if let Some((at, _)) = least {
            self.entries.swap_remove(at);
        }
    }
}

/// The hash of a key's name by which all of its sessions are found.
fn key_hash(key: &str) -> u32 {
    hash::short(hash::of(key.as_bytes()))
}

#[cfg(test)]
mod tests;
