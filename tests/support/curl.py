"""The curl of the machine and, for one that has none, a program in its place: libcurl, from the wheel of pycurl.

Run as a program it takes the options that `parse` names, and no others.
"""

from __future__ import annotations

import argparse
import os
import shlex
import shutil
import sys
from pathlib import Path

import pycurl

LIBCURL, MACHINE = "libcurl", "curl"
KINDS = [LIBCURL, MACHINE] if shutil.which("curl") else [LIBCURL]
"""The libcurl of the wheel always, and the machine's curl where it has one."""


def curl_in(folder: Path, kind: str) -> Path:
    """A program `curl` of this kind, in a folder that is made for it."""
    program = folder / "curl"
    folder.mkdir()
    if kind == LIBCURL:
        words = shlex.join([sys.executable, __file__])
        program.write_text(f'#!/bin/sh\nexec {words} "$@"\n')
        program.chmod(0o755)
    else:
        found = shutil.which("curl")
        assert found is not None
        program.symlink_to(found)
    return program


def path_with(program: Path) -> str:
    """A PATH on which this program comes first."""
    return f"{program.parent}{os.pathsep}{os.environ['PATH']}"


def parse(words: list[str]) -> argparse.Namespace:
    """What curl is told. An option that is not here ends the program, as what it means is not known."""
    parser = argparse.ArgumentParser("curl", allow_abbrev=False)
    parser.add_argument("-s", "-S", "-sS", action="store_true", help="no progress is shown anyway, and errors are")
    parser.add_argument("-i", "--include", action="store_true")
    parser.add_argument("-v", "--verbose", action="store_true")
    parser.add_argument("-u", "--user")
    parser.add_argument("-H", "--header", action="append", default=[])
    parser.add_argument("-d", "--data", "--data-binary", dest="data")
    parser.add_argument("-w", "--write-out", choices=["\\n"])
    parser.add_argument("--expect100-timeout", type=float, default=1.0)
    parser.add_argument("url")
    return parser.parse_args(words)


def show(kind: int, said: bytes) -> None:
    """What curl writes on standard error with `-v`."""
    mark = {pycurl.INFOTYPE_TEXT: "* ", pycurl.INFOTYPE_HEADER_IN: "< ", pycurl.INFOTYPE_HEADER_OUT: "> "}.get(kind)
    if mark is not None:
        sys.stderr.write(mark + said.decode(errors="replace"))


def perform(told: argparse.Namespace) -> None:
    """Make the request.

    Raises:
        pycurl.error: it did not come to an answer.
    """
    request = pycurl.Curl()
    request.setopt(pycurl.URL, told.url)
    request.setopt(pycurl.HTTPHEADER, told.header)
    request.setopt(pycurl.EXPECT_100_TIMEOUT_MS, round(told.expect100_timeout * 1000))
    request.setopt(pycurl.WRITEFUNCTION, sys.stdout.buffer.write)
    if bundle := os.environ.get("CURL_CA_BUNDLE") or os.environ.get("SSL_CERT_FILE"):
        request.setopt(pycurl.CAINFO, bundle)
    if told.user is not None:
        request.setopt(pycurl.USERPWD, told.user)
    if told.data is not None:
        is_file = told.data.startswith("@")
        request.setopt(pycurl.POSTFIELDS, Path(told.data[1:]).read_bytes() if is_file else told.data.encode())
    if told.include:
        request.setopt(pycurl.HEADERFUNCTION, sys.stdout.buffer.write)
    if told.verbose:
        request.setopt(pycurl.VERBOSE, True)
        request.setopt(pycurl.DEBUGFUNCTION, show)
    request.perform()
    request.close()
    if told.write_out is not None:
        sys.stdout.buffer.write(b"\n")


if __name__ == "__main__":
    try:
        perform(parse(sys.argv[1:]))
    except pycurl.error as error:
        sys.exit(f"curl: {error}")
