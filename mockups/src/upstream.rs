//! A web site as IIS serves a WSUS: it decides by directory, file and SOAP method.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::net::TcpStream;

use crate::http::{self, Clock, Fate, Request, Response, Service, Variation};
use crate::journal::Journal;
use crate::listen::{self, Running};
use crate::tlspeer::TlsPeer;

/// What a directory or a SOAP method answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// As a healthy server.
    Ok,
    /// 404 of IIS.
    Absent,
    /// The 403 that remote clients get for 403.4, in clear; over TLS as a healthy server.
    SslRequired,
    /// The same, over TLS too.
    SslRequiredHere,
    /// The 403 that remote clients get for 403.7.
    ClientCertificate,
    /// 403.
    Forbidden,
    /// 401 with Negotiate and NTLM.
    Unauthorized,
    /// 503 of HTTP.sys.
    PoolDown,
    /// 404 of HTTP.sys.
    NoSite,
    /// 400 of HTTP.sys.
    BadRequest,
    /// 500 with ASP.NET's page.
    Error,
    /// A SOAP fault with that ErrorCode.
    Fault(String),
    /// 302 to that URL; `https`: to the same over TLS.
    Redirect(String),
    /// 200 with a page of something else.
    Portal,
    /// 200 with plain text.
    Text,
    /// As a healthy server, but sent so.
    Sent(Fate),
    /// That status with a short page.
    Status(u16),
    /// 200 in full where a range was asked for.
    NoRange,
    /// 403 where a range was asked for.
    RangeRefused,
}

/// What kind of site.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Synchronization only.
    Microsoft,
    /// Every service of a WSUS.
    Wsus,
    /// 200 to every path.
    Web,
}

/// A web site.
#[derive(Debug, Clone)]
pub struct Site {
    /// What kind.
    pub kind: Kind,
    /// The `Server` header.
    pub server: String,
    /// What directories answer, by name in lower case; `*` for those not listed.
    pub directories: BTreeMap<String, Answer>,
    /// What SOAP methods answer, over their directory.
    pub methods: BTreeMap<String, Answer>,
    /// Paths in lower case that give bytes, with their type.
    pub serves: BTreeMap<String, (String, Vec<u8>)>,
    /// The protocol version that GetConfigData states.
    pub protocol: String,
    /// What wusserverversion.xml says.
    pub build: String,
    /// Its own name, as GetConfig tells.
    pub name: String,
    /// Its clock.
    pub clock: Clock,
    /// Whether iuident.cab is served.
    pub iuident: bool,
    /// Minutes that a cookie is good for.
    pub cookie_minutes: i64,
    /// What must not matter.
    pub variation: Variation,
}

impl Site {
    /// A healthy upstream WSUS of that name.
    pub fn wsus(name: &str, clock: Clock) -> Site {
        Site {
            kind: Kind::Wsus,
            server: "Microsoft-IIS/10.0".to_owned(),
            directories: BTreeMap::new(),
            methods: BTreeMap::new(),
            serves: BTreeMap::new(),
            protocol: "1.20".to_owned(),
            build: "10.0.26100.1".to_owned(),
            name: name.to_owned(),
            clock,
            iuident: false,
            cookie_minutes: 240,
            variation: Variation::default(),
        }
    }

    fn decide(&self, directory: &str, method: &str) -> Answer {
        self.methods
            .get(method)
            .or_else(|| self.directories.get(directory))
            .or_else(|| self.directories.get("*"))
            .cloned()
            .unwrap_or(Answer::Ok)
    }

    fn healthy(&self, request: &Request, path: &str, directory: &str, secure: bool) -> Response {
        if self.kind == Kind::Web {
            return self.file(request, b"the lab's content, byte for byte", "application/octet-stream", true);
        }
        let file = path.trim_start_matches('/');
        let full = self.kind == Kind::Wsus;
        match file {
            "serversyncwebservice/serversyncwebservice.asmx" | "dssauthwebservice/dssauthwebservice.asmx" => {
                self.soap(request, secure)
            }
            "clientwebservice/client.asmx"
            | "simpleauthwebservice/simpleauth.asmx"
            | "reportingwebservice/reportingwebservice.asmx"
                if full =>
            {
                self.soap(request, secure)
            }
            "clientwebservice/wusserverversion.xml" if full => {
                let text = format!(
                    "<?xml version=\"1.0\" encoding=\"utf-8\"?>\r\n<ServerVersion>{}</ServerVersion>\r\n",
                    self.build
                );
                self.file(request, text.as_bytes(), "text/xml", true)
            }
            "selfupdate/wuident.cab" if full => self.file(request, CABINET, CABINET_TYPE, true),
            "selfupdate/iuident.cab" | "iuident.cab" if full && self.iuident => {
                self.file(request, CABINET, CABINET_TYPE, true)
            }
            _ if full && directory == "content" && file.contains('.') => self.file(
                request,
                b"MSCF of an update that nobody installs",
                "application/octet-stream",
                true,
            ),
            _ if KNOWN.contains(&file.trim_end_matches('/')) || file.is_empty() => self.forbidden(),
            _ => self.absent(),
        }
    }

