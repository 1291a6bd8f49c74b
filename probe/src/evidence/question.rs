//! The words of the differentials about TLS, by which rules find what the walk asked.

/// TLS 1.0 and nothing else, with everything that it may have.
pub const TLS10_ALONE: &str = "TLS 1.0 alone";
/// TLS 1.1 and nothing else.
pub const TLS11_ALONE: &str = "TLS 1.1 alone";
/// TLS 1.3 and nothing else.
pub const TLS13_ALONE: &str = "TLS 1.3 alone";
/// The client's hello with every suite.
pub const EVERY_SUITE: &str = "every suite at TLS 1.2";
/// The client's hello with every group.
pub const EVERY_GROUP: &str = "every group at TLS 1.2";
/// The client's hello with every signature algorithm.
pub const EVERY_SIGNATURE: &str = "every signature algorithm at TLS 1.2";
/// Both of the last.
pub const EVERY_GROUP_AND_SIGNATURE: &str = "every group and signature at TLS 1.2";
/// All three.
pub const EVERYTHING: &str = "every suite, group and signature at TLS 1.2";
/// What this server's Windows sends where nothing is set on it.
pub const UNCHANGED: &str = "this Windows Server without its own settings";
/// This server's hello with TLS 1.2, where its settings leave it out.
pub const WITH_TLS12: &str = "TLS 1.2 as this Windows Server would send it";
/// The client's hello without suites in cipher block chaining mode.
pub const WITHOUT_CBC: &str = "the same hello without CBC suites";
/// A hello that no server can take, for the size of its answer.
pub const SMALL_ANSWER: &str = "an answer of a few bytes";
/// The hello of this server's manual import.
pub const IMPORT: &str = "the hello of a manual import";
/// The chain that is shown at a version which the client does not offer.
pub const OTHER_VERSION_CHAIN: &str = "the certificate at another version";
/// TLS, asked of a proxy that answers nothing.
pub const TLS_TO_PROXY: &str = "TLS to the proxy itself";
/// A tunnel to another host, asked of a proxy that answers nothing.
pub const OTHER_DESTINATION: &str = "another destination through the same proxy";
/// A tunnel to port 443, asked of a proxy that gives none to another port.
pub const PORT_443: &str = "the same destination on port 443";
/// A tunnel that is left alone.
pub const EMPTY_TUNNEL: &str = "a tunnel into which nothing is sent";
/// The client's hello to another host through the same proxy.
pub const OTHER_HOST: &str = "the same hello to another host";
/// TLS, asked of a port that did not answer plain HTTP as wanted.
pub const TLS_ON_PORT: &str = "TLS on the same port";
/// An enumeration.
pub const SPOKEN: &str = "what the server speaks";

/// The hello of a Windows Server by default.
pub fn client(name: &str) -> String {
    format!("the hello of {name}")
}

/// The hello of a program of the server that is asked about.
pub fn own_client(caller: &str) -> String {
    format!("the hello of this server: {caller}")
}
