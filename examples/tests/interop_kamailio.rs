//! Kamailio as the registrar: our phone logs in there, with MD5 and with SHA-256.

#![allow(clippy::expect_used, clippy::panic, reason = "a test may fail")]

mod support;

use std::fs;
use std::net::UdpSocket;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use support::{Program, skip, text, write};

/// A Kamailio that ends with the test.
struct Kamailio {
    program: Child,
    log: PathBuf,
    folder: tempfile::TempDir,
}

impl Drop for Kamailio {
    fn drop(&mut self) {
        // Its main process ends the others at a SIGTERM, and not at a SIGKILL.
        let _asked = Command::new("kill")
            .arg(self.program.id().to_string())
            .status();
        let _ended = self.program.wait();
    }
}

fn executable() -> Option<&'static str> {
    let places = ["/usr/sbin/kamailio", "/usr/local/sbin/kamailio"];
    places
        .into_iter()
        .find(|place| fs::exists(place).is_ok_and(|there| there))
}

/// Debian keeps the modules in the folder of the architecture.
fn modules() -> Option<PathBuf> {
    let lib = fs::read_dir("/usr/lib").ok()?;
    let folders = lib
        .filter_map(Result::ok)
        .map(|entry| entry.path().join("kamailio/modules"));
    folders
        .into_iter()
        .find(|folder| folder.join("auth.so").exists())
}

fn configuration(address: &str, algorithm: &str, modules: &str) -> String {
    format!(
        r#"#!KAMAILIO
debug=1
log_stderror=yes
fork=yes
children=1
auto_aliases=no
disable_tcp=yes
listen=udp:{address}:5060
mpath="{modules}/"
loadmodule "sl.so"
loadmodule "pv.so"
loadmodule "xlog.so"
loadmodule "usrloc.so"
loadmodule "registrar.so"
loadmodule "auth.so"
modparam("usrloc", "db_mode", 0)
modparam("auth", "nonce_count", 1)
modparam("auth", "qop", "auth")
modparam("auth", "algorithm", "{algorithm}")
request_route {{
  if (method != "REGISTER") {{ sl_send_reply("405", "No"); exit; }}
  if (!pv_www_authenticate("kamailio.test", "secret1", "0")) {{
    www_challenge("kamailio.test", "1");
    exit;
  }}
  xlog("L_ALERT", "proved $au\n");
  save("location");
}}
"#
    )
}

impl Kamailio {
    /// `None` with a note when there is no such program.
    fn start(address: &str, algorithm: &str) -> Option<Self> {
        let (Some(program), Some(modules)) = (executable(), modules()) else {
            skip("there is no kamailio");
            return None;
        };
        let folder = tempfile::tempdir().expect("a folder");
        let (file, log) = (folder.path().join("k.cfg"), folder.path().join("k.log"));
        write(&file, &configuration(address, algorithm, text(&modules)));
        let output = fs::File::create(&log).expect("a log");
        let program = Command::new(program)
            .args(["-DD", "-E", "-m", "32", "-M", "4", "-f", text(&file), "-Y"])
            .arg(folder.path())
            .stdout(Stdio::null())
            .stderr(output)
            .spawn()
            .expect("kamailio starts");
        let mut kamailio = Self {
            program,
            log,
            folder,
        };
        kamailio.wait_until_it_answers(address);
        Some(kamailio)
    }

    fn wait_until_it_answers(&mut self, address: &str) {
        let began = Instant::now();
        let socket = UdpSocket::bind((address, 0)).expect("a socket");
        socket
            .set_read_timeout(Some(Duration::from_millis(200)))
            .expect("a timeout");
        let ping = format!(
            "OPTIONS sip:{address} SIP/2.0\r\nVia: SIP/2.0/UDP {};branch=z9hG4bK1;rport\r\n\
             From: <sip:a@b>;tag=1\r\nTo: <sip:a@b>\r\nCall-ID: 1\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n",
            socket.local_addr().expect("bound"),
        );
        let mut answer = [0; 2048];
        loop {
            // Until it listens the loopback itself refuses what is sent.
            let _refused = socket.send_to(ping.as_bytes(), (address, 5060));
            if socket.recv(&mut answer).is_ok() {
                return;
            }
            let ended = self.program.try_wait().expect("a child");
            let patience = began.elapsed() < Duration::from_secs(60);
            assert!(
                ended.is_none() && patience,
                "kamailio does not come up:\n{}",
                self.said()
            );
        }
    }

    fn said(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }
}

fn log_in(address: &str, algorithm: &str) {
    let Some(kamailio) = Kamailio::start(address, algorithm) else {
        return;
    };
    let wait = |password: &str| {
        Program::phone(&format!(
            "wait --server {address} --user u1 --password {password} --listen {address}:5070"
        ))
    };
    let mut phone = wait("secret1");
    phone.wait_for("waiting", Duration::from_secs(60));
    let (status, said) = phone.interrupt(Duration::from_secs(60));
    assert!(
        kamailio.said().contains("proved u1"),
        "{status}: {said}\n{}",
        kamailio.said()
    );
    let (status, said) = wait("secret2").finish(Duration::from_secs(60));
    assert_eq!(status.code(), Some(4), "{said}");
    assert!(kamailio.folder.path().exists());
}

#[test]
fn our_phone_logs_in_at_kamailio_with_md5() {
    log_in("127.0.31.60", "MD5");
}

// checklist: R8760-02
#[test]
fn our_phone_logs_in_at_kamailio_with_sha_256() {
    log_in("127.0.31.61", "SHA-256");
}
