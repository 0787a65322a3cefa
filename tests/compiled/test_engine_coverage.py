"""The documentation says which layers are compiled, captured and fused, as it is."""

import pytest

pytest.importorskip("numba")

from engine_coverage import PAGE, coverage_of, losses_by_whom, table


def test_the_table_in_the_documentation_is_what_running_every_layer_shows():
    _, _, rest = PAGE.read_text(encoding="utf-8").partition("<!-- coverage:begin -->\n")
    written, _, _ = rest.partition("\n<!-- coverage:end -->")
    assert written == table()


@pytest.mark.usefixtures("on_compiled")
def test_a_layer_that_numpy_computes_is_found(monkeypatch):
    from pellucid import compiled, reference

    assert coverage_of("GELU") == ("compiled", "compiled", "yes", "no")
    monkeypatch.setattr(compiled, "activate_gradient", reference.activate_gradient)
    assert coverage_of("GELU") == ("compiled", "NumPy", "no", "no")


@pytest.mark.usefixtures("on_compiled")
def test_a_loss_that_numpy_computes_is_found(monkeypatch):
    from pellucid import compiled, reference

    assert "`MeanSquaredError` compiled" in losses_by_whom()
    monkeypatch.setattr(compiled, "mean_squared_error", reference.mean_squared_error)
    assert "`MeanSquaredError` NumPy" in losses_by_whom()