    fn file(&self, request: &Request, bytes: &[u8], kind: &str, ranges: bool) -> Response {
        if !matches!(request.method.as_str(), "GET" | "HEAD") {
            return self.page(405, "405 - the method is not allowed here.");
        }
        let range = request.header("Range").filter(|_| ranges).and_then(|range| {
            let (from, to) = range.strip_prefix("bytes=")?.split_once('-')?;
            let from: usize = from.parse().ok()?;
            let to: usize = to.parse().unwrap_or(usize::MAX).min(bytes.len() - 1);
            Some((from, to))
        });
        let response = match range {
            Some((from, _)) if from >= bytes.len() => {
                Response::new(416, "text/html", "").with("Content-Range", &format!("bytes */{}", bytes.len()))
            }
            Some((from, to)) if from <= to => Response::new(206, kind, &bytes[from..=to])
                .with("Content-Range", &format!("bytes {from}-{to}/{}", bytes.len())),
            _ => Response::new(200, kind, bytes),
        };
        let response = response
            .with("Last-Modified", "Tue, 02 Jun 2026 10:00:00 GMT")
            .with("ETag", "\"5d1c1a3b2f0dc1:0\"");
        self.stamp(if ranges { response.with("Accept-Ranges", "bytes") } else { response })
    }

    fn stamp(&self, response: Response) -> Response {
        let server = self.server.clone();
        let mut response = response.with("Date", &self.clock.http_date());
        if !server.is_empty() {
            response = response.with("Server", &server).with("X-Powered-By", "ASP.NET");
        }
        self.variation.order(&mut response.headers);
        response
    }

    fn page(&self, status: u16, says: &str) -> Response {
        let html = format!(
            "<!DOCTYPE html>\r\n<html><head><title>{status}</title></head><body><h2>{says}</h2></body></html>\r\n"
        );
        self.stamp(Response::new(status, "text/html", html))
    }

    fn absent(&self) -> Response {
        self.page(404, "404 - File or directory not found.")
    }

    fn forbidden(&self) -> Response {
        self.page(403, "403 - Forbidden: Access is denied.")
    }

    fn http_sys(&self, status: u16, title: &str, says: &str) -> Response {
        let html = format!(
            "<HTML><HEAD><TITLE>{title}</TITLE></HEAD>\r\n<BODY><h2>{title}</h2>\r\n<hr><p>{says}</p>\r\n</BODY></HTML>\r\n"
        );
        let mut response = Response::new(status, "text/html; charset=us-ascii", html)
            .with("Server", "Microsoft-HTTPAPI/2.0")
            .with("Date", &self.clock.http_date());
        response.close = true;
        self.variation.order(&mut response.headers);
        response
    }

    fn envelope(&self, status: u16, inside: &str) -> Response {
        let p = self.variation.soap_prefix();
        let text = format!(
            "<?xml version=\"1.0\" encoding=\"utf-8\"?><{p}:Envelope xmlns:{p}=\"http://schemas.xmlsoap.org/soap/envelope/\" \
             xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xmlns:xsd=\"http://www.w3.org/2001/XMLSchema\">\
             <{p}:Body>{inside}</{p}:Body></{p}:Envelope>"
        );
        let mut response = Response::new(status, "text/xml; charset=utf-8", text)
            .with("Cache-Control", "private, max-age=0")
            .with("X-AspNet-Version", "4.0.30319");
        response.close = status != 200;
        self.stamp(response)
    }

    fn fault(&self, request: &Request, code: &str, secure: bool) -> Response {
        let p = self.variation.soap_prefix();
        let side = if code == "InternalServerError" { "Server" } else { "Client" };
        let host = request.header("Host").unwrap_or(&self.name);
        let scheme = if secure { "https" } else { "http" };
        let method = request.header("SOAPAction").unwrap_or("").replace('"', "&quot;");
        let target = &request.target;
        self.envelope(
            500,
            &format!(
                "<{p}:Fault><faultcode>{p}:{side}</faultcode><faultstring>Fault occurred</faultstring>\
                 <faultactor>{scheme}://{host}{target}</faultactor><detail><ErrorCode>{code}</ErrorCode><Message></Message>\
                 <ID>3f0d6f0a-5a3e-4f5c-9a55-0c8f0f6f2a11</ID><Method>{method}</Method></detail></{p}:Fault>"
            ),
        )
    }

