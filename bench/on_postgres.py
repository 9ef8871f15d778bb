"""The measures on PostgreSQL: 12 and 14 with contacts that are kept, 13, 15 and 16 in companies of their own."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Final

import msgspec
from tests.support.postgres import OwnPostgres

from bench.data import CLUSTER, DATABASE, SERVER
from bench.fairness import measure_fairness
from bench.imports import IN_POSTGRES, measure_in_postgres
from bench.inside import measure_inside
from bench.inside_data import measure_imports_inside
from bench.measures import IDS_AS_JSON, measure_case, measure_one_record
from bench.mixed import measure_mixed
from bench.postgres import running_postgres
from bench.report import Breakdown, Measure, Taken
from bench.running import running_server
from bench.sizes import Sizes
from staithe.services.stores import Stores

CASE: Final = msgspec.structs.replace(IDS_AS_JSON, number=12, name=f"{IDS_AS_JSON.name}\non PostgreSQL", target=2.5)


def measure_kept(folder: Path, sizes: Sizes, numbers: Iterable[int]) -> Taken:
    """12 and 14, with what `bench.data.make_in_postgres` has made."""
    measures: list[Measure] = []
    breakdowns: list[Breakdown] = []
    with running_postgres(folder / CLUSTER) as postgres:
        url = postgres.url(DATABASE)
        with running_server(folder / SERVER, database=url) as server:
            if 12 in numbers:
                taken, breakdown = measure_case(server, sizes, CASE, postgres)
                measures.append(taken)
                breakdowns.append(breakdown)
            if 14 in numbers:
                measures.append(measure_one_record(server, sizes, 14, " on PostgreSQL"))
        if 12 in numbers:
            stores = Stores(folder / SERVER, url)
            breakdowns.append(measure_inside(stores, sizes, CASE))
            stores.close()
    return measures, breakdowns


def measure_new(empty: Path, sizes: Sizes, numbers: Iterable[int]) -> Taken:
    """13, 15 and 16, in a folder that is new."""
    measures: list[Measure] = []
    breakdowns: list[Breakdown] = []
    with running_postgres(empty / CLUSTER) as postgres:
        if 13 in numbers:
            measures, breakdowns = measure_import(empty, postgres, sizes)
        if 15 in numbers:
            measures.append(measure_mixed(empty / "mixed", postgres, sizes))
        if 16 in numbers:
            measures.append(measure_fairness(empty / "fairness", postgres, sizes))
    return measures, breakdowns


def measure_import(empty: Path, postgres: OwnPostgres, sizes: Sizes) -> Taken:
    """13, and its functions by themselves."""
    url = postgres.new_database("imports")
    with running_server(empty / "imports", database=url) as server:
        measures, breakdowns = measure_in_postgres(server, postgres, sizes)
    stores = Stores(empty / "imports", url)
    breakdowns += measure_imports_inside(stores, sizes, IN_POSTGRES)
    stores.close()
    return measures, breakdowns
