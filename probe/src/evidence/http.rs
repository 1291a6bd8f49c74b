//! What HTTP answered, and SOAP in it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Broken, Looks};

/// What an HTTP request met.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "answer", rename_all = "kebab-case")]
pub enum HttpAnswer {
    /// A response.
    Response {
        /// The status code.
        status: u16,
        /// Telling headers, by lower-case name, escaped (server, content-type, location, www-authenticate, via, date …).
        headers: Vec<(String, String)>,
        /// The beginning of the body, escaped, at most 1024 characters.
        body: String,
        /// Whether the body came to its end.
        complete: bool,
    },
    /// Something that is no HTTP.
    NotHttp {
        /// What it looks like.
        looks: Looks,
    },
    /// Nothing but an end.
    Broken {
        /// How.
        how: Broken,
    },
}

impl HttpAnswer {
    /// The value of a header of a response.
    pub fn header(&self, name: &str) -> Option<&str> {
        match self {
            HttpAnswer::Response { headers, .. } => {
                headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
            }
            _ => None,
        }
    }
}

/// What an answer holds, read as SOAP 1.1.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "answer", rename_all = "kebab-case")]
pub enum SoapAnswer {
    /// The operation's result.
    Result {
        /// What it says, by name: the plug-in's id, the service's URL, a protocol version.
        values: Vec<(String, String)>,
    },
    /// A fault (MS-WSUSSS section 2.2.2.4).
    Fault {
        /// The detail's ErrorCode, or empty.
        code: String,
        /// The detail's Message and the fault string, escaped.
        message: String,
    },
    /// No SOAP at all.
    NotSoap,
}
