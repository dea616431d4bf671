//! What a reader may rely on everywhere: modules say what they are for, files stay short enough to be read in one sitting,
//! and what the pages say is so.

#![expect(clippy::unwrap_used, reason = "what is missing fails the test that needs it")]

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use regex::Regex;
use serde_json::Value;
use tollgate::document::Document;
use tollgate::metrics::{CATALOGUE, Kind};
use tollgate::price::PriceSpec;
use tollgate::world::World;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// Where the project's own files are; beside them are only what was built and what was installed.
const DIRECTORIES: [&str; 13] = [
    ".ci",
    ".github",
    "bench",
    "demo",
    "docs",
    "istio",
    "prometheus",
    "prove",
    "scripts",
    "simulator",
    "src",
    "tests",
    "wasm-tests",
];

/// The most lines of a source file, tests apart.
const LONGEST: usize = 450;

/// The project's files with one of these extensions (`""`: none), with their paths below its root.
fn files(extensions: &[&str]) -> Vec<(String, String)> {
    let mut waiting: Vec<PathBuf> = DIRECTORIES.iter().map(|name| Path::new(ROOT).join(name)).collect();
    waiting.extend(["README.md", "CHANGELOG.md", "Makefile"].map(|name| Path::new(ROOT).join(name)));
    let mut found = Vec::new();
    while let Some(path) = waiting.pop() {
        let name = path.file_name().and_then(OsStr::to_str).unwrap();
        if path.is_dir() {
            if !["__pycache__", ".pytest_cache", "node_modules"].contains(&name) {
                waiting.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
            }
        } else if extensions.contains(&path.extension().and_then(OsStr::to_str).unwrap_or_default()) {
            let below = path.strip_prefix(ROOT).unwrap().to_str().unwrap().to_owned();
            found.push((below, fs::read_to_string(&path).unwrap()));
        }
    }
    assert!(!found.is_empty(), "{extensions:?}");
    found.sort();
    found
}

fn page(name: &str) -> String {
    fs::read_to_string(Path::new(ROOT).join(name)).unwrap()
}

/// The fenced blocks of a page in this language.
fn blocks<'p>(page: &'p str, language: &str) -> Vec<&'p str> {
    let fenced = page.split("\n```").skip(1).step_by(2);
    fenced
        .filter_map(|block| block.split_once('\n'))
        .filter(|(tag, _)| *tag == language)
        .map(|(_, block)| block)
        .collect()
}

/// Whether a file is made of tests, whose names say what they are for.
fn is_tests(path: &str) -> bool {
    path.ends_with("/tests.rs") || path.contains("/tests/")
}

/// What was found wrong, a line each.
fn none(found: &[String]) {
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}

#[test]
fn every_module_says_what_it_is_for() {
    let sources = files(&["rs"]).into_iter().filter(|(path, _)| !is_tests(path));
    let silent = sources.filter(|(_, text)| !text.starts_with("//! "));
    none(&silent.map(|(path, _)| path).collect::<Vec<_>>());
}

#[test]
fn every_file_can_be_read_in_one_sitting() {
    let sources = files(&["rs"]).into_iter().filter(|(path, _)| !is_tests(path));
    let long = sources.filter_map(|(path, text)| {
        let lines = text.split("#[cfg(test)]\nmod tests {").next().unwrap().lines().count();
        (lines > LONGEST).then(|| format!("{path}: {lines} lines"))
    });
    none(&long.collect::<Vec<_>>());
}

