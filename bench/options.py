"""The options of `python -m bench`, and its help."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer

from bench.sizes import FULL

DATA: Final = Path(__file__).parent / "data"
RESULTS: Final = Path(__file__).parent / "results"

Only = Annotated[str, typer.Option(help="Some measures, such as 1,5.", show_default="all")]
Runs = Annotated[
    int | None, typer.Option(min=1, help="Runs of all but 5, 6, 10, 11, 14 to 16.", show_default=str(FULL.runs))
]
Contacts = Annotated[
    int | None, typer.Option(min=100, help="Contacts of the company.", show_default=f"{FULL.contacts:,}")
]
Imported = Annotated[int | None, typer.Option(min=10, help="Records of an import.", show_default=f"{FULL.imported:,}")]
Exported = Annotated[
    int | None, typer.Option(min=10, help="Contacts that are exported.", show_default=f"{FULL.exported:,}")
]
Ids = Annotated[int | None, typer.Option(min=20, help="Ids in an upload.", show_default=f"{FULL.ids:,}")]
Records = Annotated[int | None, typer.Option(min=1, help="Runs of 5 and 14.", show_default=str(FULL.records))]
UploadKib = Annotated[
    int | None, typer.Option(min=1, help="KiB of an upload of 6.", show_default=str(FULL.upload_bytes // 1024))
]
MixedSeconds = Annotated[
    float | None, typer.Option(min=1, help="Seconds that 15 lasts.", show_default=f"{FULL.mixed_seconds:g}")
]
Queued = Annotated[int | None, typer.Option(min=1, help="Syncs that wait in 16.", show_default=str(FULL.queued))]
Quick = Annotated[bool, typer.Option("--quick", help="Small sizes, to see that it works: no target is set for them.")]
Fresh = Annotated[bool, typer.Option("--fresh", help="Make anew what is kept between runs.")]
Data = Annotated[Path, typer.Option(help="Where contacts are kept between runs.", show_default="bench/data")]
Output = Annotated[Path, typer.Option(help="Where results are written.", show_default="bench/results")]

HELP: Final = """Measure a real server over HTTP; print a table, write all figures as JSON.

\b
1  ids as JSON       floor: orjson.loads of the same bytes
2  ids as CSV        floor: pyarrow.csv.read_csv of the same bytes
3  email addresses   floor: orjson.loads of the same bytes
4  growth            floor: 1 in a company with a tenth of the contacts
5  one record        from upload to final status, p50 and p99
6  memory            of the server, while eight clients upload at once
7  import, new       floor: orjson.loads, and one executemany of INSERT
8  import, updates   floor: orjson.loads, and one executemany of upserts
9  export            floor: SELECT, fetchall, and orjson.dumps of the rows
10 last page         floor: the first page of the same export
11 memory            of the server, while it imports and exports at once
17 reads             GET of a sync, 16 connections; floor: GET /healthz
18 shapes of CSV     uploads of 32 MiB: clean, quoted, line breaks, a bare
                     quote, a long value; floor: pyarrow.csv.read_csv

\b
On PostgreSQL:
12 ids as JSON       1, with the same floor
13 import, new       7; floor: orjson.loads, and COPY
14 one record        5
15 mixed load        16 clients for ten minutes, two servers that share
                     all: requests/s, p50, p99, errors, growth of memory
16 fairness          turns that a small sync waits for while another
                     company has 500 large ones queued; SQLite as well

A floor is the least that anyone must do. Floor and server take turns,
run by run: on a busy machine the seconds suffer, but hardly the ratios.
Each time ends with the final status of the sync; after it the list and
the rejects are verified, or all contacts and their values. The floors of
7, 8 and 13 write to a bare table with a unique index, as durably as
Staithe's own store. PostgreSQL is one of the benchmark's own, which waits
for the disk at each commit. The contacts, made once in a few minutes, are
kept in bench/data. All measures take half an hour and 20 GB of disk.
"""
