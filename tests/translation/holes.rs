//! Whether the list of what is lost is true.
//!
//! In: the table of `holes.md` and the requests of all cases. Every loss that occurs must be listed with its reason, and
//! every one that is listed must occur.

use std::collections::BTreeSet;
use std::fs;

use tollgate::translate;

use super::cases::{APIS, CLIENTS, Case, name, pairs, root};

/// Label, `meaning` or `hint`, client, provider.
type Hole = (String, String, &'static str, &'static str);

/// The pairs of a row, as its two columns list them.
fn listed(label: &str, kind: &str, clients: &str, providers: &str) -> Vec<Hole> {
    let is_in = |column: &str, name: &str| column == "all" || column.split(", ").any(|word| word == name);
    let chosen = pairs().filter(|(client, api)| is_in(clients, name(client.api())) && is_in(providers, name(*api)));
    chosen
        .map(|(client, api)| (label.to_owned(), kind.to_owned(), name(client.api()), name(api)))
        .collect()
}

#[test]
fn what_is_lost_is_listed_and_nothing_else() {
    let text = fs::read_to_string(root().join("holes.md")).unwrap();
    let mut known = BTreeSet::new();
    for row in text.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        let [label, kind, clients, providers, reason] = cells.as_slice() else {
            panic!("not five columns: {row}");
        };
        assert!(!reason.is_empty(), "without a reason: {row}");
        let names: Vec<&str> = CLIENTS
            .iter()
            .map(|client| name(client.api()))
            .chain(APIS.map(name))
            .collect();
        for word in clients.split(", ").chain(providers.split(", ")) {
            assert!(word == "all" || names.contains(&word), "{word}: {row}");
        }
        known.extend(listed(label.trim_matches('`'), kind, clients, providers));
    }
    let mut met = BTreeSet::new();
    for case in Case::all() {
        for (client, api) in pairs() {
            let Some(body) = case.request(client) else { continue };
            let written = translate::request(client, api, &body, &case.to(api), None).unwrap();
            met.extend(written.losses.iter().map(|loss| {
                let kind = if loss.hint { "hint" } else { "meaning" };
                (loss.label.to_owned(), kind.to_owned(), name(client.api()), name(api))
            }));
        }
    }
    let unlisted: Vec<_> = met.difference(&known).map(|hole| format!("{hole:?}")).collect();
    let stale: Vec<_> = known.difference(&met).map(|hole| format!("{hole:?}")).collect();
    assert!(
        unlisted.is_empty() && stale.is_empty(),
        "not listed:\n{}\nlisted, and not met:\n{}",
        unlisted.join("\n"),
        stale.join("\n")
    );
}
