"""The page that ``pellucid compare`` writes: a network in several frameworks, side by side."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pellucid.interchange.compare import Comparison
    from pellucid.interchange.compare.source import Explained
    from pellucid.view.report import Report
    from pellucid.view.report.markup import Html
    from pellucid.view.report.section import Section

_FOLDED = 12
"""Number of rows from which a table is folded."""


def page(found: "Comparison", figure: Any) -> "Report":
    """Return the page, with `figure` as its picture."""
    from pellucid.interchange.compare import page as words
    from pellucid.view.report.frame import framed, numbers
    from pellucid.view.report.markup import html, joined

    remarks = joined(html("<li>{text}</li>", text=text) for text in words.remarks(found))
    head = html(
        '<p class="lede">{verdict}</p>\n{numbers}\n{remarks}<p>{conditions}</p>',
        verdict=words.verdict(found),
        numbers=numbers(_numbers(found)),
        remarks=html('<div class="first"><ul>{items}</ul></div>\n', items=remarks)
        if remarks
        else html(""),
        conditions=words.conditions(found),
    )
    title = f"{found.model} on {found.data}"
    return framed("Frameworks side by side", title, head, list(_sections(found, figure)), wide=True)


def _numbers(found: "Comparison") -> list[tuple[str, str]]:
    entries = found.entries.values()
    times = [(f"{entry.title}, ms a step", f"{entry.milliseconds[0]:.2f}") for entry in entries]
    return [*times, ("quantities compared", f"{len(found.rows):,}")]


def _sections(found: "Comparison", figure: Any) -> "Iterator[Section]":
    from pellucid.interchange.compare import page as words
    from pellucid.view.report.pictures import Picture
    from pellucid.view.report.section import Section, folded, paragraph

    names = ", ".join(entry.title for entry in found.entries.values())
    alt = f"Differences between {names}, their losses, and their times. {words.verdict(found)}"
    yield Section("overview", "At a glance", ((Picture("compare", figure, alt, 760), ""),))
    cost = _table("Time and memory of a training step", words.cost_table(found))
    yield Section("time", "Time and memory", (cost, paragraph(words.timing(found))))
    losses = _table("The loss of each step, before its update", words.loss_table(found))
    yield Section("losses", "Losses", (losses,))
    tables = []
    for name in found.others:
        caption = f"Pellucid and {found.entries[name].title}: the largest differences"
        whole = _table(caption, words.difference_table(found, name))
        tables.append(folded(caption, whole) if len(found.rows) > _FOLDED else whole)
    yield Section("differences", "Differences", (paragraph(words.DIFFERENCES), *tables))
    yield Section("step", "A training step in code", (_step(found),))
    yield Section("code", "Each layer in code", tuple(_layers(found)))


def _table(caption: str, given: Any) -> "Html":
    """Return a table of words; its first columns of text name the rows."""
    from pellucid.view.report.section import table

    texts = [i for i, head in enumerate(given.head) if not head.startswith(">")]
    first = [i for i in texts if i < 2 and i == texts.index(i)]
    if len(first) < 2:
        return table(caption, [head.removeprefix(">") for head in given.head], given.rows)
    heads = ["", *(head.removeprefix(">") for head in given.head[2:])]
    rows = [[f"{row[0]} {row[1]}", *row[2:]] for row in given.rows]
    wrong = next((i for i, row in enumerate(rows) if "DIFFERS" in row), None)
    return table(caption, heads, rows, wrong)


def _step(found: "Comparison") -> "Html":
    return _beside([(entry.title, [entry.sources[""]]) for entry in found.entries.values()])


def _layers(found: "Comparison") -> "Iterator[Html]":
    """Yield, for each kind of layer, its call and its code in every framework."""
    from pellucid.view.report.markup import html
    from pellucid.view.report.section import paragraph

    own, others = _pellucid(found), [found.entries[name] for name in found.others]
    yield paragraph(
        "Below each call stands the Python code that computes it: in Pellucid all of the "
        "mathematics, forward and backward, in the reference engine; in the other frameworks what "
        "leads to their compiled kernels. Their gradients come from automatic differentiation."
    )
    seen: set[str] = set()
    for entry in found.explained:
        path, others_code = entry.paths[0], []
        for other in others:
            call, code = other.calls.get(path, ""), other.sources.get(path, "")
            others_code.append((other.title, call, [] if code in seen else [code]))
            seen.add(code)
        places = ", ".join(entry.paths[:8]) + (" …" if len(entry.paths) > 8 else "")
        yield html("<h3>{kind}: {places}</h3>", kind=entry.kind, places=places)
        own_call = own.calls.get(path, entry.kind)
        yield _beside(
            [(title, [code for code in codes if code], call) for title, call, codes in
             [(own.title, own_call, _own(entry, seen)), *others_code]]
        )  # fmt: skip


def _pellucid(found: "Comparison") -> Any:
    from pellucid.interchange.compare.frameworks import PELLUCID

    return found.entries[PELLUCID.name]


def _own(entry: "Explained", shown: set[str]) -> list[str]:
    """Return the functions of a layer, forward ones first, in full unless they were shown."""
    found = []
    for name, functions in (("forward", entry.forward), ("backward", entry.backward)):
        for function in functions:
            if function.where in shown:
                found.append(f"# {name}: {function.function}, shown above")
            else:
                found.append(f"# {name}: {function.where}\n{function.text}")
            shown.add(function.where)
    return found


def _beside(columns: list[Any]) -> "Html":
    """Return code in columns: (title, pieces of code) or (title, pieces of code, call)."""
    from pellucid.view.report.markup import html, joined

    def column(title: str, pieces: list[str], call: str = "") -> Any:
        first = html('<pre class="call"><code>{call}</code></pre>', call=call) if call else html("")
        code = html("<pre><code>{text}</code></pre>", text="\n\n".join(pieces))
        if not pieces:
            code = html('<p class="soft small">{text}</p>', text="Its code is shown above.")
        return html("<div><h4>{t}</h4>{a}{b}</div>", t=title, a=first, b=code)

    return html(
        '<div class="beside">{inside}</div>', inside=joined(column(*each) for each in columns)
    )
