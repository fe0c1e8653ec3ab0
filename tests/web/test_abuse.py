#!/usr/bin/env -S python3 -B
"""tests/web/test_abuse.py - clients that mean no good, or are only slow: what each gets, and what it costs.

Standard output has a line for each that was not treated as it should be, and the sum.
"""

import os
import re
import resource
import select
import socket
import sys
import time
import urllib.request

import daemon
from daemon import SOON

PATIENCE_MS = 700
MOST = 60
tests = []


def test(function):
    tests.append(function)
    return function


class Daemon(daemon.Daemon):
    def __init__(self):
        super().__init__("--token", "secret", "--cells", "300", "--patience", str(PATIENCE_MS),
                         "--connections", str(MOST))

    def connect(self):
        return socket.create_connection(("127.0.0.1", self.port), timeout=SOON)

    def get(self, path="tree.json"):
        with urllib.request.urlopen(self.url + path, timeout=SOON) as answer:
            return answer.status

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def resident_kb(self):
        with open(f"/proc/{self.process.pid}/status") as file:
            return int(re.search(r"VmRSS:\s+(\d+)", file.read()).group(1))

    def cpu_seconds(self):
        with open(f"/proc/{self.process.pid}/stat") as file:
            fields = file.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def eventually(condition, what):
    end = time.monotonic() + SOON
    while not condition():
        assert time.monotonic() < end, f"has not happened in time: {what}"
        time.sleep(0.05)


def rest_of(connection):
    """All until the other side closes, which it has to."""
    out = b""
    try:
        while True:
            part = connection.recv(65536)
            if not part:
                return out
            out += part
    except ConnectionResetError:
        return out


@test
def what_is_no_http_gets_400_or_an_end(page):
    for bytes_ in (b"\r\n\r\n\r\n\r\nhello\r\n\r\n", b"\x00\xff\xfe\x16\x03\x01" * 50, b"GET\r\n\r\n",
                   b"GET / HTTP/9.9\r\nHost: localhost\r\n\r\n", b"GET / HTTP/1.1\r\nno colon\r\n\r\n",
                   b"GET / HTTP/1.1\r\n\r\n", b"GET http://[ HTTP/1.1\r\nHost: [\r\n\r\n",
                   b"POST /processes/1.1/crash HTTP/1.1\r\nHost: localhost\r\nContent-Length: x\r\n\r\n",
                   b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
                   b"GET / HTTP/1.1\r\nHost: localhost\r\nHost: evil\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n"):
        with page.connect() as connection:
            connection.sendall(bytes_)
            connection.shutdown(socket.SHUT_WR)
            answer = rest_of(connection)
            assert not answer or re.match(rb"HTTP/1\.[01] (4|5)\d\d ", answer), (bytes_, answer[:80])
    assert page.get() == 200


@test
def who_sends_nothing_gets_408(page):
    with page.connect() as connection:
        begun = time.monotonic()
        answer = rest_of(connection)
        assert answer.startswith(b"HTTP/1.1 408 "), answer
        assert time.monotonic() - begun >= PATIENCE_MS / 1000 - 0.05
    eventually(lambda: page.said("too slow") == 1, "it is logged")


@test
def a_letter_now_and_then_buys_no_time(page):
    with page.connect() as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n")
        end = time.monotonic() + SOON
        try:
            while not select.select([connection], [], [], 0.1)[0]:
                connection.sendall(b"X")
                assert time.monotonic() < end, "it may go on for ever"
            assert rest_of(connection).startswith(b"HTTP/1.1 408 ")
        except (BrokenPipeError, ConnectionResetError):
            pass


@test
def who_does_not_read_is_dropped(page):
    connections = []
    for _ in range(10):
        connection = socket.socket()
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        connection.connect(("127.0.0.1", page.port))
        connection.sendall(b"GET /tree.json HTTP/1.1\r\nHost: localhost\r\n\r\n" * 50)
        connections.append(connection)
    for connection in connections:
        assert select.select([connection], [], [], SOON)[0], "it is not answered"
    assert page.get() == 200
    eventually(lambda: page.descriptors() <= IDLE, "they are dropped")
    for connection in connections:
        connection.close()


@test
def an_idle_connection_ends_and_that_is_no_news(page):
    said = page.said("too slow")
    with page.connect() as connection:
        connection.sendall(b"GET /icon.svg HTTP/1.1\r\nHost: localhost\r\n\r\n")
        answer = rest_of(connection)
        assert answer.startswith(b"HTTP/1.1 200 ") and answer.count(b"HTTP/1.1") == 1, answer
    assert page.said("too slow") == said


@test
def requests_in_a_row_are_all_answered(page):
    with page.connect() as connection:
        connection.sendall(b"GET /icon.svg HTTP/1.1\r\nHost: localhost\r\n\r\n" * 20)
        assert rest_of(connection).count(b"HTTP/1.1 200 OK") == 20


@test
def ten_thousand_connections_cost_nothing(page):
    eventually(lambda: page.descriptors() <= IDLE, "the last guests have gone")
    before = IDLE
    memory = page.resident_kb()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    wanted = min(10000, hard - 200)
    connections = []
    for i in range(wanted):
        connection = socket.socket()
        connection.setblocking(False)
        connection.connect_ex(("127.0.0.1", page.port))
        connections.append(connection)
        if i % 1000 == 999:
            assert page.get() == 200, "the daemon is not to be reached"
            assert page.descriptors() < before + 2 * MOST + 100, "descriptors grow"
    print(f"{wanted} connections: {page.resident_kb() - memory} KB more, "
          f"{page.cpu_seconds():.2f} s of processor time since its start")
    if not os.environ.get("SAN"):  # whose allocators keep what is freed
        assert page.resident_kb() < memory + 20000, "memory grows"
    for connection in connections:
        connection.close()
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    eventually(lambda: page.descriptors() <= before, "they are gone")
    assert page.get() == 200
    assert page.said("too many connections") == 1


@test
def nobody_there_is_no_work(page):
    eventually(lambda: page.descriptors() <= IDLE, "all have gone")
    before = page.cpu_seconds()
    time.sleep(1)
    used = page.cpu_seconds() - before
    print(f"idle for a second: {used:.2f} s of processor time")
    assert used < 0.5


@test
def it_stops_at_once_with_guests_in_the_house(page):
    connections = [page.connect() for _ in range(20)]
    connections[0].sendall(b"GET /tree.json HTTP/1.1\r\nHost: localhost\r\n\r\n" * 50)
    connections[1].sendall(b"GET / HT")
    assert page.end() == 0
    for connection in connections:
        connection.close()


victim = Daemon()
IDLE = victim.descriptors()
status = daemon.run(tests, victim)
victim.end()
sys.exit(status)
