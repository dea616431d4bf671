//! Token counts and canned answers.
//!
//! In: texts, or the length an answer shall have. Out: how many o200k tokens a text has, and answers of exactly N
//! tokens cut into the pieces a stream sends. Each distinct text is tokenised once and each answer made once, so that
//! load costs a hash and not a tokenizer. What an answer says never depends on the prompt.

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hash};
use std::sync::{Arc, Mutex, PoisonError};

use tiktoken_rs::{CoreBPE, o200k_base_singleton};

/// Begins with a space and ends without, so that it continues itself; an answer begins without.
const PLAIN: &str = include_str!("text/plain.txt");
/// Ends with a line end, so that it continues itself.
const UNICODE: &str = include_str!("text/unicode.txt");
/// What a tool is called with.
pub const ARGUMENTS: &str = r#"{"city":"Paris","days":3,"unit":"celsius"}"#;
/// Of each cache; when full it is emptied, which costs a second tokenisation and bounds the memory.
const REMEMBERED: usize = 50_000;
/// Longer texts are tokenised in parts of about this many bytes: the tokenizer's time grows faster than the text.
const PART: usize = 4096;

/// Counts tokens and makes answers; one for the whole server.
#[derive(Debug, Default)]
pub struct Texts {
    seed: RandomState,
    counts: Mutex<HashMap<u64, u64>>,
    answers: Mutex<HashMap<(Kind, u64), Arc<Answer>>>,
}

/// What an answer is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// English prose.
    Plain,
    /// Emoji, CJK and accents: almost every piece has characters of several bytes.
    Unicode,
    /// The arguments of a tool call; their length is their own, and the number asked for tells several calls apart.
    Arguments,
}

/// An answer, and how a stream cuts it.
#[derive(Debug, Default)]
pub struct Answer {
    /// The whole text.
    pub text: String,
    /// The same as the inside of a JSON string.
    pub json: String,
    /// What one event each carries.
    pub pieces: Vec<Piece>,
    /// Tokens of the whole.
    pub tokens: u64,
}

/// The text of one event.
#[derive(Debug)]
pub struct Piece {
    /// The text.
    pub text: String,
    /// The same as the inside of a JSON string.
    pub json: String,
    /// Tokens up to and including this piece.
    pub so_far: u64,
}

impl Texts {
    /// Loads the tokenizer, which takes a moment, before the first request does.
    pub fn warm(&self) {
        self.count("warm");
    }

    /// The number of tokens of `text`.
    pub fn count(&self, text: &str) -> u64 {
        if text.is_empty() {
            return 0;
        }
        let hash = self.seed.hash_one((text.len(), text));
        if let Some(count) = lock(&self.counts).get(&hash) {
            return *count;
        }
        let count = parts(text)
            .map(|part| tokenizer().encode_ordinary(part).len() as u64)
            .sum();
        let mut counts = lock(&self.counts);
        if counts.len() >= REMEMBERED {
            counts.clear();
        }
        counts.insert(hash, count);
        count
    }

    /// An answer of exactly `tokens` tokens (of its own length, for [`Kind::Arguments`]).
    pub fn answer(&self, kind: Kind, tokens: u64) -> Arc<Answer> {
        if let Some(answer) = lock(&self.answers).get(&(kind, tokens)) {
            return Arc::clone(answer);
        }
        let answer = Arc::new(Answer::new(kind, tokens));
        let mut answers = lock(&self.answers);
        if answers.len() >= REMEMBERED / 10 {
            answers.clear();
        }
        answers.insert((kind, tokens), Arc::clone(&answer));
        answer
    }

    /// An answer that says exactly this.
    pub fn said(&self, text: &str) -> Arc<Answer> {
        Arc::new(Answer::cut(text, u64::MAX, true))
    }
}

impl Answer {
    fn new(kind: Kind, tokens: u64) -> Self {
        let arguments;
        let (source, tokens) = match kind {
            Kind::Plain => (PLAIN, tokens),
            Kind::Unicode => (UNICODE, tokens),
            Kind::Arguments if tokens == 0 => (ARGUMENTS, u64::MAX),
            Kind::Arguments => {
                arguments = ARGUMENTS.replace("\"days\":3", &format!("\"days\":{}", 3 + tokens));
                (arguments.as_str(), u64::MAX)
            }
        };
        Self::cut(source, tokens, kind == Kind::Arguments)
    }

