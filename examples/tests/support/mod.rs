//! What the end-to-end tests share: real processes on loopback addresses, WAV files, skips.
#![allow(
    dead_code,
    unreachable_pub,
    missing_docs,
    missing_debug_implementations,
    clippy::assigning_clones,
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::panic,
    clippy::too_many_arguments,
    reason = "a helper of tests, of which each uses a part"
)]

pub mod capture;
pub mod player;
pub mod rows;
pub mod scenario;
pub mod stage;
pub mod wav;

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

/// How long anything is waited for, on a machine that has much else to do.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// The two files of the smallest telephone system: users u1 and u2, numbers 1 and 2.
pub const REGFILE: &str = "[general]\nauth=100\nregister=100\nroute=100\n\n[u1]\npassword=secret1\n\n[u2]\npassword=secret2\n";
/// Turns away callers without proof; gives each user a number.
pub const REGEXROUTE: &str =
    "[default]\n${username}^$=-;error=noauth\n^1$=return;called=u1\n^2$=return;called=u2\n";

/// Says why a test does not run; in CI, where nothing may skip, it fails instead.
pub fn skip(why: &str) {
    assert!(
        std::env::var_os("OFFHOOK_NO_SKIP").is_none(),
        "would skip: {why}"
    );
    eprintln!("skipped: {why}");
}

/// Whether a program is on the search path.
pub fn has_program(name: &str) -> bool {
    std::env::var_os("PATH")
        .is_some_and(|path| std::env::split_paths(&path).any(|dir| dir.join(name).is_file()))
}

/// A child process that is ended with the test, whose standard output is collected line by line.
pub struct Program {
    child: Child,
    lines: mpsc::Receiver<String>,
    seen: Vec<String>,
    name: &'static str,
}

impl Program {
    /// Starts one of the workspace's own binaries.
    pub fn start(name: &'static str, executable: &str, arguments: &[&str]) -> Self {
        let mut command = Command::new(executable);
        command.args(arguments);
        Self::spawn(name, command)
    }

    /// Starts the phone with the words of a command line.
    pub fn phone(words: &str) -> Self {
        let words: Vec<&str> = words.split_whitespace().collect();
        Self::start("phone", env!("CARGO_BIN_EXE_phone"), &words)
    }

    /// A phone of a user who waits for calls.
    pub fn waiting(server: &str, user: &str, listen: &str, more: &str) -> Self {
        let number = user.trim_start_matches('u');
        let mut phone = Self::phone(&format!(
            "wait --server {server} --user {user} --password secret{number} --listen {listen} {more}"
        ));
        phone.wait_for("waiting", PATIENCE);
        phone
    }

    /// Starts any command; its standard error stays visible in the test's output.
    pub fn spawn(name: &'static str, mut command: Command) -> Self {
        let mut child = command
            .env("RUST_LOG", "warn")
            .env_remove("OFFHOOK_PASSWORD")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{name} does not start: {error}"));
        let lines = read_lines(child.stdout.take().expect("stdout is piped"));
        Self {
            child,
            lines,
            seen: Vec::new(),
            name,
        }
    }

    /// The process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Types on the program's standard input.
    pub fn type_in(&mut self, text: &str) {
        let stdin = self.child.stdin.as_mut().expect("stdin is piped");
        stdin
            .write_all(text.as_bytes())
            .and_then(|()| stdin.flush())
            .expect("the program reads its input");
    }

    /// Waits until a further line contains `text`.
    #[track_caller]
    pub fn says(&mut self, text: &str) -> &mut Self {
        let deadline = Instant::now() + PATIENCE;
        while let Some(line) = self.next_line(deadline.saturating_duration_since(Instant::now())) {
            if line.contains(text) {
                return self;
            }
        }
        panic!(
            "{} did not say {text:?}; it said:\n{}",
            self.name,
            self.seen.join("\n")
        );
    }

    /// Waits until a line contains `text` and returns that line.
    pub fn wait_for(&mut self, text: &str, patience: Duration) -> String {
        if let Some(line) = self.seen.iter().find(|line| line.contains(text)) {
            return line.clone();
        }
        let deadline = Instant::now() + patience;
        while let Ok(line) = self
            .lines
            .recv_timeout(deadline.saturating_duration_since(Instant::now()))
        {
            self.seen.push(line.clone());
            if line.contains(text) {
                return line;
            }
        }
        panic!(
            "{} never said {text:?}; it said:\n{}",
            self.name,
            self.seen.join("\n")
        );
    }

