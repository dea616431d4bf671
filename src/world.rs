//! The document, compiled into something that cannot be wrong.
//!
//! In: a [`Document`] and the environment. Out: a [`World`], in which every name has become an id of something that
//! exists, every hash bytes and every price integers; or every [`Problem`], not only the first. It is built once per
//! configuration and never changes. It knows nothing of requests.

use std::borrow::Cow;
use std::net::SocketAddr;
use std::sync::Arc;

use hashbrown::HashMap;

use crate::caller::UnixSeconds;
use crate::document::{Document, Order, Problem, Warning};
use crate::guard;
use crate::limit::rule::Rules;
use crate::price::Price;
use crate::provider::catalogue::Catalogue;
use crate::provider::{Provider, decimal_port, split_port};

mod allowed;
mod compile;
mod failover;
mod names;
mod prices;

pub use allowed::{Allowed, Only};
pub use failover::Failover;
pub use names::objection as name_objection;

/// Everything a request is judged by.
#[derive(Debug)]
pub struct World {
    /// The first 16 hexadecimal digits of the document's SHA-256.
    pub hash: String,
    /// Where clients connect.
    pub listen: SocketAddr,
    /// Where Envoy's admin interface is.
    pub admin: SocketAddr,
    /// Whether the host can hold a request's headers until its body is read.
    pub hold_headers: bool,
    /// Whether the host cannot choose the cluster of each attempt anew: it is told the providers of all attempts before the
    /// first, and chooses among them itself.
    pub orders_ahead: bool,
    /// The largest request body accepted, in bytes.
    pub max_body_bytes: usize,
    /// The most metric series created.
    pub max_series: usize,
    /// Where requests without a model go.
    pub default_provider: Option<ProviderId>,
    /// The providers, in the document's order.
    pub providers: Vec<Provider>,
    /// The models, in the document's order.
    pub models: Vec<Model>,
    /// The teams, in the document's order.
    pub teams: Vec<Team>,
    /// The virtual keys, in the document's order.
    pub keys: Vec<Key>,
    /// The rules that all requests together keep.
    pub all: Option<Arc<Rules>>,
    /// Whether nothing at all is refused or changed on account of a rule or the loop guard, but only computed and counted.
    pub shadow: bool,
    /// The loop guard of keys that say nothing of it. Every key has its own in [`Key::guard`].
    pub guard: Option<Arc<guard::rule::Rules>>,
    /// The failover of requests that name no model. Every model has its own in [`Model::failover`].
    pub failover: Failover,
    /// The operators, in the document's order.
    pub operators: Vec<Operator>,
    /// What is allowed and probably not meant.
    pub warnings: Vec<Warning>,
    provider_names: HashMap<Box<str>, ProviderId>,
    provider_hosts: HashMap<Box<str>, ProviderId>,
    model_names: HashMap<Box<str>, ModelId>,
    /// What names of no model of their own begin with, the longest first.
    model_prefixes: Vec<(Box<str>, ModelId)>,
    /// The prices of what is known only once it is asked for.
    prices: prices::Prices,
    key_digests: HashMap<[u8; 32], KeyId>,
    operator_digests: HashMap<[u8; 32], u32>,
    /// Where a raise is written, and when it is over.
    raises: Vec<(String, UnixSeconds)>,
}

/// The environment variable by which whoever configures the host says [`World::orders_ahead`]: `1`.
pub const ORDERS_AHEAD: &str = "TOLLGATE_ORDERS_AHEAD";

/// A provider of one [`World`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProviderId(u32);

/// A model of one [`World`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ModelId(u32);

/// A team of one [`World`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TeamId(u32);

/// A virtual key of one [`World`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(u32);

/// One model a client may ask for.
#[derive(Debug)]
pub struct Model {
    /// The name in the document and in metrics.
    pub name: Box<str>,
    /// Its providers as they are written, at least one.
    pub targets: Vec<Target>,
    /// In which order they are tried.
    pub order: Order,
    /// Whether a session keeps to one of them.
    pub sticky: bool,
    /// When the next of them is tried.
    pub failover: Failover,
    /// The rules that all requests for it keep together.
    pub rules: Option<Arc<Rules>>,
    /// The model that takes its place where a rule says [`Then::Downgrade`](crate::limit::rule::Then::Downgrade). Whoever
    /// follows these comes to an end, and never to where it began.
    pub cheaper: Option<ModelId>,
    /// How many tokens its longest answer has, where the request does not say.
    pub max_output_tokens: Option<u64>,
}

