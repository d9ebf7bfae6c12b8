//! Which server goes into which slot, and what has to be said to the running HAProxy? Pure.
//!
//! Every backend has more server slots than it needs. An instance that joins gets a slot's address set and the
//! slot made ready; one that leaves has its slot put into maintenance, which lets requests in flight finish.
//! Neither takes a reload. A reload is needed for a service that HAProxy has no backend for, and when the slots
//! of one run out: they double. Invariants: an address stands in one ready slot at most; a slot that serves
//! what it should is not touched; joins come before leaves.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
};

use crate::routes::{Route, Routes, ServiceName};

/// HAProxy's largest weight.
const MAX_WEIGHT: u32 = 256;

/// One server line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slot {
    /// What it is set to; none: it never served.
    pub address: Option<SocketAddr>,
    /// Its weight.
    pub weight: u16,
    /// Does it take traffic?
    pub ready: bool,
    /// Seconds since its state last changed; larger is freer.
    pub idle: u64,
}

impl Slot {
    /// One that never served.
    pub const FREE: Self = Self { address: None, weight: 1, ready: false, idle: u64::MAX };

    fn serving(address: SocketAddr, weight: u16) -> Self {
        Self { address: Some(address), weight, ready: true, idle: 0 }
    }
}

/// The slots of every service; slot 0 is called `s1`.
pub type Layout = BTreeMap<ServiceName, Vec<Slot>>;

/// What the running HAProxy has.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Actual {
    /// Its backends.
    pub layout: Layout,
    /// The services that requests are routed to.
    pub routed: BTreeSet<ServiceName>,
}

/// What to do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// To be said to the running HAProxy, in this order.
    pub commands: Vec<String>,
    /// The services whose backends the commands touch.
    pub touched: BTreeSet<ServiceName>,
    /// The services whose routes they add or remove.
    pub mapped: BTreeSet<ServiceName>,
    /// How things are after that, and after a reload if one is needed: what stands in the file.
    pub layout: Layout,
    /// Commands are not enough.
    pub reload: bool,
}

/// From what is there to what should be there. `slots`: fewest slots of a service; `map`: the path of the map
/// that routes.
pub fn plan(actual: &Actual, routes: &Routes, slots: u16, map: &str) -> Plan {
    let mut plan = Plan::default();
    for (name, route) in &routes.services {
        let there = actual.layout.get(name);
        plan.service(name, route, there.map_or(&[], Vec::as_slice), slots, there.is_some());
        if there.is_none() {
            plan.reload = true;
        } else if !actual.routed.contains(name) {
            plan.mapped.insert(name.clone());
            plan.commands.push(format!("add map {map} {name}. wharf-{name}"));
        }
    }
    // The backend of a service that is gone stays until the next reload; nothing is routed to it.
    for name in actual.routed.iter().filter(|name| !routes.services.contains_key(name)) {
        plan.mapped.insert(name.clone());
        plan.commands.push(format!("del map {map} {name}."));
    }
    for (name, there) in actual.layout.iter().filter(|(name, _)| !routes.services.contains_key(name)) {
        for (index, _) in there.iter().enumerate().filter(|(_, slot)| slot.ready) {
            plan.touched.insert(name.clone());
            plan.commands.push(format!("set server {} state maint", server(name, index)));
        }
    }
    plan
}

impl Plan {
    /// What of the commands did not take, going by what HAProxy has after them.
    pub fn undone(&self, actual: &Actual, routes: &Routes) -> Option<String> {
        for name in &self.touched {
            let there = actual.layout.get(name).map_or(&[][..], Vec::as_slice);
            let wanted = self.layout.get(name).map_or(&[][..], Vec::as_slice);
            for (index, slot) in there.iter().enumerate() {
                let right = match wanted.get(index) {
                    Some(wanted) if wanted.ready => {
                        (slot.ready, slot.address, slot.weight) == (true, wanted.address, wanted.weight)
                    }
                    _ => !slot.ready,
                };
                if !right {
                    return Some(server(name, index));
                }
            }
        }
        let routed =
            |name: &&ServiceName| actual.routed.contains(*name) != routes.services.contains_key(*name);
        let named = self.mapped.iter().find(routed)?;
        Some(format!("the route to {named}"))
    }

