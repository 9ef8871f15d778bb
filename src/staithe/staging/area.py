"""The staging area: where the folders of all companies are, and whose it is.

It belongs to one deployment: another would delete its files, as none of its own rows names them. So there is a claim
in it, a file with the deployment's id in its name. To claim is safe without locks, which object stores lack: whoever
finds no claim writes one and then looks again. Of two who do so at once, the later to write sees both and steps back.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from staithe.domain.errors import Conflict, StagingUnavailable
from staithe.domain.pauses import USUAL_PAUSES, Pauses
from staithe.staging.arrow_folder import ArrowFolder
from staithe.staging.bucket import Bucket, read_bucket_address
from staithe.staging.files import Files
from staithe.staging.local_files import UNFINISHED_ENDING, LocalFiles
from staithe.staging.object_files import ObjectFiles

CLAIM: Final = "deployment-"
ADVICE: Final = (
    "See whether the object store runs, whether the bucket is there, and whether the credentials may list, read, write "
    "and delete in it."
)


class StagingArea:
    """Folders of staged files.

    Args:
        address: `s3://bucket/prefix`, or a directory; empty for the data directory.
        data: the data directory.
        pauses: how long an object store is waited for.

    Raises:
        ValidationFailed: the address is wrong.
    """

    def __init__(self, address: str, data: Path, pauses: Pauses = USUAL_PAUSES) -> None:
        self.data = data
        self.directory = Path(address) if address else data
        self.bucket = Bucket(read_bucket_address(address), pauses) if "://" in address else None

    def __str__(self) -> str:
        return str(self.directory.absolute() if self.bucket is None else self.bucket.address)

    def files(self, path: str, *, make: bool = True) -> Files:
        """The files of a folder, which is made if need be; an empty path is the area's root."""
        if self.bucket is None:
            return LocalFiles(self.directory / path, make=make)
        return ObjectFiles(self.bucket, path, self.data)

    def folder(self, path: str, *, make: bool = True) -> ArrowFolder:
        """A folder."""
        return ArrowFolder(self.files(path, make=make))

    def claim(self, deployment_id: str) -> None:
        """Make sure that the area is this deployment's, claiming it if it is nobody's.

        Raises:
            Conflict: it is another's.
            StagingUnavailable: the object store fails.
        """
        own = f"{CLAIM}{deployment_id}"
        with self.reaching():
            claims = self.claims()
            if not claims:
                self.write_claim(own)
                claims = self.claims()
                if claims != [own]:
                    self.files("").delete([own])
        self.refuse_others(claims, own)

    def check(self, deployment_id: str, before: str) -> None:
        """Make sure that the area has this deployment's claim: an area without it has not the deployment's files.

        Args:
            deployment_id: whose it should be.
            before: where the deployment's files were when it ran last.

        Raises:
            Conflict: it is another's, or nobody's.
            StagingUnavailable: the object store fails.
        """
        own = f"{CLAIM}{deployment_id}"
        with self.reaching():
            claims = self.claims()
        self.refuse_others(claims, own)
        if not claims:
            raise Conflict(
                f"The staged files of this deployment were in {before}, and {self} has not its mark, {own}.",
                "Give it the --staging that it had, or move all that is there to the new one, with the mark. "
                "If the files are lost, make the mark anew: an empty file with this name.",
            )

    def refuse_others(self, claims: list[str], own: str) -> None:
        others = [name for name in claims if name != own]
        if others:
            raise Conflict(
                f"The staging area {self} belongs to another deployment, whose mark is {others[0]}: "
                "servers of both would delete each other's files.",
                "Give this one another --staging. If the other one is gone for good, delete its mark.",
            )

    def claims(self) -> list[str]:
        """The claims in the area."""
        names = self.files("").ages()
        return [name for name in names if name.startswith(CLAIM) and not name.endswith(UNFINISHED_ENDING)]

    def write_claim(self, name: str) -> None:
        new = self.files("").begin(name)
        try:
            new.finish()
        except BaseException:
            new.discard()
            raise

    @contextmanager
    def reaching(self) -> Generator[None]:
        """Say of a failure where it is and what to look at: it is an operator who is told."""
        try:
            yield
        except StagingUnavailable as error:
            raise StagingUnavailable(f"The staging area {self} cannot be reached: {error.__cause__}", ADVICE) from error