#[test]
fn nothing_is_left_for_later_and_names_say_what_things_are() {
    // Each is written in two parts, so that this file does not name it.
    let words = [
        concat!(r"\bTO", r"DO\b"),
        concat!(r"\bFIX", r"ME\b"),
        concat!(r"\bXX", r"X\b"),
        r"\b(?:struct|enum|trait|mod|class) \w*(?:Manager|Helper|Util|Utils|manager|helper|util|utils)\b",
        // Another's trait may want such a method, which then is not `pub`.
        r"\bpub(?:\([a-z]+\))? fn get_",
    ];
    let words = Regex::new(&words.join("|")).unwrap();
    let mut found = Vec::new();
    for (path, text) in files(&["", "md", "mjs", "py", "rs", "sh", "toml", "yaml", "yml"]) {
        let lines = text.lines().enumerate().filter(|(_, line)| words.is_match(line));
        found.extend(lines.map(|(index, line)| format!("{path}:{}: {}", index + 1, line.trim())));
    }
    none(&found);
}

#[test]
fn the_architecture_names_every_module() {
    let architecture = page("src/lib.rs");
    let (told, modules) = architecture.split_once("#![deny").unwrap();
    let declared = Regex::new(r"(?m)^(?:pub )?mod (\w+);").unwrap();
    let unnamed = declared
        .captures_iter(modules)
        .filter(|module| !told.contains(&format!("`{}`", &module[1])));
    none(&unnamed.map(|module| module[1].to_owned()).collect::<Vec<_>>());
}

#[test]
fn the_readmes_documents_are_good_ones() {
    let readme = page("README.md");
    let documents = blocks(&readme, "json");
    assert_eq!(documents.len(), 2);
    for text in documents {
        let document = Document::parse(text).unwrap();
        let world = World::compile(&document, &|_| Some("sk-test".to_owned())).unwrap();
        // One of them is about providers and models alone.
        if text.contains("\"keys\"") {
            assert_eq!(world.warnings, []);
        }
    }
}

#[test]
fn the_documents_in_the_page_on_limits_are_good_ones() {
    let page = page("docs/limits.md");
    // What is no whole document (an answer, an error) names no providers.
    let documents = blocks(&page, "json").into_iter();
    let documents: Vec<_> = documents.filter(|text| text.contains("\"providers\"")).collect();
    assert!(documents.len() >= 2);
    for text in documents {
        let document = Document::parse(text).unwrap();
        let world = World::compile(&document, &|_| Some("sk-test".to_owned())).unwrap();
        assert_eq!(world.warnings, []);
    }
}

#[test]
fn the_documents_in_the_pages_on_routing_and_dialects_are_good_ones() {
    for page in ["docs/routing.md", "docs/dialects.md"].map(page) {
        let documents = blocks(&page, "json");
        assert_eq!(documents.len(), 1);
        for text in documents {
            let document = Document::parse(text).unwrap();
            World::compile(&document, &|_| Some("sk-test".to_owned())).unwrap();
        }
    }
}

#[test]
fn the_page_on_routing_names_every_reason_to_move_on() {
    let page = page("docs/routing.md");
    let names = tollgate::pipeline::Reason::ALL.map(|reason| reason.name().to_owned());
    let unnamed = names
        .into_iter()
        .filter(|name| !page.contains(&format!("| `{name}` |")));
    none(&unnamed.collect::<Vec<_>>());
}

#[test]
fn the_page_on_routing_names_every_member() {
    let page = page("docs/routing.md");
    let schema: Value = serde_json::from_str(&Document::schema_text()).unwrap();
    let members = ["Failover", "Health"].map(|shape| schema["$defs"][shape]["properties"].as_object().unwrap());
    let members = members.into_iter().flat_map(|members| members.keys());
    let unnamed = members.filter(|name| !page.contains(&format!("`{name}`")));
    none(&unnamed.cloned().collect::<Vec<_>>());
}

#[test]
fn the_page_on_limits_names_every_member() {
    let page = page("docs/limits.md");
    let schema: Value = serde_json::from_str(&Document::schema_text()).unwrap();
    let shapes = [
        "Limits",
        "DetailedLimit",
        "LimitRaise",
        "Budget",
        "BudgetRaise",
        "LoopGuard",
        "Steps",
        "Operator",
    ];
    let members = shapes.map(|shape| schema["$defs"][shape]["properties"].as_object().unwrap());
    let members = members.into_iter().flat_map(|members| members.keys());
    let unnamed = members.filter(|name| !page.contains(&format!("`{name}`")) && !page.contains(&format!("\"{name}\"")));
    none(&unnamed.cloned().collect::<Vec<_>>());
}

