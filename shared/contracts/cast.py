"""Former name of `example_data`; removed when no test imports it."""

from shared.contracts.example_data import *  # noqa: F403  the names of the examples
