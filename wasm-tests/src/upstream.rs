//! What a provider does with an attempt: a script.

use std::collections::VecDeque;
use std::time::Duration;

use crate::headers::Headers;

/// A provider's behaviour towards one attempt.
#[derive(Clone, Debug)]
pub struct Reply {
    steps: VecDeque<Step>,
    early: bool,
}

#[derive(Clone, Debug)]
pub(crate) enum Step {
    Refuse,
    Headers { headers: Headers, last: bool },
    Data { bytes: Vec<u8>, last: bool },
    Trailers(Headers),
    Reset,
    Wait(Duration),
}

impl Reply {
    /// A whole answer in JSON, in one chunk.
    pub fn json(status: u16, body: impl AsRef<[u8]>) -> Self {
        let body = body.as_ref();
        let mut headers = Headers::from([
            (":status", status.to_string().as_str()),
            ("content-type", "application/json"),
        ]);
        headers.set("content-length", body.len().to_string());
        let data = Step::Data {
            bytes: body.to_vec(),
            last: true,
        };
        Self::of(VecDeque::from([Step::Headers { headers, last: false }, data]))
    }

    /// Server-sent events, one chunk each, the end of the stream by itself.
    pub fn stream(chunks: impl IntoIterator<Item = impl AsRef<[u8]>>) -> Self {
        let headers = Headers::from([(":status", "200"), ("content-type", "text/event-stream; charset=utf-8")]);
        let mut steps = VecDeque::from([Step::Headers { headers, last: false }]);
        for chunk in chunks {
            steps.push_back(Step::Data {
                bytes: chunk.as_ref().to_vec(),
                last: false,
            });
        }
        steps.push_back(Step::Data {
            bytes: Vec::new(),
            last: true,
        });
        Self::of(steps)
    }

    /// A status and nothing else.
    pub fn status(status: u16) -> Self {
        let headers = Headers::from([(":status", status.to_string().as_str())]);
        Self::of(VecDeque::from([Step::Headers { headers, last: true }]))
    }

    /// The connection is refused.
    pub fn refused() -> Self {
        Self::of(VecDeque::from([Step::Refuse]))
    }

    /// The connection breaks before anything is answered.
    pub fn reset() -> Self {
        Self::of(VecDeque::from([Step::Reset]))
    }

    /// Nothing, ever.
    pub fn silence() -> Self {
        Self::of(VecDeque::new())
    }

    /// With one more header, or another value of it.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        for step in &mut self.steps {
            if let Step::Headers { headers, .. } = step {
                headers.set(name, value);
            }
        }
        self
    }

    /// The same body in chunks of `size` bytes.
    pub fn in_pieces_of(mut self, size: usize) -> Self {
        let mut body = Vec::new();
        let mut others = VecDeque::new();
        for step in self.steps {
            match step {
                Step::Data { bytes, .. } => body.extend(bytes),
                other => others.push_back(other),
            }
        }
        for bytes in body.chunks(size) {
            others.push_back(Step::Data {
                bytes: bytes.to_vec(),
                last: false,
            });
        }
        others.push_back(Step::Data {
            bytes: Vec::new(),
            last: true,
        });
        self.steps = others;
        self
    }

    /// The connection breaks after the headers and `chunks` chunks.
    pub fn cut_after(mut self, chunks: usize) -> Self {
        let end = self
            .steps
            .iter()
            .position(|step| matches!(step, Step::Data { .. }))
            .unwrap_or(self.steps.len());
        self.steps.truncate(end + chunks);
        self.steps.push_back(Step::Reset);
        self
    }

    /// The body ends with trailers instead of an end-of-stream mark.
    pub fn trailers(mut self, trailers: Headers) -> Self {
        for step in &mut self.steps {
            if let Step::Data { last, .. } | Step::Headers { last, .. } = step {
                *last = false;
            }
        }
        self.steps.push_back(Step::Trailers(trailers));
        self
    }

    /// Each step takes that long.
    pub fn each_after(mut self, wait: Duration) -> Self {
        self.steps = self
            .steps
            .into_iter()
            .flat_map(|step| [Step::Wait(wait), step])
            .collect();
        self
    }

    /// Before the rest of the request has come, as soon as there is an attempt.
    pub fn early(mut self) -> Self {
        self.early = true;
        self
    }

    fn of(steps: VecDeque<Step>) -> Self {
        Self { steps, early: false }
    }

    pub(crate) fn comes_early(&self) -> bool {
        self.early
    }

    pub(crate) fn into_steps(self) -> VecDeque<Step> {
        self.steps
    }
}
