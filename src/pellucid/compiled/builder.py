"""A process that compiles kernels for another one.

    python -P -m pellucid.compiled.builder

Each line on standard input is a kernel with the types of its arguments, pickled by the process that
started this one; the answer to each is a line on standard output, when it lies on disk.
"""

import base64
import os
import pickle
import signal
import sys

from pellucid.compiled.ahead import compile_job
from pellucid.compiled.launched import Job
from pellucid.runtime.compiling import silence


def main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # who started this process ends it
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    with silence():
        for line in sys.stdin:
            job = _read(line)
            try:
                compile_job(job)
            except Exception as error:  # it is tried again, and told, where it is needed
                print(f"{job[0]}: {error}", file=sys.stderr)
            print("done", file=answers, flush=True)


def _read(line: str) -> Job:
    job: Job = pickle.loads(base64.b64decode(line))
    return job


if __name__ == "__main__":
    main()
