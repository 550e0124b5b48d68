//! SIGHUP: the two files are read again, beside the running server.

use offhook_server::Office;
use tokio::task::JoinHandle;
use tracing::{error, info};

use crate::args::Arguments;
use crate::setup;

/// Waits for a wish to reload, and reads the files in a thread of its own: a big file must not hold
/// up calls.
pub(crate) struct Reload {
    arguments: Arguments,
    #[cfg(unix)]
    wish: tokio::signal::unix::Signal,
    reading: Option<JoinHandle<Result<Office, String>>>,
}

impl Reload {
    /// From here on SIGHUP reloads and does not end the program.
    pub(crate) fn new(arguments: Arguments) -> Result<Self, setup::Failure> {
        Ok(Self {
            arguments,
            #[cfg(unix)]
            wish: tokio::signal::unix::signal(tokio::signal::unix::SignalKind::hangup())?,
            reading: None,
        })
    }

    /// The next office that is good; a bad one is told, and the old one stays.
    pub(crate) async fn next(&mut self) -> Office {
        loop {
            if let Some(reading) = &mut self.reading {
                let read = reading.await;
                self.reading = None;
                match read {
                    Ok(Ok(office)) => {
                        let users = office.directory.users().count();
                        info!("regfile.conf and regexroute.conf are read again: {users} user(s)");
                        return office;
                    }
                    Ok(Err(why)) => error!("nothing is changed: {why}"),
                    Err(panicked) => error!("nothing is changed: {panicked}"),
                }
            }
            self.wished().await;
            let arguments = self.arguments.clone();
            let read = move || setup::office(&arguments).map_err(|error| error.to_string());
            self.reading = Some(tokio::task::spawn_blocking(read));
        }
    }

    #[cfg(unix)]
    async fn wished(&mut self) {
        if self.wish.recv().await.is_none() {
            std::future::pending::<()>().await;
        }
    }

    #[cfg(not(unix))]
    async fn wished(&mut self) {
        std::future::pending::<()>().await;
    }
}