    /// `tokens` tokens of the source, or the whole of it once.
    fn cut(source: &str, tokens: u64, once: bool) -> Self {
        let whole = pieces_of(source);
        let mut pieces: Vec<Piece> = Vec::new();
        let mut so_far = 0;
        let rounds = if once { whole.len() } else { usize::MAX };
        // Around the source, which is cut where its texts meet, again and again; what no longer fits becomes " and".
        for (text, count) in whole.iter().cycle().take(rounds) {
            if so_far >= tokens {
                break;
            }
            let fits = so_far + count <= tokens;
            let text = if fits { text.as_str() } else { " and" };
            let text = if pieces.is_empty() && !once {
                text.trim_start()
            } else {
                text
            };
            so_far += if fits { *count } else { 1 };
            pieces.push(Piece {
                text: text.to_owned(),
                json: json_inside(text),
                so_far,
            });
        }
        let text: String = pieces.iter().map(|piece| piece.text.as_str()).collect();
        Self {
            json: json_inside(&text),
            text,
            pieces,
            tokens: so_far,
        }
    }
}

/// Cuts a text into whole characters, each piece one token or the few that share a character.
fn pieces_of(source: &str) -> Vec<(String, u64)> {
    let mut pieces = Vec::new();
    let mut bytes: Vec<u8> = Vec::new();
    let mut count = 0;
    for token in tokenizer().encode_ordinary(source) {
        bytes.extend(tokenizer()._decode_native_and_split(vec![token]).flatten());
        count += 1;
        if let Ok(text) = std::str::from_utf8(&bytes) {
            pieces.push((text.to_owned(), count));
            bytes.clear();
            count = 0;
        }
    }
    pieces
}

fn tokenizer() -> &'static CoreBPE {
    o200k_base_singleton()
}

/// `text` as it stands between the quotes of a JSON string.
pub fn json_inside(text: &str) -> String {
    let quoted = serde_json::Value::from(text).to_string();
    quoted
        .get(1..quoted.len().saturating_sub(1))
        .unwrap_or_default()
        .to_owned()
}

/// Parts that can be tokenised on their own: cut before a space between words where there is one, so that the sum of
/// the parts is the whole.
fn parts(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let (part, after) = rest.split_at_checked(cut(rest)).unwrap_or((rest, ""));
        rest = after;
        Some(part)
    })
}

fn cut(text: &str) -> usize {
    if text.len() <= 2 * PART {
        return text.len();
    }
    let bytes = text.as_bytes();
    let word = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_alphabetic);
    (PART..2 * PART)
        .find(|at| bytes.get(*at) == Some(&b' ') && word(at - 1) && word(at + 1))
        .unwrap_or_else(|| {
            (PART..text.len())
                .find(|at| text.is_char_boundary(*at))
                .unwrap_or(text.len())
        })
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_has_exactly_the_tokens_asked_for_and_a_tokenizer_finds_as_many() {
        let texts = Texts::default();
        for n in (0..400).chain([1_000, 5_000]) {
            let plain = texts.answer(Kind::Plain, n);
            assert_eq!(plain.tokens, n);
            assert_eq!(
                tokenizer().encode_ordinary(&plain.text).len() as u64,
                n,
                "{}",
                plain.text
            );
        }
        for n in 0..300 {
            let unicode = texts.answer(Kind::Unicode, n);
            assert_eq!(unicode.tokens, n);
            let found = tokenizer().encode_ordinary(&unicode.text).len() as u64;
            assert!(found.abs_diff(n) <= 2, "{n} tokens, found {found}: {}", unicode.text);
        }
    }

    #[test]
    fn the_pieces_are_the_answer() {
        for kind in [Kind::Plain, Kind::Unicode, Kind::Arguments] {
            let answer = Answer::new(kind, 200);
            let joined: String = answer.pieces.iter().map(|p| p.text.as_str()).collect();
            assert_eq!(joined, answer.text);
            assert_eq!(answer.pieces.last().unwrap().so_far, answer.tokens);
            assert!(answer.pieces.len() > 5);
        }
        assert_eq!(Answer::new(Kind::Arguments, 0).text, ARGUMENTS);
    }

    #[test]
    fn a_long_text_counts_as_its_parts_do() {
        let text = PLAIN.repeat(40);
        assert!(parts(&text).count() > 3);
        assert_eq!(
            Texts::default().count(&text),
            tokenizer().encode_ordinary(&text).len() as u64
        );
    }

    #[test]
    fn a_text_without_any_space_ends() {
        assert!(Texts::default().count(&"é".repeat(50_000)) > 0);
        assert!(Texts::default().count(&" ".repeat(50_000)) > 0);
    }
}
