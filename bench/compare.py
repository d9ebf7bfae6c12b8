#!/usr/bin/env python3
"""wharf beside Consul: each figure measured in turn on both, medians, their ratio, and what is wanted.

    bench/compare.py WHARF_BINARY [--only REGEX] [--runs 5] [--seconds 3]

CONSUL_BIN names a Consul 1.8.7 (Debian bullseye's package, say); without it wharf is measured alone.
Needs wrk, and dnsperf for the names.
"""
import argparse
import os
import re
import statistics
import time

import load
from servers import Consul, Wharf


def both(servers, runs, measure):
    """Medians by server's name; the servers take turns, so that whatever else the machine does hits both."""
    figures = {server.name: [] for server in servers}
    for _ in range(runs):
        for server in servers:
            figures[server.name].append(measure(server))
            time.sleep(0.3)
    return {name: statistics.median(values) for name, values in figures.items()}


def row(what, figures, wanted, less=False):
    """One line of the table; `less` is better where it says so."""
    ours, theirs = figures["wharf"], figures.get("consul")
    text = f"| {what} | {theirs:,.1f}" if theirs else f"| {what} | -"
    ratio = (theirs / ours if less else ours / theirs) if theirs else None
    print(f"{text} | {ours:,.1f} | {f'{ratio:.1f}' if ratio else '-'} | {wanted} |", flush=True)


def reads(servers, options):
    for server in servers:
        load.seed(server, "web10", 10)
        load.seed(server, "web100", 100)
        server.ask("PUT", "/v1/kv/foo", "x" * 100)
    for what, path, wanted in (("health, 10 instances, c32 /s", "/v1/health/service/web10?passing", "8x"),
                               ("health, 100 instances, c32 /s", "/v1/health/service/web100?passing", "20x"),
                               ("KV get, c32 /s", "/v1/kv/foo", "2x")):
        row(what, both(servers, options.runs, lambda server: load.wrk(server, path, 32, options.seconds)), wanted)


def writes(servers, options):
    for server in servers:
        load.fill(server, 0, 1, 100)
    for what, wanted in (("agent register", "20x"), ("catalog register", "3x"), ("kv put", "3x")):
        figures = both(servers, options.runs, lambda server: load.wrk(server, "", 64, options.seconds, what))
        row(f"{what}, durable, c64 /s", figures, wanted)


def watchers(servers, options):
    for server in servers:
        load.seed(server, "watched", 3)
    crowds = {server.name: load.Watchers(server, "watched", 1000) for server in servers}
    figures = both(servers, options.runs, lambda server: crowds[server.name].change(time.monotonic_ns() % 60000 + 1))
    row("1,000 watchers, last notified ms", figures, "5x", less=True)
    for crowd in crowds.values():
        crowd.close()
    for server in servers:
        crowd = load.Watchers(server, "watched", 10_000)
        took = crowd.change(7)
        print(f"{server.name}: 10,000 watchers: {server.memory():.0f} MB, last notified {took:.0f} ms (wanted: under 150 MB)")
        crowd.close()


def fleet(servers, options):
    for server in servers:
        load.fill(server, 10_000, 500, 100)
        time.sleep(3)
    row("10,000 instances, MB", {server.name: server.memory() for server in servers}, "under 80 MB", less=True)
    for what, path, wanted in (("catalog/services, c16 /s", "/v1/catalog/services", "20x"),
                               ("health, 20 instances of 10,000, c16 /s", "/v1/health/service/svc7?passing", ""),
                               ("health/state/any, c16 /s", "/v1/health/state/any", "")):
        row(what, both(servers, options.runs, lambda server: load.wrk(server, path, 16, options.seconds)), wanted)
    row("after those, MB", {server.name: server.memory() for server in servers}, "", less=True)

    def restart(server):
        server.stop()
        return server.start()
    row("restart until it takes a write, s", both(servers, options.runs, restart), "under 1 s", less=True)


def names(servers, options):
    for what, instances, wanted in (("DNS A, 3 instances q/s", 3, "3x"), ("DNS A, 50 instances q/s", 50, "5x")):
        for server in servers:
            load.seed(server, f"names{instances}", instances)
        row(what, both(servers, options.runs, lambda server: load.dnsperf(server, f"names{instances}", options.seconds)), wanted)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("wharf", help="the binary, built with --release")
    parser.add_argument("--only", default="", help="of: reads, writes, watchers, fleet, names")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=3)
    options = parser.parse_args()
    consul = os.environ.get("CONSUL_BIN")
    if not consul:
        print("CONSUL_BIN is not set: wharf alone, no ratios")
    print("| what | Consul | wharf | ratio | wanted |\n|---|---|---|---|---|")
    for group in (reads, writes, watchers, fleet, names):
        if not re.search(options.only, group.__name__):
            continue
        servers = ([Consul(consul)] if consul else []) + [Wharf(options.wharf)]
        try:
            for server in servers:
                server.start()
            group(servers, options)
        finally:
            for server in servers:
                server.remove()


if __name__ == "__main__":
    main()
