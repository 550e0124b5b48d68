//! Bindings in one Redis for several servers: the option `--location`, and the feature `redis` behind it.

use std::net::SocketAddr;

use clap::Args;
use offhook_routing::location::{Answer, Question};
use offhook_server::SharedLocation;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use crate::setup::Failure;

/// Where users are looked up.
#[derive(Args, Clone, Debug)]
pub(crate) struct LocationArguments {
    /// Keep registrations in this Redis, shared with other servers: a phone that is logged in at one
    /// of them is called through all.
    #[arg(long, value_name = "redis://HOST:PORT/DATABASE")]
    location: Option<String>,

    /// With --location: where the other servers reach this one. They call through it the phones that
    /// only it can reach, behind NAT or on a connection. [default: the first address it listens on]
    #[arg(long, value_name = "ADDR:PORT", requires = "location")]
    node: Option<SocketAddr>,
}

impl LocationArguments {
    pub(crate) const fn is_shared(&self) -> bool {
        self.location.is_some()
    }

    /// What the server has to know of it, and the way to the store.
    pub(crate) fn start(
        &self,
        listen: &[SocketAddr],
    ) -> Result<Option<(SharedLocation, Location)>, Failure> {
        let Some(url) = &self.location else {
            return Ok(None);
        };
        let node = self.node.or_else(|| listen.first().copied());
        let Some(node) = node.filter(|node| !node.ip().is_unspecified()) else {
            return Err(
                "--location: say with --node where the other servers reach this one".into(),
            );
        };
        Ok(Some((SharedLocation::new(node), Location::start(url)?)))
    }
}

/// The store of bindings, asked in a thread of its own.
pub(crate) struct Location {
    #[cfg(feature = "redis")]
    store: offhook_store::SharedBindings,
    answers: UnboundedReceiver<Answer>,
}

impl Location {
    #[cfg(feature = "redis")]
    fn start(url: &str) -> Result<Self, Failure> {
        let (sender, answers) = unbounded_channel();
        let config = offhook_store::SharedConfig::new(url);
        let store = offhook_store::SharedBindings::start(config, move |answer| {
            // A server that is being stopped wants no answers.
            let _stopping = sender.send(answer);
        })?;
        Ok(Self { store, answers })
    }

    #[cfg(not(feature = "redis"))]
    fn start(_url: &str) -> Result<Self, Failure> {
        let (_sender, _answers) = unbounded_channel::<Answer>();
        Err("--location: this server was built without Redis (cargo build --features redis)".into())
    }

    /// Asks; gives the answer when it is known at once.
    #[cfg(feature = "redis")]
    pub(crate) fn ask(&self, question: Question) -> Option<Answer> {
        self.store.ask(question).err()
    }

    #[cfg(not(feature = "redis"))]
    #[allow(clippy::unused_self, reason = "the other build uses it")]
    pub(crate) fn ask(&self, _question: Question) -> Option<Answer> {
        None
    }

    /// The next answer of the store, if there is one; otherwise waits for ever.
    pub(crate) async fn next(location: Option<&mut Self>) -> Answer {
        if let Some(location) = location
            && let Some(answer) = location.answers.recv().await
        {
            return answer;
        }
        std::future::pending().await
    }
}
