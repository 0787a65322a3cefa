"""Tables of arrays: every thread gets its own, however many make one at the same time."""

import sys
import threading
import time

import numpy as np
import pytest

from pellucid.compiled.multi_tensor import table


@pytest.fixture
def switches_often():
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("switches_often")
def test_threads_that_make_tables_at_once_do_not_disturb_each_other():
    found: list[object] = []
    end = time.monotonic() + 1.0

    def work() -> None:
        lists = [[np.zeros(4, np.float32) for _ in range(3)] for _ in range(12)]
        while time.monotonic() < end and not found:
            for arrays in lists:
                try:
                    made = table(arrays)
                    if (made.addresses[0] != [a.ctypes.data for a in arrays]).any():
                        found.append("the addresses of other arrays")
                except Exception as error:
                    found.append(error)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == []
