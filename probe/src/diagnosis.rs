//! Findings, the diagnosis that they make, and the order in which they are told.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::evidence::{Evidence, Layer, NameAnswer, Observation, Outcome};
use crate::facts::{Statement, servers};
use crate::rules::{self, AfterRepair, Given, LaneEnd, PathSeen, RULES, Seen};

/// How much a finding matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// Synchronization fails by it.
    Error,
    /// It will, or something beside synchronization does.
    Warning,
    /// Worth knowing.
    Info,
}

/// How sure a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Confidence {
    /// The observations leave nothing else.
    Certain,
    /// They leave little else.
    Likely,
    /// They fit, as others do.
    Possible,
}

/// What a finding is to the failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// It explains a failed observation.
    Cause,
    /// It also holds for one that another finding explains.
    Contributing,
    /// It explains no failure.
    Note,
}

/// What to do about a finding.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Remedy {
    /// What to do, in order.
    pub steps: Vec<String>,
    /// PowerShell, where the repair is a command.
    pub commands: Vec<String>,
    /// On which server.
    #[serde(rename = "where")]
    pub place: String,
    /// On which servers, and which advice, never.
    pub never: Vec<String>,
}

/// One thing that the evidence says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Finding {
    /// Its id in the catalogue.
    pub id: String,
    /// How much it matters.
    pub severity: Severity,
    /// How sure it is.
    pub confidence: Confidence,
    /// What it is to the failure.
    pub role: Role,
    /// `host:port`, a file as given, or a property's name.
    pub subject: String,
    /// What was seen, in a sentence or two with the facts quoted.
    pub says: String,
    /// The ids of the observations and facts that it rests on.
    pub because: Vec<String>,
    /// What to do.
    pub remedy: Remedy,
}

impl Finding {
    /// The layer of its id.
    pub fn layer(&self) -> Layer {
        Layer::of_id(&self.id).unwrap_or(Layer::Unexplained)
    }
}

/// What the evidence excludes: the line that an administrator shows the network team.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RuledOut {
    /// The layer that is in order.
    pub layer: Layer,
    /// The path's id.
    pub path: String,
    /// `host:port`.
    pub subject: String,
    /// What was seen.
    pub says: String,
    /// The observations that it rests on.
    pub because: Vec<String>,
}

/// What the evidence cannot tell.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Unknown {
    /// The open question.
    pub question: String,
    /// Why it is open.
    pub says: String,
    /// The test that would decide.
    pub would_decide: String,
    /// The observations and facts that leave it open.
    pub because: Vec<String>,
}

/// The answer in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// The path works and nothing warns.
    Healthy,
    /// It works and something warns; after a repair also: a run failed again.
    Degraded,
    /// A cause is known.
    Faulty,
    /// None is known for certain enough.
    Undetermined,
}

impl Verdict {
    /// The exit code, by the monitoring plug-ins' contract.
    pub fn exit_code(self) -> u8 {
        match self {
            Verdict::Healthy => 0,
            Verdict::Degraded => 1,
            Verdict::Faulty => 2,
            Verdict::Undetermined => 3,
        }
    }

    /// The word itself.
    pub fn word(self) -> &'static str {
        match self {
            Verdict::Healthy => "healthy",
            Verdict::Degraded => "degraded",
            Verdict::Faulty => "faulty",
            Verdict::Undetermined => "undetermined",
        }
    }
}

/// What the evidence says, as a whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Diagnosis {
    /// The answer in one word.
    pub verdict: Verdict,
    /// Causes first.
    pub findings: Vec<Finding>,
    /// What is excluded.
    pub ruled_out: Vec<RuledOut>,
    /// What cannot be told.
    pub unknown: Vec<Unknown>,
}

/// Facts and observations that support and never make a cause by themselves.
fn is_supporting(statement: &Statement) -> bool {
    // A user's own proxy is none of the service's.
    if let Statement::Registry { key, .. } = statement {
        return crate::facts::is_user_proxy_key(key);
    }
    matches!(
        statement,
        Statement::WinHttpProxy { .. }
            | Statement::PortTest { .. }
            | Statement::Resolved { .. }
            | Statement::LogFailure { .. }
            | Statement::Console { .. }
            | Statement::ClientLog { .. }
            | Statement::Elsewhere { .. }
            | Statement::Event { .. }
            | Statement::Change { .. }
            | Statement::ClockJump { .. }
            | Statement::InstalledUpdate { .. }
            | Statement::IisAnswer { .. }
            | Statement::ServerName { .. }
            | Statement::NotCollected { .. }
    )
}

