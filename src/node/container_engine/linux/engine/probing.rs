//! Probes as they are: a page asked for, a port opened, a command run in the container.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;

use super::super::cri::Client;
use super::super::error::CriKind;
use crate::api::pod::{Probe, ProbeHandler};
use crate::api::rules::commands::expanded;
use crate::api::rules::probing::{Found, NotTried, is_good};

/// Most bytes of an answer that are looked at.
const ANSWER_MAX: u64 = 4096;
/// What our own program says whether it is ready with.
const OWN_COMMAND: [&str; 2] = ["/program", "is-ready"];

/// What is probed.
pub(super) struct Target<'a> {
    pub client: &'a Client,
    /// The container's id.
    pub id: &'a str,
    /// The pod's address.
    pub address: Ipv4Addr,
    pub probe: &'a Probe,
    /// The probe as its pod's spec has it, defaults filled in; nothing of it is known: null.
    pub written: &'a Value,
    /// The container's variables, as its spec has them.
    pub env: &'a [(String, String)],
    /// Whether the program is ours: then a command asks it.
    pub is_own_program: bool,
}

/// Probes once: whether the answer is good. It takes no longer than the probe's timeout, by much, unless it has to be
/// tried again.
pub(super) fn probe(target: &Target<'_>) -> bool {
    is_good(|| ask(target))
}

fn ask(target: &Target<'_>) -> Result<Found, NotTried> {
    let timeout =
        Duration::from_nanos(target.probe.timeout.as_nanos()).max(Duration::from_millis(1));
    match target.probe.handler {
        ProbeHandler::Exec => by_command(target),
        ProbeHandler::HttpGet(port) => Ok(by_page(target, port, timeout).unwrap_or(Found::Failure)),
        // No gRPC is spoken here: whether somebody listens is what is asked.
        ProbeHandler::TcpSocket(port) | ProbeHandler::Grpc(port) => {
            let is_open = connect(target.address, port, timeout).is_ok();
            Ok(if is_open { Found::Success } else { Found::Failure })
        }
    }
}

fn connect(address: Ipv4Addr, port: u16, timeout: Duration) -> std::io::Result<TcpStream> {
    TcpStream::connect_timeout(&SocketAddr::from((address, port)), timeout)
}

/// A page is good from 200 to 399 (kubelet 1.36 `pkg/probe/http`).
fn by_page(target: &Target<'_>, port: u16, timeout: Duration) -> std::io::Result<Found> {
    let mut stream = connect(target.address, port, timeout)?;
    stream.set_read_timeout(Some(timeout))?;
    stream.set_write_timeout(Some(timeout))?;
    let get = &target.written["httpGet"];
    let path = get["path"].as_str().filter(|path| path.starts_with('/')).unwrap_or("/");
    let host =
        get["host"].as_str().map_or_else(|| format!("{}:{port}", target.address), str::to_owned);
    let mut request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n");
    for header in get["httpHeaders"].as_array().into_iter().flatten() {
        if let (Some(name), Some(value)) = (header["name"].as_str(), header["value"].as_str()) {
            request += &format!("{name}: {value}\r\n");
        }
    }
    stream.write_all((request + "\r\n").as_bytes())?;
    let mut answer = Vec::new();
    // A server that closes badly has answered all the same.
    let _ = stream.take(ANSWER_MAX).read_to_end(&mut answer);
    let text = String::from_utf8_lossy(&answer);
    let code = text.split(' ').nth(1).and_then(|code| code.parse::<u16>().ok());
    Ok(match code {
        Some(200..300) => Found::Success,
        // No redirection is followed here.
        Some(300..400) => Found::Warning,
        _ => Found::Failure,
    })
}

fn by_command(target: &Target<'_>) -> Result<Found, NotTried> {
    let words = target.written["exec"]["command"].as_array();
    let written: Vec<&str> = words.into_iter().flatten().filter_map(Value::as_str).collect();
    let variable = |name: &str| {
        let found = target.env.iter().rev().find(|(one, _)| one == name);
        found.map(|(_, value)| value.as_str())
    };
    let command: Vec<String> = match target.is_own_program {
        true => OWN_COMMAND.map(str::to_owned).to_vec(),
        false => expanded(&written, variable),
    };
    let timeout = u32::try_from(target.probe.timeout.as_secs()).unwrap_or(u32::MAX).max(1);
    match target.client.exec_sync(target.id, &command, timeout) {
        Ok(done) if done.value.code == 0 => Ok(Found::Success),
        Ok(_) => Ok(Found::Failure),
        // It took too long.
        Err(error) if error.kind == CriKind::DeadlineExceeded => Ok(Found::Failure),
        Err(_) => Err(NotTried),
    }
}
