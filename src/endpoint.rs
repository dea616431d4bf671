//! Which API a request path means.
//!
//! In: the `:path` of a request. Out: an [`Endpoint`]. It deliberately knows nothing of methods, bodies or providers.
//!
//! A path may be spelled in many ways that a provider's server takes for the same resource (`//`, `/./`, `%63hat`, a
//! trailing slash, upper case). Whoever found a spelling that the gateway does not recognise but the provider does
//! would use it unmetered, so every such spelling is read as the endpoint it may reach.

use std::borrow::Cow;

use crate::dialect::Dialect;

/// An API endpoint as far as Tollgate tells them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Endpoint {
    /// `/v1/chat/completions`
    ChatCompletions,
    /// `/v1/completions`
    Completions,
    /// `/v1/embeddings`
    Embeddings,
    /// `/v1/responses`
    Responses,
    /// `/v1/messages`
    Messages,
    /// `/v1/messages/count_tokens`
    CountTokens,
    /// `/v1/models` and `/v1/models/{id}`
    Models,
    /// Anything else under `/v1/`.
    Other,
    /// `/tollgate/v1/…`: what Tollgate tells about limits.
    Status,
}

impl Endpoint {
    /// Every endpoint, in the order of their declaration.
    pub const ALL: [Self; 9] = [
        Self::ChatCompletions,
        Self::Completions,
        Self::Embeddings,
        Self::Responses,
        Self::Messages,
        Self::CountTokens,
        Self::Models,
        Self::Other,
        Self::Status,
    ];

    /// The value of the metric label `endpoint`.
    pub fn name(self) -> &'static str {
        match self {
            Self::ChatCompletions => "chat_completions",
            Self::Completions => "completions",
            Self::Embeddings => "embeddings",
            Self::Responses => "responses",
            Self::Messages => "messages",
            Self::CountTokens => "count_tokens",
            Self::Models => "models",
            Self::Other => "other",
            Self::Status => "status",
        }
    }

    /// The family of formats its requests, replies and errors are written in.
    pub fn dialect(self) -> Dialect {
        match self {
            Self::Messages | Self::CountTokens => Dialect::Anthropic,
            _ => Dialect::OpenAi,
        }
    }

    /// Whether a stream reports its usage only when asked by `stream_options.include_usage`.
    pub fn takes_stream_options(self) -> bool {
        matches!(self, Self::ChatCompletions | Self::Completions)
    }
}

/// The endpoint of a request path (its query string is ignored); `None` when it is under neither `/v1/` nor
/// `/tollgate/v1/`.
///
/// A path that cannot be told apart safely (an escaped slash outside a model's id, a backslash, a control character, a
/// dot segment that leaves `/v1/`) is under nothing.
pub fn classify(path: &str) -> Option<Endpoint> {
    match path {
        "/v1/chat/completions" => return Some(Endpoint::ChatCompletions),
        "/v1/messages" => return Some(Endpoint::Messages),
        "/v1/responses" => return Some(Endpoint::Responses),
        "/v1/embeddings" => return Some(Endpoint::Embeddings),
        _ => {}
    }
    let segments = Segments::of(path)?;
    let folded: Vec<String> = segments
        .0
        .iter()
        .take(3)
        .map(|segment| segment.to_ascii_lowercase())
        .collect();
    let names: Vec<&str> = folded.iter().map(String::as_str).collect();
    let endpoint = match (names.as_slice(), segments.0.len()) {
        (["v1"] | [], _) => return None,
        (["v1", "models", ..], _) => return Some(Endpoint::Models),
        (["v1", "chat", "completions"], 3) => Endpoint::ChatCompletions,
        (["v1", "completions"], 2) => Endpoint::Completions,
        (["v1", "embeddings"], 2) => Endpoint::Embeddings,
        (["v1", "responses"], 2) => Endpoint::Responses,
        (["v1", "messages"], 2) => Endpoint::Messages,
        (["v1", "messages", "count_tokens"], 3) => Endpoint::CountTokens,
        (["v1", ..], _) => Endpoint::Other,
        (["tollgate", "v1", ..], _) => Endpoint::Status,
        _ => return None,
    };
    // Only a model's id may hold a slash of its own (`meta-llama%2FLlama-3.3-70B`).
    segments
        .0
        .iter()
        .all(|segment| !segment.contains('/'))
        .then_some(endpoint)
}