/// Judges evidence: the rules, the laws of the catalogue, and the order in which findings are told.
pub fn judge(evidence: &Evidence) -> Diagnosis {
    // What another server's files say is not joined with what is known of this one.
    let others = servers::others(&evidence.facts);
    let all = Seen::new(evidence);
    let mut given = Given::default();
    rules::servers(&all, &mut given);
    let evidence = &*servers::of_one(evidence, &turned_away_at(&all));
    let seen = Seen::new(evidence);
    for rule in RULES {
        (rule.give)(&seen, &mut given);
    }
    for other in &others {
        let (settings, facts) = (evidence.settings.clone(), other.facts.clone());
        let theirs = Evidence { settings, facts, paths: Vec::new(), observations: Vec::new() };
        rules::failing_elsewhere(other, &Seen::new(&theirs), &mut given);
        rules::stopped_upstream(other, &seen, &mut given);
    }
    rules::settle(&seen, &mut given);
    rules::recovered_settles(&seen, &mut given);
    some_lanes(&seen, &mut given);
    cover(&seen, &mut given);
    rules::conclude(&seen, &mut given);
    rules::open_questions(&seen, &mut given);
    left_open(&seen, &mut given);
    let Given { mut findings, unknown } = given;
    let settings = &evidence.settings;
    findings.retain(|f| f.id == "unexplained" || settings.reports_on(f.layer()));
    findings.retain(|f| !settings.suppresses(&f.id, &f.subject));
    findings.sort_by_cached_key(order);
    let verdict = verdict(&seen, &findings);
    let mut ruled_out = ruled_out(&seen, &findings);
    ruled_out.retain(|item| settings.reports_on(item.layer));
    Diagnosis { verdict, ruled_out, findings, unknown }
}

/// The hosts of needed paths at whose TLS or certificate a lane ended.
fn turned_away_at<'a>(seen: &Seen<'a>) -> Vec<&'a str> {
    let ended = |path: &&PathSeen| {
        path.failures().any(|(_, failed)| matches!(failed.layer, Layer::Tls | Layer::Trust))
    };
    seen.needed().filter(ended).map(|path| path.info.target.host.as_str()).collect()
}

fn order(finding: &Finding) -> impl Ord + use<> {
    (
        finding.role,
        finding.severity,
        finding.layer(),
        finding.confidence,
        finding.id.clone(),
        finding.subject.clone(),
    )
}

/// Says of a cause that holds for some addresses of a name at which, where others work.
fn some_lanes(seen: &Seen, given: &mut Given) {
    for finding in given.findings.iter_mut().filter(|f| f.role == Role::Cause && f.layer() != Layer::Dial) {
        for path in seen.needed().filter(|p| p.works()) {
            let here: Vec<&str> = path
                .failures()
                .filter(|(_, o)| finding.because.contains(&o.id))
                .map(|(lane, _)| lane.lane)
                .collect();
            if !here.is_empty() {
                let works = path.lanes.iter().filter(|l| l.end == LaneEnd::Works).map(|l| l.lane);
                let works: Vec<&str> = works.collect();
                finding.says.push_str(&format!(
                    " So it is at {}; {} works.",
                    rules::list(&here),
                    rules::list(&works)
                ));
            }
        }
    }
}

/// The law of cover: a failed observation that no finding explains is said to be unexplained, with its raw evidence.
fn cover(seen: &Seen, given: &mut Given) {
    for path in seen.needed() {
        let explained = |id: &String| given.findings.iter().any(|f| f.because.contains(id));
        let open: Vec<_> = path.failed().into_iter().filter(|o| !explained(&o.id)).collect();
        // Answers of several resolvers about one name are one failure.
        if open.is_empty() || (open.len() < path.name_failures().len() && path.lanes.is_empty()) {
            continue;
        }
        let because = open.iter().map(|o| o.id.clone()).collect();
        let first = open[0];
        let raw = first.raw.as_deref().map(|raw| format!(" It sent: \"{raw}\".")).unwrap_or_default();
        let says = format!(
            "At the {} step {} ended the path, and no rule explains it: {}.{raw}",
            first.layer.word(),
            first.subject,
            crate::describe::outcome(&first.outcome)
        );
        given.add(rules::finding(
            "unexplained",
            Role::Cause,
            Confidence::Possible,
            &path.subject(),
            says,
            because,
        ));
    }
}

