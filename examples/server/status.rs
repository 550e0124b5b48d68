//! What the server holds at the moment, told on SIGUSR1.

use offhook_server::Counts;

/// One line.
pub(crate) fn of(counts: Counts) -> String {
    let ua = counts.ua;
    format!(
        "status: {} calls, {} legs, {} voice ports, {} rooms, {} recordings, {} transactions",
        counts.bridges,
        ua.calls,
        counts.ports,
        counts.rooms,
        counts.recordings,
        ua.client_transactions + ua.server_transactions,
    )
}

/// The signals that ask.
pub(crate) struct Questions {
    #[cfg(unix)]
    signals: tokio::signal::unix::Signal,
}

#[cfg(unix)]
pub(crate) fn questions() -> std::io::Result<Questions> {
    use tokio::signal::unix::{SignalKind, signal};
    let signals = signal(SignalKind::user_defined1())?;
    Ok(Questions { signals })
}

#[cfg(not(unix))]
#[expect(clippy::unnecessary_wraps, reason = "elsewhere it may fail")]
pub(crate) const fn questions() -> std::io::Result<Questions> {
    Ok(Questions {})
}

impl Questions {
    /// The next time somebody asks.
    #[cfg(unix)]
    pub(crate) async fn next(&mut self) {
        if self.signals.recv().await.is_none() {
            std::future::pending::<()>().await;
        }
    }

    #[cfg(not(unix))]
    pub(crate) async fn next(&mut self) {
        std::future::pending::<()>().await;
    }
}
