"""`staithe worker`."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from typing import Annotated

import typer

from staithe.cli.console import DEFAULT_DATA, OUTPUT, Data, DatabaseUrl, StagingAddress, read_staging
from staithe.cli.places import find_database
from staithe.cli.serve import holding_stores, stop_on_signals
from staithe.cli.serve_options import (
    AccessLog,
    ClockFile,
    LeaseSeconds,
    LogFormatOption,
    MetricsHost,
    MetricsPort,
    MetricsToken,
    PrivateCallbacks,
    SyncTimeout,
    check_metrics_token,
)
from staithe.clock import check_clock_file
from staithe.config import Settings
from staithe.domain.errors import Conflict
from staithe.observing import logs, traces
from staithe.observing.logs import LogFormat
from staithe.storage.unusable import check_store_is_there
from staithe.supervisor import Supervisor

DEFAULTS = Settings()


def worker(
    data: Data = DEFAULT_DATA,
    database: DatabaseUrl = "",
    staging: StagingAddress = "",
    workers: Annotated[int, typer.Option(min=1, help="Sync worker processes.")] = DEFAULTS.workers,
    sync_timeout: SyncTimeout = DEFAULTS.sync_timeout_seconds,
    lease_seconds: LeaseSeconds = DEFAULTS.lease_seconds,
    allow_private_callbacks: PrivateCallbacks = False,
    log_format: LogFormatOption = LogFormat.TEXT,
    access_log: AccessLog = False,
    metrics_port: MetricsPort = None,
    metrics_host: MetricsHost = DEFAULTS.host,
    metrics_token: MetricsToken = DEFAULTS.metrics_token,
    clock_file: ClockFile = None,
) -> None:
    """Run syncs, and nothing else, until Ctrl-C or SIGTERM: workers for servers on other machines.

    They need the servers' database and staging area. On Ctrl-C or SIGTERM the
    syncs that run are handed back, whatever they wait for, and others go on
    with them at once; none is begun anew, and none fails.

    A store in a data directory has the processes of one server: there
    staithe serve --workers N starts workers, and this command runs only while
    no server does.
    """
    logs.configure("worker", log_format, access_log=access_log)
    traces.check_environment()
    settings = Settings(
        data=data.absolute(),
        database=find_database(data, database),
        staging=read_staging(staging),
        http_workers=0,
        workers=workers,
        sync_timeout_seconds=sync_timeout,
        lease_seconds=lease_seconds,
        allow_private_callbacks=allow_private_callbacks,
        clock_file=clock_file.absolute() if clock_file else None,
        log_format=log_format.value,
        access_log=access_log,
        metrics_token=check_metrics_token(metrics_token),
    )
    if settings.has_store_of_its_own:
        check_store_is_there(settings.data, "")
    check_clock_file(settings.clock_file)
    with holding_stores(settings) as (settings, stores):
        supervisor = Supervisor(settings, stores)
        stop_on_signals(supervisor)
        # In this order: what tells metrics is a thread.
        with supervisor.started(), telling_metrics(supervisor, metrics_host, metrics_port):
            OUTPUT.print(f"Staithe runs syncs with {workers} workers (data in {settings.data})", soft_wrap=True)
            supervisor.run()
        stores.close()


@contextmanager
def telling_metrics(supervisor: Supervisor, host: str, port: int | None) -> Generator[None]:
    """Answer `/metrics` within the block, if there is a port for it.

    Raises:
        Conflict: the port cannot be had.
    """
    if port is None:
        yield
        return
    # It takes a while to import, and only here a supervisor needs it.
    from staithe.observing.metrics_server import serving_metrics

    with ExitStack() as stack:
        try:
            taken = stack.enter_context(
                serving_metrics(supervisor.metrics.prepare(), host, port, supervisor.settings.metrics_token)
            )
        except OSError as error:
            message = f"Cannot listen on {host}:{port}: {error.strerror}."
            raise Conflict(message, "Choose another --metrics-port; 0 takes a free one.") from error
        OUTPUT.print(f"Metrics are at http://{host}:{taken}/metrics", soft_wrap=True)
        yield
