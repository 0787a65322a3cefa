"""The result of a check, as text and, in notebooks, as coloured tables."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

from pellucid.teach.diagnose import Trial
from pellucid.teach.exercise import Exercise, Mistake
from pellucid.teach.tables import as_html, as_text, tables


@dataclass(frozen=True)
class Result:
    """The result of a check, which is true if the function is correct.

    Attributes
    ----------
    exercise
        The exercise.
    mistakes
        Known mistakes that were made.
    certain
        Whether they explain all errors.
    trial
        The smallest failing case found.
    broken
        A violated law or limit, in words.
    tried
        What was tested successfully.
    remarks
        Suggestions, although the result is correct.
    overwritten
        Names of the arguments that the function changes.
    """

    exercise: Exercise
    mistakes: tuple[Mistake, ...] = ()
    certain: bool = True
    trial: Trial | None = None
    broken: str = ""
    tried: tuple[str, ...] = ()
    remarks: tuple[Mistake, ...] = ()
    overwritten: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return not (self.mistakes or self.trial or self.broken)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the mistakes."""
        return tuple(mistake.name for mistake in self.mistakes)

    @property
    def verdict(self) -> str:
        """One line that says whether the function is correct, and if not, what is wrong."""
        if self:
            return f"{self.exercise.name} is right: {', '.join(self.tried)}."
        if self.mistakes:
            says = " ".join(mistake.says for mistake in self.mistakes)
            likely = "" if self.certain else "A mistake that looks like yours: "
            return f"{self.exercise.name} is not there yet. {likely}{says}"
        if error := self._error:
            return f"{self.exercise.name} stops with an error. {error}"
        if self.broken:
            return f"{self.exercise.name} is not there yet. This should hold: {self.broken}."
        return (
            f"{self.exercise.name} is not there yet. "
            "The mistake is none of the known ones; this is the smallest case in which it shows."
        )

    def __str__(self) -> str:
        lines = [self.verdict]
        lines += [f"  {mistake.hint}" for mistake in (*self.mistakes, *self.remarks)]
        if self.mistakes and (error := self._error):
            lines.append(f"  It stops with an error: {error}")
        if self.overwritten:
            lines.append(f"  Changed: {', '.join(self.overwritten)}.")
        if self.mistakes and self.broken:
            lines.append(f"  Found: {self.broken}.")
        if self.trial is not None and self._shows_a_case:
            lines += ["", f"{self._call}:", as_text(tables(self.trial))]
        return "\n".join(lines)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        sign, colour = ("✓", "#2e8b57") if self else ("✗", "#d1495b")
        said = [f"<p><b style='color:{colour}'>{sign}</b> <b>{escape(self.verdict)}</b></p>"]
        said += [f"<p>{escape(mistake.hint)}</p>" for mistake in (*self.mistakes, *self.remarks)]
        if self.trial is not None and self._shows_a_case:
            said.append(f"<p><code>{escape(self._call)}</code></p>{as_html(tables(self.trial))}")
        return f"<div class='pellucid-check'>{''.join(said)}</div>"

    @property
    def _error(self) -> str:
        """The exception and where it was raised; empty if there is none or nothing is written."""
        if self.trial is None or self.trial.got.raised is None or not self._shows_a_case:
            return ""
        error = self.trial.got.raised
        said = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        return f"{said} ({self.trial.got.line})"

    @property
    def _call(self) -> str:
        assert self.trial is not None
        given = ", ".join(
            f"{name}={value!r}" if isinstance(value, int | float | bool | str) else name
            for name, value in self.trial.arguments.items()
        )
        return f"{self.trial.says}, {self.exercise.name}({given})"

    @property
    def _shows_a_case(self) -> bool:
        return not any(mistake.name == "not_written" for mistake in self.mistakes)
