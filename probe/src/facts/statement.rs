//! What a fact says: the vocabulary that readers write and rules read.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::evidence::NameAnswer;

/// A statement about the server, with its source.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Fact {
    /// `f1`, `f2` …
    pub id: String,
    /// Where it stands.
    pub source: Source,
    /// When it held, where the source says so. Where the source names no zone it is read as if it were UTC, and is
    /// wrong by the server's distance from UTC: at most 14 hours.
    pub time: Option<jiff::Timestamp>,
    /// The zone that the source names: `UTC`, `+01:00`; none where there is no time, or where the time is a local one
    /// of a zone that is not told.
    #[serde(default)]
    pub zone: Option<String>,
    /// What it says.
    pub statement: Statement,
}

/// Where a fact stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Source {
    /// The file as given.
    pub file: String,
    /// The line, from 1.
    pub line: Option<u32>,
}

/// What a fact says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "states", rename_all = "kebab-case")]
pub enum Statement {
    /// A property of the WSUS configuration (IUpdateServerConfiguration), as printed: `True`, `8531`, a name.
    Config {
        /// Its name.
        property: String,
        /// Its value, escaped; empty where it is empty.
        value: String,
    },
    /// The configuration could not be read where it was asked for: PowerShell's error was handed over in its place.
    ConfigUnavailable {
        /// The error's first line, escaped.
        why: String,
    },
    /// The version of the WSUS server, as `6.3.9600.18694`, or of its Windows, as `Windows Server 2012 R2`.
    ServerVersion {
        /// As printed, escaped.
        version: String,
    },
    /// `netsh winhttp show proxy`, or `show advproxy` where that names no script: supporting evidence.
    WinHttpProxy {
        /// `host:port`, each with the scheme that it is for (`http`, `https`, or `*`); empty for direct access.
        servers: Vec<(String, String)>,
        /// The bypass list as printed, escaped.
        bypass: String,
    },
    /// `Test-NetConnection`: supporting evidence.
    PortTest {
        /// The name tested.
        host: String,
        /// The port tested.
        port: u16,
        /// Whether it connected.
        connected: bool,
    },
    /// `Resolve-DnsName`: supporting evidence.
    Resolved {
        /// The name asked for.
        name: String,
        /// The answer.
        answer: NameAnswer,
    },
    /// SoftwareDistribution.log as a whole.
    Log {
        /// How many lines it has.
        lines: u64,
        /// The line of the last start-up of the service (a mirrored event 501) that lines of w3wp follow.
        startup: Option<u32>,
        /// Whether the service's start-up lines name any SCHANNEL protocol.
        schannel: bool,
    },
    /// A start-up line about a SCHANNEL protocol.
    LogSchannel {
        /// `TLS 1.2`.
        protocol: String,
        /// What it says of it.
        state: SchannelState,
    },
    /// The URL that the service called, from a fault's actor, a stack or a message.
    LogEndpoint {
        /// The URL, escaped.
        url: String,
    },
    /// A failure in a log, an event or pasted text. Several causes share most of these texts. One fact stands for all
    /// that are alike in one file: its line and time are those of the last.
    LogFailure {
        /// Who logged it: `WsusService`, `w3wp`, a component of Configuration Manager (`SMS_WSUS_SYNC_MANAGER`), or
        /// empty where the text does not say.
        process: String,
        /// What it is.
        failure: LoggedFailure,
        /// How far the synchronization had come.
        phase: Option<Phase>,
        /// How often it stands in the file.
        count: u64,
        /// Its text, escaped, at most 300 characters.
        excerpt: String,
    },
    /// A synchronization began, succeeded or failed (events 381, 382, 384, 386; of Configuration Manager the messages that
    /// it writes about the server's own).
    LogSync {
        /// Which.
        event: SyncEvent,
        /// The reason of a failure, escaped.
        reason: String,
        /// Who logged it, as in `LogFailure`.
        #[serde(default)]
        process: String,
    },
    /// The file is a log of the Windows Update client.
    ClientLog {
        /// Which: `ReportingEvents.log` or `WindowsUpdate.log`.
        log: String,
    },
    /// The text is the administration console's or the remote API's.
    Console {
        /// Its beginning, escaped.
        excerpt: String,
    },
    /// The file is text of no known form, in which something known was found: whose words they are, and from when,
    /// nothing says. What else the same file states is as weak.
    PastedText {
        /// Its beginning, escaped.
        excerpt: String,
    },
    /// The text belongs to another part of the system than synchronization.
    Elsewhere {
        /// Which part.
        part: ElsewherePart,
        /// Its beginning, escaped.
        excerpt: String,
    },
    /// A value of the registry: of a key that decides how SCHANNEL, .NET Framework and WinHTTP speak TLS, that names the
    /// server's Windows, that WSUS' setup wrote, or that sets a user's own proxy, this machine's update server or the
    /// update of its roots. A .reg file, `reg query` or `Get-ItemProperty`.
    Registry {
        /// The key, from `HKLM`, `HKCU` or `HKU` on, as printed, escaped.
        key: String,
        /// The value's name, as printed, escaped.
        name: String,
        /// What it holds.
        value: RegistryValue,
    },
    /// The policy "SSL Cipher Suite Order", as `gpresult` reports it or as it stands in the policy's editor. The same
    /// list in the registry is a `Registry` fact.
    CipherOrder {
        /// The GPO that sets it, escaped; empty where the source does not say.
        policy: String,
        /// The names in order, each as written, trimmed and escaped; at most 2000. Commas and line ends part them.
        suites: Vec<String>,
        /// How many characters the value has. The policy's editor takes 1023.
        characters: u32,
        /// The policy's state as printed, in whatever language, escaped; empty where the source does not say.
        state: String,
    },
    /// The policy "ECC Curve Order", as `gpresult` reports it.
    CurveOrder {
        /// The GPO that sets it, escaped; empty where the source does not say.
        policy: String,
        /// The names in order, each as written, trimmed and escaped; at most 2000.
        curves: Vec<String>,
        /// The policy's state as printed, in whatever language, escaped.
        state: String,
    },
    /// `Get-TlsCipherSuite`: the suites that the server has in effect.
    CipherSuites {
        /// Their names in order, escaped; at most 2000.
        names: Vec<String>,
    },
    /// The server that a file comes from, where the file says so: the computer of an event, of a policy's report or of
    /// a collection.
    ServerName {
        /// The name as printed, escaped.
        name: String,
    },
    /// An event of the event log that is not a step of a synchronization (those are `LogSync`) nor a failure
    /// (`LogFailure`): a component's health, a start of the service, a change of the clock. One fact stands for all with
    /// one id in one file (of the Service Control Manager with one id and one service): its line and time are those of
    /// the last. Of what may change how a server synchronizes (a start of the service, a change of the clock) each has its
    /// own, the latest 16 of one id. The service's own log mirrors its warnings and errors.
    Event {
        /// The source: `Windows Server Update Services`, `Schannel`, `Microsoft-Windows-Kernel-General`; escaped.
        provider: String,
        /// The event's number.
        event: u32,
        /// How many of them it stands for.
        count: u64,
        /// Its message or its inserted strings, escaped, at most 300 characters.
        excerpt: String,
    },
    /// Somebody changed how WSUS is configured or told it to do something: a line of level Change in the service's log
    /// or in Change.log.
    Change {
        /// What the line says, escaped, at most 300 characters.
        says: String,
    },
    /// The clock of a log jumps back: a line is earlier than the one above it by more than an hour.
    ClockJump {
        /// The time of the line above; the fact's time is that of the line below.
        from: jiff::Timestamp,
    },
    /// `Get-HotFix`, `wmic qfe` or an update's event: an installed update; the fact's time is when it was installed.
    /// Presence proves presence; absence of one proves nothing, since Monthly Rollups replace each other.
    InstalledUpdate {
        /// `KB4022720`.
        update: String,
    },
    /// `Get-Service`, `sc query`, `sc qc`: a service of this server, of those that synchronization needs or shares its
    /// server with, or that there is none of that name.
    Service {
        /// Its name, `WsusService`; a console's table may have cut it off (`MSSQL$MICROSOFT...`).
        name: String,
        /// What it does.
        state: ServiceState,
        /// How it starts, as printed (`Automatic`, `Disabled`); empty where the source does not say.
        start: String,
    },
    /// `Get-WebAppPoolState`, `appcmd list apppool`: an application pool of IIS.
    AppPool {
        /// Its name, `WsusPool`.
        name: String,
        /// What it does.
        state: ServiceState,
    },
    /// How an application pool of IIS is set, where its configuration says so (applicationHost.config).
    PoolSetting {
        /// The pool, escaped; empty for the default of all pools.
        pool: String,
        /// The attribute: `queueLength`, `privateMemory` (KiB, 0 for no limit), `startMode`, `identityType`.
        setting: String,
        /// Its value as written, escaped.
        value: String,
    },
    /// A binding of a site in IIS (applicationHost.config, `Get-WebBinding`, `appcmd list site`).
    IisBinding {
        /// The site, escaped: `WSUS Administration`; empty where the source does not say.
        site: String,
        /// `http`, `https`.
        protocol: String,
        /// The port.
        port: u16,
        /// The host name, empty for all.
        host: String,
        /// The SHA-1 fingerprint of its certificate, lower-case hexadecimal; empty where the source does not say.
        certificate: String,
    },
    /// Whether a directory of IIS requires TLS (`access sslFlags`).
    IisAccess {
        /// The path, as `WSUS Administration/SelfUpdate`, escaped; empty for the whole server.
        path: String,
        /// Whether it requires TLS.
        requires_tls: bool,
        /// Whether it requires a client certificate.
        requires_certificate: bool,
    },
    /// `netsh http show sslcert`: the certificate that HTTP.sys presents on an endpoint.
    SslBinding {
        /// `0.0.0.0:8531`, or `name:8531`.
        endpoint: String,
        /// Its SHA-1 fingerprint, lower-case hexadecimal; empty where there is none.
        certificate: String,
        /// The store that it is taken from, as printed: `MY`, `WebHosting`, `(null)`.
        store: String,
    },
    /// A certificate in a store of Windows (`certutil -store`, `Get-ChildItem Cert:`), or a certificate file.
    StoredCertificate {
        /// Whose store.
        account: StoreAccount,
        /// The store: `Root`, `CA`, `My`, `AuthRoot`, in the case in which it was printed; empty for a file, and where the
        /// source does not say.
        store: String,
        /// The subject, escaped.
        subject: String,
        /// The issuer, escaped.
        issuer: String,
        /// The SHA-1 fingerprint, lower-case hexadecimal; empty where the source does not say.
        fingerprint: String,
        /// From when it is valid, where the source says so.
        not_before: Option<jiff::Timestamp>,
        /// Until when.
        not_after: Option<jiff::Timestamp>,
        /// Whether a private key belongs to it, where the source says so.
        private_key: Option<bool>,
        /// The certificate, DER in base64; empty where only its description was handed over.
        der: String,
    },
    /// The certificates of a store that the same file shows are not all of it: what is not among them may be there.
    PartOfStore {
        /// Why, in a few words.
        why: String,
    },
    /// `certutil -verify -urlfetch`: Windows' own verdict on a chain, made on the machine and by the account that ran it.
    ChainVerdict {
        /// The leaf's subject, escaped.
        subject: String,
        /// Whether every element is without an error, and the verdict was printed to its end.
        good: bool,
        /// The errors in the words of their symbols: `CERT_TRUST_IS_UNTRUSTED_ROOT`, `CRYPT_E_REVOCATION_OFFLINE`.
        errors: Vec<String>,
        /// URLs that could not be fetched, escaped.
        unreachable: Vec<String>,
    },
    /// `w32tm /query /status`: where this server's clock takes its time from.
    ClockSource {
        /// The source as printed, escaped: `Local CMOS Clock`, `dc1.example.test`.
        source: String,
        /// Whether it is synchronized with another clock.
        synchronized: bool,
    },
    /// `Get-WsusSubscription` or `GetSubscription()`: a property of the synchronization's schedule.
    Subscription {
        /// Its name: `SynchronizeAutomatically`, `NumberOfSynchronizationsPerDay`, `LastSynchronizationTime`.
        property: String,
        /// Its value as printed, escaped.
        value: String,
    },
    /// A run in the synchronization history (`GetSynchronizationHistory`, `GetLastSynchronizationInfo`); the fact's time
    /// is when it ended, or began where it has no end.
    SyncRun {
        /// What came of it.
        result: SyncResult,
        /// The error's class, `UssCommunicationError`; empty without one.
        error: String,
        /// The error's text, escaped, at most 300 characters.
        text: String,
        /// How many new updates it brought, where the source says so.
        new_updates: Option<u64>,
    },
    /// Requests in an IIS log, or refusals in HTTP.sys' log (httperr): answers of one kind to one directory.
    IisAnswer {
        /// The directory, `/ServerSyncWebService`; escaped.
        directory: String,
        /// The status; 0 where the connection ended without one.
        status: u16,
        /// The substatus of an IIS log; 0 where there is none.
        substatus: u16,
        /// HTTP.sys' reason (`AppOffline`, `QueueFull`, `Connection_Dropped`); empty in an IIS log.
        reason: String,
        /// How many.
        count: u64,
    },
    /// The guide's own test, run on the server: GetAuthConfig by .NET's HttpWebRequest with the proxy of WSUS.
    HttpTest {
        /// The URL asked, escaped; empty where the source does not say (PowerShell's error alone was handed over).
        url: String,
        /// The proxy that it went through as `host:port`; empty for none, and where there is no account.
        proxy: String,
        /// The protocol that was set, `Tls12`; empty for .NET's default, and where there is no account.
        protocol: String,
        /// The account that it ran under, escaped; empty where the source does not say, as of one that was typed.
        account: String,
        /// The HTTP status that came; none where none came.
        status: Option<u16>,
        /// The chain of exceptions, outermost first; each as `class | message | native code`, escaped, at most 500
        /// characters.
        exceptions: Vec<String>,
    },
    /// A source that a collection could not read on the server.
    NotCollected {
        /// Which.
        source: String,
        /// Why, escaped.
        why: String,
    },
    /// A file could not be read as what it is.
    Unreadable {
        /// What was expected.
        expected: String,
        /// What was found instead, escaped.
        found: String,
    },
}

