//! A telephone on the command line: calls, waits for calls, plays and records. See `phone.md`.
#![forbid(unsafe_code)]

#[path = "phone/args.rs"]
mod args;
#[path = "phone/console.rs"]
mod console;
#[path = "phone/exit.rs"]
mod exit;
#[path = "phone/lines.rs"]
mod lines;
#[path = "phone/run.rs"]
mod run;
#[path = "phone/setup.rs"]
mod setup;
#[path = "phone/sound.rs"]
mod sound;
#[path = "common/wav.rs"]
mod wav;

use std::io::IsTerminal;
use std::process::ExitCode;

use clap::Parser;
use tracing_subscriber::EnvFilter;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let args = args::Args::parse();
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("warn"));
    let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal() && !plain)
        .with_writer(std::io::stderr)
        .init();
    match setup::prepare(args).await {
        Ok(ready) => Box::pin(run::run(ready)).await.into(),
        Err(error) => {
            eprintln!("phone: {error}");
            exit::Exit::Usage.into()
        }
    }
}
