"""The explorer's server: one page and one WebSocket, for one user on this machine.

It is protected against other pages in the same browser and other users of the same machine:

- It listens on the loopback address.
- The link holds a random token, which is exchanged for a cookie.
- The Host of each request must be the bound address, which prevents DNS rebinding, and the Origin
  of a WebSocket must be one of a short list.
- Nothing that the page sends is used as a path.
- The page may not load anything from elsewhere.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Sequence
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Protocol

from pellucid.errors import PellucidError, missing_extra
from pellucid.explorer.wire import Answer, Words, pack, unpack
from pellucid.types import Array

if TYPE_CHECKING:
    from starlette.applications import Starlette

MOST_BYTES = 16_000_000
"""Maximum size in bytes of a message from the page."""
COOKIE = "pellucid-explorer"
_KINDS = {"html": "text/html", "js": "text/javascript", "css": "text/css", "svg": "image/svg+xml"}
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class Answering(Protocol):
    """The object that answers the page: a `Session` or `Runs`."""

    def answer(self, words: Words, arrays: Sequence[Array]) -> Answer: ...
    def listen(self, listener: Callable[[Words], None]) -> Callable[[], None]: ...


def pages() -> dict[str, bytes]:
    """Return the contents of the page's files by name."""
    folder = files("pellucid.explorer") / "page"
    return {item.name: item.read_bytes() for item in folder.iterdir() if item.is_file()}


def app(session: Answering, hosts: list[str], token: str) -> Starlette:
    """Return the web application.

    Parameters
    ----------
    session
        What is explored.
    hosts
        Accepted values of the Host header, such as ``127.0.0.1:8000``.
    token
        Token that the first link must contain.
    """
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import PlainTextResponse, RedirectResponse, Response
    from starlette.routing import Route, WebSocketRoute
    from starlette.websockets import WebSocket

    stored = pages()
    cookie = secrets.token_urlsafe(32)
    origins = [f"http://{host}" for host in hosts]

    def knows(cookies: dict[str, str]) -> bool:
        return secrets.compare_digest(cookies.get(COOKIE, "").encode(), cookie.encode())

    async def page(request: Request) -> Response:
        if request.headers.get("host") not in hosts:
            return PlainTextResponse("This address is not served here.", 421)
        if given := request.query_params.get("token"):
            if not secrets.compare_digest(given.encode(), token.encode()):
                return PlainTextResponse("This link is not valid any more.", 403)
            answer = RedirectResponse("/", 303, _HEADERS)
            answer.set_cookie(COOKIE, cookie, httponly=True, samesite="strict", path="/")
            return answer
        if not knows(request.cookies):
            return PlainTextResponse("Open the link that the command printed.", 403)
        name = request.path_params.get("name") or "index.html"
        if name not in stored:
            return PlainTextResponse("There is no such page.", 404)
        return Response(stored[name], media_type=_KINDS[name.rpartition(".")[2]], headers=_HEADERS)

    async def socket(ws: WebSocket) -> None:
        allowed = ws.headers.get("host") in hosts and ws.headers.get("origin") in origins
        if not (allowed and knows(ws.cookies)):
            await ws.close(1008)
            return
        await ws.accept()
        await converse(session, ws.iter_bytes(), ws.send_bytes)

    return Starlette(
        routes=[
            Route("/", page),
            Route("/{name}", page),
            WebSocketRoute("/socket", socket),
        ]
    )


async def converse(
    session: Answering, messages: Any, send: Callable[[bytes], Awaitable[None]]
) -> None:
    """Answer a page's messages in turn; a waiting message is superseded by one with its "topic"."""
    waiting: dict[Any, bytes | None] = {}
    arrived = asyncio.Event()

    async def work() -> None:
        while True:
            await arrived.wait()
            arrived.clear()
            while waiting:
                message = waiting.pop(next(iter(waiting)))
                if message is None:
                    return
                await send(await asyncio.to_thread(_answered, session, message))

    worker = asyncio.create_task(work())
    loop = asyncio.get_running_loop()

    def notify(status: Words) -> None:  # called in the training thread
        asyncio.run_coroutine_threadsafe(send_on(pack(status)), loop)

    async def send_on(message: bytes) -> None:
        await send(message)

    leave = session.listen(notify)
    try:
        async for message in messages:
            topic, number = _topic(message)
            if topic in waiting and (old := waiting[topic]) is not None:
                await send(pack({"number": _topic(old)[1], "superseded": True}))
            if len(waiting) < MOST_WAITING:
                waiting[topic] = message
                arrived.set()
            else:
                await send(pack({"number": number, "error": "too much is asked at once"}))
    finally:
        leave()
        worker.cancel()


MOST_WAITING = 200


def _topic(message: bytes) -> tuple[Any, Any]:
    try:
        words, _ = unpack(message)
    except PellucidError:
        return None, None
    number = words.get("number")
    topic = words.get("topic")
    return (topic if isinstance(topic, str) else ("once", str(number))), number


def _answered(session: Answering, message: bytes) -> bytes:
    number = None
    try:
        words, arrays = unpack(message)
        number = words.get("number")
        answer = session.answer(words, arrays)
    except PellucidError as error:
        return pack({"number": number, "error": str(error)})
    return pack(answer.words | {"number": number}, answer.arrays)


def serve(
    session: Answering,
    host: str = "127.0.0.1",
    port: int = 0,
    ready: Callable[[str], None] = print,
) -> None:
    """Serve the page until the process is interrupted.

    Parameters
    ----------
    session
        Session that answers the page.
    host, port
        Address to listen on. Default: 127.0.0.1 and port 0, which means any free port.
    ready
        Function that is called with the link once the page can be opened. Default: print it.
    """
    import socket

    try:
        import uvicorn
    except ImportError as error:
        raise missing_extra("the explorer", "uvicorn", "explore") from error

    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, port), family=family) as listening:
        bound = listening.getsockname()[1]
        named = f"[{host}]" if ":" in host else host
        hosts = [f"{named}:{bound}"] + ([f"localhost:{bound}"] if host == "127.0.0.1" else [])
        token = secrets.token_urlsafe(24)
        config = uvicorn.Config(
            app(session, hosts, token),
            log_level="error",
            ws_max_size=MOST_BYTES,
            ws="websockets-sansio",
            ws_per_message_deflate=False,  # compression takes longer than sending over loopback
            server_header=False,
            timeout_graceful_shutdown=1,
        )
        ready(f"http://{hosts[0]}/?token={token}")
        uvicorn.Server(config).run([listening])
