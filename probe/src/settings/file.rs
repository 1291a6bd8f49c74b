//! The settings file: read, its errors placed, and one to begin with.

use std::path::{Path, PathBuf};

use super::layers::{Given, SettingsError};

/// The settings file that is read where none is named.
pub const FILE: &str = "wsusprobe.toml";

impl Given {
    /// Reads the text of a settings file. `folder` is what relative paths in it are relative to.
    pub fn from_toml(text: &str, folder: &Path) -> Result<Given, toml::de::Error> {
        let mut given: Given = toml::from_str(text)?;
        let below = |file: &mut String| {
            if !folder.as_os_str().is_empty() && Path::new(file.as_str()).is_relative() {
                *file = folder.join(file.as_str()).to_string_lossy().into_owned();
            }
        };
        given.cacert.iter_mut().flatten().for_each(below);
        given.policy.iter_mut().flatten().for_each(below);
        given.anchor.iter_mut().flatten().for_each(|anchor| below(&mut anchor.file));
        Ok(given)
    }
}

/// Reads a settings file: the named one, which must be there, or the one of this folder, which need not be.
pub fn read(named: Option<&Path>) -> Result<Option<(PathBuf, Given)>, SettingsError> {
    let file = named.unwrap_or(Path::new(FILE));
    let unreadable = |why: String| SettingsError::Unreadable { file: file.to_path_buf(), why };
    let bytes = match std::fs::read(file) {
        Ok(bytes) => bytes,
        Err(error) if named.is_none() && error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unreadable(error.to_string())),
    };
    // PowerShell's redirection writes UTF-16.
    let text = match encoding_rs::Encoding::for_bom(&bytes) {
        Some((encoding, mark)) => encoding.decode_without_bom_handling(&bytes[mark..]).0.into_owned(),
        None => String::from_utf8(bytes).map_err(|_| unreadable("expected text in UTF-8".into()))?,
    };
    let folder = file.parent().unwrap_or(Path::new(""));
    match Given::from_toml(&text, folder) {
        Ok(given) => Ok(Some((file.to_path_buf(), given))),
        Err(error) => Err(locate(file, &text, &error)),
    }
}

fn locate(file: &Path, text: &str, error: &toml::de::Error) -> SettingsError {
    let at = error.span().map_or(0, |span| span.start).min(text.len());
    let before = text.get(..at).unwrap_or_default();
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    // TOML's own display: a headline that repeats the place, the line with its marks, and the message.
    let whole = error.to_string();
    let mut caret: Vec<&str> =
        whole.lines().filter(|line| line.contains(" | ") || line.trim_end().ends_with('|')).collect();
    // A line that may hold a password is not repeated.
    let marked = caret.concat().to_ascii_lowercase();
    if ["@", "pass", "proxy"].iter().any(|word| marked.contains(word)) {
        caret.clear();
    }
    SettingsError::File {
        file: file.to_path_buf(),
        line,
        column,
        message: error.message().to_string(),
        caret: caret.join("\n"),
    }
}

/// A settings file to begin with: every key, commented out.
pub const TEMPLATE: &str = r#"# Settings of wsusprobe. A flag or a WSUSPROBE_ variable of the same name outranks a key here.
# Every key is shown with its default, or with an example where there is none.

# Name servers that are asked directly.
#dns = ["192.0.2.53", "192.0.2.54:5353"]

# Who resolves names: "system", "dns" (those above, the default once there are some) or "none".
#resolver = "system"

# HOST:PORT:ADDRESS:PORT, as curl has it: where HOST is a name no resolver is asked, where it is an address its
# connections go elsewhere.
#connect-to = ["upstream.example.test:8531:192.0.2.10:8531"]

# PEM files whose certificates are trusted besides the machine's store; relative to this file.
#cacert = ["root.pem"]

# The store that is trusted: "system", or "none" for the files above alone.
#trust = "system"

# What makes a host's chain genuine, GLOB=FILE: replaces the built-in Microsoft roots for the names that it matches.
#anchor = ["*.update.microsoft.com=anchor.pem"]

# The proxy: "as-configured" in WSUS, "none", or http://, socks4://, socks4a:// or socks5:// with HOST:PORT. Credentials
# in it are taken with a warning.
#proxy = "as-configured"

# The user of the proxy, as DOMAIN\user, user@REALM or user. A password has no key: it is read from
# WSUSPROBE_PROXY_PASSWORD, from --proxy-password-fd or at the terminal.
#proxy-user = "EXAMPLE\\wsus"

# The only address family: "ipv4" or "ipv6".
#family = "ipv4"

# The time at which certificates are judged.
#at = "2026-05-01T02:30:00Z"

# `wsusprobe verify`: the time of the repair.
#since = "2026-05-01T02:30:00Z"

# Layers to report on, and layers to leave out.
#only = ["name", "dial"]
#skip = ["content"]

# The last layer of a check: "name", "dial", "proxy", "tls", "trust" or "http".
#until = "tls"

