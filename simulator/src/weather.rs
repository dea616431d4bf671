//! A bad day: what goes wrong for everybody, steered at run time.
//!
//! In: a forecast (`POST /weather`, JSON, which replaces the one before; `{}` is fair weather) and the time. Out: what
//! happens to a request ([`Spell`]). `GET /weather` shows the forecast and whether there is an outage now.
//!
//! ```text
//! {
//!   "outage": "503",          a status, "hang" (no reply), "reset" (the connection is reset), "refuse" (nobody listens)
//!   "from_ms": 0,             when the first outage begins, from the forecast on
//!   "for_ms": 2000,           how long each is; without it: for good ("refuse" must end, or nobody could steer it)
//!   "every_ms": 10000,        when the next one begins, from the beginning of the last; without it there is one
//!   "slow": {"percent": 20, "ttft_ms": 3000, "rate": 5},   a share of the requests is this slow
//!   "flaky": {"429": 5, "500": 1},                         shares of the requests, in percent, that fail with a status
//!   "rpm": 60, "tpm": 10000,  limits per minute and credential in place of the command line's; full when set
//!   "only": {"credential": "blue", "dialect": "bedrock"}   outage, slow and flaky are of these requests alone
//! }
//! ```
//!
//! Shares are spread evenly by a counter: of every hundred requests in a row exactly so many.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep};

use crate::errors::Dialect;

/// How often it is looked whether the next refusal has begun or ended.
const LOOK: Duration = Duration::from_millis(2);

/// The weather of one server.
#[derive(Debug)]
pub struct Weather {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Debug)]
struct State {
    forecast: Forecast,
    since: Instant,
    /// How far each share has come: the requests it was asked about, by name.
    counted: BTreeMap<String, u64>,
}

/// What is to come; the module says what it means.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Forecast {
    outage: Option<String>,
    from_ms: u64,
    for_ms: Option<u64>,
    every_ms: Option<u64>,
    slow: Option<Slow>,
    flaky: BTreeMap<u16, u64>,
    /// Requests per minute and credential.
    pub rpm: Option<u64>,
    /// Tokens per minute and credential.
    pub tpm: Option<u64>,
    only: Only,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Slow {
    #[serde(default = "all")]
    percent: u64,
    #[serde(default)]
    ttft_ms: u64,
    rate: Option<f64>,
}

fn all() -> u64 {
    100
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Only {
    credential: Option<String>,
    dialect: Option<String>,
}

/// What happens to one request.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Spell {
    /// It fails so.
    pub outage: Option<Outage>,
    /// It is slow: its time to the first token, and its tokens per second.
    pub slow: Option<(Duration, Option<f64>)>,
}

/// How a request fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outage {
    /// With a status.
    Status(u16),
    /// Without a reply.
    Hang,
    /// The connection is reset.
    Reset,
    /// Nobody listens.
    Refuse,
}

impl Outage {
    fn parse(text: &str) -> Result<Self, String> {
        match text {
            "hang" => Ok(Self::Hang),
            "reset" => Ok(Self::Reset),
            "refuse" => Ok(Self::Refuse),
            status => {
                let status = status.parse().ok().filter(|status| (400..600).contains(status));
                status
                    .map(Self::Status)
                    .ok_or_else(|| format!("weather: outage: {text}: there is no such outage"))
            }
        }
    }
}

impl Forecast {
    fn outage_at(&self, elapsed: Duration) -> Option<Outage> {
        let outage = Outage::parse(self.outage.as_deref()?).ok()?;
        let elapsed = u64::try_from(elapsed.as_millis()).ok()?.checked_sub(self.from_ms)?;
        let into = elapsed.checked_rem(self.every_ms.unwrap_or(0)).unwrap_or(elapsed);
        self.for_ms.is_none_or(|length| into < length).then_some(outage)
    }

    fn check(&self) -> Result<(), String> {
        let outage = self.outage.as_deref().map(Outage::parse).transpose()?;
        let endless = self.for_ms.is_none()
            || self
                .every_ms
                .zip(self.for_ms)
                .is_some_and(|(every, length)| length >= every);
        if outage == Some(Outage::Refuse) && (endless || self.only != Only::default()) {
            return Err("weather: a refusal must end (for_ms, less than every_ms) and is of all requests".to_owned());
        }
        Ok(())
    }
}

impl Default for Weather {
    fn default() -> Self {
        Self {
            state: Mutex::new(State {
                forecast: Forecast::default(),
                since: Instant::now(),
                counted: BTreeMap::new(),
            }),
            changed: Notify::new(),
        }
    }
}

