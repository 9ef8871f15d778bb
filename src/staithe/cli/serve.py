"""`staithe serve`."""

from __future__ import annotations

import os
import signal
import sys

from staithe.cli.console import DEFAULT_DATA, OUTPUT, Data, DatabaseUrl, StagingAddress, read_staging
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
from staithe.clock import make_clock
from staithe.config import Settings
from staithe.data_lock import hold_data
from staithe.domain.base_url import read_public_url
from staithe.domain.errors import Conflict
from staithe.observing import logs, traces
from staithe.observing.logs import LogFormat
from staithe.services import accounts, deployment
from staithe.services.stores import Stores
from staithe.supervisor import Supervisor
from staithe.tls import check_tls_files

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
        database=database,
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
    check_tls_files(settings.tls_certificate, settings.tls_key)
    with hold_data(settings.data, alone=settings.has_store_of_its_own):
        stores = Stores(settings.data, settings.database, settings.staging, settings.pauses)
        deployment.claim_staging_area(stores)
        made = accounts.bootstrap(stores, os.environ.get(BOOTSTRAP, ""), make_clock(settings.clock_file)())
        if made is not None:
            announce_login("data directory" if settings.has_store_of_its_own else "database", *made)
        run(settings, stores)


def announce_login(store: str, login: str, password: str) -> None:
    OUTPUT.print(f"Login of the new {store}: [bold]{login}[/bold]", soft_wrap=True)
    if password:
        OUTPUT.print(f"Password, shown this once: [bold]{password}[/bold]", soft_wrap=True)


def run(settings: Settings, stores: Stores) -> None:
    """Serve until a signal, saying when the server is ready."""
    supervisor = take_port(settings, stores)
    supervisor.on_ready = lambda: announce_ready(supervisor)
    stop_on_signals(supervisor)
    with supervisor.started():
        supervisor.run()
    stores.close()


def stop_on_signals(supervisor: Supervisor) -> None:
    """End in good order when told to."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, supervisor.stopping.set)


def take_port(settings: Settings, stores: Stores) -> Supervisor:
    """A server that has its port, and is yet to run.

    Raises:
        Conflict: the port cannot be had.
    """
    try:
        return Supervisor(settings, stores)
    except OSError as error:
        message = f"Cannot listen on {settings.host}:{settings.port}: {error.strerror}."
        raise Conflict(message, "Choose another --port; 0 takes a free one.") from error


def announce_ready(supervisor: Supervisor) -> None:
    OUTPUT.print(f"Staithe is ready at {supervisor.url} (data in {supervisor.settings.data})", soft_wrap=True)
    sys.stdout.flush()
