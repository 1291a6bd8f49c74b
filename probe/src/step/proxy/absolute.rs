//! Requests that name the whole URL: plain HTTP through an HTTP proxy.

use std::time::Duration;

use tokio::time::Instant;
use zeroize::Zeroizing;

use super::auth::Proof;
use super::connect::{self, Got};
use super::drive::{Dial, Heard, Leg, Way, drive};
use crate::codec::challenge::challenges;
use crate::evidence::{Broken, HttpAnswer, Looks, Outcome, ProxyAuth, escape_bytes};
use crate::net::Stream;
use crate::step::exchange::{self, Answer, Request};

/// Sends a request through a proxy, and logs on where that is demanded and can be done.
pub async fn send<D: Dial>(
    way: &Way<'_, D>,
    stream: Stream,
    request: Request<'_>,
) -> (Answer, Option<ProxyAuth>) {
    let leg = Absolute { url: request.target.url(), request, wait: way.wait };
    drive(way, stream, &leg).await
}

struct Absolute<'a> {
    url: String,
    request: Request<'a>,
    wait: Duration,
}

impl Absolute<'_> {
    fn answer(&self, answer: HttpAnswer, raw: Option<String>) -> Answer {
        let outcome = Outcome::Http { method: self.request.method.into(), url: self.url.clone(), answer };
        Answer { outcome, raw, body: Vec::new(), challenges: Vec::new() }
    }
}

impl Leg for Absolute<'_> {
    type Answer = Answer;
    const OWN: bool = false;

    fn method(&self) -> &str {
        self.request.method
    }

    fn uri(&self) -> &str {
        &self.url
    }

    fn nothing(&self) -> Answer {
        self.answer(HttpAnswer::Broken { how: Broken::Closed }, None)
    }

    async fn ask(&self, stream: Stream, authorization: Option<&Proof>, last: bool) -> Heard<Answer> {
        if !last {
            return self.first_message(stream, authorization).await;
        }
        let answer = exchange::send_as(stream, &self.request, authorization, self.wait).await;
        let Outcome::Http { answer: seen, .. } = &answer.outcome else {
            return Heard {
                answer,
                status: None,
                granted: false,
                challenges: Vec::new(),
                kept: None,
                ended: false,
            };
        };
        let (status, ended) = match seen {
            HttpAnswer::Response { status, .. } => (Some(*status), false),
            HttpAnswer::Broken { how } => (None, *how != Broken::Timeout),
            HttpAnswer::NotHttp { .. } => (None, false),
        };
        let list = challenges(answer.challenges.iter().map(Vec::as_slice));
        Heard { answer, status, granted: false, challenges: list, kept: None, ended }
    }
}

impl Absolute<'_> {
    /// A message that others follow on the same connection: the request without its body.
    async fn first_message(&self, stream: Stream, authorization: Option<&Proof>) -> Heard<Answer> {
        let host = exchange::host(&self.url);
        let length = if self.request.body.is_empty() { "" } else { "Content-Length: 0\r\n" };
        let mut head = Zeroizing::new(format!(
            "{} {} HTTP/1.1\r\nHost: {host}\r\n{length}Proxy-Connection: Keep-Alive\r\n",
            self.request.method, self.url
        ));
        connect::push_authorization(&mut head, authorization);
        let until = Instant::now() + self.wait;
        let connect::Exchange { result, bytes, stream } =
            connect::exchange(stream, head.as_bytes(), authorization, until, false).await;
        let raw = (!bytes.is_empty()).then(|| escape_bytes(&bytes));
        let (answer, status, list, kept, ended) = match result {
            Got::Head(head) => {
                let answer = exchange::response(&head, bytes.get(head.length..).unwrap_or_default());
                // It is no tunnel: what comes without the last message says nothing.
                (answer, Some(head.status), Vec::new(), None, false)
            }
            Got::Demand(head, whole) => {
                let answer = exchange::response(&head, bytes.get(head.length..).unwrap_or_default());
                let list = challenges(head.challenges.iter().map(Vec::as_slice));
                (answer, Some(407), list, (whole && head.keeps_open()).then_some(stream), false)
            }
            Got::NotHttp => (HttpAnswer::NotHttp { looks: Looks::Unknown }, None, Vec::new(), None, false),
            Got::Broken(how) => (HttpAnswer::Broken { how }, None, Vec::new(), None, how != Broken::Timeout),
        };
        Heard { answer: self.answer(answer, raw), status, granted: false, challenges: list, kept, ended }
    }
}
