//! Opens an HTTP client's connections over a network that is handed in, with TLS for `https`.

use crate::{GuardError, SharedNetwork, Stream};
use hyper::Uri;
use hyper_util::{
    client::legacy::connect::{Connected, Connection},
    rt::TokioIo,
};
use rustls_platform_verifier::BuilderVerifierExt as _;
use std::{
    future::Future,
    io,
    pin::Pin,
    sync::{Arc, OnceLock},
    task::{Context, Poll},
    time::Duration,
};
use tokio::time::timeout;
use tokio_rustls::{
    TlsConnector,
    rustls::{
        self, ClientConfig,
        crypto::aws_lc_rs,
        pki_types::{InvalidDnsNameError, ServerName},
    },
};
use tower_service::Service;

/// How long connecting may take, TLS included.
const CONNECT: Duration = Duration::from_secs(10);

/// Why there is no connection.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ConnectError {
    /// The network has none.
    #[error("{0}")]
    Network(Arc<io::Error>),
    /// Connecting takes too long.
    #[error("no connection within {0:?}")]
    Slow(Duration),
    /// No certificate can name this host.
    #[error("TLS can't name the host: {0}")]
    Name(Arc<InvalidDnsNameError>),
    /// The system's certificates can't be read, so no host can be trusted.
    #[error("certificates of this system: {0}")]
    Certificates(rustls::Error),
    /// The host answers `https` with something else.
    #[error("the host does not speak TLS: {0}")]
    NotTls(rustls::Error),
    /// The host is not the one that it should be, or TLS fails otherwise.
    #[error("TLS: {0}")]
    Tls(rustls::Error),
    /// The connection is lost before it can be used.
    #[error("connection ended during the TLS handshake: {0}")]
    Handshake(Arc<io::Error>),
}

impl ConnectError {
    /// Whether this machine is at fault, its network or its resolver: it is out of descriptors,
    /// say, or has no route. What only the host can do (refuse, hang up, be too slow, be somebody
    /// else) is the host's.
    #[must_use]
    pub fn is_own(&self) -> bool {
        match self {
            Self::Network(error) => is_own(error),
            Self::Certificates(_) => true,
            Self::Slow(_) | Self::Name(_) | Self::NotTls(_) | Self::Tls(_) | Self::Handshake(_) => false,
        }
    }

    fn of_handshake(error: io::Error) -> Self {
        match error.get_ref().and_then(|source| source.downcast_ref::<rustls::Error>()) {
            Some(error @ rustls::Error::InvalidMessage(_)) => Self::NotTls(error.clone()),
            Some(error) => Self::Tls(error.clone()),
            None => Self::Handshake(Arc::new(error)),
        }
    }
}

fn is_own(error: &io::Error) -> bool {
    use io::ErrorKind as Kind;
    match GuardError::of(error) {
        Some(GuardError::Private(_)) => return false,
        // nobody can tell a name that is gone from a resolver that is
        Some(GuardError::Resolve(_)) => return true,
        None => {}
    }
    // not those of the host: the kinds of this machine have no end
    !matches!(
        error.kind(),
        Kind::ConnectionRefused
            | Kind::ConnectionReset
            | Kind::ConnectionAborted
            | Kind::TimedOut
            | Kind::UnexpectedEof
            | Kind::BrokenPipe
            | Kind::InvalidInput
            | Kind::InvalidData
    )
}

impl Connection for Stream {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

/// Opens connections.
#[derive(Clone, Debug)]
pub(crate) struct Connector {
    network: SharedNetwork,
    // it is made for the first `https` URL; most clients never meet one
    tls: Arc<OnceLock<Arc<ClientConfig>>>,
}

impl Connector {
    pub(crate) fn new(network: SharedNetwork) -> Self {
        Self { network, tls: Arc::default() }
    }

    fn tls(&self) -> Result<TlsConnector, ConnectError> {
        let config = match self.tls.get() {
            Some(config) => config,
            None => {
                let config = trusting_the_systems_certificates().map_err(ConnectError::Certificates)?;
                self.tls.get_or_init(|| Arc::new(config))
            }
        };
        Ok(TlsConnector::from(Arc::clone(config)))
    }

    async fn connect(&self, uri: &Uri) -> Result<Stream, ConnectError> {
        let https = uri.scheme_str() == Some("https");
        let host = uri.host().unwrap_or_default(); // no URL of http or https is without
        let port = uri.port_u16().unwrap_or(if https { 443 } else { 80 });
        let address = format!("{host}:{port}");
        let connecting = self.network.connect(&address);
        let connection = |error| ConnectError::Network(Arc::new(error));
        if !https {
            return connecting.await.map_err(connection);
        }
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let name = ServerName::try_from(bare.to_owned());
        let name = name.map_err(|error| ConnectError::Name(Arc::new(error)))?;
        let tls = self.tls()?;
        let stream = connecting.await.map_err(connection)?;
        let stream = tls.connect(name, stream).await.map_err(ConnectError::of_handshake)?;
        Ok(Box::new(stream))
    }
}

fn trusting_the_systems_certificates() -> Result<ClientConfig, rustls::Error> {
    let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
    Ok(builder.with_safe_default_protocol_versions()?.with_platform_verifier()?.with_no_client_auth())
}

impl Service<Uri> for Connector {
    type Response = TokioIo<Stream>;
    type Error = ConnectError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, ConnectError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), ConnectError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let connector = self.clone();
        Box::pin(async move {
            let connected = timeout(CONNECT, connector.connect(&uri)).await;
            connected.unwrap_or(Err(ConnectError::Slow(CONNECT))).map(TokioIo::new)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Listener, Network, Pending};
    use base64::{Engine as _, prelude::BASE64_STANDARD};
    use std::net::SocketAddr;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};
    use tokio_rustls::{
        TlsAcceptor,
        rustls::{
            CertificateError, RootCertStore, ServerConfig,
            pki_types::{CertificateDer, PrivateKeyDer},
        },
    };

