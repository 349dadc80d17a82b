//! What users say of TLS.

use std::{fmt, io, sync::Arc};

use rustls::{
    ClientConfig, RootCertStore, ServerConfig,
    crypto::{CryptoProvider, ring},
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use serde::{Deserialize, Serialize};

use super::pinned::Pinned;
pub(crate) use super::{client::dial, front::Front};
use crate::Builder;

/// The certificate of a manager's server, and its private key: with the feature `tls`.
///
/// # Python
///
/// No counterpart: CPython's managers send in the clear, and cannot talk to one with TLS.
///
/// # Examples
///
/// ```no_run
/// use multiproc_managers::{BaseManager, TlsServer, types::Queue};
///
/// let identity = TlsServer::from_pem(std::fs::read("cert.pem")?, std::fs::read("key.pem")?);
/// let server = BaseManager::builder().address("0.0.0.0:5000").authkey("k").tls_server(identity);
/// server.share("get_queue", Queue::new()).serve_forever()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct TlsServer {
    certificates: Vec<u8>,
    key: Vec<u8>,
}

impl TlsServer {
    /// Takes a chain of certificates, the server's first, and its key, as PEM.
    ///
    /// What is wrong with them is an error of what starts the server.
    #[must_use]
    pub fn from_pem(certificates: impl Into<Vec<u8>>, key: impl Into<Vec<u8>>) -> Self {
        Self { certificates: certificates.into(), key: key.into() }
    }

    /// What the server's own process starter is told. The key goes nowhere else.
    pub(crate) fn into_parts(self) -> (Vec<u8>, Vec<u8>) {
        (self.certificates, self.key)
    }

    pub(crate) fn from_parts((certificates, key): (Vec<u8>, Vec<u8>)) -> Option<Self> {
        Some(Self { certificates, key })
    }

    /// What trusts this server and no other.
    pub(crate) fn own_client(&self) -> TlsClient {
        TlsClient::pinned(self.certificates.clone())
    }

    pub(super) fn config(&self) -> io::Result<ServerConfig> {
        let chain = certificates(&self.certificates)?;
        let key = PrivateKeyDer::from_pem_slice(&self.key).map_err(invalid)?;
        let config = ServerConfig::builder_with_provider(provider());
        let config = config.with_safe_default_protocol_versions().map_err(invalid)?;
        config.with_no_client_auth().with_single_cert(chain, key).map_err(invalid)
    }
}

/// Without the key.
impl fmt::Debug for TlsServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsServer").finish_non_exhaustive()
    }
}

/// What a client trusts to be its manager's server: with the feature `tls`.
///
/// It goes with proxies to other processes of the program.
///
/// # Python
///
/// No counterpart.
///
/// # Examples
///
/// ```no_run
/// use multiproc_managers::{BaseManager, TlsClient};
///
/// let trusted = TlsClient::pinned(std::fs::read("cert.pem")?);
/// let manager = BaseManager::builder().address("host:5000").authkey("k").tls_client(trusted);
/// let queue = manager.connect()?.create("get_queue", ())?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TlsClient {
    trust: Trust,
    name: Option<String>,
}

/// As PEM: what is public anyway.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Trust {
    Roots(Vec<u8>),
    One(Vec<u8>),
}

impl TlsClient {
    /// Trusts servers whose certificates were issued by one of these authorities, given as PEM, for the
    /// host that is connected to.
    #[must_use]
    pub fn roots(authorities: impl Into<Vec<u8>>) -> Self {
        Self { trust: Trust::Roots(authorities.into()), name: None }
    }

    /// Trusts the server with this certificate, given as PEM, whoever has issued it and for whatever host,
    /// and no other.
    #[must_use]
    pub fn pinned(certificate: impl Into<Vec<u8>>) -> Self {
        Self { trust: Trust::One(certificate.into()), name: None }
    }

    /// Sets the name that the server's certificate has to be for, unless it is the host connected to.
    #[must_use]
    pub fn server_name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    pub(super) fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    pub(super) fn config(&self) -> io::Result<ClientConfig> {
        let provider = provider();
        let config = ClientConfig::builder_with_provider(provider.clone());
        let config = config.with_safe_default_protocol_versions().map_err(invalid)?;
        let config = match &self.trust {
            Trust::Roots(pem) => {
                let mut roots = RootCertStore::empty();
                for authority in certificates(pem)? {
                    roots.add(authority).map_err(invalid)?;
                }
                config.with_root_certificates(roots)
            }
            Trust::One(pem) => {
                let certificate = certificates(pem)?.swap_remove(0);
                let pinned = Arc::new(Pinned::new(certificate, &provider));
                config.dangerous().with_custom_certificate_verifier(pinned)
            }
        };
        Ok(config.with_no_client_auth())
    }
}

impl Builder {
    /// Has the server seal what goes over TCP, with this certificate: with the feature `tls`.
    ///
    /// Its address has to be one of TCP. Clients need [`tls_client`](Self::tls_client).
    pub fn tls_server(mut self, identity: TlsServer) -> Self {
        self.tls_server = Some(identity);
        self
    }

    /// Has the client connect by TLS, to a server that it trusts: with the feature `tls`.
    pub fn tls_client(mut self, trusted: TlsClient) -> Self {
        self.tls_client = Some(trusted);
        self
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

/// At least one certificate.
fn certificates(pem: &[u8]) -> io::Result<Vec<CertificateDer<'static>>> {
    let found: Vec<_> =
        CertificateDer::pem_slice_iter(pem).collect::<Result<_, _>>().map_err(invalid)?;
    if found.is_empty() {
        return Err(invalid("there is no certificate in the PEM text"));
    }
    Ok(found)
}

fn invalid(err: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, err)
}
