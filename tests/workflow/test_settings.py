"""``--set key=value`` and its relatives: words into settings."""

import pytest

from tacit.workflow.errors import RequestError
from tacit.workflow.settings import group_setting, named, parse


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a=3", 3),
        ("a=1e-4", 1e-4),
        ("a=-2.5", -2.5),
        ("a=true", True),
        ("a=No", False),
        ("a=none", None),
        ("a=VVE", "VVE"),
        ("a=EEE,VVV", ["EEE", "VVV"]),
        ("a=1,3,x", [1, 3, "x"]),
        ("a=2-5", [2, 3, 4, 5]),
        ("a=[1, 2.5]", [1, 2.5]),
        ('a={"spend": "gamma"}', {"spend": "gamma"}),
        ("a=b=c", "b=c"),
        ('a="3"', "3"),
        ("a=", ""),
    ],
)
def test_values_are_read_for_what_they_are(text: str, value: object) -> None:
    found = parse([text])["a"]
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize("text", ["components", "=3", ""])
def test_what_is_no_setting_is_refused(text: str) -> None:
    with pytest.raises(RequestError, match="key=value"):
        parse([text])


def test_a_key_is_given_once() -> None:
    with pytest.raises(RequestError, match="twice"):
        parse(["a=1", "a=2"])
    with pytest.raises(RequestError, match="twice, once under another name"):
        named("mixture", {"components": 2, "n_components": 3})


@pytest.mark.parametrize(
    ("model", "plain", "own"),
    [
        ("gaussian-mixture", "components", "n_components"),
        ("k-means", "components", "n_clusters"),
        ("k-means", "groups", "n_clusters"),
        ("mixture", "covariance", "covariance_type"),
        ("mixture", "tol", "tol"),
    ],
)
def test_plain_names_stand_for_the_models_own(model: str, plain: str, own: str) -> None:
    value = "VVV" if plain == "covariance" else 3
    assert named(model, {plain: value}) == {own: value}


def test_an_unknown_setting_lists_those_there_are_and_the_nearest() -> None:
    with pytest.raises(RequestError, match=r"'components'.*'tol'.*Did you mean 'components'\?"):
        named("mixture", {"component": 3})
    with pytest.raises(RequestError, match="poisson-mixture has no setting 'covariance'"):
        named("poisson-mixture", {"covariance": "VVV"})


def test_an_unknown_model_lists_those_there_are_and_the_nearest() -> None:
    with pytest.raises(RequestError, match=r"'gaussian-mixture', 'mixture'.*Did you mean 'mixture'\?"):
        named("mixtur", {})


def test_the_seed_has_an_option_of_its_own() -> None:
    with pytest.raises(RequestError, match="--seed"):
        named("mixture", {"random_state": 3})


def test_what_a_model_calls_its_number_of_groups() -> None:
    assert group_setting("mixture") == "n_components"
    assert group_setting("k-means") == "n_clusters"


@pytest.mark.parametrize(
    ("text", "found"), [("8", [8]), ("8,", [8]), ("8,4", [8, 4]), ("[8]", [8]), ("[8, 4]", [8, 4])]
)
def test_widths_may_be_written_in_many_ways(text: str, found: list[int]) -> None:
    assert named("vae", parse([f"hidden={text}"])) == {"hidden": found}


@pytest.mark.parametrize("text", ["hidden=a", "hidden=0", "hidden=2.5", "hidden=[]", "channels=8,b", "warm_up=abc"])
def test_widths_and_numbers_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(RequestError, match=r"say (whole numbers|one number)"):
        named("vae", parse([text]))


def test_words_are_taken_where_a_number_may_be_one() -> None:
    assert named("bayesian-logistic-regression", parse(["prior_scale=learned"])) == {"prior_scale": "learned"}
    with pytest.raises(RequestError, match="say one number"):
        named("bayesian-logistic-regression", parse(["prior_scale=wide"]))