    /// Waits for the end; panics when the program is still running after `patience`.
    pub fn finish(mut self, patience: Duration) -> (ExitStatus, String) {
        let deadline = Instant::now() + patience;
        loop {
            if let Some(status) = self.child.try_wait().expect("a child can be waited for") {
                self.seen.extend(self.lines.iter());
                return (status, self.seen.join("\n"));
            }
            assert!(
                Instant::now() < deadline,
                "{} does not end; it said:\n{}",
                self.name,
                {
                    self.seen.extend(self.lines.try_iter());
                    self.seen.join("\n")
                }
            );
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// Waits for the end: the exit code and all that was said.
    #[track_caller]
    pub fn ends(self) -> (i32, String) {
        let (status, said) = self.finish(PATIENCE);
        (status.code().expect("not ended by a signal"), said)
    }

    /// Waits for the end, which must be a good one: all that was said.
    #[track_caller]
    pub fn ends_well(self) -> String {
        let name = self.name;
        let (status, said) = self.finish(PATIENCE);
        assert!(status.success(), "{name} ended with {status}:\n{said}");
        said
    }

    /// Asks the program to stop as Ctrl-C does; it must end well.
    #[track_caller]
    pub fn stops_well(self) -> String {
        self.signal("INT");
        self.ends_well()
    }

    /// Asks the program to stop as Ctrl-C does, and waits for it.
    pub fn interrupt(self, patience: Duration) -> (ExitStatus, String) {
        self.signal("INT");
        self.finish(patience)
    }

    /// Sends a signal.
    pub fn signal(&self, name: &str) {
        let status = Command::new("kill")
            .args([&format!("-{name}"), &self.child.id().to_string()])
            .status();
        assert!(
            status.is_ok_and(|status| status.success()),
            "{} cannot be signalled",
            self.name
        );
    }

    /// The next line, whatever it says.
    pub fn next_line(&mut self, patience: Duration) -> Option<String> {
        let line = self.lines.recv_timeout(patience).ok()?;
        self.seen.push(line.clone());
        Some(line)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _already_gone = self.child.kill();
        let _reaped = self.child.wait();
    }
}

fn read_lines(stdout: ChildStdout) -> mpsc::Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    receiver
}

/// Runs a command to its end and returns its standard output.
pub fn output_of(command: &mut Command) -> String {
    let mut child = command
        .stdout(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut text = String::new();
    child
        .stdout
        .take()
        .expect("stdout is piped")
        .read_to_string(&mut text)
        .expect("its output is text");
    let status = child.wait().expect("a child can be waited for");
    assert!(status.success(), "{command:?} ended with {status}:\n{text}");
    text
}

/// A folder with `regfile.conf` and `regexroute.conf` of the smallest telephone system.
pub fn config_folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    write(folder.path().join("regfile.conf"), REGFILE);
    write(folder.path().join("regexroute.conf"), REGEXROUTE);
    folder
}

/// Writes a file of a test.
pub fn write(path: impl AsRef<Path>, text: &str) {
    fs::write(path, text).expect("the test can write its files");
}

/// A path as an argument.
pub fn text(path: &Path) -> &str {
    path.to_str().expect("temporary paths are plain text")
}

/// A running server with the smallest telephone system.
pub struct Server {
    pub program: Program,
    pub address: String,
    _folder: tempfile::TempDir,
}

impl Server {
    /// Starts the server on `address` (`127.0.x.y:port`) and waits until it listens.
    pub fn start(address: &str, more: &[&str]) -> Self {
        Self::start_in(config_folder(), address, more)
    }

    /// The same with a configuration folder of the test's own.
    pub fn start_in(folder: tempfile::TempDir, address: &str, more: &[&str]) -> Self {
        let config = text(folder.path()).to_owned();
        let mut arguments = vec!["--config", &config, "--state", "none", "--listen", address];
        arguments.extend_from_slice(more);
        let mut program = Program::start("server", env!("CARGO_BIN_EXE_server"), &arguments);
        program.wait_for("listening", PATIENCE);
        Self {
            program,
            address: address.to_owned(),
            _folder: folder,
        }
    }
}

/// Where a test keeps a file for its processes.
pub fn in_folder(folder: &tempfile::TempDir, name: &str) -> PathBuf {
    folder.path().join(name)
}
