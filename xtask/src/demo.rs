//! `cargo xtask demo`: wharf and a fleet, from nothing to a page to look at, and back to nothing.
//!
//! Guards are declared in the order in which they must not die: engine, wharf, fleet. Whatever happens on the way,
//! the fleet goes first and the engine last.

use std::fmt::Write as _;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};

use crate::cli::DemoOptions;
use crate::docker::{self, Engine};
use crate::fleet::{self, Fleet, MEMBERS};
use crate::http;
use crate::image;
use crate::process::{find, output};
use crate::project::Project;
use crate::server::{self, Addresses, Server};
use crate::setup::{self, Purpose};
use crate::wait::{self, Deadline, Interrupt, Interrupted};

/// Until every service answers through the proxy.
const ANSWERS: Duration = Duration::from_secs(60);

/// Until every service has a past.
const SEEDING: Duration = Duration::from_secs(120);

/// Runs the demo until Ctrl-C.
pub(crate) fn run(
    project: &Project,
    options: &DemoOptions,
    interrupt: &Interrupt,
) -> anyhow::Result<ExitCode> {
    let engine = if options.plain { None } else { find_engine(project, interrupt)? };
    println!("building wharf");
    let built = project.build_wharf(options.release);
    // A build that Ctrl-C ended is no failure to talk about.
    interrupt.check()?;
    let binary = built?;
    let with_image = engine.is_some() && image_is_ready(project, &binary);
    let addresses = addresses(options)?;
    let folder = project.state("demo");
    let settings = settings(&folder, addresses)?;
    let more = ["--config", settings.as_str()];
    let mut wharf = Server::start(&folder, &binary, addresses, &more, interrupt)?;
    let fleet = start_fleet(project, &binary, with_image, addresses, interrupt)?;
    let silent = wait_for_answers(addresses, interrupt)?;
    if !silent.is_empty() {
        bail!("no answer through the proxy from {}; {}", silent.join(", "), wharf.last_words());
    }
    seed(&binary, addresses);
    println!("{}", invitation(addresses, &fleet, wharf.log()));
    let died = serve(&mut wharf, options.length, interrupt);
    println!("\ntaking everything down");
    let last_words = wharf.last_words();
    drop(fleet);
    drop(wharf);
    drop(engine);
    if died {
        bail!("wharf ended by itself; {last_words}");
    }
    println!("all gone");
    Ok(ExitCode::SUCCESS)
}

/// An engine with nothing of an earlier demo in it, or `None` and one line that says why.
fn find_engine(project: &Project, interrupt: &Interrupt) -> anyhow::Result<Option<Engine>> {
    if let Err(error) = setup::extras(project, Purpose::Demo) {
        println!("going on without: {error:#}");
    }
    match clean_engine(project, interrupt) {
        Ok(engine) => Ok(Some(engine)),
        Err(error) if error.is::<Interrupted>() => Err(error),
        Err(error) => {
            println!("no Docker here, so the fleet will run as plain processes: {error:#}");
            Ok(None)
        }
    }
}

fn clean_engine(project: &Project, interrupt: &Interrupt) -> anyhow::Result<Engine> {
    if !docker::answers() || find("docker").is_none() {
        setup::engine(project)?;
    }
    let engine = docker::ensure(project, interrupt)?;
    let leftovers = fleet::remove_containers()?;
    if leftovers > 0 {
        println!("removed {leftovers} containers of an earlier demo");
    }
    Ok(engine)
}

fn image_is_ready(project: &Project, binary: &Path) -> bool {
    match image::build(project, binary) {
        Ok(what) => println!("{what}"),
        Err(error) => {
            println!("no image, so the fleet will run as plain processes: {error:#}");
            return false;
        }
    }
    true
}

fn addresses(options: &DemoOptions) -> anyhow::Result<Addresses> {
    Ok(Addresses {
        http: server::choose("--http-addr", options.http, 8500)?,
        dns: server::choose("--dns-addr", options.dns, 8600)?,
        proxy: server::choose("--proxy-addr", options.proxy, 8080)?,
    })
}

fn start_fleet(
    project: &Project,
    binary: &Path,
    with_image: bool,
    addresses: Addresses,
    interrupt: &Interrupt,
) -> anyhow::Result<Fleet> {
    println!("starting {} services, {} instances", MEMBERS.len(), fleet::instances());
    if with_image {
        match Fleet::containers(interrupt) {
            Ok(fleet) => return Ok(fleet),
            Err(error) if error.is::<Interrupted>() => return Err(error),
            Err(error) => println!("containers do not start, so plain processes play the fleet: {error:#}"),
        }
    }
    Fleet::processes(project, binary, addresses).context("the fleet does not start")
}

/// What is beside the fleet: a check of what a browser sees, and a public page.
const SETTINGS: &str = r#"# Written by `cargo xtask demo`.
[[external]]
service = "front-door"
group = "edge"
tags = ["public"]
interval = "5s"
route = { path = "/atlas-service/" }
expect = { status = ["200"] }

[[pages.status_pages]]
tag = "public"
title = "Demo services"

