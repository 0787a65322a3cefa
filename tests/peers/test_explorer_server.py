"""The explorer's server answers its own page, and nobody else."""

import http.client
import json
from contextlib import suppress
from urllib.parse import urlsplit

import numpy as np
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from explored import named, served
from pellucid.explorer import server, wire


@pytest.fixture(scope="module")
def link():
    with served(named("lenet5", (1, 28, 28))) as found:
        yield found


def get(link, path, **headers):
    """Return the status, the headers and the body of a GET."""
    connection = http.client.HTTPConnection(urlsplit(link).netloc, timeout=10)
    connection.request("GET", path, headers=headers)
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer.status, dict(answer.getheaders()), body


def cookie_of(link):
    status, headers, _ = get(link, "/?" + urlsplit(link).query)
    assert status == 303
    return headers["set-cookie"].split(";")[0]


def socket(link, **changed):
    """Return a WebSocket as the page opens it, with some headers changed."""
    host = urlsplit(link).netloc
    given = {"Cookie": cookie_of(link), "Origin": f"http://{host}", **changed}
    given = {name: value for name, value in given.items() if value is not None}
    return connect(
        f"ws://{host}/socket",
        origin=given.pop("Origin", None),
        additional_headers=given,
        max_size=2**26,
    )


def asked(link, words, arrays=()):
    with socket(link) as ws:
        ws.send(wire.pack({"number": 1, **words}, arrays))
        return wire.unpack(ws.recv(timeout=20))


def test_the_link_becomes_a_cookie_that_no_script_reads(link):
    status, headers, _ = get(link, "/?" + urlsplit(link).query)
    assert status == 303
    assert headers["location"] == "/"
    assert {"HttpOnly", "SameSite=strict"} <= set(headers["set-cookie"].split("; "))


@pytest.mark.parametrize("path", ["/", "/main.js", "/?token=wrong", "/?token="])
def test_without_the_link_nothing_is_shown(link, path):
    status, _, body = get(link, path)
    assert status == 403
    assert b"script" not in body


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1", "localhost:1", "127.0.0.1:80", ""])
def test_another_name_for_this_address_is_refused(link, host):
    status, headers, _ = get(link, "/?" + urlsplit(link).query, Host=host)
    assert status in (400, 421)
    assert "set-cookie" not in headers


@pytest.mark.parametrize(
    "path", ["/../session.py", "/%2e%2e/session.py", "/page/main.js", "/session.py", "/etc/passwd"]
)
def test_no_path_leads_out_of_the_pages_folder(link, path):
    assert get(link, path, Cookie=cookie_of(link))[0] == 404


def test_the_page_may_load_nothing_from_elsewhere(link):
    _, headers, _ = get(link, "/", Cookie=cookie_of(link))
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe-inline" not in policy
    assert "unsafe-eval" not in policy


@pytest.mark.parametrize(
    "changed",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": None},
        {"Cookie": None},
        {"Cookie": "pellucid-explorer=guess"},
        {"Host": "evil.example"},
    ],
)
def test_a_socket_of_another_page_is_refused(link, changed):
    with pytest.raises((InvalidStatus, ConnectionClosed)), socket(link, **changed) as ws:
        ws.recv(timeout=5)


def test_a_message_that_is_larger_than_any_the_page_sends_ends_the_connection(link):
    with socket(link) as ws:
        with suppress(ConnectionClosed):  # it may end while this is still being sent
            ws.send(b"x" * (server.MOST_BYTES + 1))
        with pytest.raises(ConnectionClosed):
            ws.recv(timeout=10)
    assert asked(link, {"ask": "network"})[0]["title"] == "a network"


@pytest.mark.parametrize(
    "message",
    [b"", b"\xff\xff\xff\xff", b"\x02\0\0\0{}", b"\x05\0\0\0[[[[[", wire.pack({"ask": 3})]
    + [wire.pack({"ask": "trace", "part": "../secret", "index": 0})]
    + [wire.pack({"ask": "trace", "part": "test", "index": i}) for i in (-1, 10**9, "x", None)]
    + [wire.pack({"ask": "trace"}, [np.zeros(s, np.uint8)]) for s in [(3,), (1, 9999, 9)]]
    + [wire.pack({"ask": "read"}, [np.frombuffer(b"GIF89a" + bytes(90), np.uint8)])]
    + [wire.pack({"ask": "influence", "value": 99, "position": [0]})]
    + [wire.pack({"ask": "why", "method": "__class__", "part": "test", "index": 0})],
)
def test_a_broken_message_is_answered_with_an_error_and_the_next_as_ever(link, message):
    with socket(link) as ws:
        ws.send(message)
        words, _ = wire.unpack(ws.recv(timeout=20))
        assert words["error"]
        ws.send(wire.pack({"ask": "trace", "part": "test", "index": 1, "number": 2}))
        words, _ = wire.unpack(ws.recv(timeout=20))
        assert words["number"] == 2
        assert len(words["probabilities"]) == 10


def test_of_many_questions_on_one_topic_the_last_is_answered(link):
    with socket(link) as ws:
        for number in range(10_000):
            words = {"ask": "trace", "part": "test", "index": 0, "gradients": False}
            ws.send(wire.pack({**words, "topic": "trace", "number": number}))
        answers = {}
        while len(answers) < 10_000:
            words, _ = wire.unpack(ws.recv(timeout=60))
            answers[words["number"]] = "probabilities" in words
    assert answers[9_999]
    assert sum(answers.values()) < 5_000


def test_two_pages_do_not_mix_their_answers(link):
    with socket(link) as one, socket(link) as other:
        for index, ws in enumerate((one, other)):
            ws.send(wire.pack({"ask": "trace", "part": "test", "index": index, "number": index}))
        labels = [wire.unpack(ws.recv(timeout=20))[0]["label"] for ws in (one, other)]
    assert labels == [0, 1]


def test_what_is_packed_is_json_and_arrays():
    message = wire.pack({"a": [1, "ü"]}, [np.ones((2, 0), np.int32), np.arange(3, dtype="f8")])
    words, arrays = wire.unpack(message)
    assert words == {"a": [1, "ü"]}
    assert [(a.shape, str(a.dtype)) for a in arrays] == [((2, 0), "int32"), ((3,), "float32")]
    assert json.loads(message[4 : 4 + int.from_bytes(message[:4], "little")])["a"] == [1, "ü"]
