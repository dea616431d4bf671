//! A corpus of what agents do, honestly and not, each played against the guard as its client would.

use std::{collections::BTreeMap, fs, path::Path};

use serde::Deserialize;
use serde_json::{Map, Value};

use super::{
    rule::Rules,
    table::{Place, observe, session_of, settle},
    *,
};
use crate::endpoint::Endpoint;

/// A client's conversations, step by step.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Scenario {
    /// What happens here.
    why: String,
    endpoint: String,
    /// The members of the body beside the messages.
    body: Map<String, Value>,
    /// The first messages of each conversation.
    #[serde(default)]
    start: Vec<Value>,
    rounds: Vec<Round>,
    /// Of how many of the latest steps the messages are sent; of all where it is not said.
    keep: Option<usize>,
    /// How many times what the last step cost each step costs.
    usd_grows: Option<f64>,
    /// Whether the client tries again at once when it is told to wait.
    #[serde(default)]
    impatient: bool,
    /// What gives it away.
    sign: Option<String>,
    /// By which step at the latest it is warned, slowed, blocked (or worse); never worse than the worst here.
    #[serde(default)]
    by: BTreeMap<String, u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Round {
    repeat: u32,
    steps: Vec<Step>,
}

/// A request, with the number of the step for each `{n}` in it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Step {
    /// The messages that come new in it.
    #[serde(default)]
    adds: Vec<Value>,
    /// Whether the conversation is a new one.
    #[serde(default)]
    fresh: bool,
    /// Which conversation it is in.
    #[serde(default, rename = "in")]
    conversation: String,
    /// Seconds since the last answer.
    #[serde(default = "second")]
    after: f64,
    #[serde(default)]
    failed: bool,
    /// What it costs, and how much more than the step before of its kind.
    #[serde(default)]
    usd: f64,
    #[serde(default)]
    usd_adds: f64,
    /// Whether its messages are only added, and nothing is sent.
    #[serde(default)]
    silent: bool,
}

fn second() -> f64 {
    1.0
}

/// The guard with one session in it, and its clock.
struct Guard {
    rules: Rules,
    bucket: Option<Vec<u8>>,
    now_ms: u64,
}

impl Guard {
    fn new() -> Self {
        Self {
            rules: Rules::default(),
            bucket: None,
            now_ms: 3_600_000,
        }
    }

    fn ask(&mut self, endpoint: Endpoint, body: &[u8]) -> (Finding, Place, u64) {
        let conversation = conversation::read(endpoint, body);
        let place = Place::of("key", session_of(None, &conversation));
        let (bucket, finding) = observe(self.bucket.as_deref(), &place, &conversation, &self.rules, self.now_ms);
        assert!(bucket.len() <= table::BUCKET_BYTES);
        self.bucket = Some(bucket);
        (finding, place, conversation.fingerprint)
    }
}

