//! `tollgate up`: Envoy with Tollgate in it, kept in step with the document.

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use tollgate::document::{Document, Problem, Warning};
use tollgate::envoy::{self, Part};
use tollgate::provider::CredentialSource;
use tollgate::world::World;

use crate::render::{choice, files, site};
use crate::{NO, source};

mod admin;
mod apply;
mod process;
mod programs;
mod run_dir;
mod say;
mod watch;

use admin::Admin;
use apply::{InForce, Outcome};
use process::Envoy;
use run_dir::RunDir;
use watch::Watch;

/// How often signals, Envoy and the document are looked at.
const TICK: Duration = Duration::from_millis(50);

/// Run Envoy with Tollgate, and apply changes of the document as they are saved.
///
/// The credentials the document names are taken from this command's environment. While it runs, saving the document
/// applies it: a good one within a second and without touching requests in flight, a bad one not at all, with its problems
/// shown. Only other addresses (`listen`, `admin`) and other environment variables need a restart.
#[derive(clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Args {
    #[command(flatten)]
    document: choice::Choice,

    /// Envoy's program [default: $TOLLGATE_ENVOY, else in PATH, else .tools/venv/bin/envoy].
    #[arg(long, value_name = "PATH")]
    envoy: Option<PathBuf>,

    /// The module [default: $TOLLGATE_MODULE, else beside this program, else where cargo builds it].
    #[arg(long, value_name = "PATH")]
    module: Option<PathBuf>,

    /// Envoy's worker threads [default: one per processor].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=256))]
    concurrency: Option<u32>,

    /// Keep Envoy's configuration in this directory [default: a temporary one].
    #[arg(long, value_name = "DIR")]
    run_dir: Option<PathBuf>,

    /// How long requests in flight may take to end after Ctrl-C or SIGTERM. A second signal ends them at once.
    #[arg(long, value_name = "SECONDS", default_value_t = 10)]
    grace: u64,

    /// What of Envoy's log is shown: trace, debug, info, warning, error, critical or off.
    #[arg(long, value_name = "LEVEL", default_value = "warning", value_parser = LEVELS)]
    log_level: String,

    #[command(flatten)]
    site: site::Options,
}

const LEVELS: [&str; 8] = ["trace", "debug", "info", "warning", "warn", "error", "critical", "off"];

pub(crate) fn run(args: Args) -> anyhow::Result<ExitCode> {
    let path = args.document.path();
    let text = source::read(path)?;
    let (document, world) = match compile(&text) {
        Ok(compiled) => compiled,
        Err(problems) => {
            say::problems(&problems);
            return Ok(ExitCode::from(NO));
        }
    };
    say::warnings(&world.warnings);
    let program = programs::envoy(args.envoy.as_deref())?;
    let module = programs::module(args.module.as_deref())?;
    is_free(world.listen, "listen")?;
    is_free(world.admin, "admin")?;
    if let Some(unwatched) = unwatched(&world) {
        bail!("{unwatched}");
    }

    let signals = Signals::catch()?;
    let directory = RunDir::new(args.run_dir.as_deref())?;
    let site = args.site.site(module, directory.path().to_owned())?;
    let in_force = InForce::new(
        directory.path().to_owned(),
        envoy::render(&text, &document, &world, &site),
    )?;
    let bootstrap = directory.path().join(files::BOOTSTRAP);
    let child = Envoy::start(&program, &bootstrap, &args.log_level, args.concurrency)?;
    let mut up = Up {
        child,
        admin: Admin::new(world.admin),
        in_force,
        signals,
        grace: Duration::from_secs(args.grace),
        warned: world.warnings.clone(),
    };

    if up.wait_until_ready()? {
        announce(&world, path);
        let mut watch = Watch::new(path, &text);
        while !up.signals.seen() {
            up.is_alive()?;
            if let Some(content) = watch.changed() {
                up.change(&source::name(path), &content, &world, &site)?;
            }
            thread::sleep(TICK);
        }
    }
    up.end()
}

