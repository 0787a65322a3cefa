"""Beside each picture that a page shows, its numbers are kept, so that tests can look at them.

They stand in the executed page as `application/json`, which no page shows.
"""

import numpy as np


def _numbers(values):
    """Return an array as nested lists, with None for what is not drawn."""
    given = np.ma.asarray(values)
    if given.dtype.kind not in "fiub":
        return given.astype(str).tolist()
    drawn = ~np.ma.getmaskarray(given) & np.isfinite(given.data.astype(float))
    return np.where(drawn, given.data.astype(object), None).tolist()


def _panel(axes):
    """Return what the artists of one pair of axes hold."""
    return {
        "title": axes.get_title() or axes.get_title("left"),
        "xlabel": axes.get_xlabel(),
        "ylabel": axes.get_ylabel(),
        "images": [_numbers(image.get_array()) for image in axes.images],
        "lines": {
            line.get_label(): [_numbers(line.get_xdata()), _numbers(line.get_ydata())]
            for line in axes.lines
        },
        "bars": [_numbers(_lengths(group)) for group in axes.containers],
        "grids": [
            [mesh.get_label(), _numbers(mesh.get_array())]
            for mesh in axes.collections
            if type(mesh).__name__ == "QuadMesh"
        ],
        "texts": [text.get_text() for text in axes.texts if text.get_text()],
        "artists": len(axes.get_children()),
    }


def _lengths(bars):
    upright = bars.orientation == "vertical"
    return [bar.get_height() if upright else bar.get_width() for bar in bars]


def _figure(figure):
    return {"figures": [[_panel(axes) for axes in figure.axes]]}


def _slider(slider):
    panels = [[_panel(axes) for axes in figure.axes] for figure in slider.figures]
    return {"figures": panels, "values": _numbers(slider.values)}


def _animation(animation):
    panels = [[_panel(axes) for axes in figure.axes] for figure in animation.figures]
    return {"figures": panels}


_json = get_ipython().display_formatter.formatters["application/json"]  # type: ignore[name-defined]  # noqa: F821
_json.for_type_by_name("matplotlib.figure", "FigureBase", _figure)  # inline resets Figure's own
_json.for_type_by_name("pellucid.view.slider", "Slider", _slider)
_json.for_type_by_name("pellucid.view.draw.animation", "Animation", _animation)
