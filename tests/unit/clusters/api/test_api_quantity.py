from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seatrial.clusters.local.api.quantity import canonical, value


@pytest.mark.parametrize(
    ("written", "stored"),
    [
        ("1000m", "1"), ("0.5", "500m"), ("2500m", "2500m"), ("1", "1"), ("0", "0"), ("1000", "1k"), ("1500M", "1500M"),
        ("1024Mi", "1Gi"), ("1.5Gi", "1536Mi"), ("0.5Gi", "512Mi"), ("100Ki", "100Ki"), ("128974848", "128974848"),
        ("0.1m", "100u"), ("1e3", "1e3"), ("100e6", "100e6"), ("-1", "-1"), ("0.0000000001", "1n"),
    ],
)  # fmt: skip
def test_a_quantity_is_stored_in_one_form(written, stored):
    """The forms are those that a 1.34 server answers."""
    assert stored == canonical(written)


@pytest.mark.parametrize("written", ["", "abc", "1 Gi", "1gi", "1Kib", "--1"])
def test_what_is_no_quantity_is_refused(written):
    with pytest.raises(ValueError, match="expected a quantity"):
        canonical(written)


@given(st.integers(0, 10**15), st.sampled_from(["", "m", "k", "M", "G", "Ki", "Mi", "Gi"]))
def test_the_canonical_form_has_the_same_value_and_is_stable(number, suffix):
    written = f"{number}{suffix}"
    assert value(written) == value(canonical(written))
    assert canonical(written) == canonical(canonical(written))


def test_values_are_exact():
    assert Decimal("0.1") * 3 == value("100m") * 3
