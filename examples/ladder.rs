//! `ladder FILE.pcap`: the call-flow pictures of a capture file.

use std::fs;
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use offhook_trace::capture;
use offhook_trace::ladder::{Host, Ladder, Recorder};

/// Draws the calls of a capture file: times, messages, and the voice between.
///
/// Reads pcap and pcapng as tcpdump, tshark and Wireshark write them. One picture a call;
/// registrations and the like only with --all.
#[derive(Debug, Parser)]
#[command(name = "ladder", version, after_help = AFTER_HELP)]
struct Arguments {
    /// The capture file; - for standard input
    file: PathBuf,
    /// Only what goes in and out there
    #[arg(long, value_name = "ADDR[:PORT]")]
    host: Option<Host>,
    /// Only this call; may be given again
    #[arg(long = "call", value_name = "CALL-ID")]
    calls: Vec<String>,
    /// All chosen calls on one time axis: the legs of a call through a server
    #[arg(long)]
    together: bool,
    /// Registrations, OPTIONS and the like too
    #[arg(long)]
    all: bool,
    /// Write SVG there too: OUT for one picture, OUT with -2, -3... before its ending for more
    #[arg(long, value_name = "OUT")]
    svg: Option<PathBuf>,
}

const AFTER_HELP: &str =
    "Exit codes: 0 drawn, 1 no call in the file, 2 no such file, not a capture, or wrong usage.";

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(&arguments) {
        Ok(0) => {
            eprintln!("ladder: {}: no call to draw", arguments.file.display());
            ExitCode::from(1)
        }
        Ok(_) => ExitCode::SUCCESS,
        Err(what) => {
            eprintln!("ladder: {what}");
            ExitCode::from(2)
        }
    }
}

/// Draws; how many pictures there were.
fn run(arguments: &Arguments) -> Result<usize, String> {
    let of_file = |what: &dyn std::fmt::Display| format!("{}: {what}", arguments.file.display());
    let file = read(&arguments.file).map_err(|error| of_file(&error))?;
    let mut recorder = Recorder::default();
    let summary = capture::replay(&file, &mut recorder).map_err(|error| of_file(&error))?;
    if summary.is_cut_off {
        eprintln!(
            "ladder: {}",
            of_file(&"ends in the middle of a packet; drawn up to there")
        );
    }
    if summary.unknown_links > 0 {
        let count = summary.unknown_links;
        eprintln!(
            "ladder: {}",
            of_file(&format!("{count} frames of an unknown link type"))
        );
    }
    let ladders = ladders(arguments, &recorder);
    for (index, ladder) in ladders.iter().enumerate() {
        print(index, ladder)?;
        if let Some(out) = &arguments.svg {
            let out = numbered(out, index);
            let error = |error| format!("{}: {error}", out.display());
            fs::write(&out, ladder.to_svg()).map_err(error)?;
        }
    }
    Ok(ladders.len())
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    if path == Path::new("-") {
        let mut octets = Vec::new();
        io::stdin().read_to_end(&mut octets)?;
        return Ok(octets);
    }
    fs::read(path)
}

fn ladders(arguments: &Arguments, recorder: &Recorder) -> Vec<Ladder> {
    let mut chosen: Vec<&str> = if arguments.all {
        recorder.call_ids().collect()
    } else {
        recorder.calls().collect()
    };
    if !arguments.calls.is_empty() {
        chosen = recorder.call_ids().collect();
        chosen.retain(|call_id| arguments.calls.iter().any(|wanted| wanted == call_id));
    }
    if arguments.together {
        return recorder
            .ladder(&chosen, arguments.host)
            .into_iter()
            .collect();
    }
    chosen
        .iter()
        .filter_map(|call_id| recorder.ladder(&[call_id], arguments.host))
        .collect()
}

/// A reader that has seen enough (`| head`) is no fault.
fn print(index: usize, ladder: &Ladder) -> Result<(), String> {
    let gap = if index > 0 { "\n" } else { "" };
    match write!(io::stdout(), "{gap}{ladder}") {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.to_string()),
        _ => Ok(()),
    }
}

/// `call.svg`, `call-2.svg`, `call-3.svg`...
fn numbered(path: &Path, index: usize) -> PathBuf {
    if index == 0 {
        return path.to_owned();
    }
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let ending = path
        .extension()
        .map(|ending| format!(".{}", ending.to_string_lossy()));
    path.with_file_name(format!(
        "{stem}-{}{}",
        index + 1,
        ending.unwrap_or_default()
    ))
}