    /// A certificate for the name `host` until the year 9999, signed with its own key, and that
    /// key. Nothing but these tests knows them.
    const CERTIFICATE: &str = "\
        MIIBDjCBwaADAgECAgEBMAUGAytlcDAPMQ0wCwYDVQQDDARob3N0MCAXDTIwMDEwMTAwMDAwMFoYDzk5OTkxMjMx\
        MjM1OTU5WjAPMQ0wCwYDVQQDDARob3N0MCowBQYDK2VwAyEAnLdIBd7dalK41T/wFWqWww/v/f9hcF/1QOvUPxg3\
        nYCjQDA+MA8GA1UdEQQIMAaCBGhvc3QwDAYDVR0TAQH/BAIwADAdBgNVHQ4EFgQU+OwwTKHcjv8EY9IxaXOUirzm\
        vvQwBQYDK2VwA0EAs/NJir07H5X+DyvY9DDzJsdSMYUlKLuiq/iFt1+q6P1F1tJDR+MRbrskbtYVFzDvXe9eBr8h\
        HBZ+WfgaXscGBQ==";
    const KEY: &str = "MC4CAQAwBQYDK2VwBCIEIB3+57yZ06UNUOEH4zGOxxY2vlI3E19pV/ys/Rn06fKl";

    fn decoded(text: &str) -> Vec<u8> {
        BASE64_STANDARD.decode(text).unwrap()
    }

    /// A network whose only host greets over TLS, and has a certificate for the name `host`.
    struct Host {
        tls: TlsAcceptor,
        certificate: CertificateDer<'static>,
    }

    impl std::fmt::Debug for Host {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.debug_struct("Host").finish_non_exhaustive()
        }
    }

    impl Host {
        fn new() -> Self {
            let certificate = CertificateDer::from(decoded(CERTIFICATE));
            let key = PrivateKeyDer::try_from(decoded(KEY)).unwrap();
            let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
            let config = config.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
            let config = config.with_single_cert(vec![certificate.clone()], key).unwrap();
            Self { tls: TlsAcceptor::from(Arc::new(config)), certificate }
        }

        /// Settings that trust this host and no other.
        fn trusted(&self) -> ClientConfig {
            let mut roots = RootCertStore::empty();
            roots.add(self.certificate.clone()).unwrap();
            let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
            let config = config.with_safe_default_protocol_versions().unwrap();
            config.with_root_certificates(roots).with_no_client_auth()
        }
    }

    impl Network for Host {
        fn listen(&self, _: SocketAddr) -> Pending<'_, Box<dyn Listener>> {
            Box::pin(async { Err(io::ErrorKind::Unsupported.into()) })
        }

        fn connect<'a>(&'a self, _: &'a str) -> Pending<'a, Stream> {
            let (ours, theirs) = duplex(65_536);
            let tls = self.tls.clone();
            tokio::spawn(async move {
                if let Ok(mut stream) = tls.accept(theirs).await {
                    stream.write_all(b"hello").await.unwrap();
                    stream.shutdown().await.unwrap();
                }
            });
            Box::pin(async {
                let stream: Stream = Box::new(ours);
                Ok(stream)
            })
        }
    }

    #[tokio::test]
    async fn a_host_is_reached_by_the_name_in_its_certificate_only() {
        let host = Host::new();
        let tls = Arc::new(OnceLock::from(Arc::new(host.trusted())));
        let mut connector = Connector { network: Arc::new(host), tls };
        let mut stream = connector.call(Uri::from_static("https://host/")).await.unwrap().into_inner();
        let mut read = String::new();
        stream.read_to_string(&mut read).await.unwrap();
        assert_eq!(read, "hello");
        let error = connector.call(Uri::from_static("https://other/")).await.unwrap_err();
        let ConnectError::Tls(rustls::Error::InvalidCertificate(reason)) = &error else {
            panic!("{error:?}")
        };
        assert!(matches!(reason, CertificateError::NotValidForNameContext { .. }), "{reason:?}");
    }

    #[test]
    fn trouble_of_this_machine_is_told_from_that_of_a_host() {
        let of = |error: io::Error| ConnectError::Network(Arc::new(error)).is_own();
        let guard = |error| of(io::Error::other(error));
        // EMFILE, ENFILE, ENOBUFS, ENETUNREACH, EHOSTUNREACH, EADDRNOTAVAIL, ENOMEM, EPERM
        for code in [24, 23, 105, 101, 113, 99, 12, 1] {
            assert!(of(io::Error::from_raw_os_error(code)), "{code}");
        }
        assert!(guard(GuardError::Resolve(io::ErrorKind::Other)));
        assert!(ConnectError::Certificates(rustls::Error::DecryptError).is_own());
        // ECONNREFUSED, ECONNRESET, ETIMEDOUT
        for code in [111, 104, 110] {
            assert!(!of(io::Error::from_raw_os_error(code)), "{code}");
        }
        assert!(!guard(GuardError::Private(std::net::Ipv4Addr::LOCALHOST.into())));
        assert!(!ConnectError::Slow(CONNECT).is_own());
        assert!(!ConnectError::Tls(rustls::Error::DecryptError).is_own());
    }

    #[tokio::test]
    async fn a_certificate_that_the_system_does_not_know_is_refused() {
        let mut connector = Connector::new(Arc::new(Host::new()));
        let error = connector.call(Uri::from_static("https://host/")).await.unwrap_err();
        assert_eq!(error.to_string(), "TLS: invalid peer certificate: UnknownIssuer");
    }
}
