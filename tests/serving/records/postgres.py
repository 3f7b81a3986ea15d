"""A PostgreSQL server of its own for the tests, on a free port of the loopback interface."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

_SYSTEM_USER = "postgres"  # root may not run the server


class Server:
    """A server that can be stopped and started again.

    Parameters
    ----------
    folder : Path
    port : int
    """

    def __init__(self, folder: Path, port: int) -> None:
        self.folder = folder
        self.port = port
        self.process: subprocess.Popen[bytes] | None = None
        self._databases = 0

    def start(self) -> None:
        command = [
            *(_tool("postgres"), "-D", str(self.folder / "data"), "-p", str(self.port)),
            *("-c", "listen_addresses=127.0.0.1", "-c", f"unix_socket_directories={self.folder}"),
            *("-c", "max_connections=30", "-c", "shared_buffers=16MB"),
        ]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, user=_user(), cwd=self.folder)
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            try:
                psycopg.connect(self.address("postgres"), connect_timeout=2).close()
            except psycopg.OperationalError:
                time.sleep(0.05)
            else:
                return
        raise AssertionError((self.folder / "log").read_text(encoding="utf-8"))

    def stop(self) -> None:
        """End it at once, as a crash of its machine would."""
        if self.process is not None:
            self.process.send_signal(signal.SIGQUIT)
            self.process.wait(timeout=30)
            self.process = None

    def new_database(self) -> str:
        """Make a database and give its address."""
        self._databases += 1
        name = f"records{self._databases}"
        with psycopg.connect(self.address("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}".encode())
        return self.address(name)

    def address(self, database: str) -> str:
        return f"postgresql://clinic@127.0.0.1:{self.port}/{database}"


def is_installed() -> bool:
    return shutil.which("postgres", path=_path()) is not None


@contextmanager
def running() -> Iterator[Server]:
    folder = Path(tempfile.mkdtemp(prefix="pg-"))
    if user := _user():
        shutil.chown(folder, user)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    server = Server(folder, port)
    try:
        initdb = [_tool("initdb"), "-D", str(folder / "data"), "-U", "clinic", "-A", "trust", "-N"]
        subprocess.run(initdb, check=True, capture_output=True, user=user, cwd=folder)
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


def _tool(name: str) -> str:
    found = shutil.which(name, path=_path())
    assert found is not None
    return str(Path(found).resolve())


def _path() -> str:
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)  # Debian's place for them
    return os.pathsep.join([os.environ["PATH"], *map(str, versions)])


def _user() -> str | None:
    return _SYSTEM_USER if os.geteuid() == 0 else None