/// What a value of the registry holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum RegistryValue {
    /// REG_DWORD or REG_QWORD.
    Number {
        /// The number, without a sign: 4294967295 where PowerShell prints -1.
        value: u64,
    },
    /// REG_SZ or REG_EXPAND_SZ.
    Text {
        /// The text, escaped; at most 65,536 characters in `Functions` and `EccCurves`, else 1000.
        value: String,
    },
    /// REG_MULTI_SZ.
    List {
        /// The texts in order, each escaped; at most 2000.
        values: Vec<String>,
    },
}

/// What a start-up line says of a protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SchannelState {
    /// It is on.
    Enabled,
    /// It is off.
    Disabled,
    /// The wording is not known.
    Unrecognised,
}

/// A part of the system that is not synchronization.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ElsewherePart {
    /// Configuration Manager's own database, or its log.
    ConfigurationManager,
    /// IIS or HTTP.sys of this server.
    Iis,
    /// An export or import of update metadata.
    Import,
    /// The service's own start.
    ServiceStart,
    /// Update files.
    Content,
    /// The database.
    Database,
    /// A client's scan.
    ClientScan,
}

/// A failure as logs word it. The text of .NET, of SCHANNEL or of the service decides, not its language where a code
/// stands beside it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "failure", rename_all = "kebab-case")]
pub enum LoggedFailure {
    /// The remote name could not be resolved.
    NameNotResolved {
        /// The name, where the text has it.
        host: String,
    },
    /// The proxy's name could not be resolved.
    ProxyNotResolved {
        /// The name, where the text has it.
        host: String,
    },
    /// No answer to a connection attempt.
    ConnectTimeout,
    /// A connection was refused.
    ConnectRefused,
    /// A connection could not be made, and the text does not say how.
    ConnectFailed,
    /// Forcibly closed by the remote host, or closed while sending or receiving.
    ConnectionBroken,
    /// No common algorithm.
    NoCommonAlgorithm,
    /// The secure channel could not be made.
    SecureChannel,
    /// No trust relationship for the secure channel.
    NotTrusted,
    /// The service's own check for a Microsoft root (800B0109).
    RootCheck,
    /// An HTTP status.
    HttpStatus {
        /// Its code.
        code: u16,
    },
    /// A SOAP fault.
    SoapFault {
        /// Its ErrorCode, or empty.
        code: String,
    },
    /// An answer that is no XML.
    ContentType {
        /// The type that came.
        content_type: String,
    },
    /// An operation took too long.
    Timeout,
    /// A Windows Update, WinHTTP or SCHANNEL code without a known text.
    Code {
        /// As `0x80072EE2`.
        code: String,
    },
}

