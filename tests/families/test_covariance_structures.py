"""The table of structures: names, meaning and numbers of parameters."""

import itertools

import pytest

import covariance_oracle as oracle
from tacit.families.covariance import (
    SCIKIT_LEARN_NAMES,
    STRUCTURES,
    canonical_name,
    n_covariance_parameters,
)


def test_the_table_holds_each_structure_once():
    assert set(STRUCTURES) == {"E", "V", *oracle.ALONG, *oracle.TILTED}
    for name, structure in STRUCTURES.items():
        assert structure.name == name
        if len(name) == 3:
            assert name == structure.volume + structure.shape + structure.orientation
    assert len({structure.description for structure in STRUCTURES.values()}) == 16
    assert {name for name, structure in STRUCTURES.items() if structure.tied} == {"E", "EII", "EEI", "EEE"}


@pytest.mark.parametrize(("components", "dims"), [*itertools.product([1, 2, 5], [2, 3, 7])])
def test_the_count_is_the_number_of_free_numbers(components, dims):
    """Against the closed expressions of Celeux & Govaert (1995, table 1), less their means and weights."""
    k, d = components, dims
    beta = d * (d + 1) // 2
    expected = {
        **{"EII": 1, "VII": k, "EEI": d, "VEI": k + d - 1, "EVI": k * d - k + 1, "VVI": k * d},
        **{"EEE": beta, "VEE": beta + k - 1, "EVE": beta + (k - 1) * (d - 1), "VVE": beta + (k - 1) * d},
        **{"EEV": k * beta - (k - 1) * d, "VEV": k * beta - (k - 1) * (d - 1)},
        **{"EVV": k * beta - (k - 1), "VVV": k * beta},
    }
    assert {name: n_covariance_parameters(name, k, d) for name in expected} == expected


def test_one_column_has_one_variance_or_one_each():
    assert n_covariance_parameters("E", 4, 1) == 1
    assert n_covariance_parameters("V", 4, 1) == 4


def test_names_are_understood():
    assert [canonical_name(name, 3) for name in SCIKIT_LEARN_NAMES] == ["VII", "VVI", "EEE", "VVV"]
    assert canonical_name("vev", 2) == "VEV"
    assert canonical_name("Full", 2) == "VVV"
    assert [canonical_name(name, 1) for name in ("E", "v", "tied", "full", "EVI", "VEE")] == list("EVEVEV")


@pytest.mark.parametrize(("name", "words"), [("XYZ", "choose one of E, V, EII"), ("E", "EII has the same")])
def test_a_name_that_makes_no_sense_is_explained(name, words):
    with pytest.raises(ValueError, match=words):
        canonical_name(name, 2)
