//! The WSUS services and how two servers stand to each other.

mod binding;

use super::{Given, LaneEnd, LaneSeen, PathSeen, Seen, cause, http, note, tls};
use crate::diagnosis::Severity;
use crate::evidence::{HelloAnswer, HttpAnswer, Observation, Outcome, PathRole, Scheme, SoapAnswer, Target};
use crate::plan::is_microsoft_host;
use crate::rules::With;

/// The statements that it reads.
pub(super) const FACTS: &[&str] =
    &["config", "server-name", "iis-binding", "ssl-binding", "stored-certificate", "part-of-store"];

pub(super) fn give(seen: &Seen, given: &mut Given) {
    for path in seen.needed().filter(|p| p.info.role == PathRole::Source) {
        faults(path, given);
        for (lane, sibling) in http::siblings(seen, path) {
            let mut mine = Given::default();
            faults(sibling, &mut mine);
            http::stands_in(lane, mine, given);
        }
        if is_microsoft_host(&path.info.target.host) {
            continue;
        }
        not_an_upstream(seen, path, given);
        ports_and_ssl(seen, path, given);
        self_update(seen, path, given);
    }
    replica(seen, given);
    content_source(seen, given);
    binding::give(seen, given);
}

fn faults(path: &PathSeen, given: &mut Given) {
    let subject = path.subject();
    for (_, observation) in path.failures() {
        let Outcome::Soap { answer: SoapAnswer::Fault { code, message }, operation } = &observation.outcome
        else {
            continue;
        };
        let because = vec![observation.id.clone()];
        let words = if message.is_empty() { String::new() } else { format!(" (\"{message}\")") };
        match code.as_str() {
            "ServerBusy" => {
                let says = format!(
                    "{subject} answers {operation} with the SOAP fault ServerBusy{words}: it is overloaded."
                );
                given.add(cause("wsus/server-busy", &subject, says, because));
            }
            "InternalServerError" => {
                let says = format!(
                    "{subject} answers {operation} with the SOAP fault InternalServerError{words}. The fault lies on that \
                     server; what it is does not show from here."
                );
                given.add(cause("wsus/server-error", &subject, says, because));
            }
            // A fault without a code is the framework's own: an exception on that server all the same.
            "" => {
                let says = format!(
                    "{subject} answers {operation} with a SOAP fault without a code{words}. What lies behind it does not \
                     show from here."
                );
                given.add(cause("wsus/server-error", &subject, says, because).likely());
            }
            _ => {}
        }
    }
}

/// Whether an HTTP answer says that the service is not there.
fn service_absent(answer: &HttpAnswer) -> bool {
    matches!(answer, HttpAnswer::Response { status: 404, .. }) && !http::by_http_sys(answer)
}

fn answered(path: &PathSeen) -> Option<String> {
    path.own
        .iter()
        .find(|o| matches!(o.outcome, Outcome::Soap { answer: SoapAnswer::Result { .. }, .. }))
        .map(|o| o.id.clone())
}

fn not_an_upstream(seen: &Seen, path: &PathSeen, given: &mut Given) {
    let subject = path.subject();
    for (_, observation) in path.failures() {
        let Outcome::Http { answer, .. } = &observation.outcome else { continue };
        if !service_absent(answer) {
            continue;
        }
        let client = seen
            .of_role(PathRole::Client)
            .filter(|c| same_authority(&c.info.target, &path.info.target))
            .find_map(answered);
        if let Some(client) = client {
            let says = format!(
                "{subject} answers clients (client.asmx) and has no server-to-server service (404): it is a WSUS server and \
                 not one to synchronize from, as it is set up."
            );
            given.add(cause("wsus/not-an-upstream", &subject, says, vec![observation.id.clone(), client]));
        }
    }
}

fn same_authority(one: &Target, other: &Target) -> bool {
    one.host == other.host && one.port == other.port && one.scheme == other.scheme
}