impl Weather {
    /// Replaces the forecast; its times count from now.
    ///
    /// # Errors
    /// Says what in it is not so.
    pub fn set(&self, forecast: Forecast) -> Result<(), String> {
        forecast.check()?;
        *self.state() = State {
            forecast,
            since: Instant::now(),
            counted: BTreeMap::new(),
        };
        self.changed.notify_one();
        Ok(())
    }

    /// What happens to a request of this credential and dialect that arrives now.
    pub fn spell(&self, credential: &str, dialect: Dialect) -> Spell {
        let mut state = self.state();
        let only = &state.forecast.only;
        let meant = only.credential.as_deref().is_none_or(|name| name == credential)
            && only.dialect.as_deref().is_none_or(|name| name == dialect.name());
        if !meant || state.forecast == Forecast::default() {
            return Spell::default();
        }
        let mut outage = state.forecast.outage_at(state.since.elapsed());
        for (status, percent) in state.forecast.flaky.clone() {
            if state.falls(&status.to_string(), percent) && outage.is_none() {
                outage = Some(Outage::Status(status));
            }
        }
        let slow = state
            .forecast
            .slow
            .clone()
            .filter(|slow| state.falls("slow", slow.percent));
        Spell {
            outage,
            slow: slow.map(|slow| (Duration::from_millis(slow.ttft_ms), slow.rate)),
        }
    }

    /// Whether nobody listens now.
    pub fn refuses(&self) -> bool {
        let state = self.state();
        state.forecast.outage_at(state.since.elapsed()) == Some(Outage::Refuse)
    }

    /// Returns when [`Weather::refuses`] may have changed.
    pub async fn turns(&self) {
        let refusals = self.state().forecast.outage.as_deref() == Some("refuse");
        if refusals {
            sleep(LOOK).await;
        } else {
            self.changed.notified().await;
        }
    }

    /// The forecast, how long ago it was made, and whether there is an outage.
    pub fn report(&self) -> Value {
        let state = self.state();
        let elapsed = state.since.elapsed();
        json!({
            "forecast": state.forecast,
            "elapsed_ms": elapsed.as_millis() as u64,
            "outage_now": state.forecast.outage_at(elapsed).is_some(),
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Whether this one of the requests is one of the share.
    fn falls(&mut self, name: &str, percent: u64) -> bool {
        let count = self.counted.entry(name.to_owned()).or_default();
        let n = *count;
        *count += 1;
        (n + 1) * percent.min(100) / 100 > n * percent.min(100) / 100
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn forecast(value: Value) -> Forecast {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn an_outage_comes_again() {
        let forecast = forecast(json!({"outage": "503", "from_ms": 100, "for_ms": 50, "every_ms": 1000}));
        let at = |ms| forecast.outage_at(Duration::from_millis(ms)).is_some();
        for (ms, out) in [
            (0, false),
            (99, false),
            (100, true),
            (149, true),
            (150, false),
            (1100, true),
            (2160, false),
        ] {
            assert_eq!(at(ms), out, "{ms}");
        }
        let forever = super::Forecast {
            for_ms: None,
            every_ms: None,
            ..forecast.clone()
        };
        assert_eq!(forever.outage_at(Duration::from_secs(1_000)), Some(Outage::Status(503)));
    }

    #[tokio::test]
    async fn shares_are_even_and_of_those_meant() {
        let weather = Weather::default();
        let flaky = json!({"flaky": {"429": 20, "500": 10}, "slow": {"percent": 50, "ttft_ms": 9}, "only": {"dialect": "gemini"}});
        weather.set(forecast(flaky)).unwrap();
        let spells: Vec<Spell> = (0..100).map(|_| weather.spell("a", Dialect::Gemini)).collect();
        let failed = |status| {
            spells
                .iter()
                .filter(|spell| spell.outage == Some(Outage::Status(status)))
                .count()
        };
        assert_eq!(failed(429), 20);
        assert_eq!(spells.iter().filter(|spell| spell.slow.is_some()).count(), 50);
        assert_eq!(weather.spell("a", Dialect::OpenAi), Spell::default());
    }

    #[tokio::test]
    async fn what_is_no_forecast_is_refused() {
        for bad in [
            json!({"outage": "rain"}),
            json!({"outage": "refuse"}),
            json!({"outage": "refuse", "for_ms": 10, "every_ms": 10}),
            json!({"outage": "refuse", "for_ms": 10, "only": {"credential": "a"}}),
        ] {
            assert!(Weather::default().set(forecast(bad.clone())).is_err(), "{bad}");
        }
    }
}
