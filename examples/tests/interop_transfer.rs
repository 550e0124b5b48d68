//! baresip on both ends at our server: it transfers a call of its own, and the voice of two
//! afterwards; it holds, takes up again, and presses a key.

#![allow(clippy::expect_used, clippy::panic, reason = "a test may fail")]

mod support;

use std::fs;
use std::io::Write as _;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use support::{PATIENCE, Program, Server, has_program, in_folder, skip, text, wav, write};

const SERVER: &str = "127.0.34.50:5060";
/// In octets of a recording.
const FOUR_SECONDS: u64 = 4 * 2 * 8000;

/// A baresip at a SIP port of 127.0.0.1 that logs in, and takes commands on the port 1,000 above.
struct Phone {
    program: Program,
    home: PathBuf,
    control: u16,
}

impl Phone {
    fn start(folder: &tempfile::TempDir, server: &str, number: u16, sound: &[i16]) -> Self {
        let modules = [
            "/usr/lib/baresip/modules",
            "/usr/lib/x86_64-linux-gnu/baresip/modules",
        ];
        let modules = modules
            .iter()
            .find(|path| Path::new(path).is_dir())
            .expect("baresip has its modules");
        // The port after its own is its TLS port.
        let (port, control) = (5080 + 10 * number, 6080 + 10 * number);
        let home = in_folder(folder, &format!("u{number}"));
        fs::create_dir_all(&home).expect("a folder for baresip");
        let play = home.join("play.wav");
        wav::write(&play, sound);
        let config = format!(
            "sip_listen 127.0.0.1:{port}\nnet_interface 127.0.0.1\ncall_local_timeout 60\ncall_max_calls 4\n\
             audio_source aufile,{play}\naudio_player aubridge,sink\nausrc_srate 8000\nauplay_srate 8000\n\
             ausrc_channels 1\nauplay_channels 1\nmodule_path {modules}\nmodule g711.so\nmodule aufile.so\n\
             module aubridge.so\nmodule sndfile.so\nsnd_path {home}\nmodule_app account.so\n\
             module_app menu.so\nmodule_app ctrl_tcp.so\nctrl_tcp_listen 127.0.0.1:{control}\n",
            play = text(&play),
            home = text(&home),
        );
        let account = format!(
            "<sip:u{number}@{server};transport=udp>;auth_user=u{number};auth_pass=secret{number};\
             answermode=auto;regint=60\n"
        );
        write(home.join("accounts"), &account);
        write(home.join("config"), &config);
        write(home.join("contacts"), "");
        let mut command = Command::new("baresip");
        command.args(["-f", text(&home), "-v"]);
        let mut program = Program::spawn("baresip", command);
        program.wait_for("200 OK", PATIENCE);
        Self {
            program,
            home,
            control,
        }
    }

    /// A command of baresip's menu, as a netstring.
    fn command(&self, command: &str, parameters: &str) {
        let json = format!("{{\"command\":\"{command}\",\"params\":\"{parameters}\"}}");
        let began = Instant::now();
        let mut stream = loop {
            match TcpStream::connect(("127.0.0.1", self.control)) {
                Ok(stream) => break stream,
                Err(error) => assert!(began.elapsed() < PATIENCE, "no control: {error}"),
            }
            std::thread::yield_now();
        };
        write!(stream, "{}:{json},", json.len()).expect("baresip takes commands");
        stream.flush().expect("baresip takes commands");
        // It answers when it has done it; what it says is not of interest.
        let mut answer = [0; 1];
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        let _said = std::io::Read::read(&mut stream, &mut answer);
    }

    fn wait_for(&mut self, said: &str) {
        self.program.wait_for(said, PATIENCE);
    }

    /// Does something, again after each second in which this one does not say so: what is asked
    /// while another change is under way, a phone leaves out.
    fn until_it_says(&mut self, said: &str, mut act: impl FnMut()) {
        let began = Instant::now();
        while began.elapsed() < PATIENCE {
            act();
            while let Some(line) = self.program.next_line(Duration::from_secs(1)) {
                if line.contains(said) {
                    return;
                }
            }
        }
        panic!("it never said {said:?} again");
    }

    /// What each of its calls has put out.
    fn recordings(&self) -> Vec<PathBuf> {
        let mut files: Vec<PathBuf> = fs::read_dir(&self.home)
            .expect("baresip's folder is there")
            .filter_map(|entry| entry.ok().map(|entry| entry.path()))
            .filter(|path| path.to_string_lossy().ends_with("dec.wav"))
            .collect();
        files.sort();
        files
    }

