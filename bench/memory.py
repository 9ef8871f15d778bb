"""Measure 6: what the server's processes need while eight clients upload as much as they may, all at once."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import psutil
from msgspec import Struct
from tests.support.server import RunningServer

from bench.bodies import Body, json_of_length
from bench.client import Client, Span
from bench.data import LARGE
from bench.measures import BY_ID
from bench.report import Measure, say
from bench.sizes import MIB, Sizes

SAMPLE_SECONDS: Final = 0.05
MOST_MIB: Final = 700
NOTE: Final = (
    "RSS counts a page of a library or of the database file once for each process that has it mapped; PSS, which "
    "shares such a page out among them, is the memory that is really in use. The target is held against RSS."
)


class Sample(Struct, frozen=True, kw_only=True):
    """The memory of all processes of a server at one moment, in bytes.

    `shared` is the part of `rss` that is mapped from files: libraries and the database. `pss` is 0 where the
    operating system does not tell it.
    """

    rss: int = 0
    pss: int = 0
    shared: int = 0


class Sampler:
    """Looks every 50 ms at a process and its children, and keeps the highest of each figure."""

    def __init__(self, process_id: int) -> None:
        root = psutil.Process(process_id)
        self.processes = [root, *root.children(recursive=True)]
        self.samples: list[Sample] = []
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self.sample_until_stopped, name="sampler")

    def sample_until_stopped(self) -> None:
        while not self.stopping.wait(SAMPLE_SECONDS):
            self.samples.append(self.sample())

    def sample(self) -> Sample:
        infos: list[Any] = [process.memory_full_info() for process in self.processes]
        return Sample(
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
    return to_measure(sampler.samples, [span for span, _ in results], sizes)


def to_measure(samples: list[Sample], spans: list[Span], sizes: Sizes) -> Measure:
    highest = max(samples, key=lambda s: s.rss)
    pss = max(s.pss for s in samples)
    before = samples[0]
    say(f"6: highest RSS {highest.rss / MIB:.0f} MiB, highest PSS {pss / MIB:.0f} MiB")
    return Measure(
        number=6,
        name=f"memory, {sizes.clients} clients at once,\n{sizes.upload_bytes / MIB:g} MiB each",
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
            "spans": spans,
        },
    )