/// One provider's offer of a model.
#[derive(Debug)]
pub struct Target {
    /// Who serves it.
    pub provider: ProviderId,
    /// What that provider calls it, as it is written; [`Target::name_for`] is what is sent.
    pub model: Box<str>,
    /// What it costs there. `None`: not known, and counted as unpriced, or known only for a name ([`World::price`]).
    pub price: Option<Arc<Price>>,
    /// How often it is the first where the order is by lot; 0: only when the others failed.
    pub weight: u32,
    /// The most tokens that it takes. `None`: not known.
    pub context: Option<u64>,
    /// Where its name ends in what the client wrote: how many bytes of the asked name come before that.
    open: Option<usize>,
}

/// One team.
#[derive(Debug)]
pub struct Team {
    /// The name in the document and in metrics.
    pub name: Box<str>,
    /// The rules that its keys keep together.
    pub rules: Option<Arc<Rules>>,
    /// Whether no rule at all refuses or changes anything for its keys' requests.
    pub shadow: bool,
}

/// Who may see the state of all keys and lift blocks. An operator's key is no virtual key: it may use no model.
#[derive(Debug)]
pub struct Operator {
    /// The name in the document.
    pub name: Box<str>,
}

/// One virtual key.
#[derive(Debug)]
pub struct Key {
    /// The name in the document and in metrics.
    pub name: Box<str>,
    /// The team it belongs to.
    pub team: Option<TeamId>,
    /// What it may use.
    pub models: Allowed,
    /// Whether it is refused altogether.
    pub disabled: bool,
    /// From when on it is refused.
    pub expires: Option<UnixSeconds>,
    /// Its rules. Keys with equal ones share them, and only them: each has its own use.
    pub rules: Option<Arc<Rules>>,
    /// Whether no rule at all, and not its loop guard either, refuses or changes anything for its requests.
    pub shadow: bool,
    /// Its rules for one model each, in ascending order of the models; none for a model it may not use.
    pub per_model: Arc<[(ModelId, Arc<Rules>)]>,
    /// For some models, in their ascending order: the providers of its requests, in the order of the attempts.
    pub targets: Arc<[(ModelId, Box<[ProviderId]>)]>,
    /// Its loop guard: its own, or else the world's. `None`: it has none.
    pub guard: Option<Arc<guard::rule::Rules>>,
}

impl World {
    /// Compiles the document. `env` looks up an environment variable; a provider whose credential is not there is a
    /// problem. On failure, every problem found, at least one.
    pub fn compile(document: &Document, env: &dyn Fn(&str) -> Option<String>) -> Result<Self, Vec<Problem>> {
        compile::compile(document, env, compile::Unset::Problem, Catalogue::BUNDLED)
    }

    /// As [`World::compile`], for a machine that has no credentials: what is not set becomes a [`Warning`] and a provider
    /// without credential.
    pub fn rehearse(document: &Document, env: &dyn Fn(&str) -> Option<String>) -> Result<Self, Vec<Problem>> {
        compile::compile(document, env, compile::Unset::Warning, Catalogue::BUNDLED)
    }

    /// The provider of this id.
    pub fn provider(&self, id: ProviderId) -> Option<&Provider> {
        self.providers.get(id.0 as usize)
    }

    /// The model of this id.
    pub fn model(&self, id: ModelId) -> Option<&Model> {
        self.models.get(id.0 as usize)
    }

    /// The team of this id.
    pub fn team(&self, id: TeamId) -> Option<&Team> {
        self.teams.get(id.0 as usize)
    }

    /// The key of this id.
    pub fn key(&self, id: KeyId) -> Option<&Key> {
        self.keys.get(id.0 as usize)
    }

    /// The key whose secret has this SHA-256.
    pub fn key_by_digest(&self, sha256: &[u8; 32]) -> Option<KeyId> {
        self.key_digests.get(sha256).copied()
    }

    /// The operator whose secret has this SHA-256. It is no virtual key's.
    pub fn operator_by_digest(&self, sha256: &[u8; 32]) -> Option<&Operator> {
        let index = *self.operator_digests.get(sha256)?;
        self.operators.get(index as usize)
    }