/// The id in `/v1/models/{id}`, unescaped; `None` for the list itself and for every other path.
pub fn model_id(path: &str) -> Option<String> {
    let segments = Segments::of(path)?.0;
    let (head, id) = segments.split_at_checked(2)?;
    let is_models = head.iter().map(|s| s.to_ascii_lowercase()).eq(["v1", "models"]);
    (is_models && !id.is_empty()).then(|| id.join("/"))
}

/// Whether an endpoint without a name of its own ([`Endpoint::Other`]) takes a model, and does what it does with it: the
/// ones of which that is known. Elsewhere a model in a request means nothing, or not all.
pub fn takes_model(path: &str) -> bool {
    const TAKE: [&str; 9] = [
        "audio",
        "edits",
        "images",
        "moderations",
        "ocr",
        "rerank",
        "score",
        "tokenize",
        "videos",
    ];
    segment(path, 1).is_some_and(|name| TAKE.contains(&name.as_str()))
}

/// Whether a path keeps files and nothing else, which costs nothing at the time.
pub fn keeps_files(path: &str) -> bool {
    segment(path, 1).is_some_and(|name| matches!(name.as_str(), "files" | "uploads"))
}

/// Whether a path leads to a connection that cannot be metered: `/v1/realtime/…` gives out credentials for WebSockets.
pub fn leads_to_upgrade(path: &str) -> bool {
    segment(path, 1).as_deref() == Some("realtime")
}

/// What a path under `/tollgate/v1/` asks for, and its query's members, unescaped; `None` for any other path, and for a
/// query that cannot be read.
pub fn status(path: &str) -> Option<(String, Vec<(String, String)>)> {
    let segments = Segments::of(path)?.0;
    let what = match segments.as_slice() {
        [root, version, what] if root == "tollgate" && version == "v1" => what.to_string(),
        _ => return None,
    };
    let query = path.split_once('?').map_or("", |(_, query)| query);
    let members = query.split('&').filter(|member| !member.is_empty()).map(|member| {
        let (name, value) = member.split_once('=').unwrap_or((member, ""));
        let plain = |text: &str| unescape(&text.replace('+', " ")).map(Cow::into_owned);
        Some((plain(name)?, plain(value)?))
    });
    Some((what, members.collect::<Option<_>>()?))
}

fn segment(path: &str, index: usize) -> Option<String> {
    Segments::of(path)?
        .0
        .get(index)
        .map(|segment| segment.to_ascii_lowercase())
}

/// The segments of a path, unescaped, without empty and dot segments.
struct Segments<'a>(Vec<Cow<'a, str>>);

impl<'a> Segments<'a> {
    fn of(path: &'a str) -> Option<Self> {
        let path = path.split(['?', '#']).next().unwrap_or_default();
        let mut segments: Vec<Cow<'a, str>> = Vec::with_capacity(4);
        for raw in path.strip_prefix('/')?.split('/') {
            let segment = unescape(raw)?;
            if segment
                .bytes()
                .any(|byte| byte < b' ' || byte == 0x7f || byte == b'\\' || byte == b';')
            {
                return None;
            }
            match segment.as_ref() {
                "" | "." => {}
                ".." => {
                    segments.pop()?;
                }
                _ => segments.push(segment),
            }
        }
        Some(Self(segments))
    }
}