/// The configuration's own words for a source, where it names it.
fn configured<'a>(seen: &Seen<'a>, path: &PathSeen) -> Option<Vec<&'a str>> {
    let named = seen
        .facts
        .config_all("UpstreamWsusServerName")
        .into_iter()
        .find(|(_, name)| name.trim().eq_ignore_ascii_case(&path.info.target.host))?;
    let mut ids = vec![named.0.id.as_str()];
    for property in ["UpstreamWsusServerPortNumber", "UpstreamWsusServerUseSsl"] {
        ids.extend(seen.facts.config(property).map(|(fact, _)| fact.id.as_str()));
    }
    Some(ids)
}

/// What a port answered that is not what was wanted of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wrong {
    /// Plain HTTP where TLS was wanted.
    Plain,
    /// TLS where plain HTTP was wanted, or a word that SSL is required.
    Tls,
    /// Nothing, or no WSUS.
    Absent,
}

fn wrong<'a>(
    seen: &Seen<'a>,
    path: &PathSeen<'a>,
    lane: &str,
    observation: &'a Observation,
) -> Option<(Wrong, Vec<&'a str>)> {
    let mut because = vec![observation.id.as_str()];
    let wrong = match &observation.outcome {
        // Where another address connects, the port is the right one.
        Outcome::Dial { .. } if path.lanes.iter().any(LaneSeen::connected) => return None,
        Outcome::Dial { .. } => Wrong::Absent,
        Outcome::Hello { answer: HelloAnswer::PlainHttp { status }, .. } => {
            if !tls::plain_by_the_peer(path, status) {
                return None;
            }
            Wrong::Plain
        }
        Outcome::Hello { answer: HelloAnswer::NotTls { .. }, .. } => Wrong::Absent,
        Outcome::Http { answer, .. } if !http::by_the_peer(path, answer) => return None,
        Outcome::Http { answer, url, .. } if path.info.target.scheme == Scheme::Http => {
            let tls = http::tls_on_the_port(path, lane);
            match answer {
                answer if http::may_be_tls_port(answer) && tls.is_some() => {
                    because.extend(tls.map(|o| o.id.as_str()));
                    Wrong::Tls
                }
                HttpAnswer::Response { status: 403, body, .. } => {
                    if body.contains("403.4") {
                        Wrong::Tls
                    } else if let Some(over) = http::over_tls(seen, path).or(tls) {
                        because.push(over.id.as_str());
                        Wrong::Tls
                    } else {
                        return None;
                    }
                }
                HttpAnswer::Response { status: 300..=399, .. } => {
                    let to = answer.header("location").and_then(|l| http::redirect_target(url, l))?;
                    let same = to.host_str().is_some_and(|h| h.eq_ignore_ascii_case(&path.info.target.host));
                    if to.scheme() == "https" && same { Wrong::Tls } else { return None }
                }
                HttpAnswer::Response { status: 200..=299 | 404, .. } | HttpAnswer::NotHttp { .. } => {
                    Wrong::Absent
                }
                _ => return None,
            }
        }
        Outcome::Http {
            answer: HttpAnswer::Response { status: 200..=299 | 404, complete: true, .. },
            ..
        } => Wrong::Absent,
        _ => return None,
    };
    Some((wrong, because))
}