fn compile(text: &str) -> Result<(Document, World), Vec<Problem>> {
    let document = Document::parse(text)?;
    let world = World::compile(&document, &source::env)?;
    Ok((document, world))
}

fn is_free(address: SocketAddr, member: &str) -> anyhow::Result<()> {
    match TcpListener::bind(address) {
        Ok(_) => Ok(()),
        Err(error) => {
            bail!("cannot listen on {address}: {error}. Change `{member}` in the document, or end what is there")
        }
    }
}

/// A credential that Envoy would never see: a directory that is not there when Envoy is to watch it, it does not watch later.
fn unwatched(world: &World) -> Option<String> {
    world.providers.iter().find_map(|provider| {
        let directory = provider.sources.iter().find_map(|source| match source {
            CredentialSource::File(file) => Path::new(&**file).parent().filter(|directory| !directory.is_dir()),
            CredentialSource::Env(_) | CredentialSource::Aws => None,
        })?;
        let name = &provider.name;
        Some(format!(
            "there is no directory {}, where the credential of `{name}` is to be. Make it before Envoy looks for it",
            directory.display()
        ))
    })
}

struct Up {
    child: Envoy,
    admin: Admin,
    in_force: InForce,
    signals: Signals,
    grace: Duration,
    /// What has been warned of already.
    warned: Vec<Warning>,
}

impl Up {
    /// Whether Envoy serves requests; false when a signal came first.
    fn wait_until_ready(&mut self) -> anyhow::Result<bool> {
        let begun = Instant::now();
        let mut told = begun;
        loop {
            self.is_alive()?;
            if self.signals.seen() {
                return Ok(false);
            }
            let ready = self.admin.is_ready();
            let now = self.admin.statistics().ok();
            if let Some(now) = &now {
                // Envoy calls itself ready without what it refused, and answers every request with an error.
                if let Some(part) = Part::ALL.into_iter().find(|part| now.refusals(*part) > 0) {
                    bail!("Envoy refused {}; its log above says why", described(part));
                }
                if ready && self.in_force.is_taken(now) {
                    return Ok(true);
                }
            }
            if told.elapsed() > Duration::from_secs(2) {
                told = Instant::now();
                let waiting_for = match now.map(|now| now.warming_clusters()) {
                    None => "Envoy to start".to_owned(),
                    Some(0) => "Envoy to load the module".to_owned(),
                    Some(clusters) => format!("the addresses of {clusters} provider(s)"),
                };
                say::good(&format!(
                    "waiting for {waiting_for} ({} s) …",
                    begun.elapsed().as_secs()
                ));
            }
            thread::sleep(TICK);
        }
    }

    /// Fails, with Envoy's last words, if Envoy has ended.
    fn is_alive(&mut self) -> anyhow::Result<()> {
        let Some(status) = self.child.ended()? else {
            return Ok(());
        };
        let last = self.child.last_words();
        if !last.is_empty() {
            say::bad("the last lines of Envoy's log:");
            last.iter().for_each(|line| say::more(line));
        }
        bail!("Envoy {}", process::described(status))
    }

