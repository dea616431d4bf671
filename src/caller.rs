//! Who is calling.
//!
//! In: a request's headers, the [`World`] and the time. Out: the virtual key, or why there is none. It knows keys only by
//! their SHA-256: comparing hashes in a table tells a caller nothing about a secret, however long each answer takes.

use sha2::{Digest, Sha256};

use crate::world::{KeyId, World};

mod unix_seconds;

pub use unix_seconds::{TimeError, UnixSeconds};

/// Every virtual key begins with this, so that a leaked one can be found and recognised.
pub const KEY_PREFIX: &str = "tg-";

/// Why a caller is nobody we serve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The request shows no credential.
    Missing,
    /// No key has this secret.
    Unknown,
    /// The key is switched off.
    Disabled(KeyId),
    /// The key's time is over.
    Expired(KeyId),
}

/// SHA-256 of a key's whole text: what the document keeps of it.
pub fn digest(secret: &[u8]) -> [u8; 32] {
    Sha256::digest(secret).into()
}

/// The credential a request shows. `header` looks one up by its lower-case name.
///
/// The first of these that is there and not empty counts, and the others are not looked at: `authorization` with the
/// scheme `Bearer`, `x-api-key`, `api-key`. That is the order in which a caller says it most deliberately: an SDK that is
/// given a token as well as a default key sends the token as `Bearer`. Other schemes of `authorization` are passed over.
pub fn presented<'h>(header: impl Fn(&str) -> Option<&'h [u8]>) -> Option<&'h [u8]> {
    let named = |name| header(name).map(<[u8]>::trim_ascii).filter(|value| !value.is_empty());
    named("authorization")
        .and_then(bearer)
        .or_else(|| named("x-api-key"))
        .or_else(|| named("api-key"))
}

/// The key `credential` is the secret of, if it may be used at `now`.
pub fn authenticate(world: &World, credential: Option<&[u8]>, now: UnixSeconds) -> Result<KeyId, Refusal> {
    let secret = credential.ok_or(Refusal::Missing)?;
    let id = world.key_by_digest(&digest(secret)).ok_or(Refusal::Unknown)?;
    let key = world.key(id).ok_or(Refusal::Unknown)?;
    if key.disabled {
        return Err(Refusal::Disabled(id));
    }
    match key.expires {
        Some(expires) if now >= expires => Err(Refusal::Expired(id)),
        _ => Ok(id),
    }
}

/// The token of `Bearer <token>`; the scheme's letter case does not matter (RFC 9110, 11.1).
fn bearer(value: &[u8]) -> Option<&[u8]> {
    let (scheme, rest) = value.split_at_checked(b"bearer".len())?;
    let token = rest.trim_ascii_start();
    let separated = token.len() < rest.len() && !token.is_empty();
    (scheme.eq_ignore_ascii_case(b"bearer") && separated).then_some(token)
}

#[cfg(test)]
mod tests;