    /// How many octets it has put out so far.
    fn put_out(&self) -> u64 {
        let sizes = self.recordings().into_iter();
        sizes
            .filter_map(|file| Some(fs::metadata(file).ok()?.len()))
            .sum()
    }

    /// What all its calls put out, one after the other.
    fn heard(self) -> Vec<i16> {
        let files = self.recordings();
        self.program.interrupt(PATIENCE);
        files.iter().flat_map(|file| wav::read(file)).collect()
    }
}

#[test]
fn a_blind_transfer() {
    if !has_program("baresip") {
        return skip("baresip is not installed");
    }
    let folder = tempfile::tempdir().expect("a folder");
    let config = tempfile::tempdir().expect("a folder");
    let users = "[u1]\npassword=secret1\n[u2]\npassword=secret2\n[u3]\npassword=secret3\n";
    write(config.path().join("regfile.conf"), users);
    let numbers = "[default]\n^1$=return;called=u1\n^2$=return;called=u2\n^3$=return;called=u3\n";
    write(config.path().join("regexroute.conf"), numbers);
    let _server = Server::start_in(config, SERVER, &[]);
    let sounds = [
        wav::sweep(6.0, 300.0, 1000.0),
        wav::sweep(6.0, 1200.0, 2000.0),
        wav::sweep(6.0, 2200.0, 3200.0),
    ];
    let mut u1 = Phone::start(&folder, SERVER, 1, &sounds[0]);
    let mut u2 = Phone::start(&folder, SERVER, 2, &sounds[1]);
    let mut u3 = Phone::start(&folder, SERVER, 3, &sounds[2]);

    u1.command("dial", "sip:2@127.0.34.50");
    u1.wait_for("Call established");
    u2.wait_for("Call established");
    u1.command("transfer", "sip:3@127.0.34.50");
    u3.wait_for("Call established");
    // Baresip hangs up when it is told that the transfer has succeeded.
    u1.wait_for("audio: destroyed");
    // The two hear each other for long enough to tell the sounds.
    let phones = [&u2, &u3];
    let until = phones.map(|phone| phone.put_out() + FOUR_SECONDS);
    let began = Instant::now();
    while phones
        .iter()
        .zip(until)
        .any(|(phone, until)| phone.put_out() < until)
    {
        assert!(began.elapsed() < PATIENCE, "they do not hear each other");
        std::thread::sleep(Duration::from_millis(20));
    }
    u2.command("hangup", "");
    u3.wait_for("audio: destroyed");

    let (of_u2, of_u3) = (u2.heard(), u3.heard());
    let heard = wav::resemblance(&of_u2, &sounds[2]);
    assert!(heard > 0.7, "u2 heard u3 at {heard}");
    let heard = wav::resemblance(&of_u3, &sounds[1]);
    assert!(heard > 0.7, "u3 heard u2 at {heard}");
    drop(u1);
}

#[test]
fn hold_and_keys() {
    if !has_program("baresip") {
        return skip("baresip is not installed");
    }
    let server = "127.0.34.51:5060";
    let folder = tempfile::tempdir().expect("a folder");
    let config = tempfile::tempdir().expect("a folder");
    let users = "[u4]\npassword=secret4\n[u5]\npassword=secret5\n";
    write(config.path().join("regfile.conf"), users);
    write(
        config.path().join("regexroute.conf"),
        "[default]\n^5$=return;called=u5\n",
    );
    let mut exchange = Server::start_in(config, server, &["--ladder"]);
    let sound = wav::sweep(10.0, 300.0, 1000.0);
    let mut u4 = Phone::start(&folder, server, 4, &sound);
    let mut u5 = Phone::start(&folder, server, 5, &sound);

    u4.command("dial", "sip:5@127.0.34.51");
    u4.wait_for("Call established");
    u5.wait_for("Call established");
    u5.wait_for("incoming rtp");
    u4.command("sndcode", "7");
    u5.wait_for("received event: '7'");
    for change in ["hold", "resume"] {
        u5.until_it_says("got re-INVITE", || u4.command(change, ""));
    }
    u4.command("hangup", "");
    u5.wait_for("audio: destroyed");
    // The picture has both legs: whatever the caller offered was put to the callee.
    exchange.program.wait_for("BYE", PATIENCE);
    let said = exchange.program.stops_well();
    let offers = said.matches("INVITE SDP").count();
    assert!(offers >= 7, "{offers} offers:\n{said}");
}
