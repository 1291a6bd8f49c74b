//! Ends the session in a tunnel and signs it again.

use std::io;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::ring;
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::Config;
use crate::authority::{Key, LeafSpec};
use crate::hello::{self, Opening};
use crate::journal::Journal;
use crate::tlspeer::TlsPeer;

/// The client sees what the proxy agrees to, under a certificate of the proxy's for the name that the hello has, or else
/// the one that was asked for.
pub(super) async fn inspect(
    mut client: TcpStream,
    server: TcpStream,
    host: &str,
    config: &Config,
    name: &str,
    journal: &Journal,
) -> io::Result<()> {
    let Some(inspector) = &config.inspector else { return Ok(()) };
    let opening = hello::read(&mut client).await?;
    let subject = match &opening {
        Opening::Hello(hello, _) => hello.server_name.clone().unwrap_or_else(|| host.to_owned()),
        _ => host.to_owned(),
    };
    let now = config.clock.now();
    let spec = LeafSpec {
        common_name: subject.clone(),
        dns_names: vec![subject.clone()],
        validity: (now - 86_400, now + 90 * 86_400),
        usages: vec![rcgen::ExtendedKeyUsagePurpose::ServerAuth],
        ..LeafSpec::default()
    };
    let key = Key::named("server-2").map_err(io::Error::other)?;
    let leaf = inspector.issue(&spec, &key).map_err(io::Error::other)?;
    let mut chain = vec![leaf.der.clone()];
    chain.extend(inspector.issuing.as_ref().map(|issuing| issuing.der.clone()));
    let peer = TlsPeer::new(config.inspects.clone(), chain, &key);
    let Some(mut inside) = peer.answer(opening, client, name, journal).await else { return Ok(()) };
    let asking = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(AnyServer))
        .with_no_client_auth();
    let server_name = ServerName::try_from(subject).map_err(io::Error::other)?;
    let mut outside = TlsConnector::from(Arc::new(asking)).connect(server_name, server).await?;
    tokio::io::copy_bidirectional(&mut inside, &mut outside).await.map(|_| ())
}

/// An inspecting proxy that checks nothing.
#[derive(Debug)]
struct AnyServer;

impl ServerCertVerifier for AnyServer {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }
    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }
    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }
    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        ring::default_provider().signature_verification_algorithms.supported_schemes()
    }
}