#[test]
fn the_readme_shows_a_problem_as_it_is_told() {
    let readme = page("README.md");
    let run = blocks(&readme, "json")
        .into_iter()
        .find(|text| text.contains("\"keys\""))
        .unwrap();
    let wrong = run.replacen(
        r#""targets": [{"provider": "openai"}]"#,
        r#""targets": [{"provider": "opanai"}]"#,
        1,
    );
    let document = Document::parse(&wrong).unwrap();
    let problems = World::compile(&document, &|_| Some("sk-test".to_owned())).unwrap_err();
    for problem in problems {
        assert!(readme.contains(&format!("```\nproblem {problem}\n```")), "{problem}");
    }
}

#[test]
fn the_prices_in_the_documentation_compile() {
    let page = page("docs/prices.md");
    let examples = blocks(&page, "json");
    assert_eq!(examples.len(), 1);
    for text in examples {
        let (_, list) = text.split_once(':').unwrap();
        let prices: Vec<PriceSpec> = serde_json::from_str(list).unwrap();
        assert!(!prices.is_empty());
        for price in prices {
            price.compile().unwrap();
        }
    }
}

#[test]
fn every_metric_that_is_named_is_in_the_catalogue() {
    let mut known = BTreeSet::new();
    for metric in CATALOGUE {
        known.insert(metric.name.to_owned());
        if metric.kind == Kind::Histogram {
            known.extend(["bucket", "sum", "count"].map(|part| format!("{}_{part}", metric.name)));
        }
    }
    // Python's and Rust's own names begin so, too: a crate, a file, a program.
    let names = Regex::new(r"\btollgate_[a-z_]+[a-z]\b").unwrap();
    let mut found = Vec::new();
    for (path, text) in files(&["md", "yaml", "yml"]) {
        let unknown = names.find_iter(&text).filter(|name| !known.contains(name.as_str()));
        found.extend(unknown.map(|name| format!("{path}: {}", name.as_str())));
    }
    none(&found);
}

#[test]
fn every_make_target_that_is_named_exists() {
    let makefile = page("Makefile");
    let named = Regex::new(r"`make ([a-z]+)|(?m)^    make ([a-z]+)").unwrap();
    let mut found = Vec::new();
    for (path, text) in files(&["md", "rs", "py", "yaml", "yml"]) {
        for captures in named.captures_iter(&text) {
            let target = captures.iter().skip(1).flatten().next().unwrap().as_str();
            if !makefile.contains(&format!("\n{target}:")) {
                found.push(format!("{path}: make {target}"));
            }
        }
    }
    none(&found);
}

#[test]
fn every_link_leads_to_a_file_or_a_heading() {
    let links = Regex::new(r"\]\(([^)\s]+)\)").unwrap();
    let mut found = Vec::new();
    for (path, text) in files(&["md"]) {
        for link in links.captures_iter(&text).map(|captures| captures[1].to_owned()) {
            let exists = match link.strip_prefix('#') {
                _ if link.starts_with("https://") => true,
                Some(heading) => text
                    .lines()
                    .any(|line| line.starts_with('#') && anchor(line) == heading),
                None => Path::new(ROOT).join(&path).parent().unwrap().join(&link).exists(),
            };
            if !exists {
                found.push(format!("{path}: {link}"));
            }
        }
    }
    none(&found);
}

/// What a heading is linked by.
fn anchor(heading: &str) -> String {
    let text = heading.trim_start_matches('#').trim().to_lowercase();
    let kept = text
        .chars()
        .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}
