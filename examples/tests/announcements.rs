//! What the server answers itself, heard by real phones: echo, tones, files, recordings, a room.

#![allow(clippy::expect_used, clippy::panic, reason = "a test may fail")]

mod support;

use std::fs;
use std::path::Path;

use support::{PATIENCE, Program, REGFILE, Server, in_folder, text, wav, write};

/// The server as it is without a configuration.
fn embedded(address: &str) -> Program {
    let arguments = ["--listen", address];
    let mut server = Program::start("server", env!("CARGO_BIN_EXE_server"), &arguments);
    server.wait_for("listening", PATIENCE);
    server
}

/// A phone of u1 that calls `number` and has done so when the call is over.
fn call(server: &str, listen: &str, number: &str, more: &str) -> String {
    let phone = Program::phone(&format!(
        "call {number} --server {server} --user u1 --password secret1 --listen {listen} {more}"
    ));
    phone.ends_well()
}

#[test]
fn the_embedded_default_has_an_echo_and_tones() {
    let folder = tempfile::tempdir().expect("a folder");
    let [play, heard] = ["play.wav", "heard.wav"].map(|name| in_folder(&folder, name));
    let sweep = wav::sweep(6.0, 300.0, 3000.0);
    wav::write(&play, &sweep);
    let server = embedded("127.0.24.50:5060");
    let files = format!("--play {} --record {}", text(&play), text(&heard));
    let at = ("127.0.24.50:5060", "127.0.24.183:5060");
    call(at.0, at.1, "900", &format!("{files} --duration 4"));
    let echo = wav::resemblance(&wav::read(&heard), &sweep);
    assert!(echo > 0.9, "the echo is what was said at {echo}");

    call(at.0, at.1, "902", &format!("{files} --duration 2"));
    let heard = wav::read(&heard);
    let [tone, other] = [1004.0, 600.0].map(|hertz| wav::loudness(&heard, hertz));
    assert!(tone > 2000.0, "the tone is heard at {tone}");
    assert!(other < tone / 20.0, "and nothing else: {other}");
    server.stops_well();
}

#[test]
fn three_phones_in_a_room_hear_each_other_and_not_themselves() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = embedded("127.0.24.51:5060");
    let members = [("u1", 500), ("u2", 1100), ("u1", 2300)];
    let file = |hertz: u16| in_folder(&folder, &format!("{hertz}.wav"));
    let mut phones: Vec<Program> = (184..)
        .zip(members)
        .map(|(host, (user, hertz))| {
            Program::phone(&format!(
                "call 700 --server 127.0.24.51:5060 --user {user} --password secret{} \
                 --listen 127.0.24.{host}:5060 --tone {hertz} --record {}",
                &user[1..],
                text(&file(hertz)),
            ))
        })
        .collect();
    for phone in &mut phones {
        phone.wait_for("hearing", PATIENCE);
    }
    for (_, own) in members {
        let others = members.map(|(_, hertz)| hertz);
        let others = others.into_iter().filter(|hertz| *hertz != own);
        let others: Vec<f32> = others.map(f32::from).collect();
        wav::wait_for_tones(&file(own), &others);
    }
    for mut phone in phones {
        phone.type_in("h\n");
        phone.ends_well();
    }
    server.stops_well();
    for (_, own) in members {
        let heard = wav::read(&file(own));
        for (_, hertz) in members {
            let loudness = wav::loudness(&heard, f32::from(hertz));
            if hertz == own {
                assert!(loudness < 500.0, "{own} hears himself at {loudness}");
            } else {
                assert!(loudness >= wav::LOUD, "{own} hears {hertz} at {loudness}");
            }
        }
    }
}

/// Two channels at 16 kHz: what the server must make one of at 8.
fn write_wide(path: &Path, samples: &[i16]) {
    let spec = hound::WavSpec {
        channels: 2,
        sample_rate: 2 * wav::RATE,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut file = hound::WavWriter::create(path, spec).expect("a WAV file can be created");
    let pairs = samples.windows(2);
    for pair in pairs {
        let between = i16::midpoint(pair[0], pair[1]);
        for sample in [pair[0], pair[0], between, between] {
            file.write_sample(sample).expect("a sample can be written");
        }
    }
    file.finalize().expect("a WAV file can be finished");
}

#[test]
fn files_are_played_and_written_below_their_folders() {
    let folder = tempfile::tempdir().expect("a folder");
    let [sounds, recordings, secret, play, heard] = [
        "sounds",
        "recordings",
        "secret.wav",
        "play.wav",
        "heard.wav",
    ]
    .map(|name| in_folder(&folder, name));
    for new in [&sounds, &recordings] {
        fs::create_dir(new).expect("a folder can be made");
    }
    let sweep = wav::sweep(4.0, 300.0, 2500.0);
    write_wide(&sounds.join("hello.wav"), &sweep);
    wav::write(&secret, &sweep);
    wav::write(&play, &sweep);
    #[cfg(unix)]
    std::os::unix::fs::symlink(&secret, sounds.join("link.wav")).expect("a link can be made");

    let config = tempfile::tempdir().expect("a folder");
    write(config.path().join("regfile.conf"), REGFILE);
    let routes = "[default]\n^6\\(.*\\)$=wave/play/\\1\n^5$=wave/record/memo;maxlen=48000\n";
    write(config.path().join("regexroute.conf"), routes);
    let more = ["--sounds", text(&sounds), "--recordings", text(&recordings)];
    let server = Server::start_in(config, "127.0.24.52:5060", &more);

    // The server hangs up when it has played all; so it does when it has heard enough.
    let files = format!("--play {} --record {}", text(&play), text(&heard));
    let listen = "127.0.24.187:5060";
    let said = call(&server.address, listen, "6hello", &files);
    assert!(said.contains("the other side hung up"), "{said}");
    let played = wav::resemblance(&wav::read(&heard), &sweep);
    assert!(played > 0.9, "the announcement is heard at {played}");
    for _ in 0..2 {
        let said = call(&server.address, listen, "5", &files);
        assert!(said.contains("the other side hung up"), "{said}");
    }

    for number in ["6link", "6missing", "6%2e%2e%2fsecret"] {
        let phone = Program::phone(&format!(
            "call sip:{number}@{} --server {} --user u1 --password secret1 --listen {listen}",
            server.address, server.address,
        ));
        let (_, said) = phone.finish(PATIENCE);
        assert!(said.contains("404"), "{number}:\n{said}");
    }
    server.program.stops_well();
    for name in ["memo.wav", "memo-2.wav"] {
        let recorded = wav::read(&recordings.join(name));
        assert_eq!(recorded.len(), 24_000, "48000 bytes are three seconds");
        let recorded = wav::resemblance(&recorded, &sweep[..24_000]);
        assert!(recorded > 0.9, "{name} holds what was said at {recorded}");
    }
}
