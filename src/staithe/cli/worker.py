"""`staithe worker`."""

from __future__ import annotations

from typing import Annotated

import typer

from staithe.cli.console import DEFAULT_DATA, OUTPUT, Data, DatabaseUrl, StagingAddress, read_staging
from staithe.cli.serve import stop_on_signals
from staithe.cli.serve_options import AccessLog, ClockFile, LeaseSeconds, LogFormatOption
from staithe.config import Settings
from staithe.data_lock import hold_data
from staithe.domain.errors import NotFound
from staithe.observing import logs, traces
from staithe.observing.logs import LogFormat
from staithe.services import deployment
from staithe.services.stores import Stores
from staithe.supervisor import Supervisor

DEFAULTS = Settings()


def worker(
    data: Data = DEFAULT_DATA,
    database: DatabaseUrl = "",
    staging: StagingAddress = "",
    workers: Annotated[int, typer.Option(min=1, help="Sync worker processes.")] = DEFAULTS.workers,
    lease_seconds: LeaseSeconds = DEFAULTS.lease_seconds,
    allow_private_callbacks: Annotated[bool, typer.Option(help="Call callbackUrls on private addresses.")] = False,
    log_format: LogFormatOption = LogFormat.TEXT,
    access_log: AccessLog = False,
    clock_file: ClockFile = None,
) -> None:
    """Run syncs, and nothing else, until Ctrl-C or SIGTERM: workers for servers on other machines.

    They need the servers' database and staging area. On Ctrl-C or SIGTERM the
    syncs that run are handed back at their next step, and others go on with
    them at once; none is begun anew, and none fails.

    A store in a data directory has the processes of one server: there
    staithe serve --workers N starts workers, and this command runs only while
    no server does.
    """
    logs.configure("worker", log_format, access_log=access_log)
    traces.check_environment()
    settings = Settings(
        data=data.absolute(),
        database=database,
        staging=read_staging(staging),
        # Nobody reaches it at an address, so it is no server on loopback, which may call private ones.
        host="",
        http_workers=0,
        workers=workers,
        lease_seconds=lease_seconds,
        allow_private_callbacks=allow_private_callbacks,
        clock_file=clock_file.absolute() if clock_file else None,
        log_format=log_format.value,
        access_log=access_log,
    )
    if settings.has_store_of_its_own and not (settings.data / "control.db").exists():
        raise NotFound(
            f"There is no store in the data directory {settings.data}.",
            f"Make one with: staithe serve --data {data}; or name the servers' store with --database postgresql://...",
        )
    with hold_data(settings.data, alone=settings.has_store_of_its_own):
        stores = Stores(settings.data, settings.database, settings.staging)
        deployment.claim_staging_area(stores)
        supervisor = Supervisor(settings, stores)
        stop_on_signals(supervisor)
        OUTPUT.print(f"Staithe runs syncs with {workers} workers (data in {settings.data})", soft_wrap=True)
        supervisor.run()
        stores.close()
