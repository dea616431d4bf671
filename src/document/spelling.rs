//! What somebody who wrote a name probably meant.
//!
//! In: the name and those that exist. Out: the nearest, if it is near enough to be worth saying.

/// The candidate with the fewest typing mistakes (letters added, dropped, exchanged or swapped with a neighbour), if they
/// are no more than a third of the name's length; else one that the name begins, or that begins the name. Letter case,
/// `-`, `_` and `.` do not count.
pub fn nearest<'c>(name: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    let wanted = folded(name);
    let allowed = wanted.len().max(3) / 3;
    let distance = |candidate: &str| {
        let candidate = folded(candidate);
        let begins = wanted.len().min(candidate.len()) >= 3
            && (candidate.starts_with(&wanted) || wanted.starts_with(&candidate));
        let extra = candidate.len().abs_diff(wanted.len());
        distance(&wanted, &candidate, allowed).or_else(|| begins.then_some(allowed + extra))
    };
    let near = candidates
        .into_iter()
        .filter_map(|candidate| Some((distance(candidate)?, candidate)));
    near.min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// `did you mean …?` with the nearest candidate, else a list of up to eight that exist, else `otherwise`.
pub fn suggestion<'c>(name: &str, candidates: impl Iterator<Item = &'c str> + Clone, otherwise: &str) -> String {
    if let Some(nearest) = nearest(name, candidates.clone()) {
        return format!("did you mean `{nearest}`?");
    }
    let mut known = candidates
        .clone()
        .take(8)
        .map(|name| format!("`{name}`"))
        .collect::<Vec<_>>();
    if candidates.count() > known.len() {
        known.push("…".to_owned());
    }
    match known.as_slice() {
        [] => otherwise.to_owned(),
        [only] => format!("use {only}"),
        several => format!("use one of {}", several.join(", ")),
    }
}

fn folded(name: &str) -> Vec<char> {
    name.chars()
        .filter(|c| !matches!(c, '-' | '_' | '.' | ' '))
        .flat_map(char::to_lowercase)
        .take(128)
        .collect()
}

/// Optimal string alignment distance, if it is at most `allowed`.
fn distance(a: &[char], b: &[char], allowed: usize) -> Option<usize> {
    if a.len().abs_diff(b.len()) > allowed {
        return None;
    }
    let at = |row: &[usize], column: usize| row.get(column).copied().unwrap_or(usize::MAX / 2);
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for (i, &x) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, &y) in b.iter().enumerate() {
            let exchanged = at(&last, j) + usize::from(x != y);
            let mut best = exchanged.min(at(&last, j + 1) + 1).min(at(&row, j) + 1);
            let crossed = i > 0 && j > 0 && a.get(i - 1) == Some(&y) && b.get(j - 1) == Some(&x);
            if crossed {
                best = best.min(at(&before, j - 1) + 1);
            }
            row.push(best);
        }
        before = std::mem::replace(&mut last, row);
    }
    last.last().copied().filter(|distance| *distance <= allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_fingers_is_recognised() {
        let known = ["openai", "anthropic", "gpt-4o", "gpt-4o-mini", "max_body_bytes"];
        for (typed, meant) in [
            ("opnai", Some("openai")),
            ("OpenAI", Some("openai")),
            ("oepnai", Some("openai")),
            ("antropic", Some("anthropic")),
            ("gpt4o", Some("gpt-4o")),
            ("gpt-4o-mni", Some("gpt-4o-mini")),
            ("maxBodyBytes", Some("max_body_bytes")),
            ("gpt-4o-2024-11-20", Some("gpt-4o")),
            ("max_body", Some("max_body_bytes")),
            ("mistral", None),
            ("", None),
        ] {
            assert_eq!(nearest(typed, known), meant, "{typed}");
        }
    }

    #[test]
    fn without_a_near_one_the_existing_ones_are_listed() {
        let known = ["a1", "b2", "c3", "d4", "e5", "f6", "g7", "h8", "i9"];
        assert_eq!(
            suggestion("somebody", known.iter().copied(), "add one"),
            "use one of `a1`, `b2`, `c3`, `d4`, `e5`, `f6`, `g7`, `h8`, …"
        );
        assert_eq!(suggestion("somebody", std::iter::empty(), "add one"), "add one");
        assert_eq!(suggestion("somebody", std::iter::once("me"), "add one"), "use `me`");
    }
}
