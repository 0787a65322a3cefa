"""Open the explorer's page in a real browser, with the server in a thread of this process."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import Queue
from typing import Any

import numpy as np
from playwright.sync_api import Browser, Page

from pellucid import layers as nn
from pellucid import models
from pellucid.data import DataSet
from pellucid.explorer import Runs, Session, server

CHECK_ALL = Path(__file__).with_suffix(".js").read_text(encoding="utf-8")
"""JavaScript that compares computations shown on the page with the network's values, at random."""


def images(shape: tuple[int, ...], classes: int, count: int = 20) -> DataSet:
    """Return random images with labels."""
    source = np.random.default_rng(0)
    names = tuple(f"class {i}" for i in range(classes))
    pixels = source.integers(0, 256, (count, *shape), np.uint8)
    return DataSet(pixels, np.arange(count) % classes, names, "random")


def session(model: nn.Layer, shape: tuple[int, ...], classes: int = 10) -> Session:
    return Session(nn.initialize(model, 1), {"test": images(shape, classes)}, "a network", shape)


def named(name: str, shape: tuple[int, ...]) -> Session:
    return session(models.build(name, shape, 10), shape)


@contextmanager
def served(what: Session | Runs) -> Iterator[str]:
    """Serve a session on a free port and yield its link."""
    import uvicorn

    links: Queue[str] = Queue()
    running: list[Any] = []
    original = uvicorn.Server.run

    def run(self: Any, sockets: Any = None) -> None:
        running.append(self)
        original(self, sockets)

    uvicorn.Server.run = run  # type: ignore[method-assign]  # keeps a reference, to stop it later
    thread = threading.Thread(target=server.serve, args=(what,), kwargs={"ready": links.put})
    thread.start()
    try:
        yield links.get(timeout=20)
    finally:
        uvicorn.Server.run = original  # type: ignore[method-assign]
        while not running:
            pass
        running[0].should_exit = True
        thread.join()


@contextmanager
def opened(browser: Browser, link: str, **options: Any) -> Iterator[Page]:
    """Open the page, wait until it is ready, and finally assert that it reported no errors."""
    page = browser.new_page(**options)
    page.set_default_timeout(120_000)  # kernels may be compiled first, on a busy machine
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: said.extend(elsewhere(request.url, link)))
    page.goto(link)
    page.wait_for_selector("body[data-ready]")
    yield page
    assert said == [], said
    page.close()


def until(page: Page, condition: str, seconds: float = 10) -> None:
    """Poll until a JavaScript condition holds; the page's policy forbids Playwright's own way."""
    end = time.monotonic() + seconds
    while not page.evaluate(condition):
        assert time.monotonic() < end, f"not within {seconds} s: {condition}"
        time.sleep(0.02)


def elsewhere(url: str, link: str) -> list[str]:
    """Return a complaint if the address is not on this server."""
    own = link.split("/?")[0]
    inside = url.startswith((own, own.replace("http", "ws"), "data:", "blob:", "file:"))
    return [] if inside else [f"asked for {url}"]
