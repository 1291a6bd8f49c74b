//! Asks this machine.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures_util::stream::{self, StreamExt};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncSeekExt};
use tokio::process::Command;

use super::{By, HTTP_TEST, Place, SOURCES, Source, Wanted, without_secrets};
use crate::collection::{Came, Collection, Source as Collected, VERSION};
use crate::facts::decode_line;
use crate::net::now;

/// How long one program may take.
const PATIENCE: Duration = Duration::from_secs(40);
/// The most that is kept of what one program prints, in bytes.
const PRINTED: u64 = 8 * 1024 * 1024;
/// The most that is kept of a log, from its end, in bytes.
const LOG: u64 = 8 * 1024 * 1024;
/// How many programs run side by side: each PowerShell takes a core while it starts.
const SIDE_BY_SIDE: usize = 4;

/// The last line of what PowerShell is told to print: without it, it did not do what it was told.
const END: &str = "wsusprobe: end";
/// What begins the line with the reason where PowerShell failed.
const FAILED: &str = "wsusprobe: failed: ";

/// What Windows itself says of where things are and who asks.
#[allow(clippy::disallowed_methods, reason = "no setting: the state of the machine")]
fn machine(name: &str) -> String {
    std::env::var(name).unwrap_or_default()
}

/// Asks for everything that is wanted. Each source fails by itself.
pub async fn collect(wanted: Wanted) -> Collection {
    let asked = SOURCES.iter().filter(|source| match source.by {
        By::HttpTest(_) => wanted.network,
        By::File(Place::Logs, _) => wanted.logs,
        By::PowerShell(_) | By::Programs(..) | By::File(Place::Iis, _) => true,
    });
    let until = Instant::now() + wanted.within;
    let sources = stream::iter(asked).map(|source| ask(source, until)).buffered(SIDE_BY_SIDE).collect().await;
    let account = match (machine("USERDOMAIN"), machine("USERNAME")) {
        (domain, user) if domain.is_empty() => user,
        (domain, user) => format!("{domain}\\{user}"),
    };
    Collection {
        version: VERSION,
        server: machine("COMPUTERNAME"),
        time: now().to_string(),
        account,
        sources,
    }
}

/// The service's logs that are on this machine, whole.
pub fn logs() -> Vec<PathBuf> {
    SOURCES
        .iter()
        .filter_map(|source| match source.by {
            By::File(Place::Logs, file) => Some(path(Place::Logs, file)),
            _ => None,
        })
        .filter(|file| file.is_file())
        .collect()
}

/// Why a collection comes from no WSUS server, where it does not: neither did the API answer nor is WSUS set up.
pub fn no_role(collection: &Collection) -> Option<String> {
    let came = |name: &str| collection.sources.iter().find(|source| source.name == name).map(|s| &s.came);
    match came("configuration")? {
        Came::Text(_) => None,
        Came::Failed(why) => {
            let set_up = matches!(came("registry"), Some(Came::Text(text)) if text.contains(r"\Update Services\Server\Setup"));
            (!set_up).then(|| why.clone())
        }
    }
}

/// Where a file is.
fn path(place: Place, file: &str) -> PathBuf {
    let (variable, folder) = place.folder();
    folder.split('\\').fold(PathBuf::from(machine(variable)), |path, part| path.join(part)).join(file)
}

async fn ask(source: &Source, until: Instant) -> Collected {
    let patience = PATIENCE.min(until.saturating_duration_since(Instant::now()));
    let (command, came) = match source.by {
        By::PowerShell(lines) => (lines.to_string(), powershell("", lines, patience).await),
        By::HttpTest(protocol) => {
            let told = format!("$Protocol = '{protocol}'\n");
            (format!("{told}{HTTP_TEST}"), powershell(&told, HTTP_TEST, patience).await)
        }
        By::Programs(_, programs) => {
            let command = programs.iter().map(|program| program.join(" ")).collect::<Vec<_>>().join("\n");
            (command, several(programs, until).await)
        }
        By::File(place, file) => {
            let path = path(place, file);
            (path.to_string_lossy().into_owned(), tail(&path).await)
        }
    };
    let came = match came {
        Ok(text) => Came::Text(without_secrets(&text)),
        Err(why) => Came::Failed(without_secrets(&why).trim().to_string()),
    };
    Collected { name: source.name.to_string(), command, came }
}

/// What lines of PowerShell print, in a process of their own.
async fn powershell(before: &str, lines: &str, patience: Duration) -> Result<String, String> {
    let told = format!(
        "[Console]::OutputEncoding = New-Object Text.UTF8Encoding $false\n{}\n{before}try {{\n& {{\n{lines}\n}} | \
         Out-String -Width 4096\n}} catch {{ '{FAILED}' + $_.Exception.Message }}\n'{END}'\n",
        include_str!("prelude.ps1")
    );
    let wide: Vec<u8> = told.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let encoded = STANDARD.encode(wide);
    let program = "WindowsPowerShell\\v1.0\\powershell.exe";
    let arguments = ["-NoProfile", "-NonInteractive", "-EncodedCommand", &encoded];
    let said = run(program, &arguments, patience).await?;
    let text = said.text.trim_end();
    let Some(text) = text.strip_suffix(END) else {
        return Err(match (text.is_empty(), said.error.trim()) {
            (true, "") => format!("powershell.exe answered nothing and ended with {}", said.code),
            (true, error) => format!("powershell.exe: {}", first(error)),
            (false, _) => format!("powershell.exe did not come to its end: {}", first(text)),
        });
    };
    if let Some((_, why)) = text.split_once(FAILED) {
        return Err(why.trim().to_string());
    }
    match text.trim() {
        "" => Err("it printed nothing".into()),
        _ => Ok(text.to_string()),
    }
}

