"""Starts wharf and Consul, each with a data directory of its own, and ends them by their process."""
import http.client
import os
import re
import shutil
import socket
import subprocess
import tempfile
import time


def free_port():
    """A port that was free a moment ago, for TCP and UDP."""
    with socket.socket() as tcp:
        tcp.bind(("127.0.0.1", 0))
        return tcp.getsockname()[1]


class Server:
    """One server with a persistent store. `http` and `dns` are ports on loopback."""

    def __init__(self, name):
        self.name, self.folder = name, tempfile.mkdtemp(prefix=f"bench-{name}-")
        self.http, self.dns, self.process = free_port(), free_port(), None

    def start(self):
        """Starts it, on what an earlier life left; gives the seconds until it takes a write."""
        begun = time.monotonic()
        log = open(os.path.join(self.folder, "log"), "ab")
        self.process = subprocess.Popen(self.command(), stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        while time.monotonic() < begun + 60 and self.process.poll() is None:
            try:
                if self.ask("PUT", "/v1/kv/ready", "1")[0] == 200:
                    return time.monotonic() - begun
            except OSError:
                pass
            time.sleep(0.01)
        raise SystemExit(f"{self.name} did not start: see {self.folder}/log")

    def ask(self, method, path, body=""):
        """One request on a connection of its own: status, headers, body."""
        connection = http.client.HTTPConnection("127.0.0.1", self.http, timeout=60)
        connection.request(method, path, body=body)
        answer = connection.getresponse()
        result = answer.status, answer.headers, answer.read()
        connection.close()
        return result

    def memory(self):
        """Resident megabytes."""
        with open(f"/proc/{self.process.pid}/status") as status:
            return int(re.search(r"VmRSS:\s+(\d+)", status.read()).group(1)) / 1024

    def stop(self):
        """Ends it and waits for its end."""
        if self.process:
            self.process.terminate()
            try:
                self.process.wait(15)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
            self.process = None

    def remove(self):
        """Ends it and removes what it kept."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


class Wharf(Server):
    """`wharf server`."""

    def __init__(self, binary):
        super().__init__("wharf")
        self.binary, self.proxy = binary, free_port()

    def command(self):
        address = "127.0.0.1:{}".format
        return [self.binary, "server", "--data-dir", self.folder, "--http-addr", address(self.http),
                "--dns-addr", address(self.dns), "--proxy-addr", address(self.proxy),
                "--docker-host", "unix:///nonexistent.sock"]


class Consul(Server):
    """One persistent server, without the limit on connections that would cut watchers off."""

    def __init__(self, binary):
        super().__init__("consul")
        self.binary = binary
        ports = dict(http=self.http, dns=self.dns, server=free_port(), serf_lan=free_port(), serf_wan=free_port(), grpc=-1)
        ports = "\n".join(f"{name} = {port}" for name, port in ports.items())
        with open(os.path.join(self.folder, "server.hcl"), "w") as settings:
            settings.write(f"""bind_addr = "127.0.0.1"
client_addr = "127.0.0.1"
disable_update_check = true
ports {{ {ports} }}
limits {{ http_max_conns_per_client = 12000 }}
""")

    def command(self):
        return [self.binary, "agent", "-server", "-bootstrap-expect=1", f"-config-file={self.folder}/server.hcl",
                f"-data-dir={self.folder}/data", "-log-level=warn"]
