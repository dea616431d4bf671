//! The bundled list of public prices.

use super::Price;

/// One model of the bundled list.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// The provider's name in the list.
    pub provider: &'static str,
    /// The model's name in the list; a request may name it otherwise, by date or by region.
    pub model: &'static str,
    /// The most tokens of input the model takes, where known.
    pub context_window: Option<u64>,
    /// What it costs.
    pub price: Price,
}

/// The public list price of `model` at `provider`, `None` if the list has none.
pub fn lookup(provider: &str, model: &str) -> Option<Price> {
    find(provider, model).map(|entry| entry.price)
}

/// The entry of the bundled list that prices `model` at `provider`.
pub fn find(provider: &str, model: &str) -> Option<Entry> {
    entries().find(|entry| entry.provider == provider && entry.model == model)
}

/// Every entry of the bundled list, by provider and model.
pub fn entries() -> impl Iterator<Item = Entry> {
    std::iter::empty()
}
