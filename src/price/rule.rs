//! Patterns for names of models, as the price list has them.
//!
//! In: a pattern and a name, both in lower case. Out: whether the pattern fits the whole name. `*` stands for any run of
//! characters and `#` for one digit; `!` in front of a pattern negates it, and `&` joins patterns that must all fit:
//! `gemini-2.5-pro*&!*-tts`. It knows no provider and no price. Names are compared as bytes; the list is ASCII.

/// Whether `name` fits `rule`.
pub(super) fn fits(rule: &str, name: &str) -> bool {
    rule.split('&').all(|pattern| match pattern.strip_prefix('!') {
        Some(pattern) => !glob(pattern.as_bytes(), name.as_bytes()),
        None => glob(pattern.as_bytes(), name.as_bytes()),
    })
}

/// Matches a pattern of `*`, `#` and literals, remembering only the last `*`: what an earlier one took never matters.
fn glob(mut pattern: &[u8], mut name: &[u8]) -> bool {
    let mut retry: Option<(&[u8], &[u8])> = None;
    loop {
        match (pattern, name) {
            ([b'*', after @ ..], _) => {
                retry = Some((after, name));
                pattern = after;
            }
            ([], []) => return true,
            ([wanted, after @ ..], [found, rest @ ..])
                if wanted == found || (*wanted == b'#' && found.is_ascii_digit()) =>
            {
                (pattern, name) = (after, rest);
            }
            // A dead end: let the last `*` take one character more.
            _ => match retry {
                Some((after, [_, rest @ ..])) => {
                    retry = Some((after, rest));
                    (pattern, name) = (after, rest);
                }
                _ => return false,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_literal_fits_only_itself() {
        assert!(fits("gpt-4o", "gpt-4o"));
        assert!(!fits("gpt-4o", "gpt-4o-mini"));
        assert!(!fits("gpt-4o", "gpt-4"));
        assert!(!fits("", "gpt-4o"));
    }

    #[test]
    fn a_star_stands_for_any_run_even_an_empty_one() {
        assert!(fits("gpt-4o*", "gpt-4o"));
        assert!(fits("gpt-4o*", "gpt-4o-mini"));
        assert!(fits("*claude-3-opus*", "us.anthropic.claude-3-opus-20240229-v1:0"));
        assert!(fits("*-tts", "a-tts-tts"));
        assert!(!fits("*-tts", "a-tts-x"));
        assert!(fits("a*b*c", "a-b-b-c-c"));
        assert!(!fits("a*b*c", "a-c-b"));
        assert!(fits("*", ""));
    }

    #[test]
    fn a_hash_stands_for_exactly_one_digit() {
        assert!(fits("grok-4.5-########", "grok-4.5-20260101"));
        assert!(!fits("grok-4.5-########", "grok-4.5-2026010"));
        assert!(!fits("grok-4.5-########", "grok-4.5-2026-1-1"));
        assert!(fits("gemini-3.5-flash-#*", "gemini-3.5-flash-001"));
        assert!(!fits("gemini-3.5-flash-#*", "gemini-3.5-flash-lite"));
    }

    #[test]
    fn joined_patterns_must_all_fit_and_a_negated_one_must_not() {
        let rule = "!*-tts&!*-tts-*&gemini-2.5-pro*";
        assert!(fits(rule, "gemini-2.5-pro-preview"));
        assert!(!fits(rule, "gemini-2.5-pro-preview-tts"));
        assert!(!fits(rule, "gemini-2.5-pro-tts-1"));
        assert!(!fits(rule, "gemini-2.5-flash"));
    }
}
