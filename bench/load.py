"""What is done to a server: data put into it, requests by wrk and dnsperf, watchers."""
import http.client
import json
import os
import re
import resource
import select
import socket
import subprocess
import tempfile
import threading
import time

WRITES = {
    "agent register": """return wrk.format("PUT", "/v1/agent/service/register", nil,
        string.format('{"ID":"a%d","Name":"svc%d","Port":%d,"Address":"10.0.0.1"}', id, id % 50, port))""",
    "catalog register": """return wrk.format("PUT", "/v1/catalog/register", nil,
        string.format('{"Node":"n%d","Address":"10.0.0.1","SkipNodeUpdate":true,"Service":{"ID":"c%d","Service":"csvc%d","Port":%d}}', id % 100, id, id % 50, port))""",
    "kv put": """return wrk.format("PUT", "/v1/kv/bench/k" .. id, nil, "value-" .. n)""",
}


def wrk(server, path, connections, seconds, write=None):
    """Requests a second, none of which failed; `write` is one of WRITES."""
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", f"http://127.0.0.1:{server.http}{path}"]
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        if write:
            # A thousand ids over and over, each body different from the one before.
            script.write(f"local n = 0\nfunction request()\n n = n + 1; local id, port = n % 1000, 1000 + n % 60000\n {WRITES[write]}\nend\n")
            script.flush()
            command[1:1] = ["-s", script.name]
        text = subprocess.run(command, capture_output=True, text=True, timeout=seconds + 60).stdout
    if "Non-2xx" in text or "Socket errors" in text or "Requests/sec" not in text:
        raise SystemExit(f"{server.name}: {text}")
    return float(re.search(r"Requests/sec:\s+([\d.]+)", text).group(1))


def dnsperf(server, name, seconds):
    """A questions answered a second."""
    with tempfile.NamedTemporaryFile("w") as questions:
        questions.write(f"{name}.service.consul A\n")
        questions.flush()
        command = ["dnsperf", "-s", "127.0.0.1", "-p", str(server.dns), "-d", questions.name, "-l", str(seconds), "-c", "8", "-q", "200"]
        text = subprocess.run(command, capture_output=True, text=True, timeout=seconds + 60).stdout
    return float(re.search(r"Queries per second:\s+([\d.]+)", text).group(1))


def register(connection, service, number, nodes):
    """One instance, with a passing check, on one of so many nodes."""
    node, id = number % nodes, f"{service}-{number}"
    body = {"Node": f"n{node}", "Address": f"10.2.{node // 250}.{node % 250 + 1}", "SkipNodeUpdate": number >= nodes,
            "Service": {"ID": id, "Service": service, "Port": 1000 + number % 60000, "Tags": ["v1"]},
            "Check": {"CheckID": f"service:{id}", "Name": "Service check", "Status": "passing", "ServiceID": id,
                      "Output": "HTTP GET http://10.2.0.1: 200 OK Output: ok"}}
    connection.request("PUT", "/v1/catalog/register", json.dumps(body))
    answer = connection.getresponse()
    text = answer.read()
    if answer.status != 200:
        raise SystemExit(f"register: {answer.status} {text}")


def fill(server, instances, services, nodes):
    """That many instances over that many services, by eight connections."""
    def some(first):
        connection = http.client.HTTPConnection("127.0.0.1", server.http, timeout=60)
        for number in range(first, instances, 8):
            register(connection, f"svc{number % services}", number, nodes)
    connection = http.client.HTTPConnection("127.0.0.1", server.http, timeout=60)
    for node in range(nodes):
        body = {"Node": f"n{node}", "Address": f"10.2.{node // 250}.{node % 250 + 1}"}
        connection.request("PUT", "/v1/catalog/register", json.dumps(body))
        connection.getresponse().read()
    threads = [threading.Thread(target=some, args=(first,)) for first in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def seed(server, service, instances):
    """A service with that many passing instances, a node each."""
    connection = http.client.HTTPConnection("127.0.0.1", server.http, timeout=60)
    for number in range(instances):
        register(connection, service, number, instances)


class Watchers:
    """Blocking queries for one service, each on a connection of its own; a bare reader, so that what is
    measured is the server. A change answers all of them once."""

    def __init__(self, server, service, count):
        resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
        self.server, self.service, self.poll, self.sockets = server, service, select.epoll(), {}
        for _ in range(count):
            connection = socket.create_connection(("127.0.0.1", server.http))
            self.sockets[connection.fileno()] = connection
            self.poll.register(connection, select.EPOLLIN)

    def change(self, port):
        """Milliseconds from a change until the last watcher has begun to hear of it."""
        path = f"/v1/health/service/{self.service}?passing"
        index = self.server.ask("GET", path)[1]["X-Consul-Index"]
        question = f"GET {path}&index={index}&wait=120s HTTP/1.1\r\nHost: bench\r\n\r\n".encode()
        for connection in self.sockets.values():
            connection.sendall(question)
        time.sleep(1 + len(self.sockets) / 4000)
        body = {"Node": "n0", "Address": "10.2.0.1", "Service": {"ID": f"{self.service}-0", "Service": self.service, "Port": port}}
        begun = time.monotonic()
        changer = threading.Thread(target=self.server.ask, args=("PUT", "/v1/catalog/register", json.dumps(body)))
        changer.start()
        waiting = set(self.sockets)
        while waiting:
            for number, _ in self.poll.poll(30):
                if not os.read(number, 1 << 18):
                    raise SystemExit(f"{self.server.name} cut a watcher off")
                waiting.discard(number)
        took = time.monotonic() - begun
        changer.join()
        return took * 1000

    def close(self):
        """Ends them all."""
        for connection in self.sockets.values():
            connection.close()
        self.poll.close()
