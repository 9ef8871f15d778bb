"""Measures 6 and 11: what the server's processes need.

6 is taken while eight clients upload as much as they may, all at once; 11 during an import of many uploads, and during
exports of the same company, again and again until the import has ended.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import psutil
from msgspec import Struct
from tests.support.server import RunningServer

from bench.bodies import Body, json_of_length
from bench.client import Client, Span
from bench.data import EXPORTED, LARGE, add_company, new_caller
from bench.exports import ExportSpan, define_export, run_export
from bench.filling import fill
from bench.imports import CREATED, define_import, verify_counts
from bench.measures import BY_ID
from bench.records import EXPORTED_FIELDS, FIELDS, make_bodies, make_exported, make_records
from bench.report import Measure, say
from bench.sizes import MIB, Sizes
from staithe.services.stores import Stores

SAMPLE_SECONDS: Final = 0.05
MOST_MIB: Final = 700
LEAST_RECORD_BYTES: Final = 500
NOTE: Final = (
    "RSS counts a page of a library or of the database file once for each process that has it mapped; PSS, which "
    "shares such a page out among them, is the memory that is really in use. The target is held against RSS."
)


class Sample(Struct, frozen=True, kw_only=True):
    """The memory of all processes of a server at one moment of `time.monotonic`, in bytes.

    `shared` is the part of `rss` that is mapped from files: libraries and the database. `pss` is 0 where the
    operating system does not tell it.
    """

    at: float
    rss: int = 0
    pss: int = 0
    shared: int = 0


class Sampler:
    """Looks at some processes and their children again and again, and keeps what it sees.

    Args:
        process_ids: of the processes.
        pause: seconds from one look to the next.
    """

    def __init__(self, *process_ids: int, pause: float = SAMPLE_SECONDS) -> None:
        roots = [psutil.Process(process_id) for process_id in process_ids]
        self.processes = [process for root in roots for process in (root, *root.children(recursive=True))]
        self.pause = pause
        self.samples: list[Sample] = []
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self.sample_until_stopped, name="sampler")

    def sample_until_stopped(self) -> None:
        while not self.stopping.wait(self.pause):
            self.samples.append(self.sample())

    def sample(self) -> Sample:
        infos: list[Any] = [process.memory_full_info() for process in self.processes]
        return Sample(
            at=time.monotonic(),
            rss=sum(info.rss for info in infos),
            pss=sum(getattr(info, "pss", 0) for info in infos),
            shared=sum(getattr(info, "shared", 0) for info in infos),
        )

    def __enter__(self) -> Sampler:
        self.samples.append(self.sample())
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stopping.set()
        self.thread.join()


def measure_memory(server: RunningServer, sizes: Sizes) -> Measure:
    """Measure 6, on a server that has done nothing else. The clients' own memory is not counted."""
    bodies = [json_of_length((6, n), sizes.contacts, sizes.upload_bytes) for n in range(sizes.clients)]
    clients = [Client(server.url, LARGE) for _ in bodies]
    made = [client.new_list_definition(BY_ID) for client in clients]
    start = threading.Barrier(len(clients))

    def upload(client: Client, uri: str, body: Body) -> tuple[Span, str]:
        start.wait()
        return client.run(uri, body)

    with Sampler(server.process.pid) as sampler, ThreadPoolExecutor(len(clients)) as pool:
        uris = [uri for _, uri in made]
        results = list(pool.map(upload, clients, uris, bodies))
    for client, (list_id, _), (_, sync_uri), body in zip(clients, made, results, bodies, strict=True):
        client.verify(list_id, sync_uri, body)
        client.close()
    name = f"memory, {sizes.clients} clients at once,\n{sizes.upload_bytes / MIB:g} MiB each"
    return to_measure(6, name, sampler.samples, {"spans": [span for span, _ in results]})


def fill_exported(folder: Path, sizes: Sizes) -> None:
    """Make the company of measure 11 with the contacts that it exports, in a new data directory."""
    stores = Stores(folder)
    add_company(stores, EXPORTED)
    fill(new_caller(stores, EXPORTED), EXPORTED_FIELDS, make_bodies(make_exported(sizes.exported)))
    stores.close()


def make_uploads(sizes: Sizes) -> list[Body]:
    """Uploads of new contacts, no address in two of them; all have as many records as the first."""
    records = make_records((11,), sizes.exported + 1, sizes.import_upload_bytes // LEAST_RECORD_BYTES, FIELDS)
    first = next(make_bodies(records, sizes.import_upload_bytes))
    count = first.count(b"{")
    contents = [first.replace(b"@mail", b"@mail-%d-" % n) for n in range(sizes.import_uploads)]
    return [Body(content, "application/json", count, 0) for content in contents]


def measure_imports_and_exports(server: RunningServer, sizes: Sizes) -> Measure:
    """Measure 11, on a server that has done nothing else, with what `fill_exported` has made."""
    bodies = make_uploads(sizes)
    importing, exporting = Client(server.url, EXPORTED), Client(server.url, EXPORTED)
    import_uri, export_uri = define_import(importing, FIELDS), define_export(exporting, EXPORTED_FIELDS)
    exported: list[ExportSpan] = []
    with Sampler(server.process.pid) as sampler, ThreadPoolExecutor(1) as pool:
        result = pool.submit(importing.run, import_uri, *bodies)
        while not exported or not result.done():
            span, pages, _ = run_export(exporting, export_uri, sizes.page_records)
            exported.append(span)
    imported, sync_uri = result.result()
    verify_counts(importing, sync_uri, CREATED, sum(body.known for body in bodies))
    # The last export began while the import ran, and may have some of its contacts.
    if sum(page.count(b'"C_EmailAddress"') for page in pages) < sizes.exported:
        raise RuntimeError("an export does not have all contacts")
    importing.close()
    exporting.close()
    uploads = f"{len(bodies)} uploads\nof {sizes.import_upload_bytes / 10**6:g} MB"
    name = f"memory, import of {uploads}, and {len(exported)} exports\nof {sizes.exported:,} contacts"
    return to_measure(11, name, sampler.samples, {"import": imported, "exports": exported})


def to_measure(number: int, name: str, samples: list[Sample], figures: Mapping[str, Any]) -> Measure:
    highest = max(samples, key=lambda s: s.rss)
    pss = max(s.pss for s in samples)
    before = samples[0]
    say(f"{number}: highest RSS {highest.rss / MIB:.0f} MiB, highest PSS {pss / MIB:.0f} MiB")
    return Measure(
        number=number,
        name=name,
        floor=f"idle: RSS {before.rss / MIB:.0f} MiB\nPSS {before.pss / MIB:.0f} MiB",
        staithe=f"RSS {highest.rss / MIB:.0f} MiB\nPSS {pss / MIB:.0f} MiB",
        target=f"RSS at most\n{MOST_MIB} MiB",
        is_met=highest.rss <= MOST_MIB * MIB,
        notes=(f"{highest.shared / MIB:.0f} MiB of the highest RSS are mapped from files. {NOTE}",),
        figures={
            "highest_rss_bytes": highest.rss,
            "mapped_from_files_bytes": highest.shared,
            "highest_pss_bytes": pss,
            "samples": samples,
            **figures,
        },
    )
