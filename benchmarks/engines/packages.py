"""The engines from this machine's own packages: private ports, data in a temporary folder, users without privileges."""

from __future__ import annotations

import glob
import os
import pwd
import secrets
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.engines import apt, probes, processes
from benchmarks.engines.model import Engine, Engines, EnginesError
from benchmarks.engines.processes import Program, watching

PROGRAMS = {
    "postgresql": ("initdb", "postgres"),
    "rabbitmq": ("rabbitmq-server", "erl", "epmd"),
    "redis": ("redis-server",),
}
"""Engine -> the programs it takes."""

_FOLDERS = (
    *sorted(glob.glob("/usr/lib/postgresql/*/bin"), key=lambda path: (len(path), path), reverse=True),
    "/usr/lib/rabbitmq/bin",
    "/opt/homebrew/sbin",
    "/usr/local/sbin",
    *sorted(glob.glob("/opt/homebrew/opt/postgresql@*/bin"), reverse=True),
    *sorted(glob.glob("/usr/local/opt/postgresql@*/bin"), reverse=True),
)
"""Looked in before PATH: Debian's own wrappers in PATH would start the machine's cluster, not ours."""


@dataclass(frozen=True, slots=True)
class _Run:
    """What one run's engines share."""

    folder: Path
    ports: Mapping[str, int]
    password: str

    def data(self, name: str) -> Path:
        return self.folder / name


def found(program: str) -> str | None:
    """Where the program is, or None."""
    return shutil.which(program, path=os.pathsep.join((*_FOLDERS, os.environ.get("PATH", os.defpath))))


def missing() -> list[str]:
    """The engines of which a program is not on this machine."""
    return [engine for engine, programs in PROGRAMS.items() if not all(map(found, programs))]


@contextmanager
def started() -> Iterator[Engines]:
    """Engines that answer, in processes of this run alone. Raises EnginesError saying what to install."""
    if lacking := missing():
        apt.install(lacking)
    if lacking := missing():
        raise EnginesError(f"{', '.join(lacking)}: installed, and still not found")
    folder = Path(tempfile.mkdtemp(prefix="carepod-engines-"))
    folder.chmod(0o711)
    names = ("postgresql", "rabbitmq", "rabbitmq-management", "distribution", "epmd", "redis")
    run = _Run(folder, dict(zip(names, probes.free_ports(len(names)), strict=True)), secrets.token_hex(12))
    with watching(folder) as cleared:
        try:
            yield _engines(run, _begun(run))
        finally:
            processes.clear(folder)
            cleared()


def _begun(run: _Run) -> dict[str, int]:
    """Starts all engines side by side, waits for all, returns {program: process id}."""
    for name in PROGRAMS:
        _own_folder(run.data(name), name)
    cluster, programs = _initdb(run), [_epmd(run), _redis(run), _rabbitmq(run)]
    pids = {program.name: processes.begin(program, run.folder) for program in (cluster, *programs)}
    if code := processes.finish(pids["initdb"]):
        raise EnginesError(f"initdb ended with {code}:\n{processes.ending(cluster.log(run.folder))}")
    programs.append(_postgresql(run))
    pids["postgresql"] = processes.begin(programs[-1], run.folder)

    def alive() -> None:
        for program in programs:
            processes.check(program, run.folder)

    probes.wait({name: port for program in programs for name, port in program.ports.items()}, 60, alive)
    return pids


def _user(engine: str) -> str | None:
    """The unprivileged user of the engine's package when we are root, else ourselves."""
    if os.geteuid() != 0:
        return None
    name = {"postgresql": "postgres"}.get(engine, engine)
    try:
        return pwd.getpwnam(name).pw_name
    except KeyError:
        raise EnginesError(f"there is no user {name} to run {engine} as; its Debian package makes one") from None


def _own_folder(path: Path, engine: str) -> None:
    path.mkdir(mode=0o700)
    if user := _user(engine):
        shutil.chown(path, user, pwd.getpwnam(user).pw_gid)


def _environment(run: _Run, engine: str, **variables: str) -> dict[str, str]:
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "HOME": str(run.data(engine)), **variables}


def _argv(program: str, *arguments: str) -> tuple[str, ...]:
    return (found(program) or program, *arguments)


def _initdb(run: _Run) -> Program:
    """Makes the database cluster; only this step goes without fsync, the server keeps it."""
    data = run.data("postgresql")
    secret = data / "password"
    secret.write_text(run.password, encoding="utf-8")
    secret.chmod(0o644)
    access = ("--username=carepod", f"--pwfile={secret}", "--auth=scram-sha-256")
    argv = _argv("initdb", f"--pgdata={data / 'cluster'}", "--locale=C", "--encoding=UTF8", "--no-sync", *access)
    return Program("initdb", argv, _environment(run, "postgresql"), _user("postgresql"), {})


