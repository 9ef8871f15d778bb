"""Makes contact records with values as companies have them: random, but the same in every benchmark."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import numpy as np
import orjson

from bench.sizes import MIB

EMAIL: Final = "C_EmailAddress"
DATE: Final = "C_LastModifiedByExtIntegrateSystem"
FIELDS: Final = (
    EMAIL,
    "C_FirstName",
    "C_LastName",
    "C_Company",
    "C_Title",
    "C_BusPhone",
    "C_City",
    "C_Zip_Postal",
    "C_Country",
    DATE,
    "C_Address1",
    "C_State_Prov",
    "C_MobilePhone",
    "C_Salutation",
    "C_Industry1",
    "C_Lead_Status1",
    "C_Job_Role1",
    "C_Company_Size1",
    "C_Territory",
    "C_SFDCContactID",
)
"""Internal names, which are also the names in the records; one is a date, the others are texts."""

EXPORTED_FIELDS: Final = FIELDS[:10]
UPLOAD_BYTES: Final = 30 * MIB

FIRST_NAMES: Final = ("Anna", "Björn", "Chloé", "David", "Elif", "Fatima", "Grace", "Hiro", "Ines", "João", "Kim")
LAST_NAMES: Final = ("Andersen", "Brown", "Costa", "Dubois", "Eriksen", "Fischer", "García", "Hoffmann", "O'Neil")
COMPANIES: Final = ("Harbour Freight AG", "North Mills Ltd", "Blue Crane & Sons", "Delta Optics", "Kestrel Foods Inc.")
TITLES: Final = ("Head of Marketing", "Buyer", "Chief Financial Officer", "Plant Engineer", "", "Consultant")
CITIES: Final = ("Aarhus", "Boston", "Cádiz", "Dresden", "Eindhoven", "Fukuoka", "Gdańsk", "Haarlem", "Istanbul")
STREETS: Final = ("Harbour Road", "Mill Lane", "Station Street", "Long Acre", "King's Parade")
COUNTRIES: Final = ("Denmark", "United States", "Spain", "Germany", "Netherlands", "Japan", "Poland", "Turkey")
STATES: Final = ("MA", "NH", "Sachsen", "", "Noord-Holland", "Andalucía")
INDUSTRIES: Final = ("Manufacturing", "Retail", "Logistics", "Health Care", "Public Sector")
STATUSES: Final = ("New", "Open", "Qualified", "Unqualified", "Customer")
ROLES: Final = ("Decision Maker", "Influencer", "User", "")
COMPANY_SIZES: Final = ("1-49", "50-249", "250-999", "1000+")
TERRITORIES: Final = ("EMEA North", "EMEA South", "Americas East", "Americas West", "APAC")
SALUTATIONS: Final = ("Ms.", "Mr.", "Dr.", "")
FIRST_DAY: Final = np.datetime64("2015-01-01")
DAYS: Final = 3650


def make_columns(seed: tuple[int, ...], numbers: np.ndarray[Any, Any], fields: Sequence[str]) -> dict[str, list[str]]:
    """The values of some contacts, column by column.

    Args:
        seed: other values for another one; the email addresses come from the numbers alone.
        numbers: one a contact.
        fields: some of `FIELDS`.
    """
    random = np.random.default_rng(seed)
    count = len(numbers)

    def pick(values: Sequence[str]) -> list[str]:
        return np.array(values, object)[random.integers(0, len(values), count)].tolist()

    def number(low: int, high: int, form: str) -> list[str]:
        return [form % n for n in random.integers(low, high, count).tolist()]

    makers = {
        "C_FirstName": lambda: pick(FIRST_NAMES),
        "C_LastName": lambda: pick(LAST_NAMES),
        "C_Company": lambda: pick(COMPANIES),
        "C_Title": lambda: pick(TITLES),
        "C_BusPhone": lambda: number(10**8, 10**9, "+45 %d"),
        "C_City": lambda: pick(CITIES),
        "C_Zip_Postal": lambda: number(10**4, 10**5, "%d"),
        "C_Country": lambda: pick(COUNTRIES),
        DATE: lambda: (FIRST_DAY + random.integers(0, DAYS, count)).astype(str).tolist(),
        "C_Address1": lambda: [f"{n} {s}" for n, s in zip(number(1, 400, "%d"), pick(STREETS), strict=True)],
        "C_State_Prov": lambda: pick(STATES),
        "C_MobilePhone": lambda: number(10**8, 10**9, "+1 %d"),
        "C_Salutation": lambda: pick(SALUTATIONS),
        "C_Industry1": lambda: pick(INDUSTRIES),
        "C_Lead_Status1": lambda: pick(STATUSES),
        "C_Job_Role1": lambda: pick(ROLES),
        "C_Company_Size1": lambda: pick(COMPANY_SIZES),
        "C_Territory": lambda: pick(TERRITORIES),
        "C_SFDCContactID": lambda: number(10**14, 10**15, "003%d"),
    }
    emails = [email_of(n) for n in numbers.tolist()]
    return {name: emails if name == EMAIL else makers[name]() for name in fields}


def email_of(number: int) -> str:
    """The email address of the contact with a number, with capitals as people type them."""
    first, last = FIRST_NAMES[number % 2 * 3], LAST_NAMES[number % 5]
    return f"{first}.{last}.{number}@mail{number % 97}.Example.com"


def make_records(seed: tuple[int, ...], first: int, count: int, fields: Sequence[str]) -> list[dict[str, str]]:
    """`count` records of contacts with the numbers from `first` up, in a random order that is the same for any seed."""
    numbers = np.arange(first, first + count)
    np.random.default_rng(first).shuffle(numbers)
    columns = make_columns((*seed, first, count), numbers, fields)
    return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]


def make_exported(count: int) -> list[dict[str, str]]:
    """The records of the company whose contacts are exported."""
    return make_records((9,), 1, count, EXPORTED_FIELDS)


def make_bodies(records: Sequence[Mapping[str, str]], most_bytes: int = UPLOAD_BYTES) -> Iterator[bytes]:
    """The records as JSON, in as many uploads as they need."""
    lines = [orjson.dumps(record) for record in records]
    start = size = 0
    for place, line in enumerate(lines):
        if size + len(line) + 2 > most_bytes:
            yield b"[" + b",".join(lines[start:place]) + b"]"
            start, size = place, 0
        size += len(line) + 1
    yield b"[" + b",".join(lines[start:]) + b"]"