/// Percent-decoded, once; `None` when the escapes are broken, hide another escape or do not spell UTF-8.
fn unescape(raw: &str) -> Option<Cow<'_, str>> {
    if !raw.contains('%') {
        return Some(Cow::Borrowed(raw));
    }
    let mut bytes = Vec::with_capacity(raw.len());
    let mut rest = raw.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let high = char::from(rest.next()?).to_digit(16)?;
        let low = char::from(rest.next()?).to_digit(16)?;
        let decoded = u8::try_from(high * 16 + low).ok()?;
        if decoded == b'%' {
            return None;
        }
        bytes.push(decoded);
    }
    String::from_utf8(bytes).ok().map(Cow::Owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_takes_a_model_is_known_by_any_spelling() {
        for path in [
            "/v1/images/generations",
            "/v1//Audio/transcriptions?x=y",
            "/v1/rerank",
            "/v1/%6doderations",
        ] {
            assert!(takes_model(path), "{path}");
        }
        for path in [
            "/v1/batches",
            "/v1/files",
            "/v1/responses/resp_1/cancel",
            "/v1/x/images",
            "/v1",
        ] {
            assert!(!takes_model(path), "{path}");
        }
        assert!(leads_to_upgrade("/v1/Realtime/client_secrets"));
        assert!(!leads_to_upgrade("/v1/files/realtime"));
        assert!(keeps_files("/v1/Files") && keeps_files("/v1/uploads/u/parts") && !keeps_files("/v1/batches"));
    }

    #[test]
    fn the_documented_paths_are_told_apart() {
        for (path, endpoint) in [
            ("/v1/chat/completions", Some(Endpoint::ChatCompletions)),
            (
                "/v1/chat/completions?api-version=2024-10-21",
                Some(Endpoint::ChatCompletions),
            ),
            ("/v1/completions", Some(Endpoint::Completions)),
            ("/v1/embeddings", Some(Endpoint::Embeddings)),
            ("/v1/responses", Some(Endpoint::Responses)),
            ("/v1/responses/resp_123", Some(Endpoint::Other)),
            ("/v1/responses/resp_123/input_items", Some(Endpoint::Other)),
            ("/v1/chat/completions/chatcmpl-1", Some(Endpoint::Other)),
            ("/v1/messages", Some(Endpoint::Messages)),
            ("/v1/messages/count_tokens", Some(Endpoint::CountTokens)),
            ("/v1/messages/batches", Some(Endpoint::Other)),
            ("/v1/models", Some(Endpoint::Models)),
            ("/v1/models/gpt-4o", Some(Endpoint::Models)),
            ("/v1/models/meta-llama%2FLlama-3.3-70B", Some(Endpoint::Models)),
            ("/v1/images/generations", Some(Endpoint::Other)),
            ("/tollgate/v1/me", Some(Endpoint::Status)),
            ("/tollgate/v1/keys?key=a%20b", Some(Endpoint::Status)),
            ("/tollgate/me", None),
            ("/v1/", None),
            ("/v1", None),
            ("/", None),
            ("", None),
            ("*", None),
            ("/v2/chat/completions", None),
            ("/v1x/chat/completions", None),
        ] {
            assert_eq!(classify(path), endpoint, "{path}");
        }
    }

    #[test]
    fn another_spelling_is_the_same_endpoint() {
        for path in [
            "//v1/chat/completions",
            "/v1//chat///completions",
            "/v1/chat/completions/",
            "/v1/./chat/completions",
            "/v1/files/../chat/completions",
            "/v1/%2e/chat/completions",
            "/v1/files/%2E%2e/chat/completions",
            "/v1/%63hat/completions",
            "/V1/Chat/COMPLETIONS",
            "/v1/chat/completions/?x=/v1/models",
            "/v1/chat/completions#fragment",
        ] {
            assert_eq!(classify(path), Some(Endpoint::ChatCompletions), "{path}");
        }
    }

    #[test]
    fn a_path_that_two_servers_may_read_differently_is_refused() {
        for path in [
            "/v1/../admin",
            "/v1/../../v1/chat/completions",
            "/v1/chat%2fcompletions",
            "/v1/chat%5ccompletions",
            "/v1/chat\\completions",
            "/v1/chat/completions;x=1",
            "/v1/%2563hat/completions",
            "/v1/%zz/completions",
            "/v1/chat/completions%00",
            "/v1/chat/completions%",
            "/v1/%ff",
        ] {
            assert_eq!(classify(path), None, "{path}");
        }
    }

    #[test]
    fn a_models_id_is_unescaped() {
        assert_eq!(model_id("/v1/models/gpt-4o?x=1").as_deref(), Some("gpt-4o"));
        assert_eq!(
            model_id("/v1/models/meta-llama%2FLlama-3").as_deref(),
            Some("meta-llama/Llama-3")
        );
        assert_eq!(
            model_id("/v1/models/meta-llama/Llama-3").as_deref(),
            Some("meta-llama/Llama-3")
        );
        assert_eq!(model_id("/v1/models/"), None);
        assert_eq!(model_id("/v1/chat/completions"), None);
    }

    #[test]
    fn what_a_status_is_asked_for_is_unescaped() {
        let member = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(
            status("/tollgate/v1/keys?key=a%20b+c&most=5&x"),
            Some((
                "keys".to_owned(),
                vec![member("key", "a b c"), member("most", "5"), member("x", "")]
            ))
        );
        assert_eq!(status("/tollgate/v1/me"), Some(("me".to_owned(), Vec::new())));
        assert_eq!(status("/tollgate/v1/a/b"), None);
        assert_eq!(status("/tollgate/v1/keys?key=%zz"), None);
    }

    #[test]
    fn every_endpoint_has_its_own_name() {
        let mut names: Vec<_> = Endpoint::ALL.iter().map(|endpoint| endpoint.name()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), Endpoint::ALL.len());
    }
}