# Judge what is handed over and open no socket.
#no-network = false

# `wsusprobe tls`: versions, suites and order alone; one connection at a time; connections in a second; "near" or "far" by
# the measured round trip where nothing is said; the Windows Server whose client is taken.
#suites = false
#polite = false
#rate = 20
#plan = "far"
#as = "ws2012r2"

# `wsusprobe tls`: files that say how this client is set; relative to this file.
#policy = ["policy.html", "schannel.reg"]

# `wsusprobe collect`: hide the names of the site's hosts too.
#redact = "names"

# This server has no network by design.
#disconnected = false

# The longest that one step and the whole run take.
#timeout = "10s"
#deadline = "60s"

# Findings not to show, ID or ID=SUBJECT.
#suppress = ["history/client-log"]

# The forms of the report: "text", "short" or "json", with =FILE where it goes to a file.
#output = ["text"]

# No progress; how much the report tells, 0 to 2; colour: "auto", "always" or "never".
#quiet = false
#verbose = 0
#color = "auto"
"#;

#[cfg(test)]
mod tests {
    use super::super::values::At;
    use super::*;

    fn file(text: &str) -> Given {
        Given::from_toml(text, Path::new("")).unwrap()
    }

    #[test]
    fn every_key_of_the_template_is_one_and_every_one_is_there() {
        let mut seen: Vec<String> = Vec::new();
        let text: String = TEMPLATE
            .lines()
            .filter_map(|line| line.strip_prefix('#').filter(|rest| !rest.starts_with(' ')))
            .inspect(|line| seen.extend(line.split_once(" = ").map(|(key, _)| key.to_string())))
            .map(|line| format!("{line}\n"))
            .collect();
        file(&text);
        seen.sort();
        let mut keys: Vec<_> = Given::KEYS.iter().map(|key| key.to_string()).collect();
        keys.sort();
        assert_eq!(seen, keys);
    }

    #[test]
    fn files_are_relative_to_the_settings_file() {
        let given = Given::from_toml(
            "cacert = [\"ca.pem\"]\nanchor = [\"*=a.pem\"]\npolicy = [\"p.reg\"]",
            Path::new("conf"),
        )
        .unwrap();
        assert_eq!(Path::new(&given.cacert.unwrap()[0]), Path::new("conf/ca.pem"));
        assert_eq!(Path::new(&given.anchor.unwrap()[0].file), Path::new("conf/a.pem"));
        assert_eq!(Path::new(&given.policy.unwrap()[0]), Path::new("conf/p.reg"));
    }

    #[test]
    fn an_error_in_the_file_shows_where() {
        let text = "timeout = \"4s\"\n  prox = \"none\"\n";
        let error = Given::from_toml(text, Path::new("")).unwrap_err();
        let shown = locate(Path::new("w.toml"), text, &error).to_string();
        assert!(shown.starts_with("w.toml:2:3: unknown field `prox`"), "{shown}");
        assert!(shown.contains("^^^^") && shown.contains("prox = \"none\""), "{shown}");
        let text = "timeout = \"soon\"";
        let shown = locate(Path::new("w.toml"), text, &Given::from_toml(text, Path::new("")).unwrap_err())
            .to_string();
        assert!(shown.starts_with("w.toml:1:11: `soon` is not a duration"), "{shown}");
    }

    #[test]
    fn times_are_strings_or_tomls_own() {
        for text in
            ["at = \"2026-05-01T02:30:00Z\"", "at = 2026-05-01T02:30:00Z", "at = 2026-05-01 04:30:00+02:00"]
        {
            assert_eq!(file(text).at.unwrap().to_string(), "2026-05-01T02:30:00Z", "{text}");
        }
        assert!(Given::from_toml("at = 7", Path::new("")).is_err());
        assert!("2026-05-01T02:30".parse::<At>().is_ok());
    }

    #[test]
    fn a_password_in_a_url_is_its_users_and_an_error_does_not_repeat_it() {
        let settings = file("proxy = \"http://wsus:hunter2@p:1\"").settings();
        assert_eq!(settings.proxy_user.as_deref(), Some("wsus"));
        assert_eq!(settings.proxy_password.unwrap().expose(), "hunter2");
        let settings = file("proxy = \"http://wsus:hunter2@p:1\"\nproxy-user = \"other\"").settings();
        assert_eq!((settings.proxy_user.as_deref(), settings.proxy_password), (Some("other"), None));
        for text in [
            "proxy = \"http://wsus:hunter2@p\"",
            "proxy-user = \"wsus:hunter2\"",
            "proxy-password = \"hunter2\"",
            "proxy = \"http://wsus:hunter2@p:1",
        ] {
            let error = Given::from_toml(text, Path::new("")).unwrap_err();
            let shown = locate(Path::new("w.toml"), text, &error).to_string();
            assert!(!shown.contains("hunter2"), "{shown}");
            assert!(shown.starts_with("w.toml:1:"), "{shown}");
        }
    }
}
