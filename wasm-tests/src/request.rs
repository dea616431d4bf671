//! What a client sends.

use std::collections::VecDeque;

use crate::exchange::Piece;
use crate::headers::Headers;

/// A request, and how its body arrives.
#[derive(Clone, Debug)]
pub struct Request {
    headers: Headers,
    chunks: Vec<Vec<u8>>,
    trailers: Option<Headers>,
    end_comes_alone: bool,
    sized: bool,
}

impl Request {
    /// A request without a body.
    pub fn get(path: &str) -> Self {
        Self::new("GET", path)
    }

    /// A request that is to have a body.
    pub fn post(path: &str) -> Self {
        Self::new("POST", path)
    }

    /// Any method.
    pub fn new(method: &str, path: &str) -> Self {
        let headers = Headers::from([
            (":method", method),
            (":path", path),
            (":authority", "gateway.example"),
            (":scheme", "http"),
            ("user-agent", "wasm-tests"),
            // What Envoy itself adds before the filter sees a request.
            ("x-forwarded-proto", "http"),
            ("x-envoy-external-address", "192.0.2.7"),
            ("x-request-id", "8f14e45f-ceea-467f-a0e6-5a1d2c3b4f50"),
        ]);
        Self {
            headers,
            chunks: Vec::new(),
            trailers: None,
            end_comes_alone: false,
            sized: true,
        }
    }

    /// Adds a header, or replaces the one of that name.
    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.headers.set(name, value);
        self
    }

    /// Takes a header out.
    pub fn without(mut self, name: &str) -> Self {
        self.headers.remove(name);
        self
    }

    /// `authorization: Bearer …`.
    pub fn bearer(self, key: &str) -> Self {
        self.header("authorization", format!("Bearer {key}"))
    }

    /// A JSON body, in one chunk.
    pub fn json(self, body: impl AsRef<[u8]>) -> Self {
        self.header("content-type", "application/json").body(body)
    }

    /// A body, in one chunk.
    pub fn body(mut self, body: impl AsRef<[u8]>) -> Self {
        self.chunks = vec![body.as_ref().to_vec()];
        self
    }

    /// The same body in chunks of `size` bytes.
    pub fn in_pieces_of(mut self, size: usize) -> Self {
        self.chunks = self.chunks.concat().chunks(size).map(<[u8]>::to_vec).collect();
        self
    }

    /// The end of the stream comes by itself, as an empty chunk.
    pub fn ending_separately(mut self) -> Self {
        self.end_comes_alone = true;
        self
    }

    /// Without a `content-length`, as HTTP/1.1 chunks or HTTP/2 come.
    pub fn of_unknown_length(mut self) -> Self {
        self.sized = false;
        self
    }

    /// Trailers after the body.
    pub fn trailers(mut self, trailers: Headers) -> Self {
        self.trailers = Some(trailers);
        self.of_unknown_length()
    }

    /// The body alone.
    pub fn into_body(self) -> Vec<u8> {
        self.chunks.concat()
    }

    pub(crate) fn into_parts(mut self) -> (Headers, Headers, VecDeque<Piece>) {
        let length: usize = self.chunks.iter().map(Vec::len).sum();
        let bodiless = self.chunks.is_empty() && !self.end_comes_alone && self.trailers.is_none();
        if !bodiless && self.sized && !self.headers.has("content-length") {
            self.headers.set("content-length", length.to_string());
        }
        let mut pieces = VecDeque::from([Piece::Headers { last: bodiless }]);
        let chunks = self.chunks.len();
        for (index, bytes) in self.chunks.into_iter().enumerate() {
            let last = index + 1 == chunks && !self.end_comes_alone && self.trailers.is_none();
            pieces.push_back(Piece::Data { bytes, last });
        }
        if self.end_comes_alone && self.trailers.is_none() {
            pieces.push_back(Piece::Data {
                bytes: Vec::new(),
                last: true,
            });
        }
        if self.trailers.is_some() {
            pieces.push_back(Piece::Trailers);
        }
        (self.headers, self.trailers.unwrap_or_default(), pieces)
    }
}
