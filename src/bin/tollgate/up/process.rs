//! Envoy as a child process: started, listened to, and never left behind.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::Context;
use rustix::process::{Pid, Signal, kill_process};

use super::say;

/// How many of Envoy's last lines are kept for the moment it dies.
const KEPT: usize = 20;

/// The same line again within this time is not shown: each worker thread says everything once.
const REPEATED: Duration = Duration::from_secs(2);

pub(crate) struct Envoy {
    child: Child,
    log: Option<JoinHandle<()>>,
    last: Arc<Mutex<VecDeque<String>>>,
}

impl Envoy {
    /// Starts Envoy. It ends when this process does, however that comes about.
    pub(crate) fn start(
        program: &Path,
        bootstrap: &Path,
        level: &str,
        concurrency: Option<u32>,
    ) -> anyhow::Result<Self> {
        let mut command = Command::new(program);
        command
            .arg("--config-path")
            .arg(bootstrap)
            .args([
                "--disable-hot-restart",
                "--log-level",
                level,
                "--log-format",
                "%l|%n|%v",
            ])
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            // Its own group: a Ctrl-C in the terminal is for this process, which lets requests end first.
            .process_group(0);
        if let Some(threads) = concurrency {
            command.args(["--concurrency", &threads.to_string()]);
        }
        end_with_parent(&mut command);
        let mut child = command
            .spawn()
            .with_context(|| format!("cannot start {}", program.display()))?;
        let last = Arc::new(Mutex::new(VecDeque::new()));
        let log = child.stderr.take().map(|stderr| {
            let last = Arc::clone(&last);
            thread::spawn(move || listen(stderr, &last))
        });
        Ok(Self { child, log, last })
    }

    /// How it ended, if it has.
    pub(crate) fn ended(&mut self) -> anyhow::Result<Option<ExitStatus>> {
        self.child.try_wait().context("cannot ask after Envoy")
    }

    /// Asks it to end now, and makes it after five seconds.
    pub(crate) fn stop(&mut self) -> anyhow::Result<ExitStatus> {
        let asked = Instant::now();
        self.signal(Signal::TERM);
        loop {
            if let Some(status) = self.ended()? {
                return Ok(status);
            }
            if asked.elapsed() > Duration::from_secs(5) {
                self.signal(Signal::KILL);
                return self.child.wait().context("cannot wait for Envoy");
            }
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// The last things it said, after it has ended.
    pub(crate) fn last_words(&mut self) -> Vec<String> {
        if let Some(log) = self.log.take() {
            // A thread that only reads lines does not fail.
            let _ = log.join();
        }
        self.last
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .drain(..)
            .collect()
    }

    fn signal(&self, signal: Signal) {
        if let Some(pid) = Pid::from_raw(self.child.id() as i32) {
            // It may have ended by itself a moment ago.
            let _ = kill_process(pid, signal);
        }
    }
}

impl Drop for Envoy {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            let _ = self.stop();
        }
    }
}

/// What an exit status means in words.
pub(crate) fn described(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("ended with exit code {code}"),
        (None, Some(signal)) => format!("was ended by signal {signal}"),
        (None, None) => "ended".to_owned(),
    }
}

#[cfg(target_os = "linux")]
fn end_with_parent(command: &mut Command) {
    // SAFETY: between fork and exec only async-signal-safe functions may run; this is one system call, and allocates nothing.
    unsafe {
        command.pre_exec(|| {
            rustix::process::set_parent_process_death_signal(Some(Signal::TERM))?;
            Ok(())
        });
    }
}

#[cfg(not(target_os = "linux"))]
fn end_with_parent(_command: &mut Command) {}

fn listen(stderr: ChildStderr, last: &Mutex<VecDeque<String>>) {
    let mut shown: VecDeque<(Instant, String)> = VecDeque::new();
    let mut lines = BufReader::new(stderr);
    let mut bytes = Vec::new();
    loop {
        bytes.clear();
        match lines.read_until(b'\n', &mut bytes) {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
        let line = readable(String::from_utf8_lossy(&bytes).trim_end());
        let Some(line) = line else { continue };
        let mut kept = last.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() == KEPT {
            kept.pop_front();
        }
        kept.push_back(line.clone());
        drop(kept);
        shown.retain(|(at, _)| at.elapsed() < REPEATED);
        if shown.iter().all(|(_, before)| *before != line) {
            say::envoy(&line);
            shown.push_back((Instant::now(), line));
        }
    }
}

/// A line of Envoy's log, without what only Envoy's developers need; `None` for what nobody needs.
fn readable(line: &str) -> Option<String> {
    if line.is_empty() {
        return None;
    }
    let mut fields = line.splitn(3, '|');
    let (Some(level), Some(component), Some(text)) = (fields.next(), fields.next(), fields.next()) else {
        return Some(line.to_owned());
    };
    let of_ours = component == "main" && text.starts_with("caught ");
    let said_better = component == "wasm" && text.starts_with("Plugin ") && text.ends_with(" failed to load");
    if of_ours || said_better {
        return None;
    }
    if let Some(text) = text.strip_prefix("wasm log ") {
        // `wasm log gateway tollgate: what the module says`
        let said = text.split_once("tollgate: ").map_or(text, |(_, said)| said);
        return Some(format!("{level}: {said}"));
    }
    Some(format!("{level}: {component}: {text}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_the_module_is_shown_as_it_said_it() {
        let line = "warning|wasm|wasm log gateway gateway tollgate: keys[2].sha256: not hexadecimal";
        assert_eq!(readable(line).unwrap(), "warning: keys[2].sha256: not hexadecimal");
        assert_eq!(readable("error|config|no | yes").unwrap(), "error: config: no | yes");
        assert_eq!(readable("Segmentation fault").unwrap(), "Segmentation fault");
        assert_eq!(readable("warning|main|caught ENVOY_SIGTERM"), None);
        assert_eq!(readable(""), None);
    }
}
