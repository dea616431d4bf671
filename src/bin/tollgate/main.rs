//! The `tollgate` command: everything around the module that is not on the path of a request.

use std::io;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

mod check;
mod findings;
mod key;
mod prices;
mod providers;
mod render;
mod schema;
mod source;
mod table;
mod up;

/// An LLM gateway inside Envoy: per-key tokens, cost and latency of every request.
#[derive(Parser)]
#[command(name = "tollgate", version, max_term_width = 100, after_help = AFTER_HELP, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

// What a command is for is said at its arguments: words here would take the place of the longer ones there.
#[derive(Subcommand)]
enum Command {
    Up(up::Args),
    Check(check::Args),
    Render(render::Args),
    Key(key::Args),
    Prices(prices::Args),
    Providers(providers::Args),
    Schema(schema::Args),
}

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Up(args) => up::run(args),
        Command::Check(args) => check::run(args),
        Command::Render(args) => render::run(args),
        Command::Key(args) => key::run(args),
        Command::Prices(args) => prices::run(args),
        Command::Providers(args) => providers::run(args),
        Command::Schema(args) => schema::run(args),
    };
    result.unwrap_or_else(|error| {
        if is_broken_pipe(&error) {
            // Whoever read our output has seen enough (`tollgate prices | head`).
            return ExitCode::SUCCESS;
        }
        findings::error(&error);
        ExitCode::from(COULD_NOT_RUN)
    })
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let io = error.chain().find_map(|cause| cause.downcast_ref::<io::Error>());
    io.is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

/// The answer is no: the document has problems, or what was looked for does not exist.
const NO: u8 = 1;
/// The question could not be answered: wrong usage (clap uses the same number), unreadable files, missing programs.
const COULD_NOT_RUN: u8 = 2;

const AFTER_HELP: &str = "\
Examples:
  tollgate key new --name checkout-agent        mint a key, print the entry for the document
  tollgate check tollgate.json                  look for problems before it is used
  tollgate up tollgate.json                     run it
  tollgate prices openai gpt-4o                 what a model costs

Exit codes:
  0  done
  1  the answer is no: the document has problems, or what was looked for does not exist
  2  could not run: wrong usage, an unreadable file, a missing program

NO_COLOR=1 turns colours off; they are never written into files or pipes.";
