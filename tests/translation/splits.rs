//! Streams cut anywhere, and bytes that are no stream.
//!
//! A stream's bytes arrive in pieces that mean nothing: what comes out must not depend on them, and nothing that comes in
//! may end in a panic, which would take down every stream of a worker.

use std::sync::LazyLock;

use proptest::prelude::*;
use proptest::sample::Index;
use tollgate::dialect::Api;
use tollgate::translate::{self, Client, Translation};

use super::cases::{APIS, CLIENTS, Case, TOLD, pairs};
use super::page::streamed;

struct Stream {
    name: String,
    client: Client,
    api: Api,
    bytes: Vec<u8>,
}

/// The streams of all cases, for every client.
static STREAMS: LazyLock<Vec<Stream>> = LazyLock::new(|| {
    let mut streams = Vec::new();
    for case in Case::all() {
        for (client, api) in pairs() {
            let name = format!("{}, {api:?} to {client:?}", case.name);
            streams.extend(case.stream(api).map(|bytes| Stream {
                name,
                client,
                api,
                bytes,
            }));
        }
    }
    streams
});

/// The requests of all cases.
static REQUESTS: LazyLock<Vec<(Client, Vec<u8>)>> = LazyLock::new(|| {
    let mut requests = Vec::new();
    for case in Case::all() {
        for client in CLIENTS {
            requests.extend(case.request(client).map(|body| (client, body)));
        }
    }
    requests
});

/// Everything that is told of a translation, its bytes apart.
fn told(translation: &Translation) -> String {
    format!("{:?} {:?}", translation.reading(), translation.refusal())
}

/// Feeds pieces; `late`: the end is told after the last of them.
fn fed(stream: &Stream, pieces: &[&[u8]], late: bool) -> (Vec<u8>, Translation) {
    let mut translation = Translation::new(stream.client, stream.api, true, true, &TOLD);
    let mut out = Vec::new();
    for (index, piece) in pieces.iter().enumerate() {
        out.extend(translation.feed(piece, 1, !late && index + 1 == pieces.len()));
    }
    if late {
        out.extend(translation.feed(&[], 1, true));
    }
    (out, translation)
}

#[test]
fn a_stream_may_come_byte_by_byte() {
    for stream in STREAMS.iter() {
        let (whole, translation) = streamed(stream.client, stream.api, &stream.bytes);
        let pieces: Vec<&[u8]> = stream.bytes.chunks(1).collect();
        let (out, pieced) = fed(stream, &pieces, true);
        assert_eq!(String::from_utf8(out), String::from_utf8(whole), "{}", stream.name);
        assert_eq!(told(&pieced), told(&translation), "{}", stream.name);
    }
}

/// Bytes with some of them changed, left out or said twice.
fn damaged(bytes: &[u8], damage: &[(Index, u8, u8)]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for (at, how, with) in damage {
        if bytes.is_empty() {
            break;
        }
        let at = at.index(bytes.len());
        match how % 4 {
            0 => *bytes.get_mut(at).unwrap() = *with,
            1 => drop(bytes.remove(at)),
            2 => bytes.insert(at, *with),
            _ => bytes.truncate(at),
        }
    }
    bytes
}

fn some<T>(all: &[T], which: Index) -> &T {
    all.get(which.index(all.len())).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(400) })]

    #[test]
    fn a_stream_may_be_cut_anywhere(which: Index, cuts in proptest::collection::vec(any::<Index>(), 0..6), late: bool) {
        let stream = some(&STREAMS, which);
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(stream.bytes.len() + 1)).collect();
        cuts.sort_unstable();
        let mut pieces = Vec::new();
        let mut rest = stream.bytes.as_slice();
        let mut before = 0;
        for cut in cuts {
            let (piece, after) = rest.split_at(cut - before);
            pieces.push(piece);
            rest = after;
            before = cut;
        }
        pieces.push(rest);
        let (whole, translation) = streamed(stream.client, stream.api, &stream.bytes);
        let (out, pieced) = fed(stream, &pieces, late);
        prop_assert_eq!(String::from_utf8(out), String::from_utf8(whole), "{}", &stream.name);
        prop_assert_eq!(told(&pieced), told(&translation), "{}", &stream.name);
    }

    #[test]
    fn whatever_comes_is_survived(which: Index, damage in proptest::collection::vec(any::<(Index, u8, u8)>(), 1..8)) {
        let stream = some(&STREAMS, which);
        let (out, _) = streamed(stream.client, stream.api, &damaged(&stream.bytes, &damage));
        prop_assert!(String::from_utf8(out).is_ok());
        let (client, request) = some(&REQUESTS, which);
        let request = damaged(request, &damage);
        for api in APIS {
            let _ = translate::request(*client, api, &request, &super::cases::usual(api), None);
        }
    }

    #[test]
    fn arbitrary_bytes_are_survived(bytes: Vec<u8>, is_streamed: bool, streams: bool, status: u16) {
        for (client, api) in pairs() {
            let mut translation = Translation::new(client, api, is_streamed, streams, &TOLD);
            let out = translation.feed(&bytes, 1, true);
            prop_assert!(String::from_utf8(out).is_ok());
            let _ = translate::refusal(api, status, &bytes);
        }
    }
}
