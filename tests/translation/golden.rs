//! Whether what comes out is as it was.

use std::collections::BTreeSet;
use std::{env, fs};

use super::cases::{Case, root};
use super::page;

#[test]
fn every_case_comes_out_as_it_did() {
    let directory = root().join("golden");
    let updates = env::var_os("UPDATE_GOLDEN").is_some();
    let mut names = BTreeSet::new();
    let mut changed = Vec::new();
    for case in Case::all() {
        let file = format!("{}.md", case.name);
        let golden = directory.join(&file);
        let page = page::of(&case);
        if updates {
            fs::write(&golden, &page).unwrap();
        }
        let known = fs::read_to_string(&golden).unwrap_or_default();
        let differs = page.lines().zip(known.lines()).position(|(now, then)| now != then);
        if known != page {
            changed.push(format!("{file}:{}", differs.map_or(0, |line| line + 1)));
        }
        names.insert(file);
    }
    let there = fs::read_dir(directory).unwrap();
    let stale = there.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    changed.extend(
        stale
            .filter(|file| !names.contains(file))
            .map(|file| format!("{file}: no case")),
    );
    assert!(
        changed.is_empty(),
        "UPDATE_GOLDEN=1 writes them anew:\n{}",
        changed.join("\n")
    );
}
