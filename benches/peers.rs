//! An enumeration of TLS beside the programs that do the same: pairs of runs, ours and a peer's in turn, of whole processes.
//!
//! `cargo bench --bench peers [-- --runs N] [--on ABCD] [--rtt MS] [--proxy] [--alone]`. Peers that are not installed are
//! skipped by name. With `--rtt` it runs where loopback is far away (`benches/rtt/run`), directly and through Squid; with
//! `--proxy` it is target A through Squid alone, beside sslscan under proxychains4; with `--alone` without peers, or with
//! `--ours PROGRAM` by another program of ours. The goals stand in `benches/README.md` too; nothing here asserts a time, but
//! a wrong answer ends it.

#[cfg(not(unix))]
fn main() {
    eprintln!("skipped: a program's time on the processor is read as Unix has it");
}

#[cfg(unix)]
fn main() -> std::process::ExitCode {
    unix::main()
}

#[cfg(unix)]
mod unix {
    use std::path::PathBuf;
    use std::process::{Command, ExitCode, Stdio};
    use std::time::Instant;

    use nix::sys::resource::{UsageWho, getrusage};
    use nix::sys::time::TimeValLike;
    use wsusprobe_suite::server::folder;
    use wsusprobe_suite::squid::{ALL, Squid};
    use wsusprobe_suite::targets::{Target, Targets};
    use wsusprobe_suite::{installed, write};

    /// What was asked for.
    struct Asked {
        runs: usize,
        on: Vec<Target>,
        rtt: Option<u32>,
        within: bool,
        proxy: bool,
        alone: bool,
        ours: PathBuf,
    }

