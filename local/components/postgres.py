"""PostgreSQL: its own cluster, under an unprivileged user when the supervisor is root."""

import os
import pwd
import shutil
import signal
import subprocess
from pathlib import Path
from urllib.parse import unquote, urlsplit

from local.layout import Layout
from local.probes import postgres_probe
from local.render import render
from local.secure.parts import OWNER
from local.secure.state import is_secured
from local.service import Service, Unusable
from signal_pipeline.secured_state import secured_folder
from signal_pipeline.security.authority import write_private
from signal_pipeline.settings import Settings

__all__ = ["postgres"]

_SYSTEM_BINARIES = Path("/usr/lib/postgresql")  # Debian keeps each major version in a folder of its own


def postgres(settings: Settings, layout: Layout) -> Service:
    """Return the service; `Unusable` when PostgreSQL is not installed or no user may run it."""
    user = _unprivileged_user()
    data = _data_folder(layout, user)
    binaries = _binaries(data)
    url = settings.database_url.get_secret_value()
    return Service(
        name="postgres",
        argv=(str(binaries / "postgres"), "-D", str(data)),
        probe=postgres_probe(url),
        prepare=lambda: _prepare(settings, layout, data, binaries, user),
        env={"LC_ALL": "C.UTF-8", "TZ": "UTC"},
        ports={"POSTGRES_PORT": settings.postgres_port},
        url=f"127.0.0.1:{settings.postgres_port}",
        user=user,
        stop_signal=signal.SIGINT,  # "fast": ends sessions and checkpoints; SIGTERM would wait for every client
    )


def _unprivileged_user() -> str | None:
    """Return who runs PostgreSQL, which refuses root; None for the present user."""
    if os.geteuid() != 0:
        return None
    names = {account.pw_name for account in pwd.getpwall()}
    for name in ("postgres", "nobody"):
        if name in names:
            return name
    raise Unusable("PostgreSQL refuses to run as root, and there is no user postgres or nobody; run as another user")


def _data_folder(layout: Layout, user: str | None) -> Path:
    if user is None or _can_enter(user, layout.data):
        return layout.data / "postgres"
    return layout.postgres_fallback


def _can_enter(user: str, folder: Path) -> bool:
    folder.mkdir(parents=True, exist_ok=True)
    return subprocess.run(["test", "-x", folder], user=user, check=False, cwd="/").returncode == 0


def _binaries(data: Path) -> Path:
    """Return the folder of the binaries: those of the data's major version, else the newest."""
    installed = {path.parent.parent.name: path.parent for path in _SYSTEM_BINARIES.glob("*/bin/postgres")}
    marker = data / "PG_VERSION"
    if marker.exists() and (version := marker.read_text().strip()) in installed:
        return installed[version]
    if installed:
        return installed[max(installed, key=int)]
    on_path = shutil.which("initdb")
    if on_path is None:
        raise Unusable("PostgreSQL is not installed; run local/install.sh")
    return Path(on_path).resolve().parent


def _prepare(settings: Settings, layout: Layout, data: Path, binaries: Path, user: str | None) -> None:
    if not data.exists():
        _create_cluster(settings, data, binaries, user)
    _remove_stale_lock(data)
    has_statements = any(
        (folder / "pg_stat_statements.so").exists() for folder in (binaries.parent / "lib", binaries.parent / "lib64")
    )
    preload = "pg_stat_statements" if has_statements else ""
    # Everything connects over TCP: a socket's path must be short, a checkout's need not be.
    values = {"listen_addresses": "127.0.0.1", "port": settings.postgres_port, "socket_folder": "", "preload": preload}
    secured = is_secured(layout)
    (data / "postgresql.conf").write_text(render("postgresql.conf", ssl="on" if secured else "off", **values))
    access = {"kind": "hostssl", "backups": OWNER} if secured else {"kind": "host   ", "backups": "all"}
    (data / "pg_hba.conf").write_text(render("pg_hba.conf", **access))
    if secured:
        _copy_certificate(secured_folder(layout.state), data, user)


def _copy_certificate(folder: Path, data: Path, user: str | None) -> None:
    """Put the server's certificate where its user reads it, who cannot enter the state folder of another one."""
    for source, target in (("server.pem", "server.crt"), ("server-key.pem", "server.key")):
        write_private(data / target, (folder / source).read_bytes())
        if user is not None:
            shutil.chown(data / target, user=user)


def _remove_stale_lock(data: Path) -> None:
    """Remove the lock of a killed server whose process id a stranger has now, which PostgreSQL would take for a server.

    A lock whose process is gone, PostgreSQL removes itself; one that a PostgreSQL holds is left alone.
    """
    lock = data / "postmaster.pid"
    try:
        command = Path(f"/proc/{lock.read_text().split()[0]}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError, IndexError):
        return
    if b"postgres" not in command:
        lock.unlink()


def _create_cluster(settings: Settings, data: Path, binaries: Path, user: str | None) -> None:
    """Create the cluster, its superuser and the database beside, then move it into place in one step."""
    partial = data.with_name(f"{data.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True, mode=0o700)
    if user is not None:
        shutil.chown(partial, user=user)
    url = urlsplit(settings.database_url.get_secret_value())
    owner, password = unquote(url.username or "postgres"), unquote(url.password or "postgres")
    database = url.path.lstrip("/") or "postgres"
    initdb = [
        binaries / "initdb",
        "-D",
        partial,
        "-U",
        owner,
        "--encoding=UTF8",
        "--locale=C",
        "--no-sync",
        "--auth=trust",
    ]
    _run(initdb, user)
    # A server in single-user mode takes one statement a line; it listens nowhere, so no password is open meanwhile.
    statements = f"ALTER ROLE {_name(owner)} PASSWORD {_literal(password)}\n"
    if database != "postgres":
        statements += f"CREATE DATABASE {_name(database)}\n"
    _run([binaries / "postgres", "--single", "-E", "-D", partial, "postgres"], user, statements)
    _run([binaries / "initdb", "--sync-only", "-D", partial], user)
    partial.rename(data)


def _run(command: list[object], user: str | None, stdin: str = "") -> None:
    options = {} if user is None else {"user": user, "group": pwd.getpwnam(user).pw_gid, "extra_groups": []}
    done = subprocess.run(  # type: ignore[call-overload]  # the options are those of Popen
        [str(part) for part in command],
        input=stdin,
        text=True,
        capture_output=True,
        check=False,
        cwd="/",
        env={**os.environ, "LC_ALL": "C.UTF-8"},
        **options,
    )
    if done.returncode != 0:
        raise Unusable(f"{Path(str(command[0])).name} failed: {done.stderr.strip() or done.stdout.strip()}")


def _name(identifier: str) -> str:
    return '"' + identifier.replace('"', '""') + '"'


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
