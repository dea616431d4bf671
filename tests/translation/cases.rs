//! What comes in: the files of `cases/`.
//!
//! In: the directory. Out: [`Case`]s in the order of their names. It knows nothing of what is in a body.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::value::RawValue;
use tollgate::dialect::{Api, ChatFacts, Dialect, To, Told};
use tollgate::framing::eventstream::{encode_event, encode_exception};
use tollgate::translate::Client;

/// Those who ask.
pub(crate) const CLIENTS: [Client; 3] = [Client::Chat, Client::Responses, Client::Messages];

/// Those who answer.
pub(crate) const APIS: [Api; 5] = [Api::Chat, Api::Responses, Api::Messages, Api::Gemini, Api::Converse];

/// Every pair.
pub(crate) fn asked() -> impl Iterator<Item = (Client, Api)> {
    let each = |client| APIS.into_iter().map(move |api| (client, api));
    CLIENTS.into_iter().flat_map(each)
}

/// Every pair that speaks two languages: where both speak the same, the bytes go through.
pub(crate) fn pairs() -> impl Iterator<Item = (Client, Api)> {
    asked().filter(|(client, api)| client.api() != *api)
}

/// An API, as files call it.
pub(crate) fn name(api: Api) -> &'static str {
    match api {
        Api::Chat => "chat",
        Api::Responses => "responses",
        Api::Messages => "messages",
        Api::Gemini => "gemini",
        Api::Converse => "converse",
    }
}

/// The family in which a client is told of errors.
pub(crate) fn dialect(client: Client) -> Dialect {
    match client {
        Client::Chat | Client::Responses => Dialect::OpenAi,
        Client::Messages => Dialect::Anthropic,
    }
}

/// Whom a request is written for, where a case does not say another model.
pub(crate) fn usual(api: Api) -> To<'static> {
    To {
        model: match api {
            Api::Chat | Api::Responses => "gpt-4.1",
            Api::Messages => "claude-sonnet-4-5",
            Api::Gemini => "gemini-2.5-flash",
            Api::Converse => "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
        },
        longest: None,
        chat: ChatFacts::default(),
    }
}

/// What a client's answer says that the provider's does not.
pub(crate) const TOLD: Told<'static> = Told {
    model: "the-model",
    id: "7f3a",
    created: 1_700_000_000,
    stream_usage: true,
};

/// An error, as a case has it.
#[derive(Deserialize)]
pub(crate) struct Wrong {
    pub(crate) status: u16,
    body: Box<RawValue>,
}

impl Wrong {
    /// Its bytes: a text is what a proxy in between might say.
    pub(crate) fn body(&self) -> Vec<u8> {
        let text = serde_json::from_str::<String>(self.body.get());
        text.unwrap_or_else(|_| self.body.get().to_owned()).into_bytes()
    }
}

/// One case.
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) about: String,
    models: BTreeMap<String, String>,
    directory: PathBuf,
}

impl Case {
    /// All of them.
    pub(crate) fn all() -> Vec<Self> {
        let directory = root().join("cases");
        let mut found: Vec<PathBuf> = fs::read_dir(directory)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        found.sort();
        found.into_iter().map(Self::of).collect()
    }

    fn of(directory: PathBuf) -> Self {
        let models = fs::read(directory.join("models.json"));
        Self {
            name: directory.file_name().unwrap().to_str().unwrap().to_owned(),
            about: fs::read_to_string(directory.join("about.txt"))
                .unwrap()
                .trim()
                .to_owned(),
            models: models.map_or_else(|_| BTreeMap::new(), |models| serde_json::from_slice(&models).unwrap()),
            directory,
        }
    }

    /// Whom a request is written for.
    pub(crate) fn to(&self, api: Api) -> To<'_> {
        let usual = usual(api);
        To {
            model: self.models.get(name(api)).map_or(usual.model, String::as_str),
            ..usual
        }
    }

    fn read(&self, file: &str) -> Option<Vec<u8>> {
        fs::read(self.directory.join(file)).ok()
    }

    /// What a client asks.
    pub(crate) fn request(&self, client: Client) -> Option<Vec<u8>> {
        self.read(&format!("client.{}.json", name(client.api())))
    }

    /// What a provider answers, whole.
    pub(crate) fn reply(&self, api: Api) -> Option<Vec<u8>> {
        self.read(&format!("provider.{}.json", name(api)))
    }

    /// What a provider answers, as it comes.
    pub(crate) fn stream(&self, api: Api) -> Option<Vec<u8>> {
        match api {
            Api::Converse => self.read("provider.converse.events").map(|listed| framed(&listed)),
            _ => self.read(&format!("provider.{}.sse", name(api))),
        }
    }

    /// How a provider refuses.
    pub(crate) fn refusal(&self, api: Api) -> Option<Wrong> {
        let read = self.read(&format!("refusal.{}.json", name(api)))?;
        Some(serde_json::from_slice(&read).unwrap())
    }
}

/// Where these tests are.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/translation")
}

/// Events of AWS, from a list of them.
fn framed(listed: &[u8]) -> Vec<u8> {
    let listed = std::str::from_utf8(listed).unwrap();
    let events = listed.lines().map(|line| line.split_once('\t').unwrap());
    let frames = events.map(|(event, payload)| match event.strip_prefix("exception:") {
        Some(exception) => encode_exception(exception, payload.as_bytes()),
        None => encode_event(event, payload.as_bytes()),
    });
    frames.collect::<Vec<_>>().concat()
}
