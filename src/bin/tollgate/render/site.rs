//! What the configuration needs to know about the machine Envoy runs on.

use std::path::PathBuf;

use anyhow::Context;
use tollgate::envoy::Site;

/// Where distributions keep the certificates of the authorities they trust, as one file.
const CA_FILES: [&str; 6] = [
    "/etc/ssl/certs/ca-certificates.crt",                // Debian, Ubuntu, Alpine, Arch
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", // Fedora, RHEL
    "/etc/pki/tls/certs/ca-bundle.crt",                  // older ones of them
    "/etc/ssl/ca-bundle.pem",                            // openSUSE
    "/etc/pki/tls/cacert.pem",                           // OpenELEC
    "/etc/ssl/cert.pem",                                 // macOS, FreeBSD
];

#[derive(clap::Args)]
pub(crate) struct Options {
    /// The authorities that providers' certificates are checked against, a PEM file [default: the system's].
    #[arg(long, value_name = "PATH")]
    ca_file: Option<PathBuf>,

    /// Write a line per request into this file (/dev/stdout works): time, id, path, status, provider. Nothing of prompts or
    /// credentials.
    #[arg(long, value_name = "PATH")]
    access_log: Option<PathBuf>,

    /// Cut a request that has been silent in both directions for so long. A model that thinks is silent.
    #[arg(long, value_name = "SECONDS", default_value_t = Site::STREAM_IDLE_SECONDS,
          value_parser = clap::value_parser!(u64).range(1..=86_400))]
    idle_timeout: u64,
}

impl Options {
    /// The site with this module and run directory, both absolute.
    pub(crate) fn site(&self, module: PathBuf, run_dir: PathBuf) -> anyhow::Result<Site> {
        let mut site = Site::new(module, run_dir, self.ca_file()?);
        site.stream_idle_seconds = self.idle_timeout;
        site.access_log = self
            .access_log
            .as_ref()
            .map(std::path::absolute)
            .transpose()
            .context("--access-log")?;
        Ok(site)
    }

    fn ca_file(&self) -> anyhow::Result<PathBuf> {
        if let Some(path) = &self.ca_file {
            return std::path::absolute(path).context("--ca-file");
        }
        let environment = std::env::var_os("SSL_CERT_FILE").map(PathBuf::from);
        let mut candidates = environment.into_iter().chain(CA_FILES.map(PathBuf::from));
        // Where there is none the first one is as good as any: Envoy names it when a provider needs it.
        Ok(candidates
            .find(|path| path.is_file())
            .unwrap_or_else(|| PathBuf::from(CA_FILES[0])))
    }
}
