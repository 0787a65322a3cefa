"""Downloads from a server on this machine that misbehaves in every way servers do."""

import hashlib
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from pellucid.data import load, mnist
from pellucid.data.download import Remote, fetch
from pellucid.errors import DataError

CONTENT = bytes(range(256)) * 2000
SHA256 = hashlib.sha256(CONTENT).hexdigest()

Answer = Callable[[BaseHTTPRequestHandler], None]


def page(handler: BaseHTTPRequestHandler) -> None:
    """What a hotel's network answers to everything."""
    body = b"\n<!DOCTYPE html><html>Please log in</html>"
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)


def not_found(handler: BaseHTTPRequestHandler) -> None:
    handler.send_error(404)


def truncated(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(CONTENT)))
    handler.end_headers()
    handler.wfile.write(CONTENT[: len(CONTENT) // 2])


def another_file(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.end_headers()
    handler.wfile.write(CONTENT[:-1])


def right(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(CONTENT)))
    handler.end_headers()
    handler.wfile.write(CONTENT)


def endless(handler: BaseHTTPRequestHandler) -> None:
    """More than anybody asked for, until the connection is closed."""
    handler.send_response(200)
    handler.end_headers()
    try:
        for _ in range(100):
            handler.wfile.write(CONTENT)
    except OSError:
        pass


class Server:
    """Answers each path as it is told, and writes down what it was asked."""

    def __init__(self) -> None:
        self.answers: dict[str, Answer] = {}
        self.asked: list[str] = []
        self.accepted: list[str] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.asked.append(self.path)
                outer.accepted.append(self.headers["Accept-Encoding"])
                outer.answers[self.path](self)

            def log_message(self, *_: object) -> None:
                """Stay quiet."""

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}"
        self.thread = threading.Thread(target=self.http.serve_forever, args=(0.01,))
        self.thread.start()

    def file(self, *answers: Answer, name: str = "file.gz", sha256: str = SHA256) -> Remote:
        """A file with one mirror for each answer."""
        paths = [f"/{i}/{name}" for i in range(len(answers))]
        self.answers.update(zip(paths, answers, strict=True))
        return Remote(name, sha256, tuple(self.url + path for path in paths))

    def close(self) -> None:
        self.http.shutdown()
        self.thread.join()
        self.http.server_close()


@pytest.fixture
def server() -> Iterator[Server]:
    running = Server()
    yield running
    running.close()


def test_the_first_place_that_gives_the_right_file_is_used(server: Server, tmp_path: Path) -> None:
    file = server.file(page, not_found, truncated, another_file, right)
    fetch([file], tmp_path / "set", "set")
    assert (tmp_path / "set" / "file.gz").read_bytes() == CONTENT
    assert server.asked == [f"/{i}/file.gz" for i in range(5)]
    assert [path.name for path in (tmp_path / "set").iterdir()] == ["file.gz"]


def test_a_place_that_sends_without_end_is_left(server: Server, tmp_path: Path) -> None:
    file = replace(server.file(endless, right), most_bytes=len(CONTENT))
    fetch([file], tmp_path, "set")
    assert (tmp_path / "file.gz").read_bytes() == CONTENT
    with pytest.raises(DataError, match="it sent more than 512,000 bytes"):
        fetch([replace(file, name="other.gz", urls=file.urls[:1])], tmp_path, "set")
    assert [path.name for path in tmp_path.iterdir()] == ["file.gz"]


def test_files_are_asked_for_as_they_are_stored(server: Server, tmp_path: Path) -> None:
    """A server that may compress on the way would send a .gz file unpacked."""
    fetch([server.file(right)], tmp_path, "set")
    assert server.accepted == ["identity"]


def test_a_file_that_is_there_is_not_downloaded(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file.gz").write_bytes(b"put here by hand")
    fetch([server.file(right)], tmp_path, "set")
    assert server.asked == []


def test_where_every_place_fails_the_message_says_what_to_do(
    server: Server, tmp_path: Path
) -> None:
    wrong = server.file(page, not_found, another_file)
    later = Remote("later.gz", SHA256, wrong.urls)
    with pytest.raises(DataError) as raised:
        fetch([wrong, later], tmp_path, "letters")
    said = str(raised.value)
    assert "cannot download file.gz of letters" in said
    assert "/0/file.gz: it returned a web page" in said
    assert "/1/file.gz: the server answered 404" in said
    assert "/2/file.gz: it has a different file" in said
    assert f"put file.gz, later.gz into {tmp_path} by hand" in said
    assert "\n" not in said
    assert list(tmp_path.iterdir()) == []


def test_without_a_connection_the_message_says_so(tmp_path: Path) -> None:
    closed = Server()
    file = closed.file(right)
    closed.close()
    with pytest.raises(DataError, match=r"no connection.*put file.gz into"):
        fetch([file], tmp_path, "set")


def test_a_connection_that_broke_is_tried_once_more(server: Server, tmp_path: Path) -> None:
    answers = iter([truncated, right])
    fetch([server.file(lambda handler: next(answers)(handler))], tmp_path, "set")
    assert (tmp_path / "file.gz").read_bytes() == CONTENT


def test_a_place_that_answered_wrongly_is_not_asked_again(server: Server, tmp_path: Path) -> None:
    with pytest.raises(DataError):
        fetch([server.file(page, not_found, another_file)], tmp_path, "set")
    assert len(server.asked) == 3


def test_an_interrupted_download_leaves_nothing(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("pellucid.data.download._Progress.update", interrupt)
    with pytest.raises(KeyboardInterrupt):
        fetch([server.file(right)], tmp_path, "set")
    assert list(tmp_path.iterdir()) == []


def size(path: Path) -> int:
    """The size of a file; 0 if it is gone: pooch makes and removes one to see if it may write."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


@pytest.mark.parametrize("killed_by", [signal.SIGTERM, signal.SIGKILL])
def test_a_killed_download_leaves_nothing_under_the_final_name(
    killed_by: signal.Signals, server: Server, tmp_path: Path
) -> None:
    release = threading.Event()

    def half_then_wait(handler: BaseHTTPRequestHandler) -> None:
        truncated(handler)
        handler.wfile.flush()
        release.wait(30)

    file = server.file(half_then_wait)
    program = (
        "from pathlib import Path\n"
        "from pellucid.data.download import Remote, fetch\n"
        f"fetch([{file!r}], Path({str(tmp_path)!r}), 'set')"
    )
    child = subprocess.Popen([sys.executable, "-c", program], stderr=subprocess.DEVNULL)
    try:
        limit = time.monotonic() + 30
        while not any(size(path) for path in tmp_path.iterdir()):
            assert child.poll() is None
            assert time.monotonic() < limit
            time.sleep(0.01)
    finally:
        child.send_signal(killed_by)
        child.wait()
        release.set()
    assert not (tmp_path / "file.gz").exists()
    fetch([server.file(right)], tmp_path, "set")
    assert (tmp_path / "file.gz").read_bytes() == CONTENT


def test_mnist_is_downloaded_into_an_empty_home(
    server: Server, data_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def serve(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        handler.wfile.write((data_home / "mnist" / Path(handler.path).name).read_bytes())

    server.answers = {f"/good/{name}": serve for name in mnist._FILES}
    server.answers |= {f"/bad/{name}": page for name in mnist._FILES}
    mirrors = (f"{server.url}/bad/", f"{server.url}/good/")
    monkeypatch.setattr(mnist, "_MNIST_MIRRORS", mirrors)
    monkeypatch.setenv("PELLUCID_HOME", str(tmp_path))
    assert len(load("mnist").train) == 60000
    asked = len(server.asked)
    load("mnist")
    assert len(server.asked) == asked == 8
