//! The `tollgate` command as a person or a script meets it: what it prints, where, and with which exit code.

#![expect(clippy::unwrap_used, reason = "what is missing fails the test that needs it")]

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

const GOOD: &str = include_str!("../src/world/golden/good-full.json");

/// What a run of the command left behind.
struct Ran {
    code: Option<i32>,
    out: String,
    err: String,
}

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tollgate"));
    command
        .args(arguments)
        .env_clear()
        .env("OPENAI_API_KEY", "sk-test")
        .env("ANTHROPIC_API_KEY", "sk-ant-test");
    command
}

fn finish(command: &mut Command, input: &str) -> Ran {
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // A command that does not read its input may be gone already.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().unwrap();
    Ran {
        code: output.status.code(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

fn run(arguments: &[&str]) -> Ran {
    finish(&mut command(arguments), "")
}

fn check(document: &str) -> Ran {
    finish(&mut command(&["check", "-"]), document)
}

/// A path below cargo's directory for this test's files.
fn scratch(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name)
}

#[test]
fn a_good_document_passes() {
    let ran = check(GOOD);
    assert_eq!(
        (ran.code, ran.out.as_str(), ran.err.as_str()),
        (Some(0), "standard input: no problems\n", "")
    );
}

#[test]
fn each_problem_of_a_bad_document_is_printed_with_its_path_and_remedy() {
    let ran = check(include_str!("../src/world/golden/bad-references.json"));
    assert_eq!(ran.code, Some(1));
    let first = "problem default_provider: there is no provider `azure`\n  remedy: use one of `openai`, `anthropic`\n";
    assert!(ran.out.starts_with(first), "{}", ran.out);
    assert!(ran.out.ends_with("standard input: 6 problems\n"), "{}", ran.out);
    assert_eq!(ran.out.matches("  remedy: ").count(), 6);
}

#[test]
fn warnings_pass_unless_strictness_is_asked_for() {
    let document = scratch("unset.json");
    std::fs::write(&document, GOOD).unwrap();
    let document = document.to_str().unwrap();
    let unset = |arguments: &[&str]| finish(command(arguments).env_remove("OPENAI_API_KEY"), "");
    let ran = unset(&["check", document]);
    assert_eq!(ran.code, Some(0));
    let warning = "warning providers.openai.credential.env: the environment variable OPENAI_API_KEY is not set here";
    assert!(ran.out.starts_with(warning), "{}", ran.out);
    assert!(
        ran.out.ends_with(&format!("{document}: no problems, 1 warning\n")),
        "{}",
        ran.out
    );
    assert_eq!(unset(&["check", "--strict", document]).code, Some(1));
}

#[test]
fn an_expired_key_is_warned_of() {
    let mut document: Value = serde_json::from_str(GOOD).unwrap();
    document["keys"][0]["expires"] = json!("2001-01-01T01:00:00+01:00");
    let ran = check(&document.to_string());
    let warning = "keys[0].expires: the key `checkout-agent` has been refused since 2001-01-01T00:00:00Z\n";
    assert!(ran.out.contains(warning), "{}", ran.out);
}

#[test]
fn what_cannot_be_read_is_an_error_and_not_a_problem() {
    let ran = run(&["check", "/nowhere/tollgate.json"]);
    assert_eq!((ran.code, ran.out.as_str()), (Some(2), ""));
    assert_eq!(
        ran.err,
        "error: cannot read /nowhere/tollgate.json: No such file or directory (os error 2)\n"
    );

    let binary = scratch("binary.json");
    std::fs::write(&binary, [0xff, 0xfe]).unwrap();
    let ran = run(&["check", binary.to_str().unwrap()]);
    assert_eq!(ran.code, Some(2));
    assert!(ran.err.contains("is not UTF-8"), "{}", ran.err);
}

#[test]
fn colours_are_for_terminals_only() {
    let ran = check("{}");
    assert!(!ran.out.contains('\u{1b}'), "{:?}", ran.out);
    let forced = finish(command(&["check", "-"]).env("CLICOLOR_FORCE", "1"), "{}");
    assert!(forced.out.contains('\u{1b}'), "{:?}", forced.out);
    let refused = finish(
        command(&["check", "-"]).env("CLICOLOR_FORCE", "1").env("NO_COLOR", "1"),
        "{}",
    );
    assert!(!refused.out.contains('\u{1b}'), "{:?}", refused.out);
}

#[test]
fn a_minted_key_fits_its_entry_and_the_entry_fits_the_document() {
    let ran = run(&[
        "key",
        "new",
        "--name",
        "ci",
        "--team",
        "payments",
        "--models",
        "gpt-4o*,llama",
        "--expires",
        "2099-01-01T00:00:00Z",
    ]);
    assert_eq!(ran.code, Some(0));
    let secret = ran.err.trim_end();
    assert!(secret.len() == 46 && secret.starts_with("tg-"), "{secret}");
    assert!(!ran.out.contains(secret));

    let entry: Value = serde_json::from_str(&ran.out).unwrap();
    let hash: String = tollgate::caller::digest(secret.as_bytes())
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let expected = json!({
        "name": "ci", "sha256": hash, "team": "payments", "models": ["gpt-4o*", "llama"], "expires": "2099-01-01T00:00:00Z",
    });
    assert_eq!(entry, expected);
    assert_eq!(ran.out.lines().count(), 1);

    let mut document: Value = serde_json::from_str(GOOD).unwrap();
    document["keys"].as_array_mut().unwrap().push(entry);
    assert_eq!(check(&document.to_string()).out, "standard input: no problems\n");
}

#[test]
fn no_two_minted_keys_are_the_same() {
    let mint = || run(&["key", "new", "--name", "a"]);
    let (first, second) = (mint(), mint());
    assert_ne!(first.err, second.err);
    assert_ne!(first.out, second.out);
}

#[test]
fn a_key_that_the_document_would_refuse_is_not_minted() {
    for arguments in [
        &["--name", "none"][..],
        &["--name", "a;b"],
        &["--name", ""],
        &["--name", "a", "--team", "x\ny"],
        &["--name", "a", "--models", "gpt-*o"],
        &["--name", "a", "--models", ""],
        &["--name", "a", "--expires", "tomorrow"],
        &["--name", "a", "--expires", "2099-01-01T00:00:00"],
        &[],
    ] {
        let ran = run(&[&["key", "new"][..], arguments].concat());
        assert_eq!((ran.code, ran.out.as_str()), (Some(2), ""), "{arguments:?}");
        assert!(ran.err.starts_with("error: "), "{}", ran.err);
        assert!(!ran.err.contains("tg-"), "{}", ran.err);
    }
}

#[test]
fn the_committed_schema_is_the_one_the_command_prints() {
    let ran = run(&["schema"]);
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/schema.json");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(path, &ran.out).unwrap();
    }
    let checked = run(&["schema", "--check", path]);
    assert_eq!(checked.code, Some(0), "{}{}", checked.out, checked.err);

    let other = scratch("other.json");
    std::fs::write(&other, "{}").unwrap();
    let checked = run(&["schema", "--check", other.to_str().unwrap()]);
    assert_eq!(checked.code, Some(1));
    assert!(checked.out.contains("remedy: tollgate schema > "), "{}", checked.out);
}

#[test]
fn the_schema_says_what_every_field_is_for() {
    fn undescribed(value: &Value, path: &str, found: &mut Vec<String>) {
        let Value::Object(members) = value else { return };
        for (name, property) in members
            .get("properties")
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
        {
            if property.get("description").is_none() {
                found.push(format!("{path}.{name}"));
            }
        }
        for (name, inner) in members {
            undescribed(inner, &format!("{path}.{name}"), found);
        }
    }
    let schema: Value = serde_json::from_str(&run(&["schema"]).out).unwrap();
    let mut found = Vec::new();
    undescribed(&schema, "", &mut found);
    assert!(found.is_empty(), "{found:?}");
    assert_eq!(schema["properties"]["listen"]["default"], "127.0.0.1:4000");
    assert_eq!(schema["properties"]["max_body_bytes"]["default"], 33_554_432);
    assert_eq!(schema["additionalProperties"], false);
}

#[test]
fn a_price_is_found_and_printed_as_an_entry_of_the_document() {
    let ran = run(&["prices", "openai", "gpt-4o"]);
    assert_eq!(ran.code, Some(0));
    assert!(
        ran.out.starts_with("gpt-4o at openai, USD per million tokens\n"),
        "{}",
        ran.out
    );

    let ran = run(&["prices", "openai", "gpt-4o", "--json"]);
    let entries: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(
        (&entries[0]["input"], &entries[0]["output"]),
        (&json!(2.5), &json!(10.0))
    );
    let mut document: Value = serde_json::from_str(GOOD).unwrap();
    document["prices"][0] = entries[0].clone();
    assert_eq!(check(&document.to_string()).out, "standard input: no problems\n");
}

#[test]
fn prices_are_listed_by_provider() {
    let ran = run(&["prices", "anthropic"]);
    assert_eq!(ran.code, Some(0));
    let mut lines = ran.out.lines();
    assert!(lines.next().unwrap().starts_with("PROVIDER"), "{}", ran.out);
    assert!(
        lines
            .take_while(|line| !line.is_empty())
            .all(|line| line.starts_with("anthropic ")),
        "{}",
        ran.out
    );
}

#[test]
fn kinds_of_providers_are_listed_looked_up_and_guessed() {
    let all = run(&["providers"]);
    assert_eq!(all.code, Some(0));
    assert!(all.out.starts_with("KIND"), "{}", all.out);
    let json: Value = serde_json::from_str(&run(&["providers", "groq", "--json"]).out).unwrap();
    assert_eq!(json[0]["endpoint"], "https://api.groq.com/openai/v1");
    assert_eq!(json[0]["auth"], "bearer");
    let one = run(&["providers", "bedrock"]);
    assert!(
        one.out.contains(r#""bedrock": {"settings":{"region":"us-east-1"}}"#),
        "{}",
        one.out
    );
    let none = run(&["providers", "gorq"]);
    assert_eq!(none.code, Some(1));
    assert_eq!(
        none.err,
        "there is no kind of provider `gorq`\n  remedy: did you mean `groq`?\n"
    );
}

#[test]
fn what_the_price_list_does_not_have_is_answered_with_what_it_has() {
    for (arguments, said) in [
        (
            &["prices", "opnai"][..],
            "the price list has no provider `opnai`\n  remedy: did you mean `openai`?\n",
        ),
        (
            &["prices", "openai", "gtp-4o"],
            "the price list has no model `gtp-4o` at `openai`\n  remedy: did you mean `gpt-4o`?\n",
        ),
    ] {
        let ran = run(arguments);
        assert_eq!((ran.code, ran.out.as_str(), ran.err.as_str()), (Some(1), "", said));
    }
}

#[test]
fn a_reader_that_has_seen_enough_is_no_error() {
    let mut child = command(&["prices"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(0), &b""[..]));
}

#[test]
fn every_help_text_has_examples_and_exit_codes() {
    for arguments in [
        &["--help"][..],
        &["up", "--help"],
        &["check", "--help"],
        &["render", "envoy", "--help"],
        &["key", "new", "--help"],
        &["prices", "--help"],
        &["schema", "--help"],
    ] {
        let ran = run(arguments);
        assert_eq!(ran.code, Some(0), "{arguments:?}: {}", ran.err);
        for heading in ["Examples:\n", "Exit codes:\n"] {
            assert!(ran.out.contains(heading), "{arguments:?} has no {heading}{}", ran.out);
        }
    }
}

#[test]
fn a_misspelt_subcommand_is_corrected() {
    let ran = run(&["chekc"]);
    assert_eq!(ran.code, Some(2));
    assert!(ran.err.contains("'check'"), "{}", ran.err);
}
