//! What a person types while the phone runs.

use std::io::BufRead;

use tokio::sync::mpsc;

/// What a key asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Key {
    Answer,
    HangUp,
    Reject,
    Quit,
    Digit(char),
    Hold,
    Resume,
    /// Keep back what we say, or no longer.
    Mute,
    /// Have the other side call somebody else.
    Transfer(String),
    /// Put the call on hold and ask somebody.
    Consult(String),
    /// Connect who waits with who was asked.
    Connect,
    /// Ctrl-C, or the system wants us to end.
    Interrupt,
}

impl Key {
    const fn of(letter: char) -> Option<Self> {
        match letter {
            'a' => Some(Self::Answer),
            'h' | 'b' => Some(Self::HangUp),
            'r' => Some(Self::Reject),
            'x' => Some(Self::Hold),
            'X' => Some(Self::Resume),
            'm' => Some(Self::Mute),
            'T' => Some(Self::Connect),
            'q' => Some(Self::Quit),
            '0'..='9' | '*' | '#' => Some(Self::Digit(letter)),
            _ => None,
        }
    }

    /// What a line asks for: a word, or one key a letter.
    fn of_line(line: &str) -> Vec<Self> {
        let line = line.trim();
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        match (word, rest.trim()) {
            ("answer", "") => vec![Self::Answer],
            ("hangup", "") => vec![Self::HangUp],
            ("reject", "") => vec![Self::Reject],
            ("hold", "") => vec![Self::Hold],
            ("resume", "") => vec![Self::Resume],
            ("mute", "") => vec![Self::Mute],
            ("connect", "") => vec![Self::Connect],
            ("quit", "") => vec![Self::Quit],
            ("t" | "transfer", target) if !target.is_empty() => {
                vec![Self::Transfer(target.to_owned())]
            }
            ("c" | "consult", target) if !target.is_empty() => {
                vec![Self::Consult(target.to_owned())]
            }
            _ => line.chars().filter_map(Self::of).collect(),
        }
    }
}

/// The keys, each followed by Enter. On a thread of its own: a read of the terminal cannot be
/// broken off, and must not keep the program from ending.
pub(crate) fn keys() -> mpsc::Receiver<Key> {
    let (sender, keys) = mpsc::channel(16);
    tokio::spawn(interrupts(sender.clone()));
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            for key in Key::of_line(&line) {
                if sender.blocking_send(key).is_err() {
                    return;
                }
            }
        }
    });
    keys
}

/// Tells of each interrupt.
async fn interrupts(sender: mpsc::Sender<Key>) {
    loop {
        if interrupted().await.is_err() || sender.send(Key::Interrupt).await.is_err() {
            return;
        }
    }
}

#[cfg(unix)]
async fn interrupted() -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        done = tokio::signal::ctrl_c() => done,
        _ = terminate.recv() => Ok(()),
    }
}

#[cfg(not(unix))]
async fn interrupted() -> std::io::Result<()> {
    tokio::signal::ctrl_c().await
}
