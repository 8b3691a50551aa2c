"""The run-time type checker that the tests put on every function of tacit."""

from typing import Any, Self

from beartype import BeartypeConf, BeartypeStrategy, FrozenDict, beartype

# jaxtyping's import hook decorates methods one by one, where beartype cannot know what Self is.
checked = beartype(conf=BeartypeConf(hint_overrides=FrozenDict({Self: Any}), strategy=BeartypeStrategy.O1))