    /// The model of this exact name or alias, else the one with the longest prefix that the name begins with.
    pub fn model_by_name(&self, name: &str) -> Option<ModelId> {
        let prefixed = || {
            let mut prefixes = self.model_prefixes.iter();
            let found = prefixes.find(|(prefix, _)| name.starts_with(&**prefix));
            found.map(|(_, id)| *id)
        };
        self.model_names.get(name).copied().or_else(prefixed)
    }

    /// What a target costs for a model of this name. `None`: not known, and counted as unpriced.
    pub fn price(&self, target: &Target, asked: &str) -> Option<Arc<Price>> {
        match (&target.price, target.open) {
            (Some(price), _) => Some(Arc::clone(price)),
            (None, None) => None,
            (None, Some(_)) => {
                let provider = self.provider(target.provider)?;
                self.prices.of(provider, &target.name_for(asked))
            }
        }
    }

    /// The provider of this exact name.
    pub fn provider_by_name(&self, name: &str) -> Option<ProviderId> {
        self.provider_names.get(name).copied()
    }

    /// The provider a request to this `host[:port]` goes to. Letter case does not matter, and neither does a port that
    /// is the scheme's own. Of several providers at one host it is the first of the document.
    pub fn provider_by_host(&self, authority: &str) -> Option<ProviderId> {
        let (host, port) = split_port(authority)?;
        let port = match port {
            Some(digits) => Some(decimal_port(digits)?),
            None => None,
        };
        self.provider_hosts.get(names::host_key(host, port).as_str()).copied()
    }

    /// The ids of all providers, in the document's order.
    pub fn provider_ids(&self) -> impl Iterator<Item = ProviderId> + '_ {
        (0..self.providers.len() as u32).map(ProviderId)
    }

    /// What deserves a warning at one time and not at another: the keys and raises that are past their end `now`.
    pub fn warnings_at(&self, now: UnixSeconds) -> Vec<Warning> {
        let expired = |key: &Key| key.expires.filter(|expires| *expires <= now && !key.disabled);
        let keys = self
            .keys
            .iter()
            .enumerate()
            .filter_map(|(index, key)| Some((index, key, expired(key)?)));
        let keys = keys.map(|(index, key, expired)| Warning {
            path: format!("keys[{index}].expires"),
            warning: format!("the key `{}` has been refused since {expired}", key.name),
            remedy: "remove the key, or set a later end".to_owned(),
        });
        let raises = self.raises.iter().filter(|(_, until)| *until <= now);
        let raises = raises.map(|(path, until)| Warning {
            path: path.clone(),
            warning: format!("it has not applied since {until}"),
            remedy: "remove the raise, or set a later `until`".to_owned(),
        });
        keys.chain(raises).collect()
    }

    /// The ids of all models, in the document's order.
    pub fn model_ids(&self) -> impl Iterator<Item = ModelId> + '_ {
        (0..self.models.len() as u32).map(ModelId)
    }
}

impl Key {
    /// Its own rules for this model, besides those for all.
    pub fn rules_for(&self, model: ModelId) -> Option<&Arc<Rules>> {
        let index = self.per_model.binary_search_by_key(&model, |(model, _)| *model).ok()?;
        self.per_model.get(index).map(|(_, rules)| rules)
    }
}

impl Model {
    /// Whether it stands for all names that begin alike, and so is no name that a client could be told of.
    pub fn is_prefix(&self) -> bool {
        self.name.ends_with('*')
    }
}

impl Target {
    /// What its provider calls the model that a client asked for by this name.
    pub fn name_for(&self, asked: &str) -> Cow<'_, str> {
        match (self.open, self.model.strip_suffix('*')) {
            (Some(taken), Some(begin)) => [begin, asked.get(taken..).unwrap_or_default()].concat().into(),
            _ => Cow::Borrowed(&self.model),
        }
    }

    /// Whether what its provider calls the model depends on the name that was asked for, and so may its price.
    pub fn is_open(&self) -> bool {
        self.open.is_some()
    }
}

impl Key {
    /// The providers of its requests for this model, if it has its own.
    pub fn targets_for(&self, model: ModelId) -> Option<&[ProviderId]> {
        let index = self.targets.binary_search_by_key(&model, |(model, _)| *model).ok()?;
        self.targets.get(index).map(|(_, providers)| &**providers)
    }
}

#[cfg(test)]
mod tests;
