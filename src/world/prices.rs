//! What targets cost whose model is known only once a client asks for it.
//!
//! In: a provider and the provider's name of a model. Out: the document's price by the whole name, else by the longest
//! prefix, else the bundled list's. What was looked up is remembered, because the list is read from its text.

use std::sync::{Arc, Mutex};

use hashbrown::HashMap;

use crate::price::{self, Price};
use crate::provider::Provider;

/// The most names that are remembered. Clients choose them.
const REMEMBERED: usize = 512;

/// A provider, and its name of a model.
type Named = (Box<str>, Box<str>);

/// The prices of the document, and what was found of late.
#[derive(Debug, Default)]
pub(super) struct Prices {
    /// By provider and whole name.
    exact: HashMap<Named, Arc<Price>>,
    /// By provider and prefix, the longest first.
    prefixes: Vec<(Box<str>, Box<str>, Arc<Price>)>,
    found: Mutex<HashMap<Named, Option<Arc<Price>>>>,
}

impl Prices {
    /// Of a document's prices; `prefixes`: the longest first.
    pub(super) fn new(exact: HashMap<Named, Arc<Price>>, prefixes: Vec<(Box<str>, Box<str>, Arc<Price>)>) -> Self {
        Self {
            exact,
            prefixes,
            found: Mutex::default(),
        }
    }

    /// What a model of this name costs at a provider.
    pub(super) fn of(&self, provider: &Provider, model: &str) -> Option<Arc<Price>> {
        let place = (provider.name.clone(), Box::<str>::from(model));
        if let Some(price) = self.exact.get(&place) {
            return Some(Arc::clone(price));
        }
        let mut prefixes = self.prefixes.iter();
        let written = prefixes.find(|(of, prefix, _)| *of == provider.name && model.starts_with(&**prefix));
        if let Some((.., price)) = written {
            return Some(Arc::clone(price));
        }
        // Whoever panicked while holding it left a map behind that is whole.
        let mut found = self.found.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if let Some(price) = found.get(&place) {
            return price.clone();
        }
        let price = price::lookup(&provider.priced_as, model).map(Arc::new);
        if found.len() >= REMEMBERED {
            found.clear();
        }
        found.insert(place, price.clone());
        price
    }
}