    fn soap(&self, request: &Request, secure: bool) -> Response {
        if request.method != "POST" {
            let html = "<html><head><title>Web Service</title></head><body>\
                <p>The following operations are supported.</p></body></html>";
            return self.stamp(Response::new(200, "text/html; charset=utf-8", html));
        }
        const NS: &str = "http://www.microsoft.com/SoftwareDistribution";
        let service = request.path();
        let method = request.soap_method();
        let inside = match (service.rsplit('/').next().unwrap_or(""), method.as_str()) {
            ("serversyncwebservice.asmx", "GetAuthConfig") => format!(
                "<GetAuthConfigResponse xmlns=\"{NS}\"><GetAuthConfigResult><LastChange>{}</LastChange><AuthInfo>\
                 <AuthPlugInInfo><PlugInID>DssTargeting</PlugInID>\
                 <ServiceUrl>DssAuthWebService/DssAuthWebService.asmx</ServiceUrl><Parameter /></AuthPlugInInfo></AuthInfo>\
                 </GetAuthConfigResult></GetAuthConfigResponse>",
                self.clock.xml_time(-86_400)
            ),
            ("serversyncwebservice.asmx", "GetCookie") => format!(
                "<GetCookieResponse xmlns=\"{NS}\"><GetCookieResult><Expiration>{}</Expiration>\
                 <EncryptedData>{}</EncryptedData></GetCookieResult></GetCookieResponse>",
                self.clock.xml_time(self.cookie_minutes * 60),
                opaque("cookie")
            ),
            ("serversyncwebservice.asmx", "GetConfigData") => format!(
                "<GetConfigDataResponse xmlns=\"{NS}\"><GetConfigDataResult>\
                 <CatalogOnlySync>{}</CatalogOnlySync><LazySync>true</LazySync><ServerHostsPsfFiles>false</ServerHostsPsfFiles>\
                 <MaxNumberOfUpdatesPerRequest>100</MaxNumberOfUpdatesPerRequest>\
                 <NewConfigAnchor>9438,2026-06-14 16:09:27.167</NewConfigAnchor>\
                 <ProtocolVersion>{}</ProtocolVersion><LanguageUpdateList><ServerSyncLanguageData><LanguageID>1033</LanguageID>\
                 <ShortLanguage>en</ShortLanguage><LongLanguage>English</LongLanguage><Enabled>true</Enabled>\
                 </ServerSyncLanguageData></LanguageUpdateList></GetConfigDataResult></GetConfigDataResponse>",
                self.kind == Kind::Microsoft,
                self.protocol
            ),
            ("dssauthwebservice.asmx", "GetAuthorizationCookie") => format!(
                "<GetAuthorizationCookieResponse xmlns=\"{NS}/Server/DssAuthWebService\"><GetAuthorizationCookieResult>\
                 <PlugInId>DssTargeting</PlugInId><CookieData>{}</CookieData></GetAuthorizationCookieResult>\
                 </GetAuthorizationCookieResponse>",
                opaque("authorization")
            ),
            ("client.asmx", "GetConfig") => format!(
                "<GetConfigResponse xmlns=\"{NS}/Server/ClientWebService\"><GetConfigResult><LastChange>{}</LastChange>\
                 <IsRegistrationRequired>true</IsRegistrationRequired><AuthInfo><AuthPlugInInfo><PlugInID>SimpleTargeting</PlugInID>\
                 <ServiceUrl>SimpleAuthWebService/SimpleAuth.asmx</ServiceUrl><Parameter /></AuthPlugInInfo></AuthInfo><Properties>\
                 <ConfigurationProperty><Name>MaxExtendedUpdatesPerRequest</Name><Value>50</Value></ConfigurationProperty>\
                 <ConfigurationProperty><Name>PackageServerShare</Name><Value>\\\\{}\\UpdateServicesPackages</Value></ConfigurationProperty>\
                 <ConfigurationProperty><Name>ProtocolVersion</Name><Value>3.2</Value></ConfigurationProperty>\
                 <ConfigurationProperty><Name>IsInventoryRequired</Name><Value>0</Value></ConfigurationProperty>\
                 <ConfigurationProperty><Name>ClientReportingLevel</Name><Value>2</Value></ConfigurationProperty>\
                 </Properties></GetConfigResult></GetConfigResponse>",
                self.clock.xml_time(-86_400),
                self.name
            ),
            _ => return self.fault(request, "InvalidParameters", secure),
        };
        self.envelope(200, &inside)
    }
}

