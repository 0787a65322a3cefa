"""Download files from the first of several addresses that has the right one."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from pellucid.errors import DataError, MissingExtraError, missing_extra

_TIMEOUT = (5, 30)
"""Seconds to wait for a connection, and for each further block of a file."""
_ROUNDS = 2
"""Number of attempts per address when the connection breaks."""


@dataclass(frozen=True)
class Remote:
    """A file that can be downloaded from several addresses.

    Parameters
    ----------
    name
        Name of the file on disk.
    sha256
        Hash of the right file.
    urls
        Addresses, in the order in which they are tried.
    most_bytes
        Largest possible size; a download that exceeds it is aborted.
    """

    name: str
    sha256: str
    urls: tuple[str, ...]
    most_bytes: int = 256 << 20


def fetch(files: Iterable[Remote], folder: Path, data_set: str) -> None:
    """Download those of `files` that are not in `folder`.

    Each file is written under a temporary name, compared with its SHA-256, and then renamed, so a
    file with the final name is complete and correct. Anything else that a server sends (an error, a
    web page, half a file) counts as a failure, and the next address is tried.

    Raises
    ------
    DataError
        No address had the right file; the message says where to put it by hand.
    """
    absent = [file for file in files if not (folder / file.name).exists()]
    for i, file in enumerate(absent):
        try:
            failures = _fetch_one(file, folder, data_set)
        except MissingExtraError as error:
            raise MissingExtraError(f"{error}; or {_by_hand(absent, folder)}") from error
        if failures:
            raise DataError(
                f"cannot download {file.name} of {data_set} ({'; '.join(failures)}). "
                f"Without a connection, {_by_hand(absent[i:], folder)}"
            )


def _by_hand(files: list[Remote], folder: Path) -> str:
    names = ", ".join(file.name for file in files)
    return f"put {names} into {folder} by hand, for example from {files[0].urls[0]}"


def _fetch_one(file: Remote, folder: Path, data_set: str) -> list[str]:
    """Download `file` and return an empty list, or return why each address failed."""
    try:
        import pooch
        from requests import RequestException
    except ImportError as error:
        raise missing_extra(f"downloading {data_set}", "pooch") from error
    pooch.get_logger().setLevel("WARNING")
    failures: dict[str, str] = {}
    places = file.urls
    for _ in range(_ROUNDS):
        broken = []
        for url in places:
            try:
                with _Progress(file.name) as progress:
                    pooch.retrieve(
                        url,
                        known_hash=f"sha256:{file.sha256}",
                        fname=file.name,
                        path=folder,
                        downloader=_Downloader(progress, file.most_bytes),
                    )
                return []
            except RequestException as error:
                failures[url] = _reason(error)
                if error.response is None:
                    broken.append(url)
            except DataError as error:
                failures[url] = str(error)
            except ValueError:  # raised by pooch for a wrong hash
                failures[url] = "it has a different file (wrong SHA-256)"
        places = tuple(broken)
    return [f"{url}: {reason}" for url, reason in failures.items()]


def _reason(error: Any) -> str:
    if error.response is not None:
        return f"the server answered {error.response.status_code} {error.response.reason}"
    kind = type(error).__name__
    return {
        "ConnectionError": "no connection",
        "ConnectTimeout": "no answer in time",
        "ReadTimeout": "no answer in time",
        "ChunkedEncodingError": "the connection broke off",
    }.get(kind, kind)


class _Downloader:
    """The function that pooch calls to download a URL to a file."""

    def __init__(self, progress: _Progress, most_bytes: int) -> None:
        self.progress, self.most_bytes = progress, most_bytes

    def __call__(self, url: str, output_file: Any, _pooch: Any) -> None:
        import pooch

        self.progress.watch(Path(output_file), self.most_bytes)
        # unchanged: otherwise a server may unpack a .gz file
        headers = {"Accept-Encoding": "identity"}
        pooch.HTTPDownloader(
            progressbar=self.progress, chunk_size=1 << 16, timeout=_TIMEOUT, headers=headers
        )(url, output_file, _pooch)
        with Path(output_file).open("rb") as file:
            if file.read(64).lstrip().lower().startswith((b"<!doctype", b"<html")):
                raise DataError("it returned a web page instead of the file")


class _Progress:
    """A progress bar on a terminal, a line elsewhere, with the interface that pooch expects."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.total = 0
        self.bar: Any = None
        self.path: Path | None = None
        self.most_bytes = 0

    def watch(self, path: Path, most_bytes: int) -> None:
        """Raise an error as soon as the file at `path` becomes too large."""
        self.path, self.most_bytes = path, most_bytes

    def __enter__(self) -> Self:
        try:
            from rich.console import Console
            from rich.progress import BarColumn, DownloadColumn, Progress, TransferSpeedColumn
        except ImportError:
            print(f"downloading {self.name}", file=sys.stderr)
            return self
        console = Console(stderr=True)
        if not console.is_terminal:
            print(f"downloading {self.name}", file=sys.stderr)
            return self
        columns = ("{task.description}", BarColumn(), DownloadColumn(), TransferSpeedColumn())
        self.bar = Progress(*columns, console=console)
        self.task = self.bar.add_task(self.name, total=None)
        self.bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self.bar is not None:
            self.bar.stop()

    def update(self, count: int) -> None:
        """Count `count` more bytes, and check the size of the file."""
        if self.path is not None and self.path.stat().st_size > self.most_bytes:
            raise DataError(f"it sent more than {self.most_bytes:,} bytes, more than the file has")
        if self.bar is not None:
            self.bar.update(self.task, advance=count, total=self.total or None)

    def reset(self) -> None:
        """Start again from 0, as pooch does before it fills the bar at the end."""
        if self.bar is not None:
            self.bar.reset(self.task)

    def close(self) -> None:
        """Do nothing: leaving the ``with`` block stops the bar."""
