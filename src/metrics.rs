//! The catalogue: every metric Tollgate exports, in one table, and how one [`Record`](crate::record::Record) becomes
//! observations.
//!
//! In: records. Out: `(metric, label values, number)` triples for a [`Sink`]. Rules, alerts, dashboards,
//! `docs/metrics.md` and the rendered Envoy configuration are checked against this table. It does not know how a host
//! stores a metric, and no label value in it is ever chosen by a client.
//!
//! Envoy has no labels for a module's metrics: they travel in the name, as `name.label=.=value;.;`, and tag rules of
//! the bootstrap take them out again (Istio's `extraStatTags` does so as it is). Such rules are not anchored there, so
//! no label's name may end in another's.

/// What a metric does over time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Only grows.
    Counter,
    /// Goes up and down.
    Gauge,
    /// A distribution of whole numbers, in the unit its name ends in.
    Histogram,
}

/// One row of the catalogue.
#[derive(Debug, PartialEq)]
pub struct Metric {
    /// The name in Prometheus.
    pub name: &'static str,
    /// What it does over time.
    pub kind: Kind,
    /// Label names, in the order in which values are given.
    pub labels: &'static [&'static str],
    /// What one unit of its value is.
    pub unit: &'static str,
    /// One sentence for whoever reads a dashboard.
    pub help: &'static str,
    /// Upper bounds of a histogram's buckets, in its unit; empty for the others.
    pub buckets: &'static [f64],
}

