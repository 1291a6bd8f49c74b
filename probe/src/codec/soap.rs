//! SOAP 1.1 as WSUS speaks it: two requests, and a reader that goes by local names.
//!
//! MS-WSUSSS sections 2.2.2.4 and 3.1.4.1 (GetAuthConfig); MS-WUSP section 2.2.2.2.1 (GetConfig).

use quick_xml::Reader;
use quick_xml::events::Event;

use crate::evidence::{SoapAnswer, escape};

/// The path of the server-to-server service.
pub const SERVER_SYNC: &str = "/ServerSyncWebService/ServerSyncWebService.asmx";
/// The path of the client's service.
pub const CLIENT: &str = "/ClientWebService/client.asmx";

/// A request: the operation, its SOAPAction and its envelope.
#[derive(Clone, Copy, Debug)]
pub struct Request {
    /// The operation's name.
    pub operation: &'static str,
    /// The SOAPAction header's value, quotes included.
    pub action: &'static str,
    /// The envelope.
    pub body: &'static str,
}

/// GetAuthConfig: anonymous, without parameters, leaves nothing behind.
pub const GET_AUTH_CONFIG: Request = Request {
    operation: "GetAuthConfig",
    action: "\"http://www.microsoft.com/SoftwareDistribution/GetAuthConfig\"",
    body: concat!(
        r#"<?xml version="1.0" encoding="utf-8"?>"#,
        r#"<soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/"><soap:Body>"#,
        r#"<GetAuthConfig xmlns="http://www.microsoft.com/SoftwareDistribution" />"#,
        "</soap:Body></soap:Envelope>"
    ),
};

/// The client's GetConfig: anonymous, goes through IIS, ASP.NET and the database.
pub const GET_CONFIG: Request = Request {
    operation: "GetConfig",
    action: "\"http://www.microsoft.com/SoftwareDistribution/Server/ClientWebService/GetConfig\"",
    body: concat!(
        r#"<?xml version="1.0" encoding="utf-8"?>"#,
        r#"<soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/"><soap:Body>"#,
        r#"<GetConfig xmlns="http://www.microsoft.com/SoftwareDistribution/Server/ClientWebService">"#,
        "<protocolVersion>1.8</protocolVersion></GetConfig>",
        "</soap:Body></soap:Envelope>"
    ),
};

/// Elements whose text is kept from a result.
const KEPT: [&str; 5] = ["LastChange", "PlugInID", "ServiceUrl", "ErrorCode", "IsRegistrationRequired"];

/// How deep an answer may nest.
const DEPTH_LIMIT: usize = 64;

/// Reads a body as the answer to `operation`.
pub fn answer(operation: &str, body: &[u8]) -> SoapAnswer {
    read(operation, body).unwrap_or(SoapAnswer::NotSoap)
}

fn read(operation: &str, body: &[u8]) -> Option<SoapAnswer> {
    let mut reader = Reader::from_reader(body);
    let result = format!("{operation}Result");
    let mut open: Vec<String> = Vec::new();
    let (mut envelope, mut in_result, mut in_fault) = (false, false, false);
    let (mut values, mut code, mut message) = (Vec::new(), String::new(), Vec::new());
    loop {
        match reader.read_event() {
            Ok(Event::Start(element)) => {
                let name = element.local_name().as_ref().to_string();
                if open.is_empty() {
                    envelope = name == "Envelope";
                }
                in_result |= name == result;
                in_fault |= name == "Fault";
                open.push(name);
                if !envelope || open.len() > DEPTH_LIMIT {
                    return None;
                }
            }
            Ok(Event::Empty(element)) => {
                in_result |= element.local_name().as_ref() == result;
            }
            Ok(Event::End(_)) => {
                open.pop();
            }
            Ok(Event::Text(text)) => {
                let text = escape(text.trim(), 200);
                let name = open.last().map(String::as_str).unwrap_or_default();
                if text.is_empty() {
                    continue;
                }
                if in_fault {
                    match name {
                        "ErrorCode" => code = text,
                        "Message" | "faultstring" | "faultcode" | "Text" => message.push(text),
                        _ => {}
                    }
                } else if in_result && KEPT.contains(&name) && values.len() < 16 {
                    values.push((name.to_string(), text));
                }
            }
            Ok(Event::Eof) => break,
            Ok(_) => {}
            // What was read up to a defect still counts: a cut body is the exchange's matter.
            Err(_) => break,
        }
    }
    if in_fault {
        Some(SoapAnswer::Fault { code, message: message.join("; ") })
    } else if in_result {
        Some(SoapAnswer::Result { values })
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_result_is_read_whatever_the_prefixes() {
        let body = br#"<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body><w:GetAuthConfigResponse xmlns:w="x">
            <w:GetAuthConfigResult><w:AuthInfo><w:AuthPlugInInfo><w:PlugInID>DssTargeting</w:PlugInID></w:AuthPlugInInfo></w:AuthInfo>
            </w:GetAuthConfigResult></w:GetAuthConfigResponse></s:Body></s:Envelope>"#;
        assert_eq!(
            answer("GetAuthConfig", body),
            SoapAnswer::Result { values: vec![("PlugInID".into(), "DssTargeting".into())] }
        );
        assert_eq!(answer("GetConfig", body), SoapAnswer::NotSoap);
    }

    #[test]
    fn a_fault_gives_its_code() {
        let body = br#"<soap:Envelope><soap:Body><soap:Fault><faultcode>soap:Server</faultcode><faultstring>Fault occurred</faultstring>
            <detail><ErrorCode>ServerBusy</ErrorCode><Message></Message></detail></soap:Fault></soap:Body></soap:Envelope>"#;
        let SoapAnswer::Fault { code, .. } = answer("GetAuthConfig", body) else { panic!("no fault") };
        assert_eq!(code, "ServerBusy");
    }

    #[test]
    fn a_page_is_no_soap() {
        assert_eq!(
            answer("GetAuthConfig", b"<html><body>GetAuthConfigResult</body></html>"),
            SoapAnswer::NotSoap
        );
        assert_eq!(answer("GetAuthConfig", b""), SoapAnswer::NotSoap);
        let deep = "<Envelope>".repeat(5000);
        assert_eq!(answer("GetAuthConfig", deep.as_bytes()), SoapAnswer::NotSoap);
    }
}
