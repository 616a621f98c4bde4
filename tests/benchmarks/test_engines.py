"""Engines for a run: found, started, killed, restarted, and stopped whatever becomes of their starter."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml

from benchmarks.engines import Engine, Engines, EnginesError, __main__, apt, compose, probes, processes, provided
from benchmarks.engines.model import ROOT
from benchmarks.engines.processes import Program

NAMED = {
    "CAREPOD_DATABASE_URL": "postgresql://u:p@db.example:6000/x",
    "CAREPOD_AMQP_URL": "amqp://u:p@mq.example/",
    "CAREPOD_REDIS_URL": "redis://:p@cache.example:6001/0",
}

SERVER = """
import os, socket, subprocess, sys
if sys.argv[2:]:
    daemon = subprocess.Popen(["sleep", "600"], start_new_session=True)
    open(sys.argv[2], "w").write(str(daemon.pid))
server = socket.create_server(("127.0.0.1", int(sys.argv[1])))
while True:
    connection, _ = server.accept()
    connection.recv(64)
    connection.sendall(b"+PONG")
    connection.close()
"""


def redis_like(folder: Path, *arguments: str) -> Program:
    """A program that answers as Redis does; with an argument it starts a daemon and writes its id there."""
    (port,) = probes.free_ports(1)
    environment = {"HOME": f"{folder}/redis", "PATH": os.defpath}
    return Program("redis", (sys.executable, "-c", SERVER, str(port), *arguments), environment, None, {"redis": port})


def up(program: Program, folder: Path) -> int:
    pid = processes.begin(program, folder)
    probes.wait(dict(program.ports), 10, lambda: processes.check(program, folder))
    return pid


@contextmanager
def answering(reply: bytes) -> Iterator[int]:
    """The port of a server that gives one client this reply."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(256)
                connection.sendall(reply)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield server.getsockname()[1]
        thread.join(5)


def test_engines_survive_the_way_through_the_environment() -> None:
    engine = Engine("redis", "127.0.0.1", 6001, 17, "/x/redis.log", "/x/redis", ("true",), ("true", "again"))
    database_url, amqp_url, redis_url = NAMED.values()
    engines = Engines("own packages", database_url, amqp_url, redis_url, "http://u:p@mq.example:1", {"redis": engine})
    assert Engines.of_environment(engines.environment()) == engines


def test_engines_named_by_urls_alone_have_their_usual_ports() -> None:
    engines = Engines.of_environment(NAMED)
    assert [(e.host, e.port) for e in engines.engines.values()] == [
        ("db.example", 6000),
        ("mq.example", 5672),
        ("cache.example", 6001),
    ]
    assert engines.management_url == "http://u:p@mq.example:15672"


def test_every_missing_variable_is_named() -> None:
    with pytest.raises(EnginesError, match="CAREPOD_AMQP_URL, CAREPOD_REDIS_URL not set"):
        Engines.of_environment({"CAREPOD_DATABASE_URL": "postgresql://x"})


def test_engines_that_are_named_are_taken_as_they_are() -> None:
    with provided(NAMED) as engines:
        assert (engines.provider, engines.database_url) == ("environment", NAMED["CAREPOD_DATABASE_URL"])


def test_an_engine_of_somebody_else_is_not_killed() -> None:
    with pytest.raises(EnginesError, match="CAREPOD_REDIS_URL"):
        Engines.of_environment(NAMED)["redis"].kill()


@pytest.mark.parametrize(
    ("name", "reply", "serves"),
    [
        ("postgresql", b"R\x00\x00\x00\x17", True),
        ("postgresql", b"E\x00\x00\x00\x40SFATAL", False),
        ("rabbitmq", b"\x01\x00\x00", True),
        ("rabbitmq", b"AMQP\x00\x00\x09\x01", False),
        ("rabbitmq-management", b"HTTP/1.1 401", True),
        ("redis", b"-NOAUTH Authentication required.", True),
        ("redis", b"-LOADING", False),
    ],
)
def test_only_an_engine_that_serves_clients_answers(name: str, reply: bytes, serves: bool) -> None:
    with answering(reply) as port:
        assert probes.answers(name, "127.0.0.1", port) is serves


def test_a_port_where_nothing_listens_does_not_answer() -> None:
    assert not probes.answers("redis", "127.0.0.1", probes.free_ports(1)[0])


def test_free_ports_are_different() -> None:
    assert len(set(probes.free_ports(8))) == 8


def test_waiting_in_vain_names_who_did_not_answer() -> None:
    with pytest.raises(EnginesError, match="redis: no answer within 0 s"):
        probes.wait({"redis": probes.free_ports(1)[0]}, 0, lambda: None)


def test_a_program_that_ends_by_itself_shows_the_end_of_its_log(tmp_path: Path) -> None:
    program = Program("redis", (sys.executable, "-c", "print('no memory')"), {"PATH": os.defpath}, None, {})
    assert processes.finish(processes.begin(program, tmp_path)) == 0
    with pytest.raises(EnginesError, match="redis ended by itself:\nno memory"):
        processes.check(program, tmp_path)