/// How far a synchronization came, by the deepest frame of its stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// GetAuthConfig: the first contact.
    FirstContact,
    /// The authorization cookie.
    Authenticate,
    /// Categories, classifications, detectoids.
    Configuration,
    /// The updates' metadata.
    Metadata,
    /// Update files.
    Content,
    /// A manual import.
    Import,
}

/// A step in the life of a synchronization.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SyncEvent {
    /// Event 381 or 382.
    Started,
    /// Event 384.
    Succeeded,
    /// Event 386.
    Failed,
}

/// What a service or an application pool does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ServiceState {
    /// It runs.
    Running,
    /// It does not.
    Stopped,
    /// On its way, or paused, or in a word that is not known.
    Other,
    /// The source does not say: only how it starts.
    Unknown,
    /// There is no service of that name.
    Absent,
}

/// Whose store a certificate lies in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum StoreAccount {
    /// The machine's.
    Machine,
    /// The user's who printed it.
    User,
    /// The source does not say.
    Unknown,
    /// It is a file, in no store.
    File,
}

/// What came of a synchronization (SynchronizationResult of the WSUS API).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SyncResult {
    /// None ran yet, or the first one still runs.
    NeverRun,
    /// It succeeded.
    Succeeded,
    /// It failed.
    Failed,
    /// Somebody stopped it.
    Canceled,
    /// The server does not know.
    Unknown,
}
