//! Missing issuers, fetched from where their subordinates say that they are served.

use std::time::Duration;

use super::Walker;
use crate::evidence::{DialAnswer, HttpAnswer, Outcome, Scheme, Target};
use crate::settings::{ProxyHop, ProxyKind};
use crate::step::chain::IssuerSource;
use crate::step::exchange::Request;
use crate::step::{exchange, proxy};

/// Fetches missing issuers as Windows does: plain HTTP, through WinHTTP's proxy where one is known, never through
/// the one that WSUS is set to use; and through the one that this run was told to use, without which a desk may not get
/// out. Where they do not give it the direct way is tried too, whatever the bypass list says.
pub(super) struct Fetcher<'a, 'b> {
    pub(super) walker: &'a Walker<'b>,
    pub(super) wait: Duration,
}

impl IssuerSource for Fetcher<'_, '_> {
    async fn fetch(&self, url: &str) -> Result<Vec<u8>, String> {
        let target = fetch_target(url)?;
        for hop in &self.walker.issuer_proxies {
            if let Ok(der) = self.ask(&target, &hop.host, hop.port, Some(hop)).await {
                return Ok(der);
            }
        }
        self.ask(&target, &target.host, target.port, None).await
    }
}

impl Fetcher<'_, '_> {
    async fn ask(
        &self,
        target: &Target,
        host: &str,
        port: u16,
        hop: Option<&ProxyHop>,
    ) -> Result<Vec<u8>, String> {
        let mut why = String::from("its name gives no address");
        for lane in self.walker.lanes_unrecorded(host, port).await?.into_iter().take(2) {
            let stream = match self.walker.net.dial(lane.address, lane.stands_in, self.wait).await {
                Ok(stream) => stream,
                Err(answer) => {
                    why = match answer {
                        DialAnswer::Refused => "its server refuses the connection".into(),
                        DialAnswer::Timeout => "its server does not answer".into(),
                        DialAnswer::Unreachable { why } | DialAnswer::Failed { why } => why,
                        DialAnswer::Connected => String::new(),
                    };
                    continue;
                }
            };
            let absolute = hop.is_some_and(|hop| hop.kind == ProxyKind::Http);
            let request = Request { method: "GET", target, absolute, headers: &[], body: "" };
            let answer = match hop {
                Some(hop) if !absolute => {
                    let way = self.walker.way(hop, lane, self.wait);
                    let tunnel =
                        proxy::tunnel(&way, Box::new(stream), &target.host, target.port).await.tunnel;
                    let Some(tunnel) = tunnel else {
                        why = "the proxy gives no connection to its server".into();
                        continue;
                    };
                    exchange::send(tunnel, request, self.wait).await
                }
                // Credentials go to it only where it is the run's proxy too.
                Some(hop) => {
                    let way = self.walker.way(hop, lane, self.wait);
                    Box::pin(proxy::send(&way, Box::new(stream), request)).await.0
                }
                None => exchange::send(Box::new(stream), request, self.wait).await,
            };
            match answer.outcome {
                Outcome::Http {
                    answer: HttpAnswer::Response { status: 200, complete: true, .. }, ..
                } => {
                    return certificate_of(answer.body);
                }
                Outcome::Http { answer: HttpAnswer::Response { status, .. }, .. } => {
                    why = format!("its server answers {status}");
                }
                _ => why = "its server gives no HTTP answer".into(),
            }
        }
        Err(why)
    }
}

fn fetch_target(url: &str) -> Result<Target, String> {
    let url = url::Url::parse(url).map_err(|_| "its URL cannot be read".to_string())?;
    if url.scheme() != "http" {
        return Err("its URL is not plain HTTP".into());
    }
    let host = url.host_str().unwrap_or_default().trim_start_matches('[').trim_end_matches(']').to_string();
    let path = match url.query() {
        Some(query) => format!("{}?{query}", url.path()),
        None => url.path().to_string(),
    };
    Ok(Target { scheme: Scheme::Http, host, port: url.port().unwrap_or(80), path })
}

/// The DER of what is served: DER itself, or PEM.
fn certificate_of(body: Vec<u8>) -> Result<Vec<u8>, String> {
    use rustls_pki_types::CertificateDer;
    use rustls_pki_types::pem::PemObject;
    if body.starts_with(b"-----BEGIN") {
        return CertificateDer::from_pem_slice(&body)
            .map(|der| der.to_vec())
            .map_err(|_| "what is served there is no certificate".into());
    }
    Ok(body)
}