# Three people; the mailer service plays their phones, by way of the load balancer.
[oncall]
time_zone = "Europe/Madrid"
[oncall.teams.platform]
name = "Platform"
members = ["dana", "lee", "kim"]
[oncall.users.dana]
name = "Dana Reyes"
contacts.phone = { type = "webhook", url = "PHONES/dana" }
paging = [{ contact = "phone" }]
[oncall.users.lee]
name = "Lee Park"
contacts.phone = { type = "webhook", url = "PHONES/lee" }
paging = [{ contact = "phone" }]
[oncall.users.kim]
name = "Kim Osei"
contacts.phone = { type = "webhook", url = "PHONES/kim" }
paging = [{ contact = "phone" }]
[oncall.receivers.ops-room]
type = "webhook"
url = "PHONES/ops-room"
[oncall.rotations.primary]
team = "platform"
start = 2026-01-05T09:00:00
every = "week"
members = ["dana", "lee", "kim"]
[oncall.rotations.office-hours]
team = "platform"
start = 2026-01-05T00:00:00
every = "day"
members = ["kim", "dana"]
hours = [{ days = ["mon", "tue", "wed", "thu", "fri"], from = "09:00", until = "17:00" }]
[oncall.policies.default]
team = "platform"
announce = ["ops-room"]
repeat = "until-acknowledged"
repeat_after = "15m"
steps = [{ targets = [{ rotation = "primary" }] }, { after = "5m", targets = [{ next_in_rotation = "primary" }] }]
[oncall.routing]
default = "default"
"#;

fn settings(folder: &Path, addresses: Addresses) -> anyhow::Result<String> {
    std::fs::create_dir_all(folder).with_context(|| format!("cannot create `{}`", folder.display()))?;
    let path = folder.join("wharf.toml");
    let phones = format!("http://{}/mailer-service", addresses.proxy);
    std::fs::write(&path, SETTINGS.replace("PHONES", &phones))
        .with_context(|| format!("cannot write `{}`", path.display()))?;
    Ok(path.display().to_string())
}

/// A past, so that the pages have something to show; without one the demo is as good.
fn seed(binary: &Path, addresses: Addresses) {
    let binary = binary.display().to_string();
    match output(SEEDING, &binary, &["demo", "seed", "--http-addr", &addresses.http.to_string()]) {
        Ok(told) => print!("{told}"),
        Err(error) => println!("the services have no past: {error:#}"),
    }
}

/// Waits until every service answers through the proxy; returns those that never did.
fn wait_for_answers(addresses: Addresses, interrupt: &Interrupt) -> anyhow::Result<Vec<&'static str>> {
    let mut silent: Vec<&'static str> = MEMBERS.iter().map(|member| member.name).collect();
    wait::until(ANSWERS, interrupt, || {
        silent.retain(|name| {
            let answer = http::get(addresses.proxy, &format!("/{name}/"));
            answer.is_none_or(|answer| answer.status != 200)
        });
        silent.is_empty().then_some(())
    })?;
    Ok(silent)
}

/// Stays until Ctrl-C or the asked-for length; true when wharf ended by itself before.
fn serve(wharf: &mut Server, length: Option<Duration>, interrupt: &Interrupt) -> bool {
    let deadline = length.map(Deadline::after);
    while !interrupt.happened() && !deadline.is_some_and(|deadline| deadline.passed()) {
        if wharf.ended() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    false
}

/// The text that says where to look and what to try.
fn invitation(addresses: Addresses, fleet: &Fleet, log: &Path) -> String {
    let Addresses { http, dns, proxy } = addresses;
    let kill = fleet.kill_command();
    let mut text = format!(
        "
wharf is up, and so is its fleet: {services} services, {instances} instances.

  The page    http://{http}/ui/
  Incidents   http://{http}/ui/incidents
  On call     http://{http}/ui/oncall
  Status      http://{http}/status/public
  API         curl http://{http}/v1/catalog/services
  Proxy       curl http://{proxy}/atlas-service/
              curl -H 'Host: atlas-service.localhost' http://{proxy}/
",
        services = MEMBERS.len(),
        instances = fleet::instances(),
    );
    if find("dig").is_some() {
        let _ = writeln!(
            text,
            "  DNS         dig @{} -p {} atlas-service.service.consul SRV",
            dns.ip(),
            dns.port()
        );
    } else {
        let _ = writeln!(text, "  DNS         {dns}, names like atlas-service.service.consul");
    }
    let _ = writeln!(text, "  Metrics     http://{http}/metrics\n  Log         {}", log.display());
    let _ = writeln!(
        text,
        "\nKill an instance and watch the page; requests through the proxy go on without a failure:\n\n  {kill}"
    );
    let _ = writeln!(
        text,
        "\nKill the only one of a service, and whoever is on call is paged (the mailer service plays\nthe phones); it is over when the instance is back:\n\n  {}",
        fleet.outage_command()
    );
    if let Some(revive) = fleet.revive_command() {
        let _ = writeln!(text, "  {revive}");
    }
    text.push_str("\nCtrl-C takes everything down again.");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_invitation_names_every_address_and_a_thing_to_try() {
        let addresses = Addresses::any_free().unwrap();
        let text = invitation(addresses, &Fleet::Processes(Vec::new()), Path::new("/t/wharf.log"));
        for address in [addresses.http, addresses.proxy] {
            assert!(text.contains(&address.to_string()), "{text}");
        }
        assert!(text.contains(&addresses.dns.port().to_string()) && text.contains("/t/wharf.log"), "{text}");
        assert!(text.lines().all(|line| line.len() <= 100), "{text}");
    }

    #[test]
    fn an_address_that_is_taken_is_refused_before_anything_starts() {
        let holder = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let options = DemoOptions { dns: holder.local_addr().ok(), ..DemoOptions::default() };
        assert!(addresses(&options).unwrap_err().to_string().contains("--dns-addr"));
    }
}