    /// Applies a changed document, if it is good.
    fn change(&mut self, name: &str, content: &[u8], started: &World, site: &envoy::Site) -> anyhow::Result<()> {
        let Ok(text) = std::str::from_utf8(content) else {
            say::bad(&format!("{name} is not UTF-8; the old configuration stays in force"));
            return Ok(());
        };
        let (document, world) = match compile(text) {
            Ok(compiled) => compiled,
            Err(problems) => {
                say::problems(&problems);
                say::bad(&format!("{name} was not applied; the old configuration stays in force"));
                if names_an_unset_variable(text) {
                    say::more(
                        "The environment of a running process does not change: set the variable and start again.",
                    );
                }
                return Ok(());
            }
        };
        let fresh: Vec<Warning> = world
            .warnings
            .iter()
            .filter(|warning| !self.warned.contains(warning))
            .cloned()
            .collect();
        say::warnings(&fresh);
        if let Some(unwatched) = unwatched(&world) {
            say::bad(&unwatched);
        }
        self.warned.clone_from(&world.warnings);
        for (member, old, new) in [
            ("listen", started.listen, world.listen),
            ("admin", started.admin, world.admin),
        ] {
            if old != new {
                say::bad(&format!("`{member}` needs a restart: it stays {old} until then"));
            }
        }
        let begun = Instant::now();
        let outcome = self
            .in_force
            .replace(envoy::render(text, &document, &world, site), &self.admin)?;
        match outcome {
            Outcome::Applied => {
                say::good(&format!("applied {} in {} ms", world.hash, begun.elapsed().as_millis()));
            }
            Outcome::Refused(part) => {
                say::bad(&format!(
                    "Envoy refused {}; the old configuration stays in force",
                    described(part)
                ));
            }
            Outcome::Unconfirmed(part) => {
                say::bad(&format!(
                    "wrote {}, and Envoy has not said yet that it took {}",
                    world.hash,
                    described(part)
                ));
            }
        }
        Ok(())
    }

    /// Lets requests in flight end, then ends Envoy.
    fn end(mut self) -> anyhow::Result<ExitCode> {
        self.in_force.close()?;
        let begun = Instant::now();
        let mut told = false;
        loop {
            let requests = self.admin.statistics().map_or(0, |now| now.requests());
            if requests == 0 || begun.elapsed() > self.grace || self.signals.seen() {
                break;
            }
            if !told {
                let seconds = self.grace.as_secs();
                say::good(&format!(
                    "{requests} request(s) in flight, up to {seconds} s for them; Ctrl-C again ends them now"
                ));
                told = true;
            }
            thread::sleep(TICK);
        }
        self.child.stop()?;
        Ok(ExitCode::SUCCESS)
    }
}

fn announce(world: &World, path: &Path) {
    say::good(&format!("is up with configuration {}", world.hash));
    let at = world.listen;
    match world.hold_headers {
        true => say::more(&format!("clients    http://{at}/v1 (OpenAI), http://{at} (Anthropic)")),
        false => say::more(&format!("clients    http://{at}, with a provider's host as `Host`")),
    }
    say::more(&format!("metrics    http://{}/stats/prometheus", world.admin));
    match path.as_os_str() == "-" {
        true => say::more("Ctrl-C ends"),
        false => say::more(&format!(
            "document   {}: what is saved is applied; Ctrl-C ends",
            path.display()
        )),
    }
}

/// A part in words.
fn described(part: Part) -> &'static str {
    match part {
        Part::ProviderFilter => "the module, or its document (provider role)",
        Part::GatewayFilter => "the module, or its document (gateway role)",
        Part::Clusters => "the providers' clusters",
        Part::Routes => "the routes",
        Part::Listeners => "the listener",
    }
}

fn names_an_unset_variable(text: &str) -> bool {
    let names = Document::parse(text)
        .map(|document| envoy::credential_names(&document))
        .unwrap_or_default();
    names.iter().any(|name| std::env::var_os(name).is_none())
}

/// The signals that ask this process to end.
struct Signals(Arc<AtomicBool>);

impl Signals {
    fn catch() -> anyhow::Result<Self> {
        let seen = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM, SIGHUP] {
            signal_hook::flag::register(signal, Arc::clone(&seen)).context("cannot catch signals")?;
        }
        Ok(Self(seen))
    }

    /// Whether one has come since this was asked last.
    fn seen(&self) -> bool {
        self.0.swap(false, Ordering::Relaxed)
    }
}

const AFTER_HELP: &str = "\
Examples:
  tollgate up tollgate.json
  tollgate up tollgate.json --concurrency 2 --access-log /dev/stdout

Exit codes:
  0  ended by Ctrl-C or SIGTERM
  1  the document has problems
  2  could not run: a missing program, a port in use, or Envoy ended by itself";
