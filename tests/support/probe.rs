//! The built program, kept on loopback, within its time, and read back.

use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use mockups::silent::ClosedPort;
use serde_json::Value;

/// How long after its deadline a run is let live: the promise is a second, and cores are noisy.
pub const GRACE: Duration = Duration::from_secs(3);

/// A run to be made.
#[derive(Debug)]
pub struct Probe {
    program: String,
    arguments: Vec<String>,
    redirections: Vec<String>,
    environment: Vec<(String, String)>,
    form: &'static str,
    step: &'static str,
    deadline: Duration,
}

/// What came of a run.
#[derive(Debug)]
pub struct Ran {
    /// The exit code.
    pub code: Option<i32>,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
    /// How long it took.
    pub took: Duration,
    /// The most memory that it held, in KiB, where the system tells.
    pub peak: Option<u64>,
    deadline: Duration,
}

impl Probe {
    /// A run of `program` with those arguments, that trusts nothing and asks no resolver.
    pub fn new(program: &str, arguments: &[&str]) -> Probe {
        Probe {
            program: program.to_owned(),
            arguments: arguments.iter().map(|&a| a.to_owned()).collect(),
            redirections: Vec::new(),
            environment: Vec::new(),
            form: "json",
            step: "4s",
            deadline: Duration::from_secs(20),
        }
        .with(&["--trust", "none"])
    }

    /// Adds arguments.
    #[must_use]
    pub fn with(mut self, arguments: &[&str]) -> Probe {
        self.arguments.extend(arguments.iter().map(|&a| a.to_owned()));
        self
    }

    /// Sets a variable of its environment; `WSUSPROBE_` ones are taken from nowhere else.
    #[must_use]
    pub fn environment(mut self, name: &str, value: &str) -> Probe {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Trusts the certificates of a file.
    #[must_use]
    pub fn trusting(self, file: &Path) -> Probe {
        self.with(&["--cacert", &file.to_string_lossy()])
    }

    /// Connections to `host:port` go to that port of 127.0.0.1.
    #[must_use]
    pub fn redirect(mut self, host: &str, port: u16, to: u16) -> Probe {
        self.redirections.push(format!("{host}:{port}:127.0.0.1:{to}"));
        self
    }

    /// Connections to that address go there.
    #[must_use]
    pub fn straight(mut self, to: std::net::SocketAddr) -> Probe {
        self.redirections.push(format!("{to}:{to}"));
        self
    }

    /// Asks that name server.
    #[must_use]
    pub fn dns(self, server: std::net::SocketAddr) -> Probe {
        self.with(&["--dns", &server.to_string()])
    }

    /// The report's form.
    #[must_use]
    pub fn form(mut self, form: &'static str) -> Probe {
        self.form = form;
        self
    }

    /// The longest that a step may take.
    #[must_use]
    pub fn step(mut self, step: &'static str) -> Probe {
        self.step = step;
        self
    }

    /// Ends the run after that long.
    #[must_use]
    pub fn deadline(mut self, deadline: Duration) -> Probe {
        self.deadline = deadline;
        self
    }

    /// Runs it. Whatever was not redirected goes to a closed port of loopback.
    ///
    /// # Panics
    /// The program does not start, or does not end by its deadline.
    pub fn run(&self) -> Ran {
        let closed = ClosedPort::open().expect("a port");
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut command = Command::new(&self.program);
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("WSUSPROBE_") {
                command.env_remove(name);
            }
        }
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command.args(&self.arguments).args(["-q", "-o", self.form, "--timeout", self.step]);
        command.args(["--deadline", &format!("{}ms", self.deadline.as_millis())]);
        if !self.arguments.iter().any(|a| a == "--dns") {
            command.args(["--resolver", "none"]);
        }
        let rest = format!("::{}", closed.address);
        for redirection in self.redirections.iter().chain([&rest]) {
            command.args(["--connect-to", redirection]);
        }
        run(command.current_dir(folder.path()), self.deadline)
    }
}

