//! What was asked for: the command line as values. Pure, so that every refusal is tested.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::time::Duration;

use lexopt::prelude::{Long, Short, Value, ValueExt};

use crate::setup::Purpose;

/// The text of `cargo xtask --help`.
pub(crate) const USAGE: &str = "\
Developer commands for wharf.

cargo xtask demo [--release] [--plain] [--for SECONDS]
                 [--http-addr ADDR] [--dns-addr ADDR] [--proxy-addr ADDR]
    Installs what is missing, starts Docker where it does not run, starts wharf and a fleet of a
    dozen services, and prints the addresses to open. Ctrl-C takes everything down again.
      --plain     no containers: the same fleet as plain processes
      --release   an optimised wharf (the first build takes minutes)
      --for N     leave after N seconds, as if by Ctrl-C

cargo xtask test [FILTER]
    Installs what the tests need and runs all of them, those on real Docker and in a real browser included.

cargo xtask conformance [--slow] [--only REGEX]
    Compares HTTP API, DNS and command line with recorded answers of the system it stands in for, where the
    recordings are at hand: WHARF_CONFORMANCE or ../shared/conformance. Fails on differences that are not
    listed in docs/consul-deviations.toml, and on listed ones that are gone.
      --slow      the scenarios, too, that wait for minutes

cargo xtask setup [--for demo|test]
    Only the installation (Debian packages; everything when --for is not given).";

/// One command with its options.
#[derive(Debug, PartialEq)]
pub(crate) enum Request {
    /// Print the usage.
    Help,
    /// Install what is missing.
    Setup(Purpose),
    /// Run the tests whose name contains the filter.
    Test {
        /// A part of the test's name.
        filter: Option<String>,
    },
    /// Compare with recorded answers.
    Conformance(ConformanceOptions),
    /// Show wharf with a fleet.
    Demo(DemoOptions),
}

/// Options of `conformance`.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct ConformanceOptions {
    /// Only the scenarios whose name matches.
    pub(crate) only: Option<String>,
    /// Also those that wait for minutes.
    pub(crate) slow: bool,
}

/// Options of `demo`.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct DemoOptions {
    /// Build with optimisations.
    pub(crate) release: bool,
    /// Processes instead of containers.
    pub(crate) plain: bool,
    /// Leave after this long.
    pub(crate) length: Option<Duration>,
    /// Where the API is to listen; a free port near the default when not given.
    pub(crate) http: Option<SocketAddr>,
    /// Where DNS is to listen.
    pub(crate) dns: Option<SocketAddr>,
    /// Where the proxy is to listen.
    pub(crate) proxy: Option<SocketAddr>,
}

/// Reads the arguments after the program's name.
pub(crate) fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Request, lexopt::Error> {
    let mut parser = lexopt::Parser::from_args(arguments);
    let Some(first) = parser.next()? else {
        return Ok(Request::Help);
    };
    match first {
        Value(command) => match command.string()?.as_str() {
            "help" => Ok(Request::Help),
            "setup" => parse_setup(&mut parser),
            "test" => parse_test(&mut parser),
            "conformance" => parse_conformance(&mut parser),
            "demo" => parse_demo(&mut parser),
            other => Err(format!("no command `{other}`; there are setup, demo, test and conformance").into()),
        },
        Short('h') | Long("help") => Ok(Request::Help),
        other => Err(other.unexpected()),
    }
}

fn parse_setup(parser: &mut lexopt::Parser) -> Result<Request, lexopt::Error> {
    let mut purpose = Purpose::Test;
    while let Some(argument) = parser.next()? {
        match argument {
            Long("for") => {
                purpose = match parser.value()?.string()?.as_str() {
                    "demo" => Purpose::Demo,
                    "test" => Purpose::Test,
                    other => return Err(format!("`--for {other}`: say demo or test").into()),
                }
            }
            Short('h') | Long("help") => return Ok(Request::Help),
            other => return Err(other.unexpected()),
        }
    }
    Ok(Request::Setup(purpose))
}

fn parse_test(parser: &mut lexopt::Parser) -> Result<Request, lexopt::Error> {
    let mut filter = None;
    while let Some(argument) = parser.next()? {
        match argument {
            Value(name) if filter.is_none() => filter = Some(name.string()?),
            Short('h') | Long("help") => return Ok(Request::Help),
            other => return Err(other.unexpected()),
        }
    }
    Ok(Request::Test { filter })
}

fn parse_conformance(parser: &mut lexopt::Parser) -> Result<Request, lexopt::Error> {
    let mut options = ConformanceOptions::default();
    while let Some(argument) = parser.next()? {
        match argument {
            Long("slow") => options.slow = true,
            Long("only") => options.only = Some(parser.value()?.string()?),
            Short('h') | Long("help") => return Ok(Request::Help),
            other => return Err(other.unexpected()),
        }
    }
    Ok(Request::Conformance(options))
}

fn parse_demo(parser: &mut lexopt::Parser) -> Result<Request, lexopt::Error> {
    let mut options = DemoOptions::default();
    while let Some(argument) = parser.next()? {
        match argument {
            Long("release") => options.release = true,
            Long("plain") => options.plain = true,
            Long("for") => options.length = Some(Duration::from_secs(parser.value()?.parse()?)),
            Long("http-addr") => options.http = Some(parser.value()?.parse()?),
            Long("dns-addr") => options.dns = Some(parser.value()?.parse()?),
            Long("proxy-addr") => options.proxy = Some(parser.value()?.parse()?),
            Short('h') | Long("help") => return Ok(Request::Help),
            other => return Err(other.unexpected()),
        }
    }
    Ok(Request::Demo(options))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Request, String> {
        parse(line.split_whitespace().map(OsString::from)).map_err(|error| error.to_string())
    }

    #[test]
    fn demo_options_are_read() {
        let expected = DemoOptions {
            plain: true,
            length: Some(Duration::from_secs(3)),
            http: Some("127.0.0.1:9500".parse().unwrap()),
            ..DemoOptions::default()
        };
        assert_eq!(read("demo --plain --for 3 --http-addr 127.0.0.1:9500"), Ok(Request::Demo(expected)));
    }

    #[test]
    fn a_test_filter_is_optional_and_single() {
        assert_eq!(read("test"), Ok(Request::Test { filter: None }));
        assert_eq!(read("test drains"), Ok(Request::Test { filter: Some("drains".into()) }));
        assert!(read("test drains twice").is_err());
    }

    #[test]
    fn nothing_at_all_asks_for_help() {
        assert_eq!(read(""), Ok(Request::Help));
        assert_eq!(read("demo --help"), Ok(Request::Help));
    }

    #[test]
    fn what_is_not_understood_is_named() {
        assert!(read("deploy").unwrap_err().contains("`deploy`"));
        assert!(read("demo --fast").unwrap_err().contains("--fast"));
        assert!(read("demo --for soon").unwrap_err().contains("soon"));
        assert!(read("setup --for fun").unwrap_err().contains("say demo or test"));
    }
}
