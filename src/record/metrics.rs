//! What is measured in the course of a run: requests second by second, and samples of the cluster
//! for `metrics.csv` and the pictures.
//!
//! Owns windows over requests ([`ServiceMetrics`]) and the samples (`Samples`); refuses to know who
//! judges by them or draws them. It hears facts and looks at a World; neither changes a run. Memory
//! does not depend on how many requests there are, nor on how long the run is.

mod csv;
mod samples;
mod series;
mod service;
mod window;

use crate::api::name::Text;
use crate::cluster::World;
use crate::cluster::plan::Plan;
use crate::kernel::FactSink;
use crate::messages::{Fact, Verb};
use crate::time::{SimDuration, SimTime};

pub use csv::write_csv;
pub use series::{Metric, Point, Series};
pub use service::{SPAN_SECONDS_MAX, ServiceMetrics, second_before};
pub use window::{Buckets, Window};

use samples::Samples;

/// Measures one run.
#[derive(Clone, Debug, Default)]
pub struct Metrics {
    /// Services that are called, by namespace and name.
    services: Vec<((Text, Text), ServiceMetrics)>,
    /// Clients by name.
    clients: Vec<Caller>,
    /// Where samples are wanted.
    samples: Option<Samples>,
}

/// A client.
#[derive(Clone, Debug)]
struct Caller {
    name: Text,
    /// The place of the Service it calls.
    service: usize,
    sent: u64,
}

impl Metrics {
    /// For a run of `plan`: requests only.
    pub fn new(plan: &Plan) -> Metrics {
        Metrics::of(plan.traffic.iter().map(|it| (it.name.clone(), it.service.clone())))
    }

    /// For a run of `plan`: requests, and samples of the cluster.
    pub fn sampling(plan: &Plan) -> Metrics {
        let mut metrics = Metrics::new(plan);
        metrics.samples = Some(Samples::new(plan, metrics.services.len()));
        metrics
    }

    fn of(clients: impl Iterator<Item = (Text, (Text, Text))>) -> Metrics {
        let mut clients: Vec<(Text, (Text, Text))> = clients.collect();
        clients.sort_unstable();
        let mut names: Vec<(Text, Text)> = clients.iter().map(|(_, of)| of.clone()).collect();
        names.sort_unstable();
        names.dedup();
        let place = |of: &(Text, Text)| names.binary_search(of).ok();
        let caller = |(name, of): &(Text, (Text, Text))| {
            Some(Caller { name: name.clone(), service: place(of)?, sent: 0 })
        };
        let clients = clients.iter().filter_map(caller).collect();
        let services = names.into_iter().map(|name| (name, ServiceMetrics::default()));
        Metrics { services: services.collect(), clients, samples: None }
    }

    /// Clients that sent nothing so far.
    pub fn silent_clients(&self) -> impl Iterator<Item = &Text> {
        self.clients.iter().filter(|client| client.sent == 0).map(|client| &client.name)
    }

    /// Keeps windows of this span ready: what is asked after every fact should be.
    pub fn track(&mut self, span: SimDuration) {
        self.services.iter_mut().for_each(|(_, service)| service.track(span));
    }

    /// What became of the requests to a Service; `None` if no client calls it.
    pub fn service(&self, namespace: &str, name: &str) -> Option<&ServiceMetrics> {
        let place = self
            .services
            .binary_search_by(|((space, known), _)| (&**space, &**known).cmp(&(namespace, name)));
        place.ok().map(|at| &self.services[at].1)
    }

    /// Looks at the world after each step: whether an instant of the grid lies before its next one.
    pub fn sample(&mut self, world: &World) {
        if let Some(samples) = &mut self.samples {
            samples.sample(world);
        }
    }

    /// Looks at the world at the end of the run.
    pub fn finish(&mut self, world: &World) {
        if let Some(samples) = &mut self.samples {
            samples.finish(world);
        }
    }

    /// All series of a run that ended at `end`; none if no samples were taken.
    pub fn series(&self, end: SimTime) -> Vec<Series> {
        let name = |((namespace, name), _): &_| format!("Service/{namespace}/{name}");
        let services: Vec<String> = self.services.iter().map(name).collect();
        self.samples.as_ref().map_or_else(Vec::new, |samples| samples.series(end, &services))
    }
}

impl FactSink<Fact> for Metrics {
    fn record(&mut self, at: SimTime, _number: u64, _cause: u64, fact: &Fact) {
        if fact.verb != Verb::Requests {
            return;
        }
        let name = fact.object.name.base();
        let Ok(client) = self.clients.binary_search_by(|known| known.name.cmp(name)) else {
            return;
        };
        let (client, window) = (&mut self.clients[client], window_of(fact));
        client.sent += window.sent;
        let service = client.service;
        self.services[service].1.add(at, &window);
        if let Some(samples) = &mut self.samples {
            samples.requests(service, second_before(at), &window);
        }
    }
}

/// What one fact tells of a client's requests.
pub fn window_of(fact: &Fact) -> Window {
    let mut window = Window::default();
    for &(key, value) in &fact.values {
        let value = u64::try_from(value).unwrap_or(0);
        match key {
            "sent" => window.sent = value,
            "ok" => window.ok = value,
            "refused" => window.refused = value,
            "reset" => window.reset = value,
            "timeout" => window.timeout = value,
            "failed" => window.failed = value,
            "latency_us_sum" => window.latency_nanos_sum = value.saturating_mul(1000),
            _ => {}
        }
    }
    for &(bucket, count) in fact.buckets.iter().flat_map(|buckets| buckets.iter()) {
        window.histogram.count(bucket, u64::from(count));
    }
    window
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::kind::Kind;
    use crate::api::meta::ObjectName;
    use crate::api::name::Name;
    use crate::base::histogram::bucket_of;
    use crate::kernel::NO_CAUSE;
    use crate::messages::Component;

    fn told(client: &str, sent: i64, ok: i64, refused: i64) -> Fact {
        let object =
            ObjectName { kind: Kind::Client, namespace: Text::default(), name: Name::new(client) };
        Fact::new(Component::Client, Verb::Requests, object)
            .with("sent", sent)
            .with("ok", ok)
            .with("refused", refused)
            .with("latency_us_sum", ok * 2000)
            .counting([(bucket_of(2_000_000), ok as u32)].into())
    }

    #[test]
    fn clients_of_one_service_are_added_up() {
        let web = || (Text::from("shop"), Text::from("web"));
        let clients = [("b", web()), ("a", web()), ("c", ("shop".into(), "api".into()))];
        let mut metrics =
            Metrics::of(clients.into_iter().map(|(name, service)| (name.into(), service)));
        let at = SimTime::from_secs(1);
        for fact in [told("a", 4, 3, 1), told("b", 2, 2, 0), told("c", 1, 1, 0), told("x", 9, 9, 0)]
        {
            metrics.record(at, 1, NO_CAUSE, &fact);
        }
        let web = metrics.service("shop", "web").expect("it is called").total();
        assert_eq!((web.sent, web.ok, web.errors()), (6, 5, 1));
        assert_eq!((web.mean_ms(), web.histogram.total()), (Some(2.0), 5));
        assert!(metrics.service("shop", "nobody").is_none());
        let last = metrics.service("shop", "api").expect("it is called");
        assert_eq!(last.window(at, SimDuration::from_secs(1)).sent, 1);
    }
}