/// What the run itself leaves open: no network, a deadline, nothing to walk.
fn left_open(seen: &Seen, given: &mut Given) {
    for path in seen.needed() {
        let cut = path.asked.iter().find(|o| o.question.as_deref() == Some("deadline"));
        if let Some(cut) = cut
            && !path.works()
            && path.failed().is_empty()
        {
            let Outcome::NotReached { says, .. } = &cut.outcome else { continue };
            given.open(
                "How does the path go on?",
                format!("On the way to {} {says}.", path.subject()),
                "run again with a longer --deadline",
                vec![cut.id.clone()],
            );
        }
        let resolved = path.resolved() || !path.name_failures().is_empty();
        let not_asked = path.own.iter().find(|o| matches!(o.outcome, Outcome::NotAsked { .. }));
        if let Some(observation) = not_asked
            && !resolved
        {
            let Outcome::NotAsked { reason } = &observation.outcome else { continue };
            given.open(
                "Does the path work?",
                format!("{} was not walked: {reason}.", path.subject()),
                "run it where the path can be walked, best on the WSUS server itself",
                vec![observation.id.clone()],
            );
        }
    }
    // A configuration that leaves nothing to begin with has said why.
    let cannot_begin = given
        .findings
        .iter()
        .any(|f| f.layer() == Layer::Config && f.role == Role::Cause && f.confidence != Confidence::Possible);
    if seen.evidence.settings.disconnected
        && seen.evidence.settings.since.is_none()
        && !rules::something_arrived(seen)
    {
        given.open(
            "Has an import been completed, and of when is what it brought?",
            "Without a network by design, export and import take synchronization's place; what was handed over shows none that \
             succeeded within a month."
                .into(),
            "hand over what wsusutil import printed last on this server, and its log; the export's date stands in its log on the \
             connected server",
            Vec::new(),
        );
    }
    if seen.needed().next().is_none()
        && !seen.evidence.settings.disconnected
        && seen.evidence.settings.since.is_none()
        && !cannot_begin
        && !crate::plan::names_a_source(&seen.facts)
    {
        given.open(
            "Where does this server synchronize from?",
            "Nothing that was handed over names a source that can be walked.".into(),
            "hand over the output of (Get-WsusServer).GetConfiguration(), or name the source: wsusprobe check URL",
            Vec::new(),
        );
    }
}

fn verdict(seen: &Seen, findings: &[Finding]) -> Verdict {
    let authoritative = |finding: &Finding| {
        finding.because.iter().any(|id| {
            let fact = seen.evidence.facts.iter().find(|f| &f.id == id);
            fact.is_some_and(|f| !is_supporting(&f.statement)) || seen.observation(id).is_some()
        })
    };
    let faulty = findings.iter().any(|f| {
        f.role == Role::Cause
            && f.severity == Severity::Error
            && f.confidence <= Confidence::Likely
            && authoritative(f)
    });
    let causes: Vec<_> = findings.iter().filter(|f| f.role == Role::Cause).collect();
    let needed: Vec<_> = seen.needed().collect();
    // After a repair the record answers, and no path is walked.
    let after = seen.evidence.settings.since.map(|since| rules::after_repair(seen, since));
    let nothing_reached = if let Some(after) = &after {
        match after {
            AfterRepair::Succeeded(_) => false,
            // That one failed again is an answer, where it is told.
            AfterRepair::Failed(_) => !findings.iter().any(|f| f.id == "history/failing"),
            AfterRepair::Unsure(..) | AfterRepair::NotKnown => true,
        }
    } else if needed.is_empty() {
        !(seen.evidence.settings.disconnected && rules::something_arrived(seen))
    } else {
        needed.iter().any(|p| !p.works())
    };
    let only_possible = !causes.is_empty() && causes.iter().all(|f| f.confidence == Confidence::Possible);
    // Whether WSUS accepts a re-signed chain that the machine trusts is not known.
    let re_signed = findings.iter().any(|f| f.id == "proxy/inspection" && f.role == Role::Contributing);
    if faulty {
        Verdict::Faulty
    } else if nothing_reached
        || only_possible
        || re_signed
        || findings.iter().any(|f| f.id == "unexplained")
        || rules::unexplained_failure(seen, findings)
        || rules::never_started(seen)
        || (after.is_none() && rules::own_test_failed(seen, findings))
    {
        Verdict::Undetermined
    } else if findings.iter().any(|f| f.severity <= Severity::Warning) {
        Verdict::Degraded
    } else {
        Verdict::Healthy
    }
}

