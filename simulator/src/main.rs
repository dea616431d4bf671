//! The command `tollgate-simulator`: see `--help`, or the library's documentation.

use std::io::{self, Write as _};
use std::process::ExitCode;

use clap::Parser as _;
use tokio::net::TcpListener;
use tokio::runtime::Builder;
use tollgate_simulator::{Options, serve};

fn main() -> ExitCode {
    let options = Options::parse();
    let mut builder = Builder::new_multi_thread();
    if options.threads > 0 {
        builder.worker_threads(options.threads);
    }
    let outcome = builder
        .enable_all()
        .build()
        .and_then(|runtime| runtime.block_on(run(options)));
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("tollgate-simulator: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(options: Options) -> io::Result<()> {
    let wanted = options.listen;
    let listener = TcpListener::bind(wanted)
        .await
        .map_err(|error| io::Error::new(error.kind(), format!("cannot listen on {wanted}: {error}")))?;
    let address = listener.local_addr()?;
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    let serving = serve(listener, options)?;
    // Whoever started this waits for the line, and may have gone since: then there is nobody to tell.
    let _ = writeln!(io::stdout(), "listening on http://{address}");
    tokio::select! {
        outcome = serving => outcome,
        _ = terminate.recv() => Ok(()),
        _ = tokio::signal::ctrl_c() => Ok(()),
    }
}
