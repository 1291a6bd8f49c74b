//! `Test-NetConnection`: a list that ends in `TcpTestSucceeded`.

use super::list::{Item, Page};
use super::{Found, Kind, Statement, line_number, shown};

/// Reads port tests from the lists on a page.
pub(super) fn read(page: &mut Page, items: &[Item], found: &mut Found) {
    for (index, item) in items.iter().enumerate() {
        if item.name != "TcpTestSucceeded" {
            continue;
        }
        let list = &items[..index];
        let start = list.iter().rposition(|other| other.name == "TcpTestSucceeded").map_or(0, |at| at + 1);
        let before = |name: &str| list[start..].iter().rev().find(|other| other.name == name);
        let (Some(host), Some(port)) = (before("ComputerName"), before("RemotePort")) else { continue };
        found.kind(Kind::PortTest);
        let line = line_number(page.number(item.at));
        let connected = match item.value.to_ascii_lowercase().as_str() {
            "true" => Some(true),
            "false" => Some(false),
            _ => None,
        };
        let number = port.value.parse::<u16>().ok().filter(|&port| port != 0);
        match (connected, number) {
            (Some(connected), Some(port)) => {
                let host = shown(&host.value, 255);
                found.fact(line, None, Statement::PortTest { host, port, connected });
            }
            (None, _) => found.problem(line, "True or False", format!("`{}`", shown(&item.value, 60))),
            (_, None) => found.problem(
                line_number(page.number(port.at)),
                "a port number from 1 to 65535",
                format!("`{}`", shown(&port.value, 60)),
            ),
        }
        let from = host.at.min(port.at);
        for other in list[start..].iter().chain([item]).filter(|other| other.at >= from) {
            page.claim(other.at, other.last);
        }
    }
}
