//! Bringing a new configuration into force under an Envoy that runs.
//!
//! Every step leaves requests with somewhere to go: clusters and routes of both configurations first, then the module's
//! new document, then without what only the old one had. Envoy is asked after each step whether it has taken it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use tollgate::envoy::{Part, Rendered};

use super::admin::{Admin, Statistics};
use super::say;
use crate::render::files;

/// How long Envoy may take over a step before the next one is tried anyway.
const PATIENCE: Duration = Duration::from_secs(10);

/// What Envoy is running on.
pub(crate) struct InForce {
    directory: PathBuf,
    /// What is in the files; during a change something between the old configuration and the new one.
    written: BTreeMap<Part, Value>,
    configuration: Rendered,
}

/// What became of a new configuration.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It is in force.
    Applied,
    /// Envoy or the module refused this part. The old configuration is in force.
    Refused(Part),
    /// It is in the files, and Envoy has not said that it took this part.
    Unconfirmed(Part),
}

impl InForce {
    /// Writes the files Envoy is to be started with.
    pub(crate) fn new(directory: PathBuf, configuration: Rendered) -> anyhow::Result<Self> {
        files::write_all(&directory, &configuration)?;
        Ok(Self {
            directory,
            written: configuration.parts.clone(),
            configuration,
        })
    }

    /// Replaces the configuration, but for the bootstrap and the listener: those need a restart.
    pub(crate) fn replace(&mut self, mut new: Rendered, admin: &Admin) -> anyhow::Result<Outcome> {
        new.bootstrap.clone_from(&self.configuration.bootstrap);
        if let Some(listener) = self.configuration.parts.get(&Part::Listeners) {
            new.parts.insert(Part::Listeners, listener.clone());
        }
        let bridge = new.bridge(&self.configuration);
        let steps: [(&Rendered, &[Part]); 3] = [
            (&bridge, &[Part::ProviderFilter, Part::Clusters, Part::Routes]),
            (&new, &[Part::GatewayFilter]),
            (&new, &[Part::Routes, Part::Clusters]),
        ];
        if new.secrets != self.configuration.secrets {
            files::write_secrets(&self.directory, &new)?;
        }
        let mut unconfirmed = None;
        for (rendered, parts) in steps {
            match self.step(rendered, parts, admin)? {
                Outcome::Applied => {}
                Outcome::Unconfirmed(part) => unconfirmed = Some(part),
                Outcome::Refused(part) => {
                    let old = self.configuration.clone();
                    files::write_secrets(&self.directory, &old)?;
                    self.write(&old, &Part::ALL)?;
                    return Ok(Outcome::Refused(part));
                }
            }
        }
        self.configuration = new;
        Ok(unconfirmed.map_or(Outcome::Applied, Outcome::Unconfirmed))
    }

    /// Whether Envoy has taken everything over.
    pub(crate) fn is_taken(&self, now: &Statistics) -> bool {
        self.written.iter().all(|(part, value)| now.has_taken(*part, value))
    }

    /// Lets go of the port. What is running goes on.
    pub(crate) fn close(&mut self) -> anyhow::Result<()> {
        files::write_part(&self.directory, Part::Listeners, &tollgate::envoy::closed())
    }

    fn step(&mut self, rendered: &Rendered, parts: &[Part], admin: &Admin) -> anyhow::Result<Outcome> {
        let before = admin.statistics().ok();
        let changed = self.write(rendered, parts)?;
        if changed.is_empty() {
            return Ok(Outcome::Applied);
        }
        let begun = Instant::now();
        let mut told = false;
        loop {
            let now = admin.statistics().ok();
            if let (Some(before), Some(now)) = (&before, &now)
                && let Some(part) = changed
                    .iter()
                    .find(|part| now.refusals(**part) > before.refusals(**part))
            {
                return Ok(Outcome::Refused(*part));
            }
            let missing = self.missing(&changed, now.as_ref());
            match missing {
                None => return Ok(Outcome::Applied),
                Some(part) if begun.elapsed() > PATIENCE => return Ok(Outcome::Unconfirmed(part)),
                Some(_) if begun.elapsed() > Duration::from_secs(2) && !told => {
                    say::good("waiting for Envoy to take it over …");
                    told = true;
                }
                Some(_) => {}
            }
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// The first of these parts that Envoy has not taken. A cluster is taken once its host's address is known.
    fn missing(&self, parts: &[Part], now: Option<&Statistics>) -> Option<Part> {
        let Some(now) = now else { return parts.first().copied() };
        let taken = |part: Part| {
            let there = self.written.get(&part).is_none_or(|value| now.has_taken(part, value));
            there && (part != Part::Clusters || now.warming_clusters() == 0)
        };
        parts.iter().copied().find(|part| !taken(*part))
    }

    /// Writes those of `parts` that say something new, and names them.
    fn write(&mut self, rendered: &Rendered, parts: &[Part]) -> anyhow::Result<Vec<Part>> {
        let mut changed = Vec::new();
        for part in parts {
            let Some(value) = rendered.parts.get(part) else {
                continue;
            };
            if self.written.get(part) != Some(value) {
                files::write_part(&self.directory, *part, value)?;
                self.written.insert(*part, value.clone());
                changed.push(*part);
            }
        }
        Ok(changed)
    }
}

#[cfg(test)]
mod tests;