def _postgresql(run: _Run) -> Program:
    port = run.ports["postgresql"]
    values = {
        "listen_addresses": "127.0.0.1",
        "port": str(port),
        "unix_socket_directories": "",
        "max_connections": "300",
        "timezone": "UTC",
        "log_timezone": "UTC",
    }
    options = (part for key, value in values.items() for part in ("-c", f"{key}={value}"))
    argv = _argv("postgres", "-D", str(run.data("postgresql") / "cluster"), *options)
    return Program("postgresql", argv, _environment(run, "postgresql"), _user("postgresql"), {"postgresql": port})


def _redis(run: _Run) -> Program:
    port = run.ports["redis"]
    network = ("--port", str(port), "--bind", "127.0.0.1", "--requirepass", run.password)
    storage = ("--dir", str(run.data("redis")), "--save", "", "--appendonly", "no", "--databases", "64")
    argv = _argv("redis-server", *network, *storage, "--daemonize", "no")
    return Program("redis", argv, _environment(run, "redis"), _user("redis"), {"redis": port})


def _epmd(run: _Run) -> Program:
    """Erlang's port mapper of this run alone, so that no daemon of it stays behind."""
    argv = _argv("epmd", "-port", str(run.ports["epmd"]), "-address", "127.0.0.1")
    return Program("epmd", argv, _environment(run, "rabbitmq"), _user("rabbitmq"), {})


def _rabbitmq(run: _Run) -> Program:
    for name, text in _rabbitmq_files(run).items():
        (run.data("rabbitmq") / name).write_text(text, encoding="utf-8")
        (run.data("rabbitmq") / name).chmod(0o644)
    environment = _environment(run, "rabbitmq", **_rabbitmq_places(run), **_rabbitmq_ports(run))
    asked = {name: run.ports[name] for name in ("rabbitmq", "rabbitmq-management")}
    return Program("rabbitmq", _argv("rabbitmq-server"), environment, _user("rabbitmq"), asked)


def _rabbitmq_files(run: _Run) -> dict[str, str]:
    settings = {
        "default_user": "carepod",
        "default_pass": run.password,
        "default_user_tags.administrator": "true",
        "management.tcp.ip": "127.0.0.1",
        "management.tcp.port": run.ports["rabbitmq-management"],
        "disk_free_limit.absolute": "50MB",
        "log.console": "true",
        "log.file": "false",
    }
    return {
        "rabbitmq.conf": "".join(f"{key} = {value}\n" for key, value in settings.items()),
        "enabled_plugins": "[rabbitmq_management].\n",
        "none": "",
    }


def _rabbitmq_places(run: _Run) -> dict[str, str]:
    """Every file the server would else look for, or write, in the machine's own folders."""
    files = {
        "CONFIG_FILE": "rabbitmq.conf",
        "ADVANCED_CONFIG_FILE": "advanced.config",
        "CONF_ENV_FILE": "none",
        "ENABLED_PLUGINS_FILE": "enabled_plugins",
        "GENERATED_CONFIG_DIR": "generated",
        "MNESIA_BASE": "mnesia",
        "LOG_BASE": "log",
        "PID_FILE": "pid",
    }
    places = {f"RABBITMQ_{key}": str(run.data("rabbitmq") / name) for key, name in files.items()}
    return {**places, "RABBITMQ_LOGS": "-"}


def _rabbitmq_ports(run: _Run) -> dict[str, str]:
    return {
        "ERL_EPMD_PORT": str(run.ports["epmd"]),
        "ERL_EPMD_ADDRESS": "127.0.0.1",
        "RABBITMQ_NODENAME": f"carepod-{run.folder.name.rpartition('-')[2]}@localhost",
        "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
        "RABBITMQ_NODE_PORT": str(run.ports["rabbitmq"]),
        "RABBITMQ_DIST_PORT": str(run.ports["distribution"]),
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+sbwt none +sbwtdcpu none +sbwtdio none",
        # The start script then lets the server replace its shell, so the process we start is the one we kill.
        "RUNNING_UNDER_SYSTEMD": "true",
    }


def _engines(run: _Run, pids: Mapping[str, int]) -> Engines:
    def command(verb: str, name: str) -> tuple[str, ...]:
        return (sys.executable, "-m", "benchmarks.engines.control", verb, str(run.folder), name)

    engines = {
        name: Engine(
            name,
            "127.0.0.1",
            run.ports[name],
            pid=pids[name],
            log=str(run.folder / f"{name}.log"),
            data=str(run.data(name)),
            killing=command("kill", name),
            starting=command("start", name),
        )
        for name in PROGRAMS
    }
    user = f"carepod:{run.password}@127.0.0.1"
    return Engines(
        provider="own packages",
        database_url=f"postgresql://{user}:{run.ports['postgresql']}/postgres",
        amqp_url=f"amqp://{user}:{run.ports['rabbitmq']}/",
        redis_url=f"redis://:{run.password}@127.0.0.1:{run.ports['redis']}/0",
        management_url=f"http://{user}:{run.ports['rabbitmq-management']}",
        engines=engines,
    )
