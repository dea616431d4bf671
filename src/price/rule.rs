//! Names of models, and the patterns the price list matches them with.
//!
//! In: a pattern of the list and a model's name as requested. Out: whether it fits. It knows no provider and no price.
