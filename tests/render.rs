//! `tollgate render envoy`: the committed example is its output, and a real Envoy accepts what it writes.

#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "what is missing fails the test that needs it"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::{Value, json};

const EXAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/envoy");
const FILES: [&str; 6] = [
    "bootstrap.json",
    "lds.json",
    "cds.json",
    "rds.json",
    "ecds-gateway.json",
    "ecds-provider.json",
];

fn render(document: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_tollgate"))
        .args(["render", "envoy", "--ca-file", "/etc/ssl/certs/ca-certificates.crt"])
        .arg(document)
        .args(arguments)
        .env_clear()
        .output()
        .unwrap()
}

fn rendered_into(directory: &Path, document: &Path, arguments: &[&str]) {
    let out = ["--out", directory.to_str().unwrap()];
    let output = render(document, &[&out, arguments].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn the_example_is_the_output() {
    let directory = tempfile::tempdir().unwrap();
    let document = Path::new(EXAMPLE).join("tollgate.json");
    rendered_into(directory.path(), &document, &["--run-dir", "/etc/tollgate"]);
    for name in FILES {
        let (new, committed) = (directory.path().join(name), Path::new(EXAMPLE).join(name));
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            fs::copy(&new, &committed).unwrap();
        }
        let same = fs::read(&new).unwrap() == fs::read(&committed).unwrap_or_default();
        assert!(
            same,
            "envoy/{name} differs; UPDATE_GOLDEN=1 cargo test --test render rewrites it"
        );
    }
    assert_eq!(
        fs::read_dir(directory.path()).unwrap().count(),
        FILES.len(),
        "no file is left over"
    );
}

#[test]
fn without_a_directory_every_file_is_printed_by_its_name() {
    let document = Path::new(EXAMPLE).join("tollgate.json");
    let output = render(&document, &[]);
    let printed: Value = serde_json::from_slice(&output.stdout).unwrap();
    let mut names: Vec<_> = printed.as_object().unwrap().keys().map(String::as_str).collect();
    let mut wanted = FILES;
    names.sort_unstable();
    wanted.sort_unstable();
    assert_eq!(names, wanted);
    assert_eq!(printed["cds.json"], read(&Path::new(EXAMPLE).join("cds.json")));
}

#[test]
fn a_document_with_problems_is_not_rendered() {
    let directory = tempfile::tempdir().unwrap();
    let document = directory.path().join("tollgate.json");
    fs::write(
        &document,
        r#"{"providers": {"openai": {"dialect": "openai", "endpoint": "ftp://x"}}}"#,
    )
    .unwrap();
    let output = render(&document, &[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(output.stdout.is_empty());
    assert!(String::from_utf8_lossy(&output.stderr).contains("providers.openai.endpoint"));
}

/// Envoy, where this machine has one; else the test that needs it says so and passes.
fn envoy() -> Option<PathBuf> {
    let local = Path::new(env!("CARGO_MANIFEST_DIR")).join(".tools/venv/bin/envoy");
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::var_os("TOLLGATE_ENVOY")
        .map(PathBuf::from)
        .into_iter()
        .chain(std::env::split_paths(&path).map(|directory| directory.join("envoy")))
        .chain([local])
        .find(|path| path.is_file())
}

fn read(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

/// The bootstrap with everything in it that Envoy would otherwise fetch while it runs, and does not look at when it is only
/// to validate. The module's filters stay where they are: they need the module.
fn inlined(directory: &Path) -> Value {
    let part = |name: &str| read(&directory.join(name))["resources"].clone();
    let static_resource = |mut value: Value| {
        value.as_object_mut().unwrap().remove("@type");
        value
    };
    let each = |resources: Value| -> Vec<Value> {
        resources
            .as_array()
            .unwrap()
            .iter()
            .cloned()
            .map(static_resource)
            .collect()
    };
    let mut routes = static_resource(part("rds.json")[0].clone());
    // As it is for routes that are fetched: a cluster may come later, or not exist.
    routes["validate_clusters"] = json!(false);
    let mut listeners = each(part("lds.json"));
    for listener in &mut listeners {
        let manager = listener
            .pointer_mut("/filter_chains/0/filters/0/typed_config")
            .unwrap()
            .as_object_mut()
            .unwrap();
        manager.remove("rds");
        manager.insert("route_config".to_owned(), routes.clone());
    }
    let mut bootstrap = read(&directory.join("bootstrap.json"));
    bootstrap.as_object_mut().unwrap().remove("dynamic_resources");
    bootstrap["static_resources"] = json!({ "listeners": listeners, "clusters": each(part("cds.json")) });
    bootstrap
}

fn accepts(envoy: &Path, bootstrap: &Path) {
    let output = Command::new(envoy)
        .args(["--mode", "validate", "--log-level", "warning", "-c"])
        .arg(bootstrap)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert!(!said.contains("eprecated"), "{said}");
}

#[test]
fn envoy_accepts_every_variant() {
    let Some(envoy) = envoy() else {
        eprintln!("no Envoy here: set TOLLGATE_ENVOY to test with it");
        return;
    };
    let providers = json!({
        "named": {"dialect": "openai", "endpoint": "https://api.openai.com/v1", "credential": {"env": "KEY"}},
        "plain": {"dialect": "openai", "endpoint": "http://vllm.models.svc:8000/v1"},
        "address": {"dialect": "anthropic", "endpoint": "https://[2001:db8::1]:8443/x"},
        "loopback": {"dialect": "anthropic", "endpoint": "http://127.0.0.1:8001"},
    });
    let added = json!({
        "bedrock": {"settings": {"region": "eu-west-1"}},
        "vertex": {"dialect": "openai", "endpoint": "https://llm.example.com/v1", "auth": "oauth",
                   "credential": {"file": "/etc/ssl/certs/ca-certificates.crt"}},
        "checked": {"dialect": "openai", "endpoint": "https://10.0.0.7:8000/v1",
                    "health_check": {"path": "/health", "interval": "5s"}},
        "plain": {"dialect": "openai", "endpoint": "http://10.0.0.8:8000/v1"},
    });
    let targets = |names: &[&str]| -> Vec<Value> { names.iter().map(|name| json!({"provider": name})).collect() };
    let models = json!({"two": {"targets": targets(&["plain", "checked"])}, "three": {"targets": targets(&["bedrock", "checked", "plain"])}});
    let ca = fs::exists("/etc/ssl/certs/ca-certificates.crt").unwrap();
    for (name, envoy_version, document) in [
        ("held", "1.40", json!({ "providers": providers })),
        (
            "not held",
            "1.40",
            json!({ "hold_headers": false, "providers": providers }),
        ),
        ("empty", "1.40", json!({ "listen": "[::1]:4000", "providers": {} })),
        ("added by Envoy", "1.40", json!({ "providers": added })),
        (
            "added by Envoy, not held",
            "1.40",
            json!({ "hold_headers": false, "providers": added }),
        ),
        (
            "as for an older one",
            "1.38",
            json!({ "providers": added, "models": models }),
        ),
        (
            "as for the oldest",
            "1.35",
            json!({ "providers": added, "models": models }),
        ),
    ] {
        eprintln!("{name}");
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("tollgate.json");
        fs::write(&path, document.to_string()).unwrap();
        let run = directory.path().join("run");
        rendered_into(
            &run,
            &path,
            &[
                "--access-log",
                "/dev/null",
                "--idle-timeout",
                "300",
                "--envoy",
                envoy_version,
            ],
        );
        accepts(&envoy, &run.join("bootstrap.json"));
        if ca {
            let whole = directory.path().join("inlined.json");
            fs::write(&whole, inlined(&run).to_string()).unwrap();
            accepts(&envoy, &whole);
        }
    }
}
