"""The explorer's page in a real browser, over a server in a thread of this process."""

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
"""A function of the page: for random numbers, what their steps give and what the network has."""


def images(shape: tuple[int, ...], classes: int, count: int = 20) -> DataSet:
    """Random images with labels."""
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

    uvicorn.Server.run = run  # type: ignore[method-assign]  # to be able to end it
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
    """Open the page, wait until it is ready, and see that nothing went wrong in it."""
    page = browser.new_page(**options)
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: said.extend(elsewhere(request.url, link)))
    page.goto(link)
    page.wait_for_selector("body[data-ready]", timeout=20_000)
    yield page
    assert said == [], said
    page.close()


def until(page: Page, condition: str, seconds: float = 10) -> None:
    """Wait until a JavaScript condition holds; the page's policy forbids what Playwright has."""
    end = time.monotonic() + seconds
    while not page.evaluate(condition):
        assert time.monotonic() < end, f"not within {seconds} s: {condition}"
        time.sleep(0.02)


def elsewhere(url: str, link: str) -> list[str]:
    """Return the address if it is not this server's."""
    own = link.split("/?")[0]
    inside = url.startswith((own, own.replace("http", "ws"), "data:", "blob:", "file:"))
    return [] if inside else [f"asked for {url}"]
