//! A plugin's root: which role it plays, and under which configuration.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::ContextType;

use super::gateway::Gateway;
use super::provider::Provider;
use super::{gauges, generation, host, series, vms};
use crate::caller;
use crate::document::{Document, Problem};
use crate::hash;
use crate::metrics;
use crate::world::World;

/// The hash of the configuration in force, in shared data.
const IN_FORCE: &str = "tollgate.config";

/// How often each VM gives a sign of life, and one of them refreshes the gauges.
const TICK: Duration = Duration::from_secs(1);

/// The most series of other VMs that are defined in a tick.
const SERIES: u64 = 500;

/// How many configurations a VM keeps compiled: the newest, and the one before for a role that is a moment behind.
const KEPT: usize = 2;

thread_local! {
    /// Compiled configurations by their text, so that both roles share one.
    static WORLDS: RefCell<Vec<(Vec<u8>, Rc<World>)>> = const { RefCell::new(Vec::new()) };
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Role {
    #[default]
    Gateway,
    Provider,
}

#[derive(Default)]
pub(super) struct Root {
    role: Role,
    world: Option<Rc<World>>,
}

impl Context for Root {}

impl RootContext for Root {
    fn on_configure(&mut self, _size: usize) -> bool {
        self.role = match host::property("plugin_root_id").as_deref() {
            Some(b"provider") => Role::Provider,
            _ => Role::Gateway,
        };
        match host::configuration() {
            Ok(text) => self.take(text),
            Err(error) => reject(
                &[format!("the host refused {} with status {}", error.call, error.status)],
                &[],
            ),
        }
    }

    fn on_tick(&mut self) {
        let leads = vms::tick();
        // A VM on its way out ticks as long as it has streams, and so do the roots of earlier configurations.
        if !generation::is_current() {
            return;
        }
        series::adopt();
        if leads
            && let Some(world) = &self.world
            && host::shared(IN_FORCE).is_some_and(|(hash, _)| hash == world.hash.as_bytes())
        {
            series::keep_up(SERIES);
            gauges::refresh(world);
        }
    }

    fn create_http_context(&self, _id: u32) -> Option<Box<dyn HttpContext>> {
        Some(match self.role {
            Role::Gateway => Box::new(Gateway::new(self.world.clone())),
            Role::Provider => Box::new(Provider::new(self.world.clone())),
        })
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }
}

impl Root {
    fn take(&mut self, text: Vec<u8>) -> bool {
        let compiled = match kept(&text) {
            Some(world) => Ok(world),
            None => compile(text),
        };
        match compiled {
            Ok(world) => {
                generation::begin();
                series::configure(world.max_series);
                put_in_force(&world.hash);
                self.world = Some(world);
                self.set_tick_period(TICK);
                true
            }
            Err((problems, text)) => reject(&problems, &text),
        }
    }
}

fn kept(text: &[u8]) -> Option<Rc<World>> {
    WORLDS.with_borrow(|worlds| {
        worlds
            .iter()
            .find(|(kept, _)| hash::same(kept, text))
            .map(|(_, world)| Rc::clone(world))
    })
}

fn compile(text: Vec<u8>) -> Result<Rc<World>, (Vec<String>, Vec<u8>)> {
    let told = |problems: Vec<Problem>| problems.iter().map(ToString::to_string).collect::<Vec<_>>();
    let env = |name: &str| std::env::var(name).ok();
    let compiled = core::str::from_utf8(&text)
        .map_err(|_| vec!["the document is not UTF-8".to_owned()])
        .and_then(|text| Document::parse_known(text, || digest(text.as_bytes())).map_err(told))
        .and_then(|document| World::compile(&document, &env).map_err(told));
    let world = match compiled {
        Ok(world) => Rc::new(world),
        Err(problems) => return Err((problems, text)),
    };
    WORLDS.with_borrow_mut(|worlds| {
        if worlds.len() >= KEPT {
            worlds.remove(0);
        }
        worlds.push((text, Rc::clone(&world)));
    });
    Ok(world)
}

/// SHA-256 of a configuration. One VM of the process computes it, and the others find it in shared data: on wasm32 it takes
/// longer than everything else that is to be done with the text.
fn digest(text: &[u8]) -> [u8; 32] {
    const DIGEST: &str = "tollgate.digest";
    let mut entry = [(text.len() as u64).to_le_bytes(), hash::of(text).to_le_bytes()].concat();
    let (known, version) = host::shared(DIGEST).map_or((None, None), |(known, version)| (Some(known), Some(version)));
    let known = known
        .as_deref()
        .and_then(|known| known.strip_prefix(&*entry)?.try_into().ok());
    known.unwrap_or_else(|| {
        let digest = caller::digest(text);
        entry.extend_from_slice(&digest);
        // Whoever was first has written the same, or of another text, which costs the next VM its time and nothing else.
        series::won(DIGEST, &entry, version);
        digest
    })
}

/// Says once per process, whatever the number of workers and roles, that a configuration is now in force.
fn put_in_force(hash: &str) {
    let (before, version) = match host::shared(IN_FORCE) {
        Some((before, version)) => (String::from_utf8(before).ok(), Some(version)),
        None => (None, None),
    };
    if before.as_deref() == Some(hash) {
        return;
    }
    if series::won(IN_FORCE, hash.as_bytes(), version) {
        log::info!("configuration {hash} is in force");
        if let Some(before) = before {
            series::observe(&metrics::CONFIG, &[&before], 0);
        }
        series::observe(&metrics::BUILD, &[env!("CARGO_PKG_VERSION")], 1);
        series::observe(&metrics::CONFIG, &[hash], 1);
        series::observe(&metrics::CONFIG_LOADS, &["applied"], 1);
    }
}

/// Says what is wrong and leaves the configuration in force as it is: the host keeps it.
fn reject(problems: &[String], text: &[u8]) -> bool {
    const REJECTED: &str = "tollgate.rejected";
    for problem in problems {
        log::error!("configuration rejected: {problem}");
    }
    let digest = caller::digest(text);
    let (before, version) = host::shared(REJECTED).map_or((None, None), |(hash, version)| (Some(hash), Some(version)));
    if before.as_deref() != Some(&digest[..]) && series::won(REJECTED, &digest, version) {
        series::observe(&metrics::CONFIG_LOADS, &["rejected"], 1);
    }
    false
}