fn first(text: &str) -> String {
    text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default().trim().chars().take(300).collect()
}

/// What programs print, one after the other. They have failed when every one of them has.
async fn several(programs: &[&[&str]], until: Instant) -> Result<String, String> {
    let (mut text, mut why) = (String::new(), None);
    for program in programs {
        let Some((name, arguments)) = program.split_first() else { continue };
        let patience = PATIENCE.min(until.saturating_duration_since(Instant::now()));
        match run(name, arguments, patience).await {
            Ok(said) if said.good && !said.text.trim().is_empty() => text.push_str(&said.text),
            Ok(said) => {
                let error = first(if said.error.trim().is_empty() { &said.text } else { &said.error });
                let reason = if error.is_empty() { "it printed nothing".to_string() } else { error };
                why.get_or_insert(format!("{name} ended with {}: {reason}", said.code));
            }
            Err(error) => {
                why.get_or_insert(error);
            }
        }
    }
    match (text.is_empty(), why) {
        (true, Some(why)) => Err(why),
        _ => Ok(text),
    }
}

/// What a program left behind.
struct Said {
    text: String,
    error: String,
    good: bool,
    code: String,
}

/// Runs a program out of Windows' own folder: one of the same name elsewhere is never taken.
async fn run(program: &str, arguments: &[&str], patience: Duration) -> Result<Said, String> {
    let path = PathBuf::from(machine("SystemRoot"))
        .join("System32")
        .join(program.replace('\\', std::path::MAIN_SEPARATOR_STR));
    let mut command = Command::new(&path);
    command
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    let mut child = command.spawn().map_err(|error| format!("{program}: {error}"))?;
    let (output, error) = (child.stdout.take(), child.stderr.take());
    let all = async { tokio::join!(read(output), read(error), child.wait()) };
    let (output, error, status) = tokio::time::timeout(patience, all)
        .await
        .map_err(|_| format!("{program} did not end within {} s", patience.as_secs()))?;
    let status = status.map_err(|error| format!("{program}: {error}"))?;
    let code = status.code().map_or_else(|| "no code".to_string(), |code| format!("code {code}"));
    Ok(Said { text: output, error, good: status.success(), code })
}

async fn read(stream: Option<impl AsyncRead + Unpin>) -> String {
    let Some(mut stream) = stream else { return String::new() };
    let mut bytes = Vec::new();
    let _ = (&mut stream).take(PRINTED).read_to_end(&mut bytes).await;
    // What goes beyond is read and let go: else the program would wait for a reader.
    let _ = tokio::io::copy(&mut stream, &mut tokio::io::sink()).await;
    // PowerShell is told to write UTF-8; the others write in the code page of the console.
    decode_line(&bytes).into_owned()
}

/// The end of a file, from the beginning of a line on.
async fn tail(path: &std::path::Path) -> Result<String, String> {
    let trouble = |error: std::io::Error| format!("{}: {error}", path.display());
    let mut file = tokio::fs::File::open(path).await.map_err(trouble)?;
    let size = file.metadata().await.map_err(trouble)?.len();
    let from = size.saturating_sub(LOG);
    file.seek(std::io::SeekFrom::Start(from)).await.map_err(trouble)?;
    let mut bytes = Vec::new();
    file.take(LOG).read_to_end(&mut bytes).await.map_err(trouble)?;
    let begin =
        if from == 0 { 0 } else { bytes.iter().position(|&byte| byte == b'\n').map_or(0, |at| at + 1) };
    Ok(String::from_utf8_lossy(&bytes[begin..]).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_program_that_is_not_there_is_a_reason() {
        let why = run("no-such-program.exe", &[], PATIENCE).await.err().unwrap();
        assert!(why.starts_with("no-such-program.exe: "), "{why}");
    }

    #[tokio::test]
    async fn a_console_writes_in_its_code_page() {
        let german = b"Aktuelle WinHTTP-Proxyeinstellungen:\r\n    Direkter Zugriff (kein Proxyserver f\x81r alle)\r\n";
        let text = read(Some(german.as_slice())).await;
        assert!(text.contains("Proxyserver f\u{fc}r alle"), "{text}");
    }

    #[test]
    fn a_server_without_the_role_is_told_from_one_whose_api_fails() {
        let source = |name: &str, came| Collected { name: name.into(), command: String::new(), came };
        let of = |sources| Collection {
            version: VERSION,
            server: "W1".into(),
            time: String::new(),
            account: String::new(),
            sources,
        };
        let failed = || source("configuration", Came::Failed("no module".into()));
        let key = r"HKEY_LOCAL_MACHINE\SOFTWARE\Microsoft\Update Services\Server\Setup";
        assert_eq!(no_role(&of(vec![failed()])).as_deref(), Some("no module"));
        assert_eq!(no_role(&of(vec![failed(), source("registry", Came::Text(key.into()))])), None);
        assert_eq!(no_role(&of(vec![source("configuration", Came::Text("MUUrl : x".into()))])), None);
    }
}
