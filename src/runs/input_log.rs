//! What came in from outside, as lines of JSON: what a run by the wall clock is made again from.

use std::net::Ipv4Addr;

use serde_json::{Value, json};

use crate::api::pod::TerminationReason;
use crate::base::Id;
use crate::cluster::EngineInput;
use crate::kernel::LoggedInput;
use crate::messages::engine::{
    ContainerRef, EngineAnswer, EngineError, EngineEvent, Exit, OpId, ProbeKind,
};
use crate::node::NodeIndex;
use crate::time::{SimDuration, SimTime};

const REASONS: [TerminationReason; 7] = [
    TerminationReason::Completed,
    TerminationReason::Error,
    TerminationReason::OomKilled,
    TerminationReason::StartError,
    TerminationReason::ContainerStatusUnknown,
    TerminationReason::Unknown,
    TerminationReason::RestartingAllContainers,
];

/// An input as one line, without its end. Times are whole nanoseconds.
pub fn encode_input(logged: &LoggedInput<EngineInput>) -> String {
    let EngineInput { node, event } = &logged.input;
    let told = match event {
        EngineEvent::Done(op, Ok(answer)) => json!({"done": op.0, "ok": answered(answer)}),
        EngineEvent::Done(op, Err(error)) => {
            let (kind, text) = match error {
                EngineError::NotFound(text) => ("not-found", Some(text)),
                EngineError::AlreadyExists => ("already-exists", None),
                EngineError::Unknown(text) => ("unknown", Some(text)),
            };
            json!({"done": op.0, "error": kind, "text": text.map(ToString::to_string)})
        }
        EngineEvent::Exited(container, exit) => json!({
            "exited": container_words(container), "code": exit.code, "reason": exit.reason.name(),
            "finished": exit.finished.as_nanos(),
        }),
        EngineEvent::Probed(container, kind, good) => {
            json!({"probed": container_words(container), "probe": kind.field(), "good": good})
        }
    };
    json!({"n": logged.number, "at": logged.at.as_nanos(), "node": node.0, "event": told})
        .to_string()
}

fn answered(answer: &EngineAnswer) -> Value {
    match answer {
        EngineAnswer::Ok => json!({}),
        EngineAnswer::Sandbox(address) => json!({"address": address.to_string()}),
        EngineAnswer::Image { bytes, fetched, took: (pull, all) } => json!({
            "bytes": bytes, "fetched": fetched, "took": [pull.as_nanos(), all.as_nanos()],
        }),
        EngineAnswer::Started(at) => json!({"started": at.as_nanos()}),
    }
}

fn container_words(container: &ContainerRef) -> Value {
    let ContainerRef { pod, index, attempt } = container;
    json!([pod.slot(), pod.generation(), index, attempt])
}

/// An input read from its line.
///
/// # Errors
/// What is wrong with the line.
pub fn decode_input(line: &str) -> Result<LoggedInput<EngineInput>, String> {
    let value: Value = serde_json::from_str(line).map_err(|error| error.to_string())?;
    decoded(&value).ok_or_else(|| "it is no input of an engine".to_owned())
}

fn decoded(value: &Value) -> Option<LoggedInput<EngineInput>> {
    let told = &value["event"];
    let event = if let Some(op) = told["done"].as_u64() {
        EngineEvent::Done(OpId(op), result(told)?)
    } else if told["exited"].is_array() {
        let reason = told["reason"].as_str()?;
        let exit = Exit {
            code: narrow(&told["code"])?,
            reason: REASONS.into_iter().find(|one| one.name() == reason)?,
            finished: instant(&told["finished"])?,
        };
        EngineEvent::Exited(container(&told["exited"])?, exit)
    } else {
        let kind = ProbeKind::ALL.into_iter().find(|kind| told["probe"] == kind.field())?;
        EngineEvent::Probed(container(&told["probed"])?, kind, told["good"].as_bool()?)
    };
    let input = EngineInput { node: NodeIndex(narrow(&value["node"])?), event };
    Some(LoggedInput { number: value["n"].as_u64()?, at: instant(&value["at"])?, input })
}

fn result(told: &Value) -> Option<Result<EngineAnswer, EngineError>> {
    let text = || told["text"].as_str().unwrap_or_default().into();
    match told["error"].as_str() {
        Some("not-found") => return Some(Err(EngineError::NotFound(text()))),
        Some("already-exists") => return Some(Err(EngineError::AlreadyExists)),
        Some(_) => return Some(Err(EngineError::Unknown(text()))),
        None => {}
    }
    let ok = told["ok"].as_object()?;
    Some(Ok(if let Some(address) = ok.get("address") {
        EngineAnswer::Sandbox(address.as_str()?.parse::<Ipv4Addr>().ok()?)
    } else if let Some(at) = ok.get("started") {
        EngineAnswer::Started(instant(at)?)
    } else if let Some(bytes) = ok.get("bytes") {
        let span = |at: usize| ok.get("took")?[at].as_u64().map(SimDuration::from_nanos);
        let (bytes, fetched) = (bytes.as_i64()?, ok.get("fetched")?.as_i64()?);
        EngineAnswer::Image { bytes, fetched, took: (span(0)?, span(1)?) }
    } else {
        EngineAnswer::Ok
    }))
}

fn narrow<T: TryFrom<u64>>(value: &Value) -> Option<T> {
    value.as_u64().and_then(|number| T::try_from(number).ok())
}

fn instant(value: &Value) -> Option<SimTime> {
    value.as_u64().map(SimTime::from_nanos)
}

fn container(value: &Value) -> Option<ContainerRef> {
    let pod = Id::from_parts(narrow(&value[0])?, narrow(&value[1])?);
    Some(ContainerRef { pod, index: narrow(&value[2])?, attempt: narrow(&value[3])? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inputs_are_read_as_they_were_written() {
        let container = ContainerRef { pod: Id::from_parts(3, 9), index: 1, attempt: 4 };
        let finished = SimTime::from_nanos(u64::MAX - 1);
        let took = (SimDuration::from_nanos(7), SimDuration::from_secs(8));
        let mut events = vec![
            EngineEvent::Probed(container, ProbeKind::Startup, true),
            EngineEvent::Done(OpId(u64::MAX), Ok(EngineAnswer::Ok)),
            EngineEvent::Done(OpId(1), Ok(EngineAnswer::Sandbox(Ipv4Addr::new(127, 64, 0, 9)))),
            EngineEvent::Done(OpId(2), Ok(EngineAnswer::Started(finished))),
            EngineEvent::Done(OpId(2), Ok(EngineAnswer::Image { bytes: 5, fetched: 0, took })),
            EngineEvent::Done(OpId(2), Err(EngineError::NotFound("no \"x\"".into()))),
            EngineEvent::Done(OpId(2), Err(EngineError::AlreadyExists)),
            EngineEvent::Done(OpId(2), Err(EngineError::Unknown("\n".into()))),
        ];
        let exited = |reason| EngineEvent::Exited(container, Exit { code: 137, reason, finished });
        events.extend(REASONS.into_iter().map(exited));
        for (number, event) in (1..).zip(events) {
            let input = EngineInput { node: NodeIndex(2), event };
            let logged = LoggedInput { number, at: SimTime::from_nanos(11), input };
            assert_eq!(decode_input(&encode_input(&logged)), Ok(logged));
        }
        for line in ["", "{}", "[1]", r#"{"n":1,"at":-1,"node":0,"event":{"done":1,"ok":{}}}"#] {
            assert!(decode_input(line).is_err(), "{line}");
        }
    }
}