/// The layers that every lane of a needed path passed, with what was seen.
fn ruled_out(seen: &Seen, findings: &[Finding]) -> Vec<RuledOut> {
    let mut list = Vec::new();
    let configured: Vec<String> = seen
        .evidence
        .facts
        .iter()
        .filter(|f| matches!(f.statement, Statement::Config { .. }))
        .map(|f| f.id.clone())
        .collect();
    // A cause of any layer that rests on a value of the configuration leaves the configuration in question.
    let blamed = findings.iter().any(|f| {
        f.severity <= Severity::Warning
            && (f.layer() == Layer::Config || f.because.iter().any(|id| configured.contains(id)))
    });
    let names_a_source = seen.facts.flag("SyncFromMicrosoftUpdate").is_some();
    let met = seen.needed().all(|path| path.met_its_peer());
    if let (true, false, true, Some(path)) = (names_a_source, blamed, met, seen.needed().next()) {
        list.push(RuledOut {
            layer: Layer::Config,
            path: path.info.id.clone(),
            subject: path.subject(),
            says: format!("nothing is wrong in the {} values that were handed over", configured.len()),
            because: configured,
        });
    }
    for path in seen.needed() {
        // What a false address answers excludes nothing.
        let astray = findings.iter().any(|f| {
            f.id == "name/sinkhole"
                && f.role == Role::Cause
                && path.own.iter().any(|o| f.because.contains(&o.id))
        });
        let after = path.after_failures();
        for layer in
            [Layer::Name, Layer::Dial, Layer::Proxy, Layer::Tls, Layer::Trust, Layer::Http, Layer::Wsus]
        {
            if astray && layer > Layer::Name {
                continue;
            }
            let passed = |o: &&Observation| o.layer == layer && !after.contains(&o.id.as_str());
            let own: Vec<_> = path.own.iter().copied().filter(passed).collect();
            let asked = |o: &&Observation| {
                !matches!(o.outcome, Outcome::NotAsked { .. } | Outcome::NotReached { .. })
            };
            let seen_here: Vec<_> = own.into_iter().filter(asked).collect();
            let failed = path.failed();
            // Who re-signs shows in the chain: neither the proxy nor the certificates are in order then.
            let here: &[&Observation] = if layer == Layer::Proxy { &path.own } else { &seen_here };
            let speaks_of =
                |f: &Finding| f.layer() == layer || (f.id == "proxy/inspection" && layer == Layer::Trust);
            let blamed = findings.iter().any(|f| {
                speaks_of(f)
                    && f.severity <= Severity::Warning
                    && here.iter().any(|o| f.because.contains(&o.id))
            });
            if seen_here.is_empty() || blamed || seen_here.iter().any(|o| failed.iter().any(|f| f.id == o.id))
            {
                continue;
            }
            // A lane that was ended below tells nothing of what is above, whatever the other lanes met; an address
            // that does not connect leaves the word to those that do.
            let ended_below = path.failures().any(|(lane, f)| {
                let came_here = lane.own.iter().any(|o| seen_here.iter().any(|here| here.id == o.id));
                f.layer >= Layer::Tls && f.layer < layer && !came_here
            });
            if ended_below || (layer == Layer::Name && !path.resolved()) {
                continue;
            }
            let telling = seen_here
                .iter()
                .find(|o| matches!(&o.outcome, Outcome::Name { answer: NameAnswer::Addresses { .. }, .. }))
                .unwrap_or(&seen_here[0]);
            list.push(RuledOut {
                layer,
                path: path.info.id.clone(),
                subject: telling.subject.clone(),
                says: crate::describe::outcome(&telling.outcome),
                because: seen_here.iter().map(|o| o.id.clone()).collect(),
            });
        }
    }
    list
}
