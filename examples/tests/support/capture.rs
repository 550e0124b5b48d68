//! What was on the wire, as tshark saw it: a witness that is not ours.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use offhook_sip::Message;

use super::{Program, has_program, output_of, skip, text};

/// A capture in progress.
pub struct Capture {
    program: Program,
    pub file: PathBuf,
}

/// One datagram of a capture.
pub struct Datagram {
    pub from: SocketAddr,
    pub to: SocketAddr,
    pub payload: Vec<u8>,
}

/// One SIP message of a capture.
pub struct Seen {
    pub from: SocketAddr,
    pub to: SocketAddr,
    pub message: Message,
    pub text: String,
}

impl Capture {
    /// Starts to capture UDP on loopback for the addresses of one test; `None` where that is not possible.
    pub fn start(folder: &tempfile::TempDir, network: &str) -> Option<Self> {
        if !has_program("tshark") {
            skip("tshark is not installed");
            return None;
        }
        let allowed = Command::new("tshark")
            .args(["-i", "lo", "-a", "duration:0", "-w", "/dev/null"])
            .stdin(Stdio::null())
            .output();
        if !allowed.is_ok_and(|output| output.status.success()) {
            skip("tshark may not capture here");
            return None;
        }
        let file = folder.path().join("call.pcapng");
        let mut command = Command::new("tshark");
        command.args([
            "-i",
            "lo",
            "-B",
            "16",
            "-f",
            &format!("udp and net {network}"),
            "-w",
            text(&file),
            "-P",
            "-l",
        ]);
        let mut program = Program::spawn("tshark", command);
        wait_until_it_captures(&mut program, network);
        Some(Self { program, file })
    }

    /// Ends the capture and reads it.
    pub fn stop(self) -> (PathBuf, Vec<Datagram>) {
        // What the kernel has queued reaches the file within tshark's read timeout.
        std::thread::sleep(Duration::from_millis(500));
        let (_status, _lines) = self.program.interrupt(Duration::from_secs(10));
        let datagrams = read(&self.file);
        (self.file, datagrams)
    }
}

/// Sends datagrams to a closed port of the network until tshark prints one.
fn wait_until_it_captures(program: &mut Program, network: &str) {
    let address = network.split('/').next().unwrap_or_default();
    let base = address.rsplit_once('.').map_or("127.0.0", |(base, _)| base);
    let probe = std::net::UdpSocket::bind(format!("{base}.9:0")).expect("a probe socket");
    let sink = std::net::UdpSocket::bind(format!("{base}.8:0")).expect("a sink socket");
    let target = sink.local_addr().expect("an address");
    let stop = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let stopped = std::sync::Arc::clone(&stop);
    let prober = std::thread::spawn(move || {
        while !stopped.load(std::sync::atomic::Ordering::Relaxed) {
            let _best_effort = probe.send_to(b"probe", target);
            std::thread::sleep(Duration::from_millis(100));
        }
    });
    program.wait_for("UDP", Duration::from_secs(20));
    stop.store(true, std::sync::atomic::Ordering::Relaxed);
    prober.join().expect("the prober ends");
}

fn read(file: &Path) -> Vec<Datagram> {
    let fields = [
        "ip.src",
        "udp.srcport",
        "ip.dst",
        "udp.dstport",
        "udp.payload",
    ];
    let mut command = Command::new("tshark");
    command.args(["-r", text(file), "-Y", "udp && !icmp", "-T", "fields"]);
    for field in fields {
        command.args(["-e", field]);
    }
    output_of(&mut command)
        .lines()
        .filter_map(|line| {
            let mut columns = line.split('\t');
            let mut address = || {
                let ip = columns.next()?;
                let port = columns.next()?;
                format!("{ip}:{port}").parse().ok()
            };
            let (from, to) = (address()?, address()?);
            Some(Datagram {
                from,
                to,
                payload: unhex(columns.next()?),
            })
        })
        .collect()
}

fn unhex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text
        .bytes()
        .filter_map(|digit| char::from(digit).to_digit(16))
        .map(|d| d as u8)
        .collect();
    digits
        .chunks_exact(2)
        .map(|pair| pair[0] << 4 | pair[1])
        .collect()
}

/// The SIP messages among the datagrams, in order.
pub fn messages(datagrams: &[Datagram]) -> Vec<Seen> {
    datagrams
        .iter()
        .filter_map(|datagram| {
            let message = offhook_sip::parse_datagram(datagram.payload.clone().into()).ok()?;
            let text = String::from_utf8_lossy(&datagram.payload).into_owned();
            Some(Seen {
                from: datagram.from,
                to: datagram.to,
                message,
                text,
            })
        })
        .collect()
}

impl Seen {
    /// `INVITE` or `200 INVITE`: what a row of the table names.
    pub fn name(&self) -> String {
        match &self.message {
            Message::Request(request) => request.method().as_str().to_owned(),
            Message::Response(response) => {
                format!("{} {}", u16::from(response.status()), self.cseq_method())
            }
        }
    }

    fn cseq_method(&self) -> String {
        self.header("CSeq")
            .split(' ')
            .next_back()
            .unwrap_or_default()
            .to_owned()
    }

    /// The first value of a header, or an empty text.
    pub fn header(&self, name: &str) -> String {
        self.text
            .lines()
            .take_while(|line| !line.is_empty())
            .find_map(|line| {
                let (key, value) = line.split_once(':')?;
                key.trim()
                    .eq_ignore_ascii_case(name)
                    .then(|| value.trim().to_owned())
            })
            .unwrap_or_default()
    }

    /// The tag of a From or To.
    pub fn tag(&self, name: &str) -> String {
        self.header(name)
            .split(";tag=")
            .nth(1)
            .unwrap_or_default()
            .split(';')
            .next()
            .unwrap_or_default()
            .to_owned()
    }

    /// The Request-URI, or an empty text.
    pub fn request_uri(&self) -> String {
        match &self.message {
            Message::Request(request) => request.uri().to_string(),
            Message::Response(_) => String::new(),
        }
    }
}
