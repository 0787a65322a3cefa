"""Several trained networks beside one another, on the same images."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pellucid.errors import ShapeError, unknown
from pellucid.explorer.session import Session
from pellucid.explorer.wire import Answer, Words
from pellucid.types import Array


class Runs:
    """Sessions of which the page explores one, and shows another beside it.

    A message's "run" says whose answer is wanted, the first one's where it says nothing.

    Parameters
    ----------
    sessions
        At least one; all take images of the same shape and tell the same classes apart.
    """

    def __init__(self, sessions: Sequence[Session]) -> None:
        self.sessions = sessions
        first, *others = sessions
        for other in others:
            for kind, mine, its in (
                ("images of shape", first.image_shape, other.image_shape),
                ("the classes", first.classes, other.classes),
            ):
                if mine != its:
                    raise ShapeError(
                        f"'{first.title}' has {kind} {mine} and '{other.title}' {its}: only "
                        "networks for the same images and classes stand beside each other"
                    )
        for session in sessions:
            session.rivals = sessions

    def answer(self, words: Words, arrays: Sequence[Array] = ()) -> Answer:
        """Return a session's answer to one message; see `Session.answer`."""
        run = words.get("run", 0)
        if not isinstance(run, int) or not 0 <= run < len(self.sessions):
            raise ShapeError(unknown("run", str(run), list(map(str, range(len(self.sessions))))))
        told, found = self.sessions[run].answer(words, arrays)
        if words.get("ask") == "network":
            told = told | {"runs": [session.title for session in self.sessions]}
        return Answer(told, found)

    def listen(self, listener: Callable[[Words], None]) -> Callable[[], None]:
        """Tell `listener` from now on how training goes in any of them; return what ends that."""

        def of(run: int) -> Callable[[Words], None]:
            return lambda status: listener(status | {"run": run})

        ends = [session.listen(of(run)) for run, session in enumerate(self.sessions)]

        def end() -> None:
            for one in ends:
                one()

        return end