/// Plays a scenario. Every finding that was not Pass, with its step (from 1).
fn play(scenario: &Scenario) -> Vec<(u32, Finding)> {
    let endpoint = Endpoint::ALL
        .into_iter()
        .find(|endpoint| endpoint.name() == scenario.endpoint)
        .unwrap();
    let list = if endpoint == Endpoint::Responses {
        "input"
    } else {
        "messages"
    };
    let mut guard = Guard::new();
    let mut histories: BTreeMap<&str, Vec<Vec<Value>>> = BTreeMap::new();
    let mut findings = Vec::new();
    let mut number = 0;
    let mut factor = 1.0;
    for round in &scenario.rounds {
        for repeat in 0..round.repeat {
            for step in &round.steps {
                number += 1;
                factor *= scenario.usd_grows.unwrap_or(1.0);
                guard.now_ms += (step.after * 1000.0) as u64;
                let history = histories.entry(&step.conversation).or_default();
                if step.fresh {
                    history.clear();
                }
                if !step.adds.is_empty() {
                    let text = serde_json::to_string(&step.adds).unwrap();
                    history.push(serde_json::from_str(&text.replace("{n}", &number.to_string())).unwrap());
                }
                if step.silent {
                    continue;
                }
                let kept = history.len() - scenario.keep.unwrap_or(usize::MAX).min(history.len());
                let messages: Vec<&Value> = scenario.start.iter().chain(history[kept..].iter().flatten()).collect();
                let mut body = scenario.body.clone();
                if !messages.is_empty() {
                    body.insert(list.to_owned(), serde_json::to_value(messages).unwrap());
                }
                let body = serde_json::to_vec(&body).unwrap();
                crate::ask::read(endpoint, &body).unwrap();
                let mut asked = guard.ask(endpoint, &body);
                if asked.0 != Finding::Pass {
                    findings.push((number, asked.0));
                }
                if let Finding::Slow { sign, wait_ms } = asked.0 {
                    if scenario.impatient {
                        for passed in [1, 500, 1000] {
                            guard.now_ms += passed;
                            let again = guard.ask(endpoint, &body).0;
                            assert!(matches!(again, Finding::Slow { sign: s, wait_ms: w } if s == sign && w < wait_ms));
                        }
                    }
                    guard.now_ms += wait_ms;
                    asked = guard.ask(endpoint, &body);
                    assert_eq!(asked.0.refused_ms(), None, "step {number}: who waits gets in");
                }
                let (finding, place, fingerprint) = asked;
                if let Finding::Block { .. } = finding {
                    return findings;
                }
                let usd = step.usd * factor + step.usd_adds * f64::from(repeat);
                let settled = settle(
                    guard.bucket.as_deref(),
                    &place,
                    fingerprint,
                    !step.failed,
                    (usd * 1e9) as u64,
                    guard.now_ms,
                );
                guard.bucket = Some(settled.unwrap());
            }
        }
    }
    findings
}

fn scenarios(kind: &str) -> Vec<(String, Scenario)> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("src/guard/corpus")
        .join(kind);
    let mut scenarios: Vec<(String, Scenario)> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            let scenario = serde_json::from_str(&fs::read_to_string(path).unwrap());
            (name.clone(), scenario.unwrap_or_else(|error| panic!("{name}: {error}")))
        })
        .collect();
    scenarios.sort_by(|(one, _), (other, _)| one.cmp(other));
    assert!(scenarios.len() >= 12);
    scenarios
}

/// How grave a step is.
fn rank(step: Option<&str>) -> usize {
    let steps = [None, Some("warn"), Some("slow"), Some("block")];
    steps.iter().position(|known| *known == step).unwrap()
}

#[test]
fn honest_work_is_let_through() {
    let mut wrong = Vec::new();
    for (name, scenario) in scenarios("honest") {
        if let Some((step, finding)) = play(&scenario).first() {
            wrong.push(format!("{name} ({}): step {step}: {finding:?}", scenario.why));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn runaways_are_warned_slowed_and_blocked_in_time() {
    let mut wrong = Vec::new();
    for (name, scenario) in scenarios("runaway") {
        let findings = play(&scenario);
        let mut fail = |what: String| wrong.push(format!("{name} ({}): {what}", scenario.why));
        assert!(!scenario.by.is_empty(), "{name}");
        for (step, by) in &scenario.by {
            match findings
                .iter()
                .find(|(_, finding)| rank(finding.step()) >= rank(Some(step)))
            {
                Some((at, _)) if at <= by => {}
                Some((at, _)) => fail(format!("{step} at step {at} instead of {by}")),
                None => fail(format!("never {step}; {:?}", findings.last())),
            }
        }
        let gravest = scenario.by.keys().map(|step| rank(Some(step))).max();
        for (at, finding) in &findings {
            if finding.sign().map(Sign::name) != scenario.sign.as_deref() || Some(rank(finding.step())) > gravest {
                fail(format!("{finding:?} at step {at}"));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn waits_double_and_end_at_a_minute() {
    let waits: Vec<u64> = (0..8).map(growing_wait_ms).collect();
    assert_eq!(waits, [2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000, 60_000]);
    assert_eq!(growing_wait_ms(u32::MAX), 60_000);
}
