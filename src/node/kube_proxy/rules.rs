//! The iptables rules a kube-proxy writes for the Services of one family (kube-proxy 1.36
//! `pkg/proxy/iptables/proxier.go`, its default flags).
//!
//! Owns the chains, their names and their order; refuses to know when a proxy writes them and which
//! objects it has seen. Services come in the order they are given, where kube-proxy goes by a map.
//!
//! ```text
//! KUBE-SERVICES ─┬─ cluster IP ────────────────────────▶ KUBE-SVC (policy Local: KUBE-SVL) ─ chance ─▶ KUBE-SEP ─▶ DNAT
//!                ├─ load balancer's IP ─▶ KUBE-FW ─┐           ▲
//!                ├─ external IP ───────────────────┴▶ KUBE-EXT ┘
//!                └─ KUBE-NODEPORTS ────────────────────▲
//! ```

mod portal;

use std::fmt;
use std::net::IpAddr;

use sha2::{Digest, Sha256};

use crate::api::ip_family::IpFamily;
pub use portal::{Portal, Target, portals};

/// Marks what is to leave with the node's own address.
const MASQUERADE: &str = "KUBE-MARK-MASQ";
/// The pods' addresses in a simulated cluster (`--cluster-cidr`): what comes from elsewhere leaves with
/// the node's own address.
const PODS: [&str; 2] = ["10.128.0.0/9", "fd00:10::/32"];
/// Letters of a chain's name that tell it apart.
const HASH_LETTERS: usize = 16;

/// The rules of one family, in the form `iptables-restore` takes.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Rules {
    /// Chains of table `filter`.
    pub filter_chains: Vec<String>,
    /// Its rules.
    pub filter: Vec<String>,
    /// Chains of table `nat`.
    pub nat_chains: Vec<String>,
    /// Its rules.
    pub nat: Vec<String>,
}

impl fmt::Display for Rules {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tables =
            [("filter", &self.filter_chains, &self.filter), ("nat", &self.nat_chains, &self.nat)];
        for (name, chains, rules) in tables {
            writeln!(out, "*{name}")?;
            chains.iter().try_for_each(|chain| writeln!(out, ":{chain} - [0:0]"))?;
            rules.iter().try_for_each(|rule| writeln!(out, "-A {rule}"))?;
            writeln!(out, "COMMIT")?;
        }
        Ok(())
    }
}

/// The chance of a rule with `left` endpoints left, itself included, as Go prints a 64-bit float.
pub fn probability(left: usize) -> String {
    format!("{:.10}", 1.0 / left as f64)
}

/// A chain of its own for what `of` names (`portProtoHash`): base 32 of the first bits of its SHA-256.
fn chain(prefix: &str, of: &str) -> String {
    const LETTERS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let digest = Sha256::digest(of.as_bytes());
    let bit = |at: usize| usize::from(digest[at / 8] >> (7 - at % 8) & 1);
    let letter = |nth: usize| (0..5).fold(0, |sum, at| sum * 2 + bit(nth * 5 + at));
    let name = (0..HASH_LETTERS).map(|nth| char::from(LETTERS[letter(nth)]));
    format!("KUBE-{prefix}-{}", name.collect::<String>())
}

/// The chains of one Service's port.
struct Chains {
    cluster: String,
    local: String,
    external: String,
    firewall: String,
}

impl Chains {
    fn of(portal: &Portal) -> Chains {
        let of = |prefix| chain(prefix, &format!("{}{}", portal.name, portal.protocol));
        Chains { cluster: of("SVC"), local: of("SVL"), external: of("EXT"), firewall: of("FW") }
    }
}

