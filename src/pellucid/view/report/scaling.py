"""The section on the time spent by processes that trained together."""

from __future__ import annotations

from pellucid.view.report.contents import Contents
from pellucid.view.report.section import Section, paragraph, table
from pellucid.view.report.words import count, percent


def scaling(contents: Contents) -> Section | None:
    """Return the section on the time of a step: computing, waiting, exchanging gradients."""
    spent = [process for process in contents.processes if process.steps]
    if not spent:
        return None
    computed = sum(process.compute for process in spent)
    waited = sum(process.wait for process in spent)
    exchanged = sum(process.exchange for process in spent)
    whole = computed + waited + exchanged
    rows = [
        [
            f"{number}, {process.host}",
            *(
                f"{1000 * seconds / process.steps:.2f}"
                for seconds in (process.compute, process.wait, process.exchange)
            ),
            percent(process.compute / (process.compute + process.wait + process.exchange)),
        ]
        for number, process in enumerate(spent)
    ]
    return Section(
        "scaling",
        "Processes",
        (
            paragraph(
                f"{count(len(spent), 'process', 'processes')} computed {percent(computed / whole)} "
                f"of the time, waited {percent(waited / whole)} for the slowest of them, and "
                f"exchanged gradients after the backward pass {percent(exchanged / whole)}; most "
                "are exchanged during it. Waiting comes from processes that are slower or have "
                "more shards; exchange grows with the number of parameters."
            ),
            table(
                "Milliseconds for one step, in the last epoch",
                ["process", "computing", "waiting", "exchanging", "share of computing"],
                rows,
            ),
        ),
    )