    fn service(&mut self, name: &ServiceName, route: &Route, there: &[Slot], fewest: u16, running: bool) {
        let mut wanted = weighted(route);
        let mut slots = there.to_vec();
        let (mut joins, mut leaves) = (Vec::new(), Vec::new());
        for (index, slot) in slots.iter_mut().enumerate() {
            let weight = slot.address.filter(|_| slot.ready).and_then(|address| wanted.remove(&address));
            match weight {
                Some(weight) if weight != slot.weight => {
                    joins.push(format!("set server {} weight {weight}", server(name, index)));
                    slot.weight = weight;
                }
                None if slot.ready => {
                    leaves.push(format!("set server {} state maint", server(name, index)));
                    (slot.ready, slot.idle) = (false, 0);
                }
                Some(_) | None => {}
            }
        }
        // One that comes back finds its old slot, if that is still there.
        for (index, slot) in slots.iter_mut().enumerate().filter(|(_, slot)| !slot.ready) {
            if let Some((address, weight)) = slot.address.and_then(|a| wanted.remove(&a).map(|w| (a, w))) {
                joins.extend(enter(name, index, slot, address, weight));
            }
        }
        // Those that just left are no longer free: requests may be under way there. The longest idle go first.
        let just_left: BTreeSet<usize> =
            (0..slots.len()).filter(|index| there[*index].ready && !slots[*index].ready).collect();
        let mut free: Vec<usize> =
            (0..slots.len()).filter(|index| !slots[*index].ready && !just_left.contains(index)).collect();
        free.sort_by_key(|index| std::cmp::Reverse(slots[*index].idle));
        let mut free = free.into_iter();
        for (address, weight) in wanted {
            if let Some(index) = free.next() {
                joins.extend(enter(name, index, &mut slots[index], address, weight));
            } else {
                self.reload = true;
                slots.push(Slot::serving(address, weight));
            }
        }
        if slots.len() > there.len() {
            let serving = slots.iter().filter(|slot| slot.ready).count();
            let enough = (serving * 2).next_power_of_two().max(usize::from(fewest)).max(1);
            slots.resize(enough.max(slots.len()), Slot::FREE);
        } else if there.is_empty() {
            slots.resize(usize::from(fewest).max(1), Slot::FREE);
        }
        if running && !(joins.is_empty() && leaves.is_empty()) {
            self.touched.insert(name.clone());
            self.commands.extend(joins.into_iter().chain(leaves));
        }
        self.layout.insert(name.clone(), slots);
    }
}

fn enter(name: &ServiceName, index: usize, slot: &mut Slot, address: SocketAddr, weight: u16) -> Vec<String> {
    let server = server(name, index);
    let mut commands = Vec::new();
    if slot.address != Some(address) {
        commands.push(format!("set server {server} addr {} port {}", address.ip(), address.port()));
    }
    if slot.weight != weight {
        commands.push(format!("set server {server} weight {weight}"));
    }
    commands.push(format!("set server {server} state ready"));
    *slot = Slot::serving(address, weight);
    commands
}

fn server(name: &ServiceName, index: usize) -> String {
    format!("wharf-{name}/s{}", index + 1)
}

/// The addresses that serve, their weights brought into HAProxy's range.
fn weighted(route: &Route) -> BTreeMap<SocketAddr, u16> {
    let most = route.serving().map(|(_, weight)| u32::from(weight)).max().unwrap_or(1);
    let scaled = |weight: u16| {
        let weight = u32::from(weight);
        let scaled = if most > MAX_WEIGHT { weight * MAX_WEIGHT / most } else { weight };
        u16::try_from(scaled.max(1)).unwrap_or(1)
    };
    route.serving().map(|(address, weight)| (address, scaled(weight))).collect()
}

#[cfg(test)]
mod tests;