/// The rules for these ports of Services.
pub fn rules(portals: &[Portal], family: IpFamily) -> Rules {
    let mut rules = Rules::default();
    for chain in ["SERVICES", "EXTERNAL-SERVICES", "FORWARD", "NODEPORTS", "PROXY-FIREWALL"] {
        rules.filter_chains.push(format!("KUBE-{chain}"));
    }
    if family == IpFamily::V4 {
        rules.filter_chains.push("KUBE-FIREWALL".to_owned());
        rules.filter.push(
            "KUBE-FIREWALL -m comment --comment \"block incoming localnet connections\" -d \
             127.0.0.0/8 ! -s 127.0.0.0/8 -m conntrack ! --ctstate RELATED,ESTABLISHED,DNAT -j DROP"
                .to_owned(),
        );
    }
    for chain in ["KUBE-SERVICES", "KUBE-NODEPORTS", "KUBE-POSTROUTING", MASQUERADE] {
        rules.nat_chains.push(chain.to_owned());
    }
    for rule in [
        "KUBE-POSTROUTING -m mark ! --mark 0x4000/0x4000 -j RETURN",
        "KUBE-POSTROUTING -j MARK --xor-mark 0x4000",
        "KUBE-POSTROUTING -m comment --comment \"kubernetes service traffic requiring SNAT\" -j \
         MASQUERADE --random-fully",
        "KUBE-MARK-MASQ -j MARK --or-mark 0x4000",
    ] {
        rules.nat.push(rule.to_owned());
    }
    for portal in portals {
        Writer { portal, chains: Chains::of(portal), family, rules: &mut rules }.write();
    }
    let not_local = if family == IpFamily::V6 { " ! -d ::1/128" } else { "" };
    rules.nat.push(format!(
        "KUBE-SERVICES -m comment --comment \"kubernetes service nodeports; NOTE: this must be the \
         last rule in this chain\" -m addrtype --dst-type LOCAL{not_local} -j KUBE-NODEPORTS"
    ));
    for rule in [
        "KUBE-FORWARD -m conntrack --ctstate INVALID -m nfacct --nfacct-name \
         ct_state_invalid_dropped_pkts -j DROP",
        "KUBE-FORWARD -m comment --comment \"kubernetes forwarding rules\" -m mark --mark \
         0x4000/0x4000 -j ACCEPT",
        "KUBE-FORWARD -m comment --comment \"kubernetes forwarding conntrack rule\" -m conntrack \
         --ctstate RELATED,ESTABLISHED -j ACCEPT",
    ] {
        rules.filter.push(rule.to_owned());
    }
    rules
}

/// Writes the rules of one port.
struct Writer<'a> {
    portal: &'a Portal,
    chains: Chains,
    family: IpFamily,
    rules: &'a mut Rules,
}