def test_a_killed_program_comes_back_on_its_port(tmp_path: Path) -> None:
    program = redis_like(tmp_path)
    up(program, tmp_path)
    processes.kill(tmp_path, "redis")
    assert not probes.answers("redis", "127.0.0.1", program.ports["redis"])
    processes.restart(tmp_path, "redis")
    assert probes.answers("redis", "127.0.0.1", program.ports["redis"])
    processes.clear(tmp_path)
    assert not probes.answers("redis", "127.0.0.1", program.ports["redis"])


def test_clearing_takes_daemons_along_and_leaves_no_folder(tmp_path: Path) -> None:
    folder, note = tmp_path / "run", tmp_path / "daemon"
    folder.mkdir()
    up(redis_like(folder, str(note)), folder)
    processes.clear(folder)
    assert not folder.exists()
    # Only where there is /proc can a daemon be told by its home; elsewhere none of our engines leaves one.
    assert not Path("/proc/self").exists() or not processes.lives(int(note.read_text()))


def test_clearing_leaves_processes_of_other_runs_alone(tmp_path: Path) -> None:
    ours, other = tmp_path / "run", tmp_path / "run2"
    ours.mkdir()
    other.mkdir()
    pid = up(redis_like(other), other)
    processes.clear(ours)
    alive = processes.lives(pid)
    processes.clear(other)
    assert (alive, processes.lives(pid)) == (True, False)


STARTER = """
import sys, time
from pathlib import Path
from benchmarks.engines import processes
from tests.benchmarks.test_engines import redis_like, up
folder = Path(sys.argv[1])
with processes.watching(folder):
    print(up(redis_like(folder), folder), flush=True)
    time.sleep(600)
"""


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_engines_end_with_their_starter_however_it_ends(tmp_path: Path, number: int) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    command = [sys.executable, "-c", STARTER, str(folder)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as starter:
        assert starter.stdout is not None
        pid = int(starter.stdout.readline())
        starter.send_signal(number)
        starter.wait(30)
    until = time.monotonic() + 30
    while folder.exists() and time.monotonic() < until:
        time.sleep(0.02)
    assert not folder.exists()
    assert not processes.lives(pid)


def test_the_exit_code_is_the_commands(monkeypatch: pytest.MonkeyPatch) -> None:
    assert _engines_command(monkeypatch, "--", sys.executable, "-c", "raise SystemExit(7)") == 7


def test_the_command_finds_the_engines_in_its_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    check = "import os; raise SystemExit('u:p@mq.example:15672' not in os.environ['CAREPOD_RABBITMQ_MANAGEMENT_URL'])"
    assert _engines_command(monkeypatch, sys.executable, "-c", check) == 0


def test_without_a_command_there_is_nothing_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    assert _engines_command(monkeypatch, "--") == 2


def test_a_machine_that_cannot_have_engines_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in NAMED:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(compose, "available", lambda: False)
    monkeypatch.setattr("benchmarks.engines.packages.found", lambda program: None)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(signal, "signal", lambda number, action: None)
    assert __main__.main(["true"]) == __main__.NOT_PROVIDED


@pytest.mark.parametrize(
    ("platform", "command"),
    [
        ("linux", "sudo apt-get install postgresql rabbitmq-server"),
        ("darwin", "brew install postgresql@15 rabbitmq"),
    ],
)
def test_advice_is_a_command_for_the_platform(platform: str, command: str) -> None:
    assert f"`{command}`" in apt.advice(["postgresql", "rabbitmq"], platform)


def test_the_compose_file_offers_what_the_engines_ask_of_it() -> None:
    text = compose.FILE.read_text(encoding="utf-8")
    services = yaml.safe_load(text)["services"]
    ports = {"postgresql": 1, "rabbitmq": 2, "rabbitmq-management": 3, "redis": 4}
    assert set(services) == set(compose.engines_of(("docker",), ports, "x").engines)
    assert [name for name in compose.variables_of(ports, "x") if f"${{{name}:" not in text] == []


def test_the_compose_file_pins_images_checks_health_and_listens_on_loopback_only() -> None:
    services = yaml.safe_load(compose.FILE.read_text(encoding="utf-8"))["services"].values()
    assert all(":" in service["image"] and not service["image"].endswith(":latest") for service in services)
    assert all(service["healthcheck"]["test"][0] == "CMD" for service in services)
    assert all(port.startswith("127.0.0.1:") for service in services for port in service["ports"])


def _engines_command(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    """Runs the command line with named engines; the test process keeps its own signal handlers."""
    for name, value in NAMED.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("CAREPOD_TEST_ENGINES", raising=False)
    monkeypatch.delenv("CAREPOD_RABBITMQ_MANAGEMENT_URL", raising=False)
    monkeypatch.setattr(signal, "signal", lambda number, action: None)
    return __main__.main(arguments)