/// Tie-breaks between ports and schemes, with the downstream's configuration.
fn ports_and_ssl(seen: &Seen, path: &PathSeen, given: &mut Given) {
    let Some(facts) = configured(seen, path) else { return };
    // Port and scheme at which it works are the right ones, whatever another address of the name does.
    if path.works() {
        return;
    }
    let target = &path.info.target;
    let subject = path.subject();
    let ssl = target.scheme == Scheme::Https;
    let elsewhere: Vec<(&PathSeen, String)> = seen
        .of_role(PathRole::OtherPort)
        .filter(|o| o.info.target.host == target.host && o.info.target.port != target.port)
        .filter_map(|o| answered(o).map(|id| (o, id)))
        .collect();
    let of_scheme = elsewhere.iter().find(|(o, _)| o.info.target.scheme == target.scheme);
    for (lane, observation) in path.failures() {
        let Some((wrong, because)) = wrong(seen, path, lane.lane, observation) else { continue };
        let mut because: Vec<String> =
            because.into_iter().chain(facts.iter().copied()).map(Into::into).collect();
        let usual = if ssl { matches!(target.port, 8530 | 80) } else { matches!(target.port, 8531 | 443) };
        let setting = if ssl { "with SSL" } else { "without SSL" };
        match wrong {
            Wrong::Tls | Wrong::Plain if usual => {
                let says = format!(
                    "This server is set to synchronize {setting} from port {}, which is the other one's by default, and \
                     {subject} answers accordingly: {}.",
                    target.port,
                    if ssl { "plain HTTP" } else { "TLS" }
                );
                given.add(cause("config/port-ssl-mismatch", "UpstreamWsusServerUseSsl", says, because));
            }
            Wrong::Tls => {
                let over = http::over_tls(seen, path);
                because.extend(over.map(|o| o.id.clone()).filter(|id| !because.contains(id)));
                let over = over
                    .map(|o| format!("; the same service answers over TLS at {}", o.subject))
                    .unwrap_or_default();
                let how = match &observation.outcome {
                    Outcome::Http { answer, .. } => match answer.header("location") {
                        Some(to) => format!("it redirects to {to}"),
                        None => format!("to plain HTTP it answers {}", http::word(answer)),
                    },
                    _ => "it speaks TLS".into(),
                };
                let says = format!(
                    "This server is set to synchronize {setting}, and {subject} wants TLS: {how}{over}."
                );
                given.add(cause("wsus/ssl-mismatch", &subject, says, because));
            }
            Wrong::Plain => match of_scheme {
                Some((other, id)) => {
                    because.push(id.clone());
                    given.add(port_mismatch(path, other, because, "speaks plain HTTP without TLS"));
                }
                None => {
                    // What was not asked cannot be said to be nowhere.
                    let asked: Vec<String> = seen
                        .of_role(PathRole::OtherPort)
                        .filter(|o| {
                            o.info.target.host == target.host && o.info.target.scheme == target.scheme
                        })
                        .filter_map(|o| o.own.last().map(|last| last.id.clone()))
                        .collect();
                    let nowhere = if asked.is_empty() {
                        ""
                    } else {
                        "; WSUS was found over TLS on none of the other ports that were asked"
                    };
                    because.extend(asked);
                    let says = format!(
                        "This server is set to synchronize {setting}, and {subject} speaks plain HTTP{nowhere}."
                    );
                    given.add(cause("wsus/ssl-mismatch", &subject, says, because));
                }
            },
            Wrong::Absent => {
                if let Some((other, id)) = of_scheme {
                    because.push(id.clone());
                    let what = match &observation.outcome {
                        Outcome::Dial { answer, .. } => super::dial::word(answer),
                        _ => "is another service's".into(),
                    };
                    given.add(port_mismatch(path, other, because, &what));
                }
            }
        }
    }
}

fn port_mismatch(
    path: &PathSeen,
    other: &PathSeen,
    because: Vec<String>,
    what: &str,
) -> crate::diagnosis::Finding {
    let subject = path.subject();
    let says = format!(
        "This server is set to synchronize from port {} of {}, which {what}; WSUS answers there on port {}.",
        path.info.target.port, path.info.target.host, other.info.target.port
    );
    cause("wsus/port-mismatch", &subject, says, because)
}

