//! How users prove who they are: the options about digests and passwords.

use clap::Args;
use offhook_auth::Algorithm;
use offhook_auth::digest::Qop;
use offhook_server::Config;

/// How users log in.
#[derive(Args, Clone, Debug)]
pub(crate) struct Login {
    /// Digest algorithms to offer, the most wanted first: MD5, SHA-256, SHA-512-256, each also with
    /// -sess. Phones take the first that they know; old ones give up when MD5 is not the first.
    #[arg(long, value_name = "LIST", value_delimiter = ',', default_value = "MD5", value_parser = algorithm)]
    digest: Vec<Algorithm>,

    /// What a digest covers: auth (method and URI), auth-int (the body too), or both.
    #[arg(long, value_name = "LIST", value_delimiter = ',', default_value = "auth", value_parser = qop)]
    qop: Vec<Qop>,

    /// Take a digest only if its uri is the very text of the Request-URI.
    #[arg(long)]
    exact_uri: bool,

    /// Let `password=` without a value in regfile.conf mean that any password is good.
    #[arg(long)]
    pub(crate) allow_empty_passwords: bool,
}

impl Login {
    pub(crate) fn apply(&self, config: &mut Config) {
        config.digest.algorithms.clone_from(&self.digest);
        config.digest.qop.clone_from(&self.qop);
        config.digest.exact_uri = self.exact_uri;
    }
}

fn algorithm(name: &str) -> Result<Algorithm, String> {
    name.trim()
        .parse()
        .map_err(|error| format!("{error}; known are MD5, SHA-256 and SHA-512-256"))
}

fn qop(name: &str) -> Result<Qop, String> {
    Qop::parse(name.trim()).ok_or_else(|| "known are auth and auth-int".to_owned())
}
