//! What Envoy says of itself, on its admin interface.

use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;
use tollgate::envoy::{self, Part};

/// How long an answer may take. The interface is on this machine; Envoy's main thread may be busy compiling the module.
const PATIENCE: Duration = Duration::from_secs(5);

pub(crate) struct Admin(SocketAddr);

/// Statistics by name.
pub(crate) struct Statistics(HashMap<String, String>);

impl Admin {
    /// The interface that Envoy binds to `address`.
    pub(crate) fn new(mut address: SocketAddr) -> Self {
        match address.ip() {
            IpAddr::V4(ip) if ip.is_unspecified() => address.set_ip(Ipv4Addr::LOCALHOST.into()),
            IpAddr::V6(ip) if ip.is_unspecified() => address.set_ip(Ipv6Addr::LOCALHOST.into()),
            IpAddr::V4(_) | IpAddr::V6(_) => {}
        }
        Self(address)
    }

    /// Whether Envoy has everything it waited for and serves requests.
    pub(crate) fn is_ready(&self) -> bool {
        matches!(self.page("/ready"), Ok((200, _)))
    }

    /// What a person who waits, and a new configuration, have to know.
    pub(crate) fn statistics(&self) -> io::Result<Statistics> {
        let (status, text) = self.page(
            "/stats?filter=(version_text|update_rejected|config_fail|warming_clusters|http.tollgate.downstream_rq_active)$",
        )?;
        if status != 200 {
            return Err(io::Error::other(format!("Envoy's admin interface answered {status}")));
        }
        let statistics = text.lines().filter_map(|line| line.split_once(": "));
        let unquoted = |value: &str| value.trim_matches('"').to_owned();
        Ok(Statistics(
            statistics
                .map(|(name, value)| (name.to_owned(), unquoted(value)))
                .collect(),
        ))
    }

    fn page(&self, path: &str) -> io::Result<(u16, String)> {
        let mut stream = TcpStream::connect_timeout(&self.0, PATIENCE)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\r\n",
            self.0
        )?;
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes)?;
        parse(&String::from_utf8_lossy(&bytes)).ok_or_else(|| io::Error::other("not an HTTP answer"))
    }
}

impl Statistics {
    /// Whether Envoy has taken over this content of a part.
    pub(crate) fn has_taken(&self, part: Part, value: &Value) -> bool {
        self.0
            .get(&format!("{}.version_text", part.statistics()))
            .is_some_and(|version| version == envoy::version(value))
    }

    /// How often a part has been refused.
    pub(crate) fn refusals(&self, part: Part) -> u64 {
        ["update_rejected", "config_fail"]
            .iter()
            .map(|what| self.number(&format!("{}.{what}", part.statistics())))
            .sum()
    }

    /// Clusters that wait for something: their host's address, mostly.
    pub(crate) fn warming_clusters(&self) -> u64 {
        self.number("cluster_manager.warming_clusters")
    }

    /// Requests in flight.
    pub(crate) fn requests(&self) -> u64 {
        self.number("http.tollgate.downstream_rq_active")
    }

    fn number(&self, name: &str) -> u64 {
        self.0.get(name).and_then(|value| value.parse().ok()).unwrap_or(0)
    }
}

/// Status and body of an HTTP/1.1 answer that was read to the end of its connection.
fn parse(answer: &str) -> Option<(u16, String)> {
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    let chunked = head.to_ascii_lowercase().contains("\r\ntransfer-encoding: chunked");
    match chunked {
        true => Some((status, unchunked(body)?)),
        false => Some((status, body.to_owned())),
    }
}

fn unchunked(mut rest: &str) -> Option<String> {
    let mut body = String::new();
    loop {
        let (size, after) = rest.split_once("\r\n")?;
        let size = usize::from_str_radix(size.trim(), 16).ok()?;
        if size == 0 {
            return Some(body);
        }
        body.push_str(after.get(..size)?);
        rest = after.get(size..)?.strip_prefix("\r\n")?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_read_whole_or_in_chunks() {
        let whole = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nLIVE\n";
        assert_eq!(parse(whole), Some((200, "LIVE\n".to_owned())));
        let chunked = "HTTP/1.1 503 Busy\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nab\n\r\n2\r\nc\n\r\n0\r\n\r\n";
        assert_eq!(parse(chunked), Some((503, "ab\nc\n".to_owned())));
        assert_eq!(
            parse("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nab"),
            None
        );
        assert_eq!(parse(""), None);
    }

    #[test]
    fn an_interface_on_every_address_is_asked_on_this_machine() {
        let asked = |address: &str| Admin::new(address.parse().unwrap()).0.to_string();
        assert_eq!(asked("0.0.0.0:9901"), "127.0.0.1:9901");
        assert_eq!(asked("[::]:9901"), "[::1]:9901");
        assert_eq!(asked("10.0.0.1:9901"), "10.0.0.1:9901");
    }
}