impl Writer<'_> {
    /// A match of the port at an address: `-d` and what follows.
    fn at(&self, comment: &str, ip: IpAddr) -> String {
        let Portal { name, protocol, port, .. } = self.portal;
        format!(
            "-m comment --comment \"{name} {comment}\" -m {protocol} -p {protocol} -d {ip} --dport {port}"
        )
    }

    fn filter(&mut self, rule: String) {
        self.rules.filter.push(rule);
    }

    fn nat(&mut self, rule: String) {
        self.rules.nat.push(rule);
    }

    fn write(&mut self) {
        let portal = self.portal;
        self.inside();
        self.outside();
        self.node_port();
        if let Some(port) = portal.health_port {
            let name = &portal.name;
            self.filter(format!(
                "KUBE-NODEPORTS -m comment --comment \"{name} health check node port\" -m tcp -p tcp \
                 --dport {port} -j ACCEPT"
            ));
        }
        if portal.has_internal() {
            let (chain, at) = (self.internal(), self.at("cluster IP", portal.cluster_ip));
            let pods = PODS[self.family as usize];
            self.nat(format!("{chain} {at} ! -s {pods} -j {MASQUERADE}"));
        }
        if portal.has_endpoints && portal.is_accessible() {
            self.external();
        }
        if self.has_firewall() {
            self.firewall();
        }
        if portal.uses_cluster() && !portal.cluster.is_empty() {
            self.balance(self.chains.cluster.clone(), &portal.cluster);
        }
        if portal.uses_local() && !portal.local.is_empty() {
            self.balance(self.chains.local.clone(), &portal.local);
        }
        for target in portal.reachable() {
            self.endpoint(target);
        }
    }

    fn internal(&self) -> String {
        let is_local = self.portal.is_internal_local();
        if is_local { self.chains.local.clone() } else { self.chains.cluster.clone() }
    }

    fn has_firewall(&self) -> bool {
        let portal = self.portal;
        portal.has_endpoints && !portal.balancers.is_empty() && !portal.source_ranges.is_empty()
    }

    /// What becomes of traffic that no endpoint takes.
    fn refusal(&self) -> (&'static str, &'static str) {
        match self.portal.has_endpoints {
            false => ("has no endpoints", "REJECT"),
            true => ("has no local endpoints", "DROP"),
        }
    }

    /// What is sent to the cluster address.
    fn inside(&mut self) {
        let ip = self.portal.cluster_ip;
        if self.portal.has_internal() {
            let (at, chain) = (self.at("cluster IP", ip), self.internal());
            self.nat(format!("KUBE-SERVICES {at} -j {chain}"));
        } else {
            let (comment, target) = self.refusal();
            let at = self.at(comment, ip);
            self.filter(format!("KUBE-SERVICES {at} -j {target}"));
        }
    }

    /// What is sent to addresses outside the cluster.
    fn outside(&mut self) {
        let portal = self.portal;
        let (comment, target) = self.refusal();
        let refused = |this: &Self, ip| {
            format!("KUBE-EXTERNAL-SERVICES {} -j {target}", this.at(comment, ip))
        };
        for &ip in &portal.external_ips {
            if portal.has_endpoints {
                let (at, chain) = (self.at("external IP", ip), &self.chains.external);
                self.nat(format!("KUBE-SERVICES {at} -j {chain}"));
            }
            if !portal.has_external() {
                self.filter(refused(self, ip));
            }
        }
        let firewall = self.has_firewall();
        for &ip in &portal.balancers {
            if portal.has_endpoints {
                let chains = &self.chains;
                let chain = if firewall { &chains.firewall } else { &chains.external };
                self.nat(format!("KUBE-SERVICES {} -j {chain}", self.at("loadbalancer IP", ip)));
            }
            if firewall {
                let comment = format!("traffic not accepted by {}", self.chains.firewall);
                self.filter(format!("KUBE-PROXY-FIREWALL {} -j DROP", self.at(&comment, ip)));
            }
        }
        if !portal.has_external() {
            portal.balancers.iter().for_each(|&ip| self.filter(refused(self, ip)));
        }
    }

    /// What is sent to the port of a node.
    fn node_port(&mut self) {
        let Portal { name, protocol, .. } = self.portal;
        let Some(port) = self.portal.node_port else { return };
        let chain = self.chains.external.clone();
        let head = format!("-m {protocol} -p {protocol}");
        if self.portal.has_endpoints {
            if self.family == IpFamily::V4 {
                self.nat(format!(
                    "KUBE-NODEPORTS -m comment --comment {name} {head} -d 127.0.0.0/8 --dport {port} \
                     -m nfacct --nfacct-name localhost_nps_accepted_pkts -j {chain}"
                ));
            }
            self.nat(format!(
                "KUBE-NODEPORTS -m comment --comment {name} {head} --dport {port} -j {chain}"
            ));
        }
        if !self.portal.has_external() {
            let (comment, target) = self.refusal();
            self.filter(format!(
                "KUBE-EXTERNAL-SERVICES -m comment --comment \"{name} {comment}\" -m addrtype \
                 --dst-type LOCAL {head} --dport {port} -j {target}"
            ));
        }
    }

    /// The chain of all that comes to the Service from outside.
    fn external(&mut self) {
        let (name, pods) = (&self.portal.name, PODS[self.family as usize]);
        let Chains { cluster, local, external: chain, .. } = &self.chains;
        let (cluster, local, chain) = (cluster.clone(), local.clone(), chain.clone());
        self.rules.nat_chains.push(chain.clone());
        let said = |what: &str| {
            format!("{chain} -m comment --comment \"{what} for {name} external destinations\"")
        };
        if self.portal.is_external_local() {
            self.nat(format!("{} -s {pods} -j {cluster}", said("pod traffic")));
            let own = "-m addrtype --src-type LOCAL";
            self.nat(format!("{} {own} -j {MASQUERADE}", said("masquerade LOCAL traffic")));
            self.nat(format!("{} {own} -j {cluster}", said("route LOCAL traffic")));
        } else {
            self.nat(format!("{} -j {MASQUERADE}", said("masquerade traffic")));
        }
        if self.portal.has_external() {
            let next = if self.portal.is_external_local() { local } else { cluster };
            self.nat(format!("{chain} -j {next}"));
        }
    }

    /// The chain of what comes to the load balancer's address: only from these ranges.
    fn firewall(&mut self) {
        let (name, chain) = (&self.portal.name, self.chains.firewall.clone());
        self.rules.nat_chains.push(chain.clone());
        let external = self.chains.external.clone();
        for range in &self.portal.source_ranges {
            self.nat(format!(
                "{chain} -m comment --comment \"{name} loadbalancer IP\" -s {range} -j {external}"
            ));
        }
        self.nat(format!(
            "{chain} -m comment --comment \"other traffic to {name} will be dropped by \
             KUBE-PROXY-FIREWALL\""
        ));
    }

    /// A chain that leads to each of `targets` as often.
    fn balance(&mut self, chain: String, targets: &[Target]) {
        let name = &self.portal.name;
        self.rules.nat_chains.push(chain.clone());
        let said = |target: &Target| format!("{chain} -m comment --comment \"{name} -> {target}\"");
        if let Some(seconds) = self.portal.sticky_seconds {
            for target in targets {
                let to = self.endpoint_chain(target);
                self.nat(format!(
                    "{} -m recent --name {to} --rcheck --seconds {seconds} --reap -j {to}",
                    said(target)
                ));
            }
        }
        for (at, target) in targets.iter().enumerate() {
            let chance = match targets.len() - at {
                1 => String::new(),
                left => {
                    format!(" -m statistic --mode random --probability {}", probability(left))
                }
            };
            let to = self.endpoint_chain(target);
            self.nat(format!("{}{chance} -j {to}", said(target)));
        }
    }

    fn endpoint_chain(&self, target: &Target) -> String {
        chain("SEP", &format!("{}{}{target}", self.portal.name, self.portal.protocol))
    }

    /// The chain that rewrites the destination to an endpoint.
    fn endpoint(&mut self, target: &Target) {
        let Portal { name, protocol, .. } = self.portal;
        let chain = self.endpoint_chain(target);
        self.rules.nat_chains.push(chain.clone());
        let head = format!("{chain} -m comment --comment {name}");
        self.nat(format!("{head} -s {} -j {MASQUERADE}", target.ip));
        let sticky = match self.portal.sticky_seconds {
            Some(_) => format!(" -m recent --name {chain} --set"),
            None => String::new(),
        };
        self.nat(format!(
            "{head}{sticky} -m {protocol} -p {protocol} -j DNAT --to-destination {target}"
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chains_have_kube_proxys_own_names() {
        // As in the rules of upstream's own tests.
        assert_eq!(chain("SVC", "ns1/svc1:p80tcp"), "KUBE-SVC-XPGD46QRK7WJZT7O");
        assert_eq!(chain("SVC", "ns2/svc2:p80tcp"), "KUBE-SVC-GNZBNJ2PO5MGZ6GT");
        assert_eq!(chain("SEP", "ns4/svc4:p80tcp10.180.0.5:80"), "KUBE-SEP-C6EBXVWJJZMIWKLZ");
    }

    #[test]
    fn one_port_of_one_service_is_led_to_its_endpoints() {
        let target = |host: u8| Target { ip: IpAddr::from([10, 128, 0, host]), port: 8080 };
        let portal = Portal {
            name: "shop/web".to_owned(),
            protocol: "tcp",
            port: 80,
            cluster_ip: IpAddr::from([10, 96, 0, 9]),
            cluster: vec![target(2), target(3)],
            has_endpoints: true,
            ..Portal::default()
        };
        let rules = rules(&[portal], IpFamily::V4);
        let svc: Vec<&String> = rules.nat.iter().filter(|it| it.contains("-> 10.")).collect();
        assert!(svc[0].contains("--probability 0.5000000000 -j KUBE-SEP-"), "{}", svc[0]);
        assert!(!svc[1].contains("--probability"), "{}", svc[1]);
        let dnat = rules.nat.iter().filter(|it| it.contains("--to-destination 10.128.0."));
        assert_eq!((dnat.count(), rules.nat.len(), rules.filter.len()), (2, 13, 4));
    }
}
