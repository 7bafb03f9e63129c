//! Connections: taken up to a bound, over TLS if the desk has a certificate, each with a time within which it has to
//! ask something.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio_rustls::TlsAcceptor;

use super::context::Site;
use super::table;
use crate::desk::Desk;
use crate::error::{Error, Kind, Result};

/// Connections at a time.
const CONNECTIONS: usize = 1500;
/// How long the head of a request, and the greeting of TLS, may take.
const HEAD: Duration = Duration::from_secs(15);
/// How long open requests have to end when the desk stops.
const GRACE: Duration = Duration::from_secs(3);
/// Pause after a connection could not be taken, as when there are too many open files.
const PAUSE: Duration = Duration::from_millis(200);

/// Serves the desk's pages on `listener` until `shutdown` resolves.
///
/// # Errors
/// [`Kind::Config`] for a certificate or key that cannot be used.
pub async fn serve(
    desk: Arc<Desk>,
    listener: TcpListener,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<()> {
    let tls = tls(&desk)?;
    let (stop, stopping) = watch::channel(false);
    let site = Arc::new(Site::new(desk, stopping.clone()));
    let router = table::router(&site);
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    let mut shutdown = std::pin::pin!(shutdown);
    loop {
        let place = tokio::select! {
            () = &mut shutdown => break,
            place = Arc::clone(&room).acquire_owned() => place,
        };
        let Ok(place) = place else { break };
        let (stream, address) = tokio::select! {
            () = &mut shutdown => break,
            taken = listener.accept() => match taken {
                Ok(taken) => taken,
                Err(e) => {
                    tracing::debug!("A connection was not taken: {e}");
                    tokio::time::sleep(PAUSE).await;
                    continue;
                }
            },
        };
        let router = router.clone().layer(axum::Extension(address));
        let (tls, stopping) = (tls.clone(), stopping.clone());
        tokio::spawn(async move {
            let _place = place;
            connection(stream, tls, router, stopping).await;
        });
    }
    stop.send_replace(true);
    // All places are free again when all connections have ended.
    let all = u32::try_from(CONNECTIONS).unwrap_or(u32::MAX);
    if tokio::time::timeout(GRACE, room.acquire_many(all)).await.is_err() {
        tracing::debug!("Some connections were cut off.");
    }
    Ok(())
}

async fn connection(
    stream: TcpStream,
    tls: Option<TlsAcceptor>,
    router: Router,
    stopping: watch::Receiver<bool>,
) {
    // Without it small answers wait for others; a socket that refuses it is as good.
    stream.set_nodelay(true).ok();
    match tls {
        None => talk(stream, router, stopping).await,
        Some(tls) => match tokio::time::timeout(HEAD, tls.accept(stream)).await {
            Ok(Ok(stream)) => talk(stream, router, stopping).await,
            Ok(Err(e)) => tracing::debug!("A connection did not speak TLS: {e}"),
            Err(_) => tracing::debug!("A connection did not greet in time."),
        },
    }
}

async fn talk(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    router: Router,
    mut stopping: watch::Receiver<bool>,
) {
    let service = TowerToHyperService::new(router);
    let mut talk = std::pin::pin!(
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD)
            .max_buf_size(64 << 10)
            .serve_connection(TokioIo::new(stream), service)
    );
    let ended = tokio::select! {
        ended = &mut talk => Some(ended),
        () = async { stopping.wait_for(|stops| *stops).await.map(|_| ()).unwrap_or_default() } => None,
    };
    let ended = match ended {
        Some(ended) => ended,
        None => {
            talk.as_mut().graceful_shutdown();
            match tokio::time::timeout(GRACE, talk).await {
                Ok(ended) => ended,
                Err(_) => return,
            }
        }
    };
    if let Err(e) = ended {
        tracing::debug!("A connection broke off: {e}");
    }
}

fn tls(desk: &Desk) -> Result<Option<TlsAcceptor>> {
    let Some((cert, key)) = &desk.plan().web.tls else { return Ok(None) };
    let fault = |what: &str, path: &std::path::Path| {
        Error::new(Kind::Config, format!("{} {what}", path.display()))
            .help("web.cert_file holds the certificate chain and web.key_file its key, both as PEM")
    };
    let chain = CertificateDer::pem_file_iter(cert)
        .and_then(Iterator::collect::<std::result::Result<Vec<_>, _>>)
        .map_err(|e| fault("holds no certificate", cert).caused_by(e))?;
    let key_der = PrivateKeyDer::from_pem_file(key).map_err(|e| fault("holds no key", key).caused_by(e))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| fault("cannot be used", cert).caused_by(e))?
        .with_no_client_auth()
        .with_single_cert(chain, key_der)
        .map_err(|e| fault("and its key do not fit", cert).caused_by(e))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Some(TlsAcceptor::from(Arc::new(config))))
}
