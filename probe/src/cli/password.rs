//! Where the password of the proxy's user comes from: a descriptor, the environment, the proxy's URL, the terminal. No
//! option takes one: a command line is everybody's to read.

use std::io::{self, IsTerminal};

use super::{complain, variable};
use crate::settings::{Secret, Settings};

/// The variable that holds it.
const VARIABLE: &str = "WSUSPROBE_PROXY_PASSWORD";
/// The most bytes of it that are read.
#[cfg(unix)]
const LIMIT: u64 = 4096;

/// Puts the password into the settings, or says why it cannot be read.
pub(super) fn find(settings: &mut Settings, descriptor: Option<&str>) -> Result<(), String> {
    if settings.proxy_password.is_some() {
        complain(
            "warning: the proxy's URL holds a password, where others may read it; WSUSPROBE_PROXY_PASSWORD keeps it apart",
        );
    }
    if let Some(number) = descriptor {
        if settings.proxy_user.is_none() {
            return Err("--proxy-password-fd: it is whose password? name the user with --proxy-user".into());
        }
        settings.proxy_password =
            Some(from_descriptor(number).map_err(|why| format!("--proxy-password-fd: {why}"))?);
        return Ok(());
    }
    if settings.proxy_user.is_none() {
        return Ok(());
    }
    if let Some(value) = variable(VARIABLE) {
        // What is no text is not repeated either.
        let text = value.into_string().map_err(|_| format!("{VARIABLE}: it is not text in UTF-8"))?;
        settings.proxy_password = Some(Secret::new(text));
        return Ok(());
    }
    if settings.proxy_password.is_none() && !settings.no_network && io::stdin().is_terminal() {
        let user = crate::evidence::escape(settings.proxy_user.as_deref().unwrap_or_default(), 200);
        match rpassword::prompt_password(format!("Password of {user} at the proxy (none: press Enter): ")) {
            Ok(text) if text.is_empty() => {}
            Ok(text) => settings.proxy_password = Some(Secret::new(text)),
            Err(error) => complain(&format!("the password cannot be asked for: {error}")),
        }
    }
    Ok(())
}

/// Reads the first line of a descriptor that the caller left open.
#[cfg(unix)]
fn from_descriptor(number: &str) -> Result<Secret<String>, String> {
    use std::io::Read;
    let number: u32 = number.parse().map_err(|_| "a number of a descriptor is expected".to_string())?;
    let mut bytes = Secret::new(Vec::with_capacity(LIMIT as usize + 1));
    std::fs::File::open(format!("/dev/fd/{number}"))
        .and_then(|file| file.take(LIMIT + 1).read_to_end(bytes.expose_mut()))
        .map_err(|error| format!("descriptor {number}: {error}"))?;
    let line = bytes.expose().split(|&byte| byte == b'\n').next().unwrap_or_default();
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    if line.len() as u64 > LIMIT {
        return Err(format!("descriptor {number}: it holds more than {LIMIT} bytes in its first line"));
    }
    match std::str::from_utf8(line) {
        Ok("") => Err(format!("descriptor {number}: its first line is empty")),
        Ok(text) => Ok(Secret::new(text.to_string())),
        Err(_) => Err(format!("descriptor {number}: it is not text in UTF-8")),
    }
}

#[cfg(not(unix))]
fn from_descriptor(_: &str) -> Result<Secret<String>, String> {
    Err(format!("it is not available on this system: set {VARIABLE} instead"))
}
