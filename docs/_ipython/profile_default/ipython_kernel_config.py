"""How notebooks draw when the documentation is built."""

c = get_config()  # type: ignore[name-defined]  # noqa: F821
c.InlineBackend.figure_formats = {"retina"}
c.InlineBackend.rc = {"figure.dpi": 84}
