"""Writes docs/coverage.md from the table of elements: `python -m tests.house.coverage`."""

from __future__ import annotations

from pathlib import Path

from staithe.domain.elements import OPERATIONS

HEAD = """# Coverage of the Bulk API

Made from the table in `src/staithe/domain/elements.py`. {served} of {all} operations are served; the others are
answered 404 with a sentence that says so.

| method | path below `/api/bulk/2.0` | served |
| --- | --- | --- |
"""


def main() -> None:
    """Write the page."""
    served = sum(operation.served for operation in OPERATIONS)
    rows = [f"| {o.method} | `{o.path}` | {'yes' if o.served else 'not yet'} |" for o in OPERATIONS]
    page = HEAD.format(served=served, all=len(OPERATIONS)) + "\n".join(rows) + "\n"
    (Path(__file__).parent.parent.parent / "docs" / "coverage.md").write_text(page)


if __name__ == "__main__":
    main()