    fn asked() -> Result<Asked, String> {
        let mut asked = Asked {
            runs: 15,
            on: Target::ALL.to_vec(),
            rtt: None,
            within: false,
            proxy: false,
            alone: false,
            ours: PathBuf::from(env!("CARGO_BIN_EXE_wsusprobe-under-test")),
        };
        let mut words = std::env::args().skip(1);
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or_else(|| format!("{word} wants a value"));
            match word.as_str() {
                // cargo says so to every benchmark.
                "--bench" => {}
                "--runs" => asked.runs = value()?.parse().map_err(|_| "--runs wants a number")?,
                "--rtt" => asked.rtt = Some(value()?.parse().map_err(|_| "--rtt wants milliseconds")?),
                "--on" => {
                    let letters = value()?.to_uppercase();
                    asked.on.retain(|target| letters.contains(&format!("{target:?}")));
                }
                "--within" => asked.within = true,
                "--proxy" => asked.proxy = true,
                "--alone" => asked.alone = true,
                "--ours" => asked.ours = PathBuf::from(value()?),
                _ => return Err(format!("what is {word}?")),
            }
        }
        if asked.runs == 0 || asked.on.is_empty() {
            return Err("nothing to run".to_owned());
        }
        Ok(asked)
    }

    pub fn main() -> ExitCode {
        let done = asked().and_then(|asked| match asked.rtt {
            Some(rtt) if !asked.within => far_away(rtt),
            rtt if asked.proxy => through_squid(&asked, rtt),
            Some(rtt) => at_a_distance(&asked, rtt),
            None => on_loopback(&asked),
        });
        match done {
            Ok(code) => code,
            Err(error) => {
                eprintln!("peers: {error}");
                ExitCode::FAILURE
            }
        }
    }

    /// Runs this program again where loopback is far away.
    fn far_away(rtt: u32) -> Result<ExitCode, String> {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/rtt/run");
        let own = std::env::current_exe().map_err(|error| error.to_string())?;
        let status = Command::new(script)
            .args([&rtt.to_string(), "--"])
            .arg(own)
            .args(std::env::args().skip(1))
            .arg("--within")
            .status()
            .map_err(|error| format!("{script}: {error}"))?;
        match status.code() {
            Some(0) => Ok(ExitCode::SUCCESS),
            Some(125) => {
                println!("skipped: nothing is far away here");
                Ok(ExitCode::SUCCESS)
            }
            _ => Err("it failed there".to_owned()),
        }
    }

    /// A program that enumerates.
    struct Peer {
        name: &'static str,
        program: PathBuf,
        arguments: Vec<String>,
        /// How its suites are counted, where it lists them.
        counts: Option<fn(&str) -> usize>,
        /// How many times as long as ours it is to take, by target, on loopback.
        goal: fn(Target) -> Option<f64>,
    }

    fn words(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    const CIPHERS_ONLY: &str = "--no-check-certificate --no-compression --no-fallback --no-groups --no-heartbleed \
                                --no-renegotiation --no-colour";

    fn sslscan_lists(text: &str) -> usize {
        text.lines().filter(|line| line.starts_with("Preferred ") || line.starts_with("Accepted ")).count()
    }

    fn nmap_lists(text: &str) -> usize {
        text.lines().filter(|line| line.starts_with("|       TLS_")).count()
    }

    /// The peers that are there. Those that are not are named.
    fn peers() -> Vec<Peer> {
        let known = [
            ("sslscan, ciphers only", "sslscan", CIPHERS_ONLY, Some(sslscan_lists as fn(&str) -> usize)),
            ("sslscan", "sslscan", "--no-colour", Some(sslscan_lists)),
            ("nmap", "nmap", "-Pn -n -sT --script +ssl-enum-ciphers -p PORT HOST", Some(nmap_lists)),
            ("cipherrun", "cipherrun", "-E --allow-private --no-colour", None),
        ];
        let mut peers = Vec::new();
        for (name, program, arguments, counts) in known {
            let Some(program) = installed(program) else {
                println!("skipped: {name} is not installed\n");
                continue;
            };
            let goal: fn(Target) -> Option<f64> = match name {
                "sslscan, ciphers only" => |target| match target {
                    Target::A => Some(4.0),
                    Target::B => Some(6.0),
                    _ => None,
                },
                "sslscan" => |target| (target == Target::A).then_some(20.0),
                "nmap" => |target| (target == Target::A).then_some(12.0),
                _ => |target| match target {
                    Target::A => Some(5.0),
                    Target::B => Some(2.0),
                    _ => None,
                },
            };
            peers.push(Peer { name, program, arguments: words(arguments), counts, goal });
        }
        peers
    }

    impl Peer {
        fn command(&self, port: u16) -> Command {
            let mut command = Command::new(&self.program);
            let mut placed = false;
            for argument in &self.arguments {
                match argument.as_str() {
                    "HOST" => command.arg("127.0.0.1"),
                    "PORT" => {
                        placed = true;
                        command.arg(port.to_string())
                    }
                    argument => command.arg(argument),
                };
            }
            if !placed {
                command.arg(format!("127.0.0.1:{port}"));
            }
            command
        }
    }

    fn ours(asked: &Asked, port: u16) -> Command {
        let mut command = Command::new(&asked.ours);
        command.args(["tls", &format!("127.0.0.1:{port}"), "--suites", "-o", "json"]);
        command
    }

    /// How many suites our report lists.
    fn ours_lists(text: &str) -> usize {
        let report: serde_json::Value = serde_json::from_str(text).unwrap_or_default();
        let versions = report["tls"][0]["versions"].as_array().cloned().unwrap_or_default();
        versions.iter().filter_map(|version| version["suites"].as_array()).map(Vec::len).sum()
    }

    /// One run.
    #[derive(Clone, Copy)]
    struct Took {
        wall: f64,
        cpu: f64,
    }

    fn cpu() -> Result<i64, String> {
        let usage = getrusage(UsageWho::RUSAGE_CHILDREN).map_err(|error| error.to_string())?;
        Ok((usage.user_time() + usage.system_time()).num_microseconds())
    }

    /// Runs a program that has to list so many suites. Nothing else is waited for meanwhile, or its time would count.
    fn run(
        name: &str,
        command: &mut Command,
        suites: usize,
        counts: Option<fn(&str) -> usize>,
    ) -> Result<Took, String> {
        let folder = folder();
        command.current_dir(folder.path()).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let (before, began) = (cpu()?, Instant::now());
        let output = command.output().map_err(|error| format!("{name}: {error}"))?;
        let (wall, after) = (began.elapsed(), cpu()?);
        let text = String::from_utf8_lossy(&output.stdout);
        if let Some(listed) = counts.map(|counts| counts(&text)).filter(|listed| *listed != suites) {
            let said = String::from_utf8_lossy(&output.stderr);
            return Err(format!("{name} lists {listed} suites and not {suites}:\n{text}\n{said}"));
        }
        Ok(Took { wall: wall.as_secs_f64() * 1e3, cpu: (after - before) as f64 / 1e3 })
    }

    fn median(mut values: Vec<f64>) -> f64 {
        values.sort_by(f64::total_cmp);
        let middle = values.len() / 2;
        if values.len().is_multiple_of(2) {
            (values[middle - 1] + values[middle]) / 2.0
        } else {
            values[middle]
        }
    }

    fn medians(runs: &[Took]) -> Took {
        Took {
            wall: median(runs.iter().map(|run| run.wall).collect()),
            cpu: median(runs.iter().map(|run| run.cpu).collect()),
        }
    }

    /// The most memory that ours holds, in MiB, as GNU time tells it.
    fn peak(asked: &Asked, port: u16) -> Option<f64> {
        let folder = folder();
        let file = folder.path().join("peak");
        let inner = ours(asked, port);
        let status = Command::new(installed("time")?)
            .args(["-f", "%M", "-o"])
            .arg(&file)
            .arg(inner.get_program())
            .args(inner.get_args())
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        status.ok()?;
        // A line about the exit code may stand before it.
        let text = std::fs::read_to_string(file).ok()?;
        text.lines().last()?.trim().parse::<f64>().ok().map(|kib| kib / 1024.0)
    }

    fn at_least(goal: Option<f64>) -> String {
        goal.map_or_else(|| "–".to_owned(), |goal| format!("≥ {goal}"))
    }

    const PAIRS: &str = "\
        | target | beside | ours ms | theirs ms | wall × | goal | ours CPU ms | theirs CPU ms | CPU × |\n\
        | --- | --- | --- | --- | --- | --- | --- | --- | --- |";

    /// So many pairs as a row of that table; gives our runs.
    fn pairs(
        runs: usize,
        (target, peer): (Target, &str),
        goal: Option<f64>,
        ours: impl Fn() -> Result<Took, String>,
        theirs: impl Fn() -> Result<Took, String>,
    ) -> Result<Vec<Took>, String> {
        let (mut here, mut there) = (Vec::new(), Vec::new());
        for _ in 0..runs {
            here.push(ours()?);
            there.push(theirs()?);
        }
        let (mine, other) = (medians(&here), medians(&there));
        // The ratio of each pair, so that a load that comes and goes meets both.
        let times = |of: fn(&Took) -> f64| {
            median(here.iter().zip(&there).map(|(mine, theirs)| of(theirs) / of(mine)).collect())
        };
        println!(
            "| {target:?} | {peer} | {:.1} | {:.1} | {:.1} | {} | {:.1} | {:.1} | {:.1} |",
            mine.wall,
            other.wall,
            times(|run| run.wall),
            at_least(goal),
            mine.cpu,
            other.cpu,
            times(|run| run.cpu)
        );
        Ok(here)
    }

    /// Ours through that Squid.
    fn ours_through(asked: &Asked, port: u16, squid: &Squid) -> Command {
        let mut command = ours(asked, port);
        command.args(["--proxy", &format!("http://127.0.0.1:{}", squid.at)]);
        command
    }

    /// Target A through Squid, which asks for no logon, each program through one of its own, so that its tunnels can be
    /// counted. sslscan knows no proxy: proxychains4 leads it there. Where loopback is far away, both ways are, and the
    /// pairs are a third as many.
    fn through_squid(asked: &Asked, rtt: Option<u32>) -> Result<ExitCode, String> {
        if installed("squid").is_none() {
            println!("skipped: squid is not installed");
            return Ok(ExitCode::SUCCESS);
        }
        let targets = Targets::start()?;
        let squid = Squid::start(&[], ALL, &[])?;
        let (target, port, suites) = (Target::A, targets.port(Target::A), Target::A.suites());
        let runs = if rtt.is_some() { asked.runs.div_ceil(3) } else { asked.runs };
        let one = || run("wsusprobe", &mut ours_through(asked, port, &squid), suites, Some(ours_lists));
        one()?;
        let programs = (installed("proxychains4"), installed("sslscan"));
        let (Some(proxychains), Some(sslscan), false) = (&programs.0, &programs.1, asked.alone) else {
            if !asked.alone {
                let missing = if programs.0.is_none() { "proxychains4" } else { "sslscan" };
                println!("skipped: {missing} is not installed\n");
            }
            let mine = medians(&(0..runs).map(|_| one()).collect::<Result<Vec<_>, _>>()?);
            println!("| target | through Squid | ms | CPU ms |\n| --- | --- | --- | --- |");
            println!("| {target:?} | wsusprobe | {:.1} | {:.1} |", mine.wall, mine.cpu);
            return Ok(ExitCode::SUCCESS);
        };
        let (folder, their_squid) = (folder(), Squid::start(&[], ALL, &[])?);
        let list = format!("strict_chain\nquiet_mode\n[ProxyList]\nhttp 127.0.0.1 {}\n", their_squid.at);
        let config = write(folder.path(), "proxychains.conf", list);
        let name = "proxychains4 sslscan, ciphers only";
        let other = || {
            let mut command = Command::new(proxychains);
            command.args(["-q", "-f"]).arg(&config).arg(sslscan).args(words(CIPHERS_ONLY));
            command.arg(format!("127.0.0.1:{port}"));
            run(name, &mut command, suites, Some(sslscan_lists))
        };
        let goal = match rtt {
            None => Some(2.5),
            Some(50) => Some(5.0),
            Some(_) => None,
        };
        println!("{PAIRS}");
        other()?;
        pairs(runs, (target, name), goal, one, other)?;
        let tunnels = |squid: Squid| {
            squid.stop().iter().filter(|answered| answered.method == "CONNECT").count() / (runs + 1)
        };
        let (mine, theirs) = (tunnels(squid), tunnels(their_squid));
        println!("\ntunnels in a run: ours {mine}, theirs {theirs}");
        if mine == 0 || theirs == 0 {
            return Err("one of them went round its proxy".to_owned());
        }
        Ok(ExitCode::SUCCESS)
    }

    fn on_loopback(asked: &Asked) -> Result<ExitCode, String> {
        let targets = Targets::start()?;
        let peers = if asked.alone { Vec::new() } else { peers() };
        println!("{PAIRS}");
        for &target in &asked.on {
            let (port, suites) = (targets.port(target), target.suites());
            let one = || run("wsusprobe", &mut ours(asked, port), suites, Some(ours_lists));
            one()?;
            let mut all = Vec::new();
            for peer in &peers {
                let other = || run(peer.name, &mut peer.command(port), suites, peer.counts);
                all.extend(pairs(asked.runs, (target, peer.name), (peer.goal)(target), one, other)?);
            }
            if peers.is_empty() {
                all = (0..asked.runs).map(|_| one()).collect::<Result<_, _>>()?;
            }
            let mine = medians(&all);
            let peak =
                peak(asked, port).map_or_else(|| "no GNU time".to_owned(), |mib| format!("{mib:.1} MiB"));
            println!(
                "| {target:?} | alone ({} runs) | {:.1} | | | | {:.1} (≤ 10 on A) | | peak {peak} (≤ 12) |",
                all.len(),
                mine.wall,
                mine.cpu
            );
        }
        Ok(ExitCode::SUCCESS)
    }

    /// Where loopback is far away, each peer runs a third as often: some take half a minute.
    fn at_a_distance(asked: &Asked, rtt: u32) -> Result<ExitCode, String> {
        let targets = Targets::start()?;
        let peers = if asked.alone { Vec::new() } else { peers() };
        let few = asked.runs.div_ceil(3);
        println!("| target | {rtt} ms round trip | s | goal |");
        println!("| --- | --- | --- | --- |");
        let row = |target: Target, what: &str, runs: &[Took], goal: &str| {
            println!("| {target:?} | {what} | {:.2} | {goal} |", medians(runs).wall / 1e3);
        };
        let several = |runs: usize, one: &dyn Fn() -> Result<Took, String>| {
            (0..runs).map(|_| one()).collect::<Result<Vec<_>, _>>()
        };
        for &target in &asked.on {
            let (port, suites) = (targets.port(target), target.suites());
            let mine =
                several(asked.runs, &|| run("wsusprobe", &mut ours(asked, port), suites, Some(ours_lists)))?;
            row(target, "wsusprobe", &mine, if target == Target::A && rtt == 50 { "≤ 0.9" } else { "–" });
            for peer in &peers {
                let theirs = several(few, &|| run(peer.name, &mut peer.command(port), suites, peer.counts))?;
                row(target, peer.name, &theirs, "–");
            }
        }
        if installed("squid").is_none() {
            println!("\nskipped: squid is not installed");
            return Ok(ExitCode::SUCCESS);
        }
        let squid = Squid::start(&[], ALL, &[])?;
        let (port, suites) = (targets.port(Target::A), Target::A.suites());
        let mine = several(asked.runs, &|| {
            run("wsusprobe through Squid", &mut ours_through(asked, port, &squid), suites, Some(ours_lists))
        })?;
        row(
            Target::A,
            "wsusprobe through Squid, both ways as far",
            &mine,
            if rtt == 50 { "≤ 2.2" } else { "–" },
        );
        if let Some(peer) = peers.iter().find(|peer| peer.name == "cipherrun") {
            let theirs = several(few, &|| {
                let mut command = peer.command(port);
                command.args(["--proxy", &format!("127.0.0.1:{}", squid.at)]);
                run("cipherrun through Squid", &mut command, suites, peer.counts)
            })?;
            row(Target::A, "cipherrun through Squid", &theirs, "–");
        }
        Ok(ExitCode::SUCCESS)
    }
}
