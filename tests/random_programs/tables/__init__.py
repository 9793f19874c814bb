"""The rows, by topic. To import this is to load them."""

from tests.random_programs.tables import (
    control,
    elementwise,
    indexing,
    linalg,
    nested,
    others,
    reductions,
    shapes,
)

LOADED = [control, elementwise, indexing, linalg, nested, others, reductions, shapes]
