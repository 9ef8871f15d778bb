"""Options of `staithe serve`, some of which `staithe worker` has as well."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Final

import typer

from staithe.domain.errors import Failure, ValidationFailed
from staithe.observing.logs import LogFormat

METRICS_TOKEN: Final = re.compile(r"[!-~]*")

Host = Annotated[str, typer.Option(help="The address to listen on.")]
Port = Annotated[int, typer.Option(min=0, max=65535, help="The port; 0 takes a free one.")]
PublicUrl = Annotated[
    str, typer.Option(help="The URL that /id gives to clients. Default: the one that each client has called.")
]
TlsCertificate = Annotated[
    Path | None, typer.Option(help="Serve https with this certificate: a PEM file, the chain after it.")
]
TlsKey = Annotated[Path | None, typer.Option(help="The certificate's key: a PEM file without a password.")]
HttpWorkers = Annotated[
    int, typer.Option(min=1, help="HTTP processes, which share the port; one for each core is plenty.")
]
ServeWorkers = Annotated[
    int, typer.Option(min=0, help="Sync worker processes; 0 leaves syncs to staithe worker elsewhere.")
]
RequestTimeout = Annotated[
    float, typer.Option(min=0.1, help="Seconds a request may take; then 503, and nothing is stored.")
]
MostConnections = Annotated[
    int,
    typer.Option(
        min=1,
        help="Connections that an HTTP process has open at once; for one more an idle one is closed, "
        "and if there is none it is 503.",
    ),
]
QueryTimeout = Annotated[
    float, typer.Option(min=0.1, help="Seconds the store may work for a request; then 503, and nothing is stored.")
]
SyncTimeout = Annotated[
    float,
    typer.Option(
        min=1,
        help="Seconds a worker may run a sync; then it ends in error. Waiting does not count, nor what a worker ran of "
        "it before.",
    ),
]
MaxUploads = Annotated[int, typer.Option(min=1, help="Uploads that an HTTP process receives at once; one more is 503.")]
StagingQuota = Annotated[int, typer.Option(min=1, help="kB that one company may have staged; more is 413.")]
AccessTokenSeconds = Annotated[
    int, typer.Option(min=1, help="How long an OAuth access token is good for; short for tests of renewal.")
]
PrivateCallbacks = Annotated[
    bool,
    typer.Option(help="Call callbackUrls on this machine and in private networks, too. Default: public ones alone."),
]
LogFormatOption = Annotated[
    LogFormat,
    typer.Option(envvar="STAITHE_LOG_FORMAT", help="How log lines are written: text for people, json for machines."),
]
AccessLog = Annotated[bool, typer.Option(help="Log every request, and every sync that ends.")]
MetricsToken = Annotated[
    str,
    typer.Option(
        envvar="STAITHE_METRICS_TOKEN",
        help="A bearer token for /metrics; without it only callers on this machine get them, "
        "and none that comes through a proxy. "
        "Better said by the variable: other users of the machine see the options of commands.",
    ),
]
MetricsPort = Annotated[
    int | None,
    typer.Option(
        min=0, max=65535, help="Answer /metrics on this port; 0 takes a free one. Default: they are not to be had."
    ),
]
MetricsHost = Annotated[str, typer.Option(help="The address on which /metrics is answered.")]
ClockFile = Annotated[
    Path | None, typer.Option(envvar="STAITHE_CLOCK_FILE", help="Seconds in this file move the clock: for tests.")
]

UploadsAtOnce = Annotated[
    int | None,
    typer.Option(
        min=1,
        help="Uploads of one company received at once, in each HTTP process; one more is 429. "
        "Default: half of --max-uploads. staithe company limits sets another for a company.",
    ),
]
SyncsPerHour = Annotated[
    int,
    typer.Option(
        min=0,
        help="Syncs that one company may start in any 60 minutes; one more is 429. 0: no limit. "
        "staithe company limits sets another for a company.",
    ),
]
LeaseSeconds = Annotated[
    float, typer.Option(min=0.5, help="A sync whose worker gives no sign for so long is taken up by another.")
]


def check_metrics_token(token: str) -> str:
    """The token of `/metrics`, if a header can carry it.

    Raises:
        ValidationFailed: it cannot.
    """
    if not METRICS_TOKEN.fullmatch(token):
        raise ValidationFailed(Failure("--metrics-token", "Must have printable ASCII characters and no blanks."))
    return token
