"""`staithe serve`."""

from __future__ import annotations

import logging
import os
import signal
import socket
import sys
from collections.abc import Generator
from contextlib import contextmanager
from typing import Final

import msgspec

from staithe.cli.console import DEFAULT_DATA, OUTPUT, Data, DatabaseUrl, StagingAddress, read_staging
from staithe.cli.places import find_database, open_stores
from staithe.cli.serve_options import (
    AccessLog,
    AccessTokenSeconds,
    ClockFile,
    Host,
    HttpWorkers,
    LeaseSeconds,
    LogFormatOption,
    MaxUploads,
    MetricsToken,
    MostConnections,
    Port,
    PrivateCallbacks,
    PublicUrl,
    QueryTimeout,
    RequestTimeout,
    ServeWorkers,
    StagingQuota,
    SyncsPerHour,
    SyncTimeout,
    TlsCertificate,
    TlsKey,
    UploadsAtOnce,
    check_metrics_token,
)
from staithe.clock import check_clock_file, make_clock
from staithe.config import Settings
from staithe.data_lock import hold_data
from staithe.domain.base_url import read_public_url
from staithe.domain.doctor import LOCAL_ADVICE, NETWORK_FILE_SYSTEMS
from staithe.domain.errors import Conflict
from staithe.observing import logs, traces
from staithe.observing.logs import LogFormat
from staithe.services import accounts, deployment
from staithe.services.file_systems import file_system_of
from staithe.services.stores import Stores
from staithe.supervisor import Supervisor, listen
from staithe.tls import check_tls_files

LOGGER: Final = logging.getLogger(__name__)
BOOTSTRAP = "STAITHE_BOOTSTRAP"
DEFAULTS = Settings()


def serve(
    host: Host = DEFAULTS.host,
    port: Port = DEFAULTS.port,
    public_url: PublicUrl = DEFAULTS.public_url,
    tls_cert: TlsCertificate = DEFAULTS.tls_certificate,
    tls_key: TlsKey = DEFAULTS.tls_key,
    data: Data = DEFAULT_DATA,
    database: DatabaseUrl = "",
    staging: StagingAddress = "",
    http_workers: HttpWorkers = DEFAULTS.http_workers,
    workers: ServeWorkers = DEFAULTS.workers,
    request_timeout: RequestTimeout = DEFAULTS.request_timeout_seconds,
    query_timeout: QueryTimeout = DEFAULTS.query_timeout_seconds,
    sync_timeout: SyncTimeout = DEFAULTS.sync_timeout_seconds,
    most_connections: MostConnections = DEFAULTS.most_connections,
    max_uploads: MaxUploads = DEFAULTS.most_uploads,
    staging_quota_kb: StagingQuota = DEFAULTS.staging_quota_kb,
    uploads_at_once: UploadsAtOnce = DEFAULTS.uploads_at_once,
    syncs_per_hour: SyncsPerHour = DEFAULTS.syncs_per_hour,
    lease_seconds: LeaseSeconds = DEFAULTS.lease_seconds,
    access_token_seconds: AccessTokenSeconds = DEFAULTS.access_token_seconds,
    allow_private_callbacks: PrivateCallbacks = False,
    log_format: LogFormatOption = LogFormat.TEXT,
    access_log: AccessLog = False,
    metrics_token: MetricsToken = DEFAULTS.metrics_token,
    clock_file: ClockFile = None,
) -> None:
    """Start the server: HTTP and the sync worker together, until Ctrl-C or SIGTERM.

    Then what is being received is received, the syncs that run are handed back, and all ends.

    A fresh data directory or database gets the company and user of STAITHE_BOOTSTRAP (company\\user:password) or,
    without it, company demo, user admin, and a random password that is printed once.
    """
    logs.configure("serve", log_format, access_log=access_log)
    traces.check_environment()
    settings = Settings(
        data=data.absolute(),
        database=find_database(data, database),
        staging=read_staging(staging),
        host=host,
        port=port,
        public_url=read_public_url(public_url) if public_url else "",
        tls_certificate=tls_cert.absolute() if tls_cert else None,
        tls_key=tls_key.absolute() if tls_key else None,
        http_workers=http_workers,
        workers=workers,
        request_timeout_seconds=request_timeout,
        query_timeout_seconds=query_timeout,
        sync_timeout_seconds=sync_timeout,
        most_connections=most_connections,
        most_uploads=max_uploads,
        staging_quota_kb=staging_quota_kb,
        uploads_at_once=uploads_at_once,
        syncs_per_hour=syncs_per_hour,
        lease_seconds=lease_seconds,
        access_token_seconds=access_token_seconds,
        allow_private_callbacks=allow_private_callbacks,
        clock_file=clock_file.absolute() if clock_file else None,
        log_format=log_format.value,
        access_log=access_log,
        metrics_token=check_metrics_token(metrics_token),
    )
    serve_with(settings)


