//! `SIPp` at work on a scenario.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use super::scenario::Scenario;
use super::{Program, in_folder, text, write};

/// A `SIPp` that plays one side of one call.
pub struct Player {
    program: Program,
    name: &'static str,
    errors: PathBuf,
}

impl Player {
    /// Starts it on an address of its own and, for one that is called, waits until it listens.
    pub fn start(
        scenario: &Scenario,
        ip: Ipv4Addr,
        server: &str,
        number: &str,
        folder: &tempfile::TempDir,
    ) -> Self {
        let name = scenario.name;
        let [file, errors] =
            ["xml", "errors"].map(|kind| in_folder(folder, &format!("{name}.{kind}")));
        write(&file, &scenario.xml());
        let ip = ip.to_string();
        let mut command = Command::new("sipp");
        command
            .args([
                server,
                "-sf",
                text(&file),
                "-s",
                number,
                "-i",
                &ip,
                "-p",
                "5060",
            ])
            .args([
                "-mi",
                &ip,
                "-m",
                "1",
                "-nostdin",
                "-timeout",
                "85",
                "-timeout_error",
            ])
            .args(["-trace_err", "-error_file", text(&errors)]);
        let program = Program::spawn("sipp", command);
        Self {
            program,
            name,
            errors,
        }
    }

    /// Its scenario is fulfilled.
    pub fn finish(self) {
        let (status, output) = self.program.finish(Duration::from_secs(90));
        let errors = errors_of(&self.errors);
        assert!(
            status.success(),
            "{}: {status}\n{errors}\n{output}",
            self.name
        );
    }
}

fn errors_of(file: &Path) -> String {
    std::fs::read_to_string(file).unwrap_or_default()
}

/// Waits until somebody listens on a UDP port.
pub fn wait_until_bound(ip: Ipv4Addr, port: u16) {
    let wanted = format!("{:08X}:{port:04X}", u32::from(ip).swap_bytes());
    let deadline = Instant::now() + Duration::from_secs(30);
    while Instant::now() < deadline {
        let sockets = std::fs::read_to_string("/proc/net/udp").expect("Linux tells its sockets");
        if sockets.contains(&wanted) {
            return;
        }
        thread::sleep(Duration::from_millis(10));
    }
    panic!("nobody listens on {ip}:{port}");
}
