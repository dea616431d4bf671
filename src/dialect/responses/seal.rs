//! How a provider's encrypted reasoning travels through dialects that know nothing of it.
//!
//! In: a reasoning item's id and `encrypted_content`. Out: a text that another dialect carries as a signature, and back. The
//! provider checks that both belong together, so both travel; and what another provider sealed is never sent to it, since
//! it would refuse the whole request (`invalid_encrypted_content`).

/// What begins a seal made here. Base64, of which the providers' own seals consist, has no colon.
const MARK: &str = "rs:";

/// What OpenAI's encrypted content begins with: the version and the high bytes of the time of a Fernet token.
const FERNET: &str = "gAAAA";

/// The seal of an item.
pub(super) fn close(id: &str, encrypted: &str) -> String {
    format!("{MARK}{id}:{encrypted}")
}

/// The item's id, where it is known, and its encrypted content. `None`: another provider's seal.
pub fn open(seal: &str) -> Option<(Option<&str>, &str)> {
    match seal.strip_prefix(MARK) {
        Some(rest) => rest
            .split_once(':')
            .map(|(id, encrypted)| (Some(id).filter(|id| !id.is_empty()), encrypted)),
        None => is_bare(seal).then_some((None, seal)),
    }
}

/// Whether it is OpenAI's own, as it stands in an item.
pub(super) fn is_bare(seal: &str) -> bool {
    seal.starts_with(FERNET)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_closed_opens_and_anothers_does_not() {
        assert_eq!(open(&close("rs_1", "gAAAAx==")), Some((Some("rs_1"), "gAAAAx==")));
        assert_eq!(open(&close("", "x")), Some((None, "x")));
        assert_eq!(open("gAAAAx"), Some((None, "gAAAAx")));
        assert_eq!(open("EqQBCkYIB"), None);
        assert_eq!(open("rs:"), None);
    }
}
