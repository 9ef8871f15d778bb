"""`staithe run`: a command whose Eloqua is a Staithe server."""

from __future__ import annotations

import os
import ssl
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Final

import httpx
import typer

from staithe.cli.child import Child, say
from staithe.cli.console import DEFAULT_DATA
from staithe.cli.demo_server import running_server
from staithe.clock import system_clock
from staithe.data_lock import LOCK_FILE, hold_data, is_held
from staithe.domain.errors import Conflict, Failure, NotFound, ValidationFailed
from staithe.proxy.authority import Authority, open_authority
from staithe.proxy.environment import child_environment, trusted
from staithe.proxy.forwarding import read_server_url
from staithe.proxy.hosts import HTTPS_PORT, is_of_eloqua, read_place
from staithe.proxy.server import Proxy
from staithe.services import accounts
from staithe.services.stores import Stores
from staithe.supervisor import URL_FILE

LOGIN: Final = "demo\\admin:demo"
ANSWER_SECONDS: Final = 10.0


def run(
    command: Annotated[list[str], typer.Argument(metavar="COMMAND...", help="What to run, after --.")],
    server: Annotated[str, typer.Option(metavar="URL", help="Use the Staithe server at this URL.")] = "",
    login: Annotated[str, typer.Option(help="company\\user:password of the temporary store.")] = LOGIN,
    allow_host: Annotated[
        list[str] | None,
        typer.Option(metavar="HOST", help="Let the command reach this host too, untouched. May be repeated."),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(
            envvar="STAITHE_DATA",
            help=f"Use the server that runs on this data directory. Default: that of {DEFAULT_DATA}, if there is one.",
        ),
    ] = None,
) -> None:
    """Run a command whose Eloqua is a Staithe server.

    Whatever the command asks of https://login.eloqua.com,
    https://secure.p01.eloqua.com and the like is answered by Staithe. Other
    hosts are refused, but for localhost. If no server runs already, one is
    started on a temporary store, which is removed at the end.

    The command gets the usual variables of a proxy (HTTPS_PROXY ...) and of
    what to trust (SSL_CERT_FILE, REQUESTS_CA_BUNDLE, NODE_EXTRA_CA_CERTS ...),
    and STAITHE_URL and STAITHE_DATA. Its output, signals and exit code are its
    own.
    """
    allowed = frozenset(read_host(host) for host in allow_host or ())
    child = Child()
    child.take_signals()
    with tempfile.TemporaryDirectory(prefix="staithe-run-") as folder:
        root = Path(folder)
        with some_server(server, data, root, login) as (url, store):
            authority = authority_in(store or data or DEFAULT_DATA, root)
            proxy = Proxy(authority, read_server_url(url, is_own=store is not None), allowed, say)
            bundle = root / "certificates.pem"
            bundle.write_bytes(trusted(authority.pem, os.environ, others_too=bool(allowed)))
            with proxy.running() as proxy_url:
                environment = child_environment(os.environ, proxy_url, bundle)
                environment["STAITHE_URL"] = url
                if store is not None:
                    environment["STAITHE_DATA"] = str(store)
                code = child.run(command, environment)
    raise typer.Exit(code)


def read_host(host: str) -> str:
    """A host as `--allow-host` may name it.

    Raises:
        ValidationFailed: it is none, or it is Eloqua's.
    """
    try:
        place = read_place(host, HTTPS_PORT)
    except ValueError:
        raise ValidationFailed(Failure("--allow-host", f"Must be the name of a host, not {host!r}.")) from None
    if is_of_eloqua(place.host):
        raise ValidationFailed(Failure("--allow-host", f"Must not be one of Eloqua's: Staithe answers for {host}."))
    return place.host


@contextmanager
def some_server(server: str, data: Path | None, root: Path, login: str) -> Generator[tuple[str, Path | None]]:
    """A server that answers: (its URL, its data directory if that is on this machine).

    Raises:
        RequestError: there is none where one should be, or it cannot be started.
    """
    if server:
        yield check_server(server), None
    elif is_held(data or DEFAULT_DATA):
        kept = data or DEFAULT_DATA
        yield served_url(kept), kept.absolute()
    elif data is not None:
        raise NotFound(
            f"No server runs on the data directory {data}.",
            f"Start one with: staithe serve --data {data}; or use a temporary store, without --data and STAITHE_DATA.",
        )
    else:
        store = root / "data"
        with hold_data(store):
            make_login(store, login)
            with running_server(store, 0) as running:
                say(f"Eloqua is {running.supervisor.url}, on a temporary store; its login is {login}")
                yield running.supervisor.url, store


def check_server(url: str) -> str:
    """The URL without a slash at its end, once a server has answered there.

    Raises:
        ValidationFailed: it is no URL of a server.
        NotFound: nobody answers, or somebody else.
    """
    try:
        read_server_url(url)
    except ValueError:
        raise ValidationFailed(Failure("--server", "Must be like http://127.0.0.1:8080, with no path.")) from None
    url = url.rstrip("/")
    try:
        trust = ssl.create_default_context()
        answer = httpx.get(f"{url}/readyz", timeout=ANSWER_SECONDS, trust_env=False, verify=trust)
        answer.raise_for_status()
    except httpx.HTTPError as error:
        advice = "Start one with: staithe serve; or leave --server out for a temporary one."
        raise NotFound(f"No Staithe server answers at {url}: {error}.", advice) from error
    return url


def served_url(data: Path) -> str:
    """Where the server of a data directory is.

    Raises:
        Conflict: it is just starting or ending, or there are workers alone.
    """
    try:
        url = (data / URL_FILE).read_text()
    except FileNotFoundError:
        url = ""
    if not url:
        raise Conflict(
            f"The server of {data} is just starting or ending, or it has workers and no server.",
            "Try again in a moment, or start a server with: staithe serve",
        )
    return url


def make_login(store: Path, login: str) -> None:
    """The company and user of a temporary store.

    Raises:
        ValidationFailed: the login has not the form.
    """
    stores = Stores(store)
    try:
        if not login:
            raise ValidationFailed
        accounts.bootstrap(stores, login, system_clock())
    except ValidationFailed:
        raise ValidationFailed(Failure("--login", "Must have the form company\\user:password.")) from None
    finally:
        stores.close()


def authority_in(data: Path, root: Path) -> Authority:
    """The authority of a data directory; one for this run alone if no server has ever had such a directory."""
    is_known = (data / "control.db").exists() or (data / LOCK_FILE).exists()
    return open_authority((data if is_known else root) / "authority")
