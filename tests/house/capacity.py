"""Works out the tables of docs/explanation/capacity.md from the constants in it: python -m tests.house.capacity."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
DOCUMENT = ROOT / "docs" / "explanation" / "capacity.md"
NODES = (10, 100, 1000)
DAY_SECONDS = 86_400
YEAR_DAYS = 365
CHUNK_IDS = 65_536
KIB, GIB = 1024, 1024**3
POLLS_PER_SECOND = 200
"""A worker looks for hints so often, and follows all that have come at once."""


def read_constants(text: str) -> dict[str, float]:
    """Every row of a table that begins with a name in backticks and a number."""
    rows = re.findall(r"^\| `([a-z_]+)` \| ([\d.,]+) \|", text, re.M)
    return {name: float(number.replace(",", "")) for name, number in rows}


def three_digits(value: float) -> str:
    """A number with three significant digits, or whole if it is large."""
    if value == 0:
        return "0"
    digits = max(0, 2 - math.floor(math.log10(abs(value))))
    rounded = round(value, 2 - math.floor(math.log10(abs(value))))
    return f"{rounded:,.{digits}f}"


class Model:
    """What follows from the constants, for a company and for a cluster of some nodes."""

    def __init__(self, constants: Mapping[str, float]) -> None:
        self.c = constants

    def company(self) -> dict[str, tuple[float, str]]:
        """One company: what it needs."""
        return {
            "rows after a year": (self.company_bytes() / 1e9, "GB"),
            "- its contacts": (self.c["contacts"] * self.c["contact_bytes"] / 1e9, "GB"),
            "- a year of syncs and changes": (YEAR_DAYS * self.daily_bytes() / 1e9, "GB"),
            "staged files, kept for a week at most": (7 * self.daily_staged_bytes() / 1e9, "GB"),
            "processor time a day": (self.daily_seconds(), "s"),
            "processors at its peak": (self.peak(self.daily_seconds()), ""),
            "requests at its peak": (self.peak(self.c["requests"]), "a second"),
            "syncs at its peak": (self.peak(self.syncs()), "a second"),
            "statements of these at its peak": (self.peak(self.daily_statements()), "a second"),
        }

    def syncs(self) -> float:
        return self.c["import_syncs"] + self.c["action_syncs"] + self.c["export_syncs"] + self.c["small_syncs"]

    def chunks(self) -> int:
        return math.ceil(self.c["contacts"] / CHUNK_IDS)

    def daily_bytes(self) -> float:
        changes = self.c["action_syncs"] * self.chunks() * self.c["chunk_bytes"]
        return changes + self.syncs() * self.c["small_sync_bytes"]

    def company_bytes(self) -> float:
        contacts = self.c["contacts"] * self.c["contact_bytes"]
        lists = self.c["lists"] * self.chunks() * self.c["chunk_bytes"]
        return self.c["company_bytes"] + contacts + lists + YEAR_DAYS * self.daily_bytes()

    def daily_staged_bytes(self) -> float:
        return (self.c["imported"] + self.c["ids"]) * self.c["staged_record_bytes"]

    def daily_seconds(self) -> float:
        records = self.c["imported"] * self.c["import_us"] + self.c["ids"] * self.c["id_us"]
        records += self.c["exported"] * self.c["export_us"]
        small = self.c["small_syncs"] * (self.c["small_sync_http_ms"] + self.c["small_sync_worker_ms"])
        return records / 1e6 + (small + self.c["requests"] * self.c["request_ms"]) / 1e3

    def daily_statements(self) -> float:
        small = self.c["small_syncs"] * self.c["small_sync_statements"]
        return small + self.c["requests"] * self.c["request_statements"]

    def peak(self, a_day: float) -> float:
        return a_day / DAY_SECONDS * self.c["peak"]

    def companies(self, nodes: int) -> int:
        usable = self.c["node_bytes"] * self.c["used_share"]
        return nodes * int(usable / self.company_bytes())

    def holds(self, nodes: int) -> list[float]:
        """What the nodes hold and serve: a column of the table."""
        companies = self.companies(nodes)
        return [
            companies,
            companies * self.c["contacts"] / 1e9,
            companies * self.company_bytes() / 1e12,
            companies * self.c["imported"] / 1e6,
            companies * self.peak(self.c["requests"]),
            companies * self.peak(self.syncs()),
            companies * self.peak(self.daily_seconds()),
            nodes * self.c["node_cores"],
        ]

    def shared(self, nodes: int) -> list[float]:
        """What the parts that all nodes share would have to bear: a column of the table."""
        companies, http = self.companies(nodes), nodes * self.c["http_processes"]
        workers = nodes * self.c["worker_processes"]
        statement = self.c["statement_coordinator_ms"] / 1e3
        logins = companies * self.c["logins"] / self.c["remember_seconds"] * self.c["login_ms"] / 1e3
        asked = self.peak(self.c["requests"]) / self.c["logins"] * self.c["remember_seconds"]
        return [
            companies * self.peak(self.daily_statements()) * statement,
            workers * self.scan_statements(companies) * statement,
            self.scan_round_seconds(companies),
            workers * self.wakes(companies) * self.c["wake_statements"] * statement,
            self.wakes(companies) * companies * self.c["company_row_us"] / 1e6,
            (http + workers) * self.c["kept_connections"],
            (http + workers) * self.c["most_connections"],
            (http + workers) * self.c["kept_connections"] * companies * self.c["backend_company_kib"] * KIB / GIB,
            companies * self.c["catalogue_mb"] / 1e3,
            logins,
            logins * min(http, max(1.0, asked)),
            companies * self.peak(self.syncs()) * self.c["store_requests"],
        ]

    def scan_statements(self, companies: float) -> float:
        """Statements a second of one worker that only looks: as many as it should, or as it can."""
        wanted = self.c["scan_statements"] / self.c["scan_seconds"]
        wanted += self.c["retention_statements"] / self.c["retention_seconds"]
        return min(companies * wanted, 1e3 / self.c["statement_process_ms"])

    def scan_round_seconds(self, companies: float) -> float:
        return companies * self.c["scan_statements"] * self.c["statement_process_ms"] / 1e3

    def wakes(self, companies: float) -> float:
        return min(companies * self.peak(self.syncs()) * self.c["hints"], POLLS_PER_SECOND)

    def firsts(self) -> list[tuple[str, float]]:
        """How many companies ten nodes can have until a part is at its bound, first to break first."""
        nodes = 10
        http, workers = nodes * self.c["http_processes"], nodes * self.c["worker_processes"]
        half = self.c["coordinator_cores"] / 2
        statement = self.c["statement_coordinator_ms"] / 1e3
        login = self.c["logins"] / self.c["remember_seconds"] * self.c["login_ms"] / 1e3
        per_wake = self.c["wake_statements"] * statement * workers * self.peak(self.syncs()) * self.c["hints"]
        memory = self.c["coordinator_gib"] / 2 * GIB
        session = (http + workers) * self.c["kept_connections"] * self.c["backend_company_kib"] * KIB
        rows = self.peak(self.syncs()) * self.c["hints"] * self.c["company_row_us"] / 1e6
        bounds = [
            ("logins take half of the HTTP processes, clients roaming among them", http / 2 / (login * http)),
            (
                "a worker's look at all companies takes longer than 2 s",
                self.c["scan_seconds"] / self.scan_round_seconds(1),
            ),
            ("sessions take half of the coordinator's memory", memory / session),
            ("logins take half of the HTTP processes, each client keeping to one", http / 2 / login),
            ("a worker's reading of the list of companies takes half of its time", math.sqrt(0.5 / rows)),
            ("waking workers takes half of the coordinator's processors", half / per_wake),
            (
                "requests take half of the coordinator's processors",
                half / (self.peak(self.daily_statements()) * statement),
            ),
            ("the nodes' disks are full", float(self.companies(nodes))),
        ]
        return sorted(bounds, key=lambda bound: bound[1])


HOLDS = (
    "companies",
    "contacts, 10^9",
    "rows after a year, TB",
    "records imported a day, 10^6",
    "requests a second at the peak",
    "syncs a second at the peak",
    "processors in use at the peak",
    "processors there are",
)
SHARED = (
    "coordinator: processors for requests and small syncs",
    "coordinator: processors for workers that only look",
    "a worker's round of all companies, s",
    "coordinator: processors for waking workers",
    "each worker: processors for reading the list of companies",
    "coordinator: connections kept open",
    "coordinator: connections at most",
    "coordinator: memory of sessions, GiB",
    "every node: catalogue of all tables, GB",
    "HTTP: processors for logins, each client keeping to one process",
    "HTTP: the same, clients roaming among all processes",
    "object store: requests a second",
)


def make_tables(constants: Mapping[str, float]) -> dict[str, list[str]]:
    """The rows of every table that is worked out, by its name."""
    model = Model(constants)
    company = [f"| {name} | {three_digits(value)} | {unit} |" for name, (value, unit) in model.company().items()]
    firsts = [f"| {name} | {three_digits(companies)} |" for name, companies in model.firsts()]
    return {
        "company": company,
        "holds": by_nodes(HOLDS, model.holds),
        "shared": by_nodes(SHARED, model.shared),
        "firsts": firsts,
    }


def by_nodes(names: tuple[str, ...], column: Callable[[int], list[float]]) -> list[str]:
    columns = [column(nodes) for nodes in NODES]
    rows = zip(names, *columns, strict=True)
    return [f"| {name} | {' | '.join(map(three_digits, values))} |" for name, *values in rows]


def with_tables(text: str) -> str:
    """The document with every table worked out anew: each stands below a comment with its name."""
    for name, rows in make_tables(read_constants(text)).items():
        pattern = rf"(<!-- {name} -->\n\|.*\n\|[ :|-]*\n)(?:\|.*\n)*"
        text, found = re.subn(pattern, lambda match, rows=rows: match[1] + "".join(f"{row}\n" for row in rows), text)
        if found != 1:
            raise ValueError(f"the table {name} is not in {DOCUMENT}")
    return text


if __name__ == "__main__":
    DOCUMENT.write_text(with_tables(DOCUMENT.read_text()))
