//! Pure readers and writers of what goes over the wire. No I/O; every input is a stranger's.

pub mod certificate;
pub mod challenge;
pub mod http;
pub mod ntlm;
pub mod soap;
pub mod spnego;
pub mod tls;