def serve_with(settings: Settings) -> None:
    """Serve until a signal; a fresh store gets its first company and user.

    Raises:
        RequestError: a file that is named is not right, the port is taken, or the stores cannot be used.
    """
    check_tls_files(settings.tls_certificate, settings.tls_key)
    check_clock_file(settings.clock_file)
    # Before anything is made: who finds the port taken leaves no trace.
    listener = take_port(settings)
    login = os.environ.get(BOOTSTRAP, "")
    with holding_stores(settings) as (settings, stores):
        store = "data directory" if settings.has_store_of_its_own else "database"
        made = accounts.bootstrap(stores, login, make_clock(settings.clock_file)())
        if made is not None:
            announce_login(store, *made)
        run(settings, stores, listener, "" if made else login)


@contextmanager
def holding_stores(settings: Settings) -> Generator[tuple[Settings, Stores]]:
    """The stores of a server or of workers, which have its data directory, within the block.

    Returns:
        the settings with what the data directory remembers, and the stores.

    Raises:
        Conflict: others hold the directory, or the staging area is another deployment's.
        NotFound: the database cannot be reached.
        OSError: the directory cannot be made or used.
    """
    with hold_data(settings.data, alone=settings.has_store_of_its_own):
        warn_of_network(settings)
        stores = open_stores(settings.data, settings.database, settings.staging, makes=True)
        deployment.claim_staging_area(stores)
        staging = settings.staging or deployment.find_staging_area(stores)
        deployment.note_places(settings.data, settings.database, staging)
        yield msgspec.structs.replace(settings, staging=staging), stores


def announce_login(store: str, login: str, password: str) -> None:
    OUTPUT.print(f"Login of the new {store}: [bold]{login}[/bold]", soft_wrap=True)
    if password:
        OUTPUT.print(f"Password, shown this once: [bold]{password}[/bold]", soft_wrap=True)


def warn_of_network(settings: Settings) -> None:
    """Say that a store in files does not belong on a network file system, where that can be told."""
    kind = file_system_of(settings.data.resolve()) if settings.has_store_of_its_own else ""
    if NETWORK_FILE_SYSTEMS.fullmatch(kind):
        LOGGER.warning("the data directory %s is on a network file system (%s). %s", settings.data, kind, LOCAL_ADVICE)


def run(settings: Settings, stores: Stores, listener: socket.socket, unused_login: str) -> None:
    """Serve until a signal, saying when the server is ready."""
    supervisor = Supervisor(settings, stores, listener)
    supervisor.on_ready = lambda: announce_ready(supervisor)
    stop_on_signals(supervisor)
    with supervisor.started():
        # While the processes start, as a password is slow to verify.
        if unused_login and (problem := accounts.judge_login(stores, unused_login)):
            LOGGER.warning("%s is set and not used, as there are companies already: %s", BOOTSTRAP, problem)
        supervisor.run()
    stores.close()


def stop_on_signals(supervisor: Supervisor) -> None:
    """End in good order when told to."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, supervisor.stopping.set)


def take_port(settings: Settings) -> socket.socket:
    """The socket of a server.

    Raises:
        Conflict: the port cannot be had.
    """
    try:
        return listen(settings)
    except OSError as error:
        message = f"Cannot listen on {settings.host}:{settings.port}: {error.strerror}."
        advice = "Choose another --port, where 0 takes a free one, or an address of this machine with --host."
        raise Conflict(message, advice) from error


def announce_ready(supervisor: Supervisor) -> None:
    OUTPUT.print(f"Staithe is ready at {supervisor.url} (data in {supervisor.settings.data})", soft_wrap=True)
    sys.stdout.flush()