fn self_update(seen: &Seen, path: &PathSeen, given: &mut Given) {
    for update in seen.of_role(PathRole::SelfUpdate).filter(|u| u.info.target.host == path.info.target.host) {
        let subject = update.subject();
        for lane in &update.lanes {
            match lane.end {
                LaneEnd::Failed(observation) => match &observation.outcome {
                    // The whole site answers so: nothing of this directory's own shows.
                    Outcome::Http { answer, .. } if whole_site(seen, path, update, answer) => {}
                    Outcome::Http { answer: HttpAnswer::Response { status, .. }, .. } => {
                        let says = format!(
                            "The SelfUpdate directory of {subject} does not serve wuident.cab ({status}). Only old clients need \
                             it; synchronization does not."
                        );
                        given.add(note(
                            "wsus/selfupdate-missing",
                            &subject,
                            says,
                            vec![observation.id.clone()],
                        ));
                    }
                    _ => given.open(
                        "Does SelfUpdate answer?",
                        format!("It stays on plain HTTP, and {subject} was not reached."),
                        "from a client: curl -I of /selfupdate/wuident.cab on the plain port",
                        vec![observation.id.clone()],
                    ),
                },
                LaneEnd::Works => {
                    let old = update.questions(lane.lane, "the older file of SelfUpdate").find(|o| {
                        matches!(
                            &o.outcome,
                            Outcome::Http { answer: HttpAnswer::Response { status: 404, .. }, .. }
                        )
                    });
                    if let Some(old) = old {
                        let says = format!(
                            "SelfUpdate of {subject} serves wuident.cab and not iuident.cab (404). That is no fault: no client \
                             in support asks for it."
                        );
                        let found = note("wsus/selfupdate-missing", &subject, says, vec![old.id.clone()]);
                        given.add(found.severity(Severity::Info));
                    }
                }
                _ => {}
            }
        }
    }
}

/// Whether an answer of SelfUpdate is the one that ended the source's own path, or one of HTTP.sys that its port gives
/// to the services too.
fn whole_site(seen: &Seen, path: &PathSeen, update: &PathSeen, answer: &HttpAnswer) -> bool {
    let HttpAnswer::Response { status, .. } = answer else { return false };
    let same = |o: &Observation| match &o.outcome {
        Outcome::Http { answer: other @ HttpAnswer::Response { status: code, .. }, .. } => {
            code == status && other.header("server") == answer.header("server")
        }
        _ => false,
    };
    let target = &update.info.target;
    path.failures().any(|(_, o)| same(o))
        || (http::by_http_sys(answer)
            && seen
                .of_role(PathRole::OtherPort)
                .filter(|other| same_authority(&other.info.target, target))
                .any(|other| other.failures().any(|(_, o)| same(o))))
}

fn replica(seen: &Seen, given: &mut Given) {
    let (Some((fact, true)), Some((_, false))) =
        (seen.facts.flag("IsReplicaServer"), seen.facts.flag("SyncFromMicrosoftUpdate"))
    else {
        return;
    };
    let says = "This server is a replica: approvals and the definitions of computer groups come from its upstream; which \
                computers belong to them does not.";
    given.add(note("wsus/replica-note", "IsReplicaServer", says, vec![fact.id.clone()]));
}

fn content_source(seen: &Seen, given: &mut Given) {
    let value = |property: &str| seen.facts.flag(property);
    let on_microsoft = value("HostBinariesOnMicrosoftUpdate").filter(|(_, on)| *on);
    let from_microsoft = value("GetContentFromMU");
    let (fact, says) = match (on_microsoft, from_microsoft, value("SyncFromMicrosoftUpdate")) {
        (Some((fact, _)), ..) => (
            fact,
            "Update files are not stored here: clients fetch them from Microsoft. A file that does not download is not a \
             failed synchronization.",
        ),
        (None, Some((fact, true)), Some((_, false))) => (
            fact,
            "Update files come from Microsoft directly and metadata from the upstream: the files need Microsoft's domains \
             opened for this server. A file that does not download is not a failed synchronization.",
        ),
        (None, Some((fact, false)), Some((_, false))) => (
            fact,
            "Update files come from the upstream, over its plain HTTP port. A file that does not download is not a failed \
             synchronization.",
        ),
        _ => return,
    };
    given.add(note("content/source-note", "GetContentFromMU", says, vec![fact.id.clone()]));
}
