"""Where data sets and compiled kernels are kept."""

import sys
from pathlib import Path

import pytest

from pellucid.runtime.cache_folder import cache_folder


@pytest.mark.skipif(sys.platform != "linux", reason="each platform has its own folder for caches")
def test_pellucid_home_decides_then_the_folder_for_caches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/nobody")
    for variable in ("PELLUCID_HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(variable, raising=False)
    assert cache_folder() == Path("/nobody/.cache/pellucid")
    monkeypatch.setenv("XDG_CACHE_HOME", "/elsewhere/caches")
    assert cache_folder() == Path("/elsewhere/caches/pellucid")
    monkeypatch.setenv("PELLUCID_HOME", "~/data")
    assert cache_folder() == Path("/nobody/data")
