"""Several trained networks side by side, on the same images."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pellucid.errors import ShapeError, unknown
from pellucid.explorer.session import Session
from pellucid.explorer.wire import Answer, Words
from pellucid.types import Array


class Runs:
    """Sessions of several networks, of which the page can show two side by side.

    The entry "run" of a message is the number of the session that answers, by default the first.

    Parameters
    ----------
    sessions
        At least one session; all must have the same image shape and the same classes.
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
                        "networks for the same images and classes can be compared"
                    )
        for session in sessions:
            session.rivals = sessions

    def answer(self, words: Words, arrays: Sequence[Array] = ()) -> Answer:
        """Return the answer of a session to one message; see `Session.answer`."""
        run = words.get("run", 0)
        if not isinstance(run, int) or not 0 <= run < len(self.sessions):
            raise ShapeError(unknown("run", str(run), list(map(str, range(len(self.sessions))))))
        reply, found = self.sessions[run].answer(words, arrays)
        if words.get("ask") == "network":
            reply = reply | {"runs": [session.title for session in self.sessions]}
        return Answer(reply, found)

    def listen(self, listener: Callable[[Words], None]) -> Callable[[], None]:
        """Report training in any session to `listener`; return a function that stops it."""

        def of(run: int) -> Callable[[Words], None]:
            return lambda status: listener(status | {"run": run})

        ends = [session.listen(of(run)) for run, session in enumerate(self.sessions)]

        def end() -> None:
            for one in ends:
                one()

        return end
