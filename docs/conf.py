"""How the documentation is built: ``make docs``."""

import os
import sys
from pathlib import Path
from urllib.request import urlopen

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "_ext"))
os.environ.setdefault("PELLUCID_ENGINE", "reference")

os.environ["IPYTHONDIR"] = str(HERE / "_ipython")  # pictures as sharp as text

import pellucid  # noqa: E402

project = "Pellucid"
author = "The Pellucid authors"
copyright = author  # noqa: A001
version = release = pellucid.__version__

extensions = [
    "myst_nb",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.intersphinx",
    "sphinx_copybutton",
    "sphinx_design",
    "exercise",
    "library_source",
    "mathml",
    "outside",
    "reference",
]
exclude_patterns = ["notebooks", "_ext", "_ipython", "results", "**/.ipynb_checkpoints"]

myst_enable_extensions = ["amsmath", "attrs_inline", "colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3
nb_execution_mode = os.environ.get("PELLUCID_DOCS_EXECUTE", "cache")
nb_execution_cache_path = str(HERE.parent / "build" / "jupyter-cache")
nb_execution_timeout = 300
nb_execution_raise_on_error = True
nb_execution_in_temp = True
nb_merge_streams = True

suppress_warnings = [
    "misc.highlighting_failure",  # code in which … stands for more
    "mystnb.unknown_mime_type",  # the numbers of pictures, which only tests look at
]
default_role = "py:obj"
autodoc_typehints = "none"
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
autosummary_generate = False
numpydoc_show_class_members = False


def _reachable(address: str) -> bool:
    try:
        with urlopen(f"{address}objects.inv", timeout=5):
            return True
    except OSError:
        return False


_OTHERS = {
    "python": "https://docs.python.org/3/",
    "numpy": "https://numpy.org/doc/stable/",
    "torch": "https://docs.pytorch.org/docs/stable/",
    "sklearn": "https://scikit-learn.org/stable/",
}
intersphinx_mapping = {name: (at, None) for name, at in _OTHERS.items() if _reachable(at)}

html_theme = "pydata_sphinx_theme"
html_title = "Pellucid"
html_static_path = ["_static"]
html_css_files = ["pellucid.css"]
html_js_files = [("pellucid.js", {"defer": "defer"})]
html_show_sourcelink = False
html_theme_options = {
    "github_url": "https://github.com/pellucid-cnn/pellucid",
    "header_links_before_dropdown": 5,
    "navbar_align": "left",
    "show_prev_next": True,
    "footer_start": ["copyright"],
    "footer_end": [],
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
}
html_sidebars = {"index": [], "start": []}
copybutton_exclude = ".linenos, .gp, .go"