const CABINET_TYPE: &str = "application/octet-stream";
/// The head of a cabinet: enough for who looks at its first bytes.
const CABINET: &[u8] = b"MSCF\0\0\0\0\x2c\0\0\0\0\0\0\0\x2c\0\0\0\0\0\0\0\x03\x01\0\0\0\0\0\0\0\0\0\0";
const KNOWN: &[&str] = &[
    "serversyncwebservice",
    "dssauthwebservice",
    "clientwebservice",
    "simpleauthwebservice",
    "reportingwebservice",
    "selfupdate",
    "content",
];

fn opaque(what: &str) -> String {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.encode(what.repeat(30))
}

impl Service for Site {
    fn answer(&self, request: &Request, secure: bool) -> Response {
        let path = request.path();
        if let Some((kind, bytes)) = self.serves.get(&path) {
            return self.file(request, bytes, kind, true);
        }
        let directory = path.trim_start_matches('/').split('/').next().unwrap_or("").to_owned();
        let healthy = || self.healthy(request, &path, &directory, secure);
        let method = if request.method == "POST" { request.soap_method() } else { String::new() };
        match self.decide(&directory, &method) {
            Answer::Ok => healthy(),
            Answer::SslRequired if secure => healthy(),
            Answer::Absent => self.absent(),
            Answer::SslRequired | Answer::SslRequiredHere | Answer::ClientCertificate | Answer::Forbidden => {
                self.forbidden()
            }
            Answer::Unauthorized => self
                .page(401, "401 - Unauthorized: Access is denied due to invalid credentials.")
                .with("WWW-Authenticate", "Negotiate")
                .with("WWW-Authenticate", "NTLM"),
            Answer::PoolDown => {
                self.http_sys(503, "Service Unavailable", "HTTP Error 503. The service is unavailable.")
            }
            Answer::NoSite => {
                self.http_sys(404, "Not Found", "HTTP Error 404. The requested resource is not found.")
            }
            Answer::BadRequest => {
                self.http_sys(400, "Bad Request", "HTTP Error 400. The request is invalid.")
            }
            Answer::Error => {
                let mut page = self.page(500, "Server Error in '/ServerSyncWebService' Application.");
                page.headers.push(("X-AspNet-Version".to_owned(), "4.0.30319".to_owned()));
                page
            }
            Answer::Fault(code) => self.fault(request, &code, secure),
            Answer::Redirect(to) => {
                let to = match to.as_str() {
                    "https" => {
                        let host = request.header("Host").unwrap_or(&self.name);
                        let host = host.rsplit_once(':').map_or(host, |(name, _)| name);
                        format!("https://{host}{}", request.target)
                    }
                    _ => to,
                };
                self.page(302, "Object moved").with("Location", &to)
            }
            Answer::Portal => {
                self.page(200, "Welcome to the intranet").with("Set-Cookie", "session=0; path=/")
            }
            Answer::Text => self.stamp(Response::new(200, "text/plain", "It works.\n")),
            Answer::Sent(fate) => {
                let mut response = healthy().fated(fate);
                response.close |= fate != Fate::Whole;
                response
            }
            Answer::Status(status) => self.page(status, http::reason(status)),
            Answer::NoRange => {
                let mut whole = request.clone();
                whole.headers.retain(|(name, _)| !name.eq_ignore_ascii_case("Range"));
                let mut response = self.healthy(&whole, &path, &directory, secure);
                response.headers.retain(|(name, _)| name != "Accept-Ranges");
                response
            }
            Answer::RangeRefused if request.header("Range").is_some() => self.forbidden(),
            Answer::RangeRefused => healthy(),
        }
    }

    fn variation(&self) -> Variation {
        self.variation
    }
}

/// Serves a site in clear. TLS is answered with a clear 400.
///
/// # Errors
/// The system gives no port.
pub fn serve_http(name: &str, journal: &Journal, site: Arc<dyn Service>) -> std::io::Result<Running> {
    let (label, record) = (name.to_owned(), journal.clone());
    listen::listen(name, journal, move |mut stream: TcpStream| {
        let (label, record, site) = (label.clone(), record.clone(), site.clone());
        async move { http::serve(&mut stream, &label, &record, &*site, false).await }
    })
}

/// Serves a site over TLS.
///
/// # Errors
/// The system gives no port.
pub fn serve_https(
    name: &str,
    journal: &Journal,
    site: Arc<dyn Service>,
    peer: TlsPeer,
) -> std::io::Result<Running> {
    let (label, record, peer) = (name.to_owned(), journal.clone(), Arc::new(peer));
    listen::listen(name, journal, move |stream: TcpStream| {
        let (label, record, site, peer) = (label.clone(), record.clone(), site.clone(), peer.clone());
        async move {
            if let Some(mut session) = peer.accept(stream, &label, &record).await {
                http::serve(&mut session, &label, &record, &*site, true).await;
            }
        }
    })
}