/// Runs a command with a deadline of its own.
///
/// # Panics
/// It does not start, or does not end by its deadline.
pub fn run(command: &mut Command, deadline: Duration) -> Ran {
    let began = Instant::now();
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    fn reading(from: impl Read + Send + 'static) -> std::thread::JoinHandle<String> {
        std::thread::spawn(move || {
            let (mut from, mut all) = (from, Vec::new());
            let _ = from.read_to_end(&mut all);
            String::from_utf8(all).unwrap_or_else(|error| panic!("what is said is no UTF-8: {error}"))
        })
    }
    let stdout = reading(child.stdout.take().expect("piped"));
    let stderr = reading(child.stderr.take().expect("piped"));
    let mut peak = None;
    let code = loop {
        peak = high_water(child.id()).or(peak);
        match child.try_wait() {
            Ok(Some(status)) => break status.code(),
            Ok(None) if began.elapsed() <= deadline + GRACE => {
                std::thread::sleep(Duration::from_millis(5));
            }
            _ => {
                let _ = child.kill();
                let _ = child.wait();
                panic!("{command:?} does not end by its deadline of {deadline:?}");
            }
        }
    };
    let took = began.elapsed();
    let text = |reader: std::thread::JoinHandle<String>| reader.join().expect("UTF-8");
    Ran { code, stdout: text(stdout), stderr: text(stderr), took, peak, deadline }
}

/// The most memory that a process has held, in KiB.
#[cfg(target_os = "linux")]
fn high_water(process: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().trim_end_matches("kB").trim().parse().ok()
}

#[cfg(not(target_os = "linux"))]
fn high_water(_: u32) -> Option<u64> {
    None
}

impl Ran {
    /// The report.
    ///
    /// # Panics
    /// There is none.
    pub fn report(&self) -> Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("no report: {error}\n{}\n{}", self.stdout, self.stderr))
    }

    /// The findings as `role severity confidence id`, in order.
    pub fn findings(&self) -> Vec<String> {
        let report = self.report();
        let word = |finding: &Value, key: &str| finding[key].as_str().unwrap_or("?").to_owned();
        let list = report["findings"].as_array().cloned().unwrap_or_default();
        list.iter()
            .map(|f| ["role", "severity", "confidence", "id"].map(|key| word(f, key)).join(" "))
            .collect()
    }

    /// Whether the verdict and exactly these findings came out, on time.
    ///
    /// # Errors
    /// Not: says what came out instead.
    pub fn expect(&self, verdict: &str, findings: &[&str]) -> Result<&Ran, String> {
        let report = self.report();
        if report["verdict"] != verdict || self.findings() != findings {
            return Err(self.but(&format!("not {verdict} with {findings:?}")));
        }
        let codes = ["healthy", "degraded", "faulty", "undetermined"];
        let code = codes.iter().position(|v| *v == verdict).and_then(|at| i32::try_from(at).ok());
        if self.code != code {
            return Err(self.but(&format!("the exit code is {:?}", self.code)));
        }
        if self.took > self.deadline + GRACE {
            return Err(self.but(&format!("it took {:?}", self.took)));
        }
        Ok(self)
    }

    /// Whether what a finding says holds that text, and everything was explained.
    ///
    /// # Errors
    /// Not: says what came out instead.
    pub fn says(&self, id: &str, text: &str) -> Result<&Ran, String> {
        let report = self.report();
        if self.findings().iter().any(|f| f.ends_with("unexplained")) {
            return Err(self.but("something is unexplained"));
        }
        let said = report["findings"].as_array().is_some_and(|list| {
            list.iter().any(|f| f["id"] == id && f["says"].as_str().is_some_and(|says| says.contains(text)))
        });
        if said { Ok(self) } else { Err(self.but(&format!("{id} does not say {text:?}"))) }
    }

    /// Whether a question was left open whose text holds that.
    ///
    /// # Errors
    /// Not: says what came out instead.
    pub fn leaves_open(&self, text: &str) -> Result<&Ran, String> {
        let report = self.report();
        let open = report["unknown"].as_array().is_some_and(|list| {
            list.iter().any(|u| {
                ["question", "says"].iter().any(|key| u[key].as_str().is_some_and(|says| says.contains(text)))
            })
        });
        if open { Ok(self) } else { Err(self.but(&format!("nothing unknown says {text:?}"))) }
    }

    fn but(&self, problem: &str) -> String {
        let report = self.report();
        let mut out =
            format!("{problem}; the verdict is {} with {:#?}\n", report["verdict"], self.findings());
        for finding in report["findings"].as_array().into_iter().flatten() {
            out.push_str(&format!("  {}: {}\n", finding["id"], finding["says"]));
        }
        for unknown in report["unknown"].as_array().into_iter().flatten() {
            out.push_str(&format!("  unknown: {} {}\n", unknown["question"], unknown["says"]));
        }
        for observation in report["observations"].as_array().into_iter().flatten() {
            let line: String = observation.to_string().chars().take(600).collect();
            out.push_str(&format!("  {line}\n"));
        }
        out + &self.stderr
    }
}