/// Where observations go.
pub trait Sink {
    /// Adds to a counter (`value` may be 0, which does nothing), records in a histogram, or sets a gauge. There are as
    /// many label values as the metric has labels.
    fn observe(&mut self, metric: &'static Metric, labels: &[&str], value: u64);
}

/// The value of `key` where nobody was recognised.
pub const UNKNOWN: &str = "unknown";
/// The value of a label that does not apply: a key without a team, a request that reached no provider.
pub const NONE: &str = "none";
/// The value that labels take once there are as many series as allowed.
pub const OTHER: &str = "other";

/// Every value of `outcome`, and what it means.
pub const OUTCOMES: &[(&str, &str)] = &[
    ("refused_key_missing", "401: no key was sent"),
    ("refused_key_unknown", "401: no such key"),
    ("refused_key_disabled", "401: the key is switched off"),
    ("refused_key_expired", "401: the key's time is over"),
    (
        "refused_model_unknown",
        "404: no such model, or not for this kind of request",
    ),
    (
        "refused_model_forbidden",
        "403: the key may not use the model, or must name one",
    ),
    ("refused_path", "404: nothing is served at this path"),
    ("refused_method", "405: the endpoint takes another method"),
    ("refused_body_too_large", "413: the body is over `max_body_bytes`"),
    ("refused_body_late", "408: the body did not arrive in time"),
    ("refused_body_invalid", "400 or 415: the body cannot be read"),
    ("refused_upgrade", "501: a WebSocket was asked for"),
    ("refused_background", "400: an answer to be fetched later was asked for"),
    (
        "refused_no_provider",
        "404: no provider is configured for such a request",
    ),
    ("refused_rate_limit", "429: a rate limit is used up"),
    ("refused_budget", "429: a budget is used up"),
    ("refused_loop", "429: the loop guard slows or blocks the session"),
    (
        "refused_cost_unknown",
        "403: a budget concerns the request, and its cost cannot be known",
    ),
    ("refused_operator_only", "403: only an operator's key may do this"),
    ("refused_subject_unknown", "404: there is no such key"),
    (
        "refused_untranslatable",
        "400: no provider of the model has words for something in the request",
    ),
    ("provider_timeout", "504: no provider answered in time"),
    ("internal_error", "500: the gateway could not go on"),
    ("ok", "served"),
    ("client_error", "the provider refused the client's request (4xx)"),
    ("provider_rate_limited", "the provider answered 429"),
    (
        "provider_exhausted",
        "503: the gateway's account at the provider has nothing left",
    ),
    (
        "context_window_exceeded",
        "400: the request is longer than the model's context window",
    ),
    ("content_filtered", "400: the provider's content filter stopped it"),
    (
        "provider_error",
        "the provider answered 408 or 5xx, or an error in a 200",
    ),
    (
        "provider_credential",
        "502: the provider refused the gateway's own credential",
    ),
    (
        "provider_unreachable",
        "502: no provider could be reached, or it broke off before answering",
    ),
    ("interrupted_by_client", "the client went away before the end"),
    ("interrupted_by_provider", "the provider broke off before the end"),
];

const DURATION_MS: &[f64] = &[
    5.0, 10.0, 25.0, 50.0, 100.0, 250.0, 500.0, 1_000.0, 2_500.0, 5_000.0, 10_000.0, 20_000.0, 30_000.0, 60_000.0,
    120_000.0, 300_000.0, 600_000.0,
];
const FIRST_TOKEN_MS: &[f64] = &[
    5.0, 10.0, 25.0, 50.0, 75.0, 100.0, 150.0, 200.0, 300.0, 400.0, 500.0, 650.0, 800.0, 1_000.0, 1_250.0, 1_500.0,
    2_000.0, 3_000.0, 5_000.0, 10_000.0, 30_000.0, 60_000.0,
];
const PER_TOKEN_US: &[f64] = &[
    100.0,
    500.0,
    1_000.0,
    2_500.0,
    5_000.0,
    7_500.0,
    10_000.0,
    15_000.0,
    20_000.0,
    30_000.0,
    40_000.0,
    50_000.0,
    75_000.0,
    100_000.0,
    200_000.0,
    500_000.0,
    1_000_000.0,
    2_500_000.0,
];
const ADDED_US: &[f64] = &[
    5.0, 10.0, 15.0, 20.0, 30.0, 40.0, 50.0, 75.0, 100.0, 150.0, 250.0, 500.0, 1_000.0, 2_500.0, 5_000.0, 10_000.0,
    50_000.0,
];

macro_rules! catalogue {
    ($( $(#[$doc:meta])* $id:ident = $kind:ident $name:literal $labels:tt $unit:literal, $help:literal $(, $buckets:ident)? ; )*) => {
        $( $(#[$doc])* #[doc = $help] pub static $id: Metric = Metric {
            name: $name, kind: Kind::$kind, labels: &$labels, unit: $unit, help: $help,
            buckets: catalogue!(@buckets $($buckets)?),
        }; )*
        /// Every metric, in the order of the documentation.
        pub static CATALOGUE: &[&Metric] = &[$(&$id),*];
    };
    (@buckets) => { &[] };
    (@buckets $buckets:ident) => { $buckets };
}

catalogue! {
    REQUESTS = Counter "tollgate_requests_total" ["key", "team", "model", "provider", "endpoint", "outcome"]
        "requests", "Requests that ended, by how they ended; refused ones too.";
    TOKENS = Counter "tollgate_tokens_total" ["key", "team", "model", "provider", "type", "source", "outcome"]
        "tokens", "Tokens in classes that never overlap, as the provider reported them or, where it did not, as estimated.";
    COST = Counter "tollgate_cost_nanodollars_total" ["key", "team", "model", "provider", "source", "outcome"]
        "nanodollars", "What the tokens cost at the configured prices; 1e9 are one US dollar.";
    UNPRICED = Counter "tollgate_unpriced_requests_total" ["key", "team", "model", "provider"]
        "requests", "Requests whose tokens were counted but not priced, because the model has no price.";
    UNMETERED = Counter "tollgate_unmetered_requests_total" ["key", "team", "model", "provider"]
        "requests", "Answers that reported no usage and left nothing to estimate it from.";
    IN_FLIGHT = Gauge "tollgate_requests_in_flight" ["key", "team"]
        "requests", "Authenticated requests that have not ended.";
    ATTEMPTS = Counter "tollgate_attempts_total" ["model", "provider", "outcome"]
        "attempts", "Attempts at providers, by how each ended; a request has one or, with failover, more.";
    FAILOVERS = Counter "tollgate_failovers_total" ["model", "from", "to", "reason"]
        "attempts", "Attempts at another provider because one had failed, by why.";
    PROVIDER_HEALTH = Gauge "tollgate_provider_health_percent" ["provider", "credential"]
        "percent", "How much of its traffic a provider gets with one of its credentials: 0 while it rests or is tried.";
    PROVIDER_RESTS = Counter "tollgate_provider_rests_total" ["provider", "reason"]
        "rests", "How often a provider was taken out for a while, by why.";
    PROVIDER_QUOTA = Gauge "tollgate_provider_quota" ["provider", "credential", "quota"]
        "requests or tokens", "A limit of the provider's own, as it last reported it.";
    PROVIDER_QUOTA_REMAINING = Gauge "tollgate_provider_quota_remaining" ["provider", "credential", "quota"]
        "requests or tokens", "What is left of such a limit, as it last reported it.";
    DROPPED = Counter "tollgate_dropped_members_total" ["model", "provider", "member"]
        "requests", "Requests of which a member was left out, because the provider knows no such thing.";
    DURATION = Histogram "tollgate_request_duration_milliseconds" ["key", "team", "model", "provider"]
        "milliseconds", "From the request's first header to the end of its answer, failed requests included.", DURATION_MS;
    FIRST_TOKEN = Histogram "tollgate_time_to_first_token_milliseconds" ["key", "team", "model", "provider"]
        "milliseconds", "From the request's first header to the first generated token of a stream.", FIRST_TOKEN_MS;
    PER_TOKEN = Histogram "tollgate_time_per_output_token_microseconds" ["model", "provider"]
        "microseconds", "Time between output tokens of a stream, after the first.", PER_TOKEN_US;
    ADDED = Histogram "tollgate_added_microseconds" []
        "microseconds", "Time a request spent inside Tollgate until it was on its way to the provider.", ADDED_US;
    REFUSALS = Counter "tollgate_refusals_total" ["key", "team", "model", "rule"]
        "requests", "Requests refused by a limit, a budget or the loop guard, by the rule that stood in the way longest.";
    WOULD_DENY = Counter "tollgate_would_deny_total" ["key", "team", "model", "rule"]
        "requests", "Requests that a rule in shadow mode would have refused.";
    NEAR_LIMIT = Counter "tollgate_near_limit_total" ["key", "team", "model", "rule"]
        "requests", "Requests admitted although a rule was used up to its warning.";
    DOWNGRADES = Counter "tollgate_downgrades_total" ["key", "team", "model", "served", "rule"]
        "requests", "Requests sent on from the model asked for to a cheaper one.";
    CLAMPS = Counter "tollgate_clamps_total" ["key", "team", "model", "rule"]
        "requests", "Requests whose longest answer was cut down to what was left of a budget.";
    LOOP_GUARD = Counter "tollgate_loop_guard_total" ["key", "team", "step", "sign"]
        "requests", "Requests that looked like a runaway loop, by what was done and by what gave it away.";
    LIMIT = Gauge "tollgate_limit" ["scope", "key", "team", "model", "provider", "limit"]
        "requests or tokens", "A rate limit, as it is at present; 0: there is no such limit any more.";
    LIMIT_REMAINING = Gauge "tollgate_limit_remaining" ["scope", "key", "team", "model", "provider", "limit"]
        "requests or tokens", "What is left of a rate limit.";
    BUDGET = Gauge "tollgate_budget_nanodollars" ["scope", "key", "team", "model", "provider", "window", "then"]
        "nanodollars", "A budget of money, as it is at present; 0: there is no such budget any more.";
    BUDGET_SPENT = Gauge "tollgate_budget_spent_nanodollars" ["scope", "key", "team", "model", "provider", "window", "then"]
        "nanodollars", "What was spent of it in the period that is now.";
    BUDGET_REMAINING = Gauge "tollgate_budget_remaining_nanodollars" ["scope", "key", "team", "model", "provider", "window", "then"]
        "nanodollars", "What is neither spent nor set aside of it.";
    BUDGET_SET_ASIDE = Gauge "tollgate_budget_set_aside_nanodollars" ["scope", "key", "team", "model", "provider", "window", "then"]
        "nanodollars", "What is set aside of it for requests under way.";
    TOKEN_BUDGET = Gauge "tollgate_budget_tokens" ["scope", "key", "team", "model", "provider", "window", "then"]
        "tokens", "A budget of tokens, as it is at present; 0: there is no such budget any more.";
    TOKEN_BUDGET_SPENT = Gauge "tollgate_budget_spent_tokens" ["scope", "key", "team", "model", "provider", "window", "then"]
        "tokens", "What was spent of it in the period that is now.";
    TOKEN_BUDGET_REMAINING = Gauge "tollgate_budget_remaining_tokens" ["scope", "key", "team", "model", "provider", "window", "then"]
        "tokens", "What is neither spent nor set aside of it.";
    TOKEN_BUDGET_SET_ASIDE = Gauge "tollgate_budget_set_aside_tokens" ["scope", "key", "team", "model", "provider", "window", "then"]
        "tokens", "What is set aside of it for requests under way.";
    BUDGET_RESET = Gauge "tollgate_budget_reset_timestamp_seconds" ["scope", "key", "team", "model", "provider", "window", "then"]
        "seconds since 1970", "When a budget begins afresh, or, of one that rolls, when all that is spent will be forgotten.";
    SET_ASIDE = Gauge "tollgate_set_aside_nanodollars" []
        "nanodollars", "What is set aside of all keys' budgets for requests under way.";
    SET_ASIDE_TOKENS = Gauge "tollgate_set_aside_tokens" []
        "tokens", "What is set aside of all keys' token budgets for requests under way.";
    BUILD = Gauge "tollgate_build_info" ["version"]
        "1", "Always 1; the label tells the module's version.";
    CONFIG = Gauge "tollgate_config_info" ["hash"]
        "1", "1 for the configuration in force, 0 for earlier ones.";
    CONFIG_LOADS = Counter "tollgate_config_loads_total" ["result"]
        "loads", "Configurations applied or rejected.";
    SERIES = Gauge "tollgate_series" []
        "series", "Series in use, of at most max_series; the gauges of limits and budgets are not among them.";
    SERIES_OVERFLOW = Counter "tollgate_series_overflow_total" []
        "observations", "Observations recorded under 'other' labels, because there were as many series as allowed.";
    GAUGES_OMITTED = Gauge "tollgate_gauges_omitted" []
        "gauges", "Gauges of limits and budgets that are not shown, because there are as many as max_series.";
    INTERNAL_ERRORS = Counter "tollgate_internal_errors_total" ["kind"]
        "errors", "Things that should not happen: refused host calls, answers that could not be decoded.";
}

/// Every label name of the catalogue, once.
pub fn labels() -> Vec<&'static str> {
    let mut all: Vec<_> = CATALOGUE.iter().flat_map(|metric| metric.labels).copied().collect();
    all.sort_unstable();
    all.dedup();
    all
}

/// The name under which the host keeps a series: the metric's, with its labels as `.label=.=value;.;`.
pub fn series_name(metric: &Metric, values: &[&str]) -> String {
    let mut name = String::with_capacity(metric.name.len() + 32 * values.len());
    name.push_str(metric.name);
    for (label, value) in metric.labels.iter().zip(values) {
        if name.len() == metric.name.len() {
            name.push('.');
        }
        name.push_str(label);
        name.push_str("=.=");
        name.push_str(value);
        name.push_str(";.;");
    }
    name
}

/// The catalogue as `docs/metrics.md` has it.
#[cfg(not(target_arch = "wasm32"))]
pub fn markdown() -> String {
    let mut page = String::from(
        "# Metrics\n\nGenerated from the catalogue in `src/metrics.rs`; a test compares. All are served by Envoy at \
         `/stats/prometheus`.\n\n| metric | kind | labels | unit | meaning |\n|---|---|---|---|---|\n",
    );
    for metric in CATALOGUE {
        let labels: Vec<_> = metric.labels.iter().map(|label| format!("`{label}`")).collect();
        page.push_str(&format!(
            "| `{}` | {} | {} | {} | {} |\n",
            metric.name,
            format!("{:?}", metric.kind).to_lowercase(),
            labels.join(", "),
            metric.unit,
            metric.help
        ));
    }
    page.push_str(LABEL_NOTES);
    page.push_str("\n## Outcomes\n\n| outcome | meaning |\n|---|---|\n");
    for (outcome, meaning) in OUTCOMES {
        page.push_str(&format!("| `{outcome}` | {meaning} |\n"));
    }
    page
}

#[cfg(not(target_arch = "wasm32"))]
const LABEL_NOTES: &str = "
## Labels

No label value is ever chosen by a client.

- `key`, `team`: names from the document; `unknown` where no key was recognised, `none` for a key without a team.
- `model`: the configured model's name, whatever alias was asked for; `none` where the request named no configured model.
- `provider`: the provider that served the request, or was tried last; `none` where none was.
- `endpoint`: `chat_completions`, `completions`, `embeddings`, `responses`, `messages`, `count_tokens`, `models`,
  `other`, `status`; `none` where nothing is served at the path.
- `type`: `input`, `cached_input`, `cache_write_5m`, `cache_write_1h`, `input_audio`, `output`, `reasoning`,
  `output_audio`. They never overlap: their sum is the total.
- `outcome`: how the request, or where one attempt is counted that attempt, ended: below. What an attempt that was given up
  for another has used is counted under its own outcome.
- `source`: `reported` by the provider, or `estimated` by Tollgate because an answer was cut short or reported nothing.
- `rule`: `<scope>.rpm`, `<scope>.tpm`, `<scope>.parallel`, `<scope>.budget.<window>`, `<scope>.token_budget.<window>`, or
  `loop_guard.<sign>`.
- `scope`: whose rule it is: `key`, `team`, `key_model` (a key with one model), `model`, `provider`, or `all`.
- `limit`: `rpm`, `tpm` or `parallel`. `window`: `hour`, `day`, `week`, `month` (`day+01:00` at an
  offset from UTC), or `rolling_24h` and the like. `then`: what
  follows when a budget is used up: `block`, `downgrade`, `clamp` or `warn`, with `_shadow` behind it in shadow mode.
- `served`: the model that a request was sent on to; there `model` is the one it asked for.
- `step`: what the loop guard did: `warn`, `slow` or `block`. `sign`: what gave a loop away: `tool_calls`, `requests` or
  `velocity`.
- `from`, `to`: the provider that failed, and the one tried next. `reason`: why a request moved on (`connect`, `interrupted`,
  `timeout`, `rate_limited` …: see [routing.md](routing.md)), or why a provider was taken out: `failed` (unreachable, broken
  off, too slow, or an error of its own), `limited` (429) or `refused` (the gateway's credential).
- `credential`: which of a provider's credentials, counted from 0. `quota`: `requests`, `tokens`, `input_tokens` or
  `output_tokens`.
- `member`: what was left out of a request, by its name in the client's dialect; only names that Tollgate knows.
- `result`: `applied` or `rejected`.
- `kind`: `undecoded_answer`, or the call that the host refused, such as `set_header`.
- Once there are `max_series` series, further ones are recorded with every label `other`, so that sums stay true;
  `tollgate_series_overflow_total` counts those observations. The gauges of limits and budgets have as many places besides;
  further ones are not shown, and `tollgate_gauges_omitted` tells how many.

Dollars are `tollgate_cost_nanodollars_total / 1e9`.
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_label_ends_in_another() {
        let labels = labels();
        for a in &labels {
            for b in &labels {
                assert!(a == b || !a.ends_with(b), "{a} ends in {b}");
            }
        }
    }

    #[test]
    fn histograms_alone_have_buckets_and_they_rise() {
        for metric in CATALOGUE {
            assert_eq!(
                metric.kind == Kind::Histogram,
                !metric.buckets.is_empty(),
                "{}",
                metric.name
            );
            assert!(
                metric.buckets.windows(2).all(|pair| pair[0] < pair[1]),
                "{}",
                metric.name
            );
            assert_eq!(
                metric.kind == Kind::Counter,
                metric.name.ends_with("_total"),
                "{}",
                metric.name
            );
        }
    }

    #[test]
    fn labels_travel_in_the_name() {
        assert_eq!(
            series_name(&IN_FLIGHT, &["a.b", "none"]),
            "tollgate_requests_in_flight.key=.=a.b;.;team=.=none;.;"
        );
        assert_eq!(series_name(&SERIES, &[]), "tollgate_series");
    }

    #[test]
    fn the_notes_name_every_class_and_every_endpoint() {
        let endpoints = crate::endpoint::Endpoint::ALL.map(|endpoint| endpoint.name());
        for value in crate::usage::CLASSES.into_iter().chain(endpoints) {
            assert!(LABEL_NOTES.contains(&format!("`{value}`")), "{value}");
        }
    }

    #[test]
    fn the_documentation_is_this_table() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/metrics.md");
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::write(path, markdown()).unwrap();
        }
        let page = std::fs::read_to_string(path).unwrap();
        assert!(
            page == markdown(),
            "docs/metrics.md differs; UPDATE_GOLDEN=1 cargo test rewrites it"
        );
    }
}
