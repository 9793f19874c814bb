"""`jax.experimental.checkify`'s names, for libraries that import it: checks are not there."""

from __future__ import annotations

from .refused import refused

__all__ = [
    "Error", "ErrorCategory", "JaxRuntimeError", "all_checks", "automatic_checks", "check",
    "check_error", "checkify", "debug_check", "div_checks", "float_checks", "index_checks",
    "nan_checks", "user_checks",
]  # fmt: skip

#: Kinds of checks, as sets of their names.
user_checks = frozenset({"user"})
nan_checks, div_checks, index_checks = (frozenset({n}) for n in ("nan", "div", "index"))
float_checks = nan_checks | div_checks
automatic_checks = float_checks | index_checks
all_checks = automatic_checks | user_checks

_WHY = "checks inside compiled functions are not there yet"
check = refused("jax.experimental.checkify.check", _WHY)
check_error = refused("jax.experimental.checkify.check_error", _WHY)
checkify = refused("jax.experimental.checkify.checkify", _WHY)
debug_check = refused("jax.experimental.checkify.debug_check", _WHY)


#: A kind of checks.
ErrorCategory = str


class Error:
    """What a checked function returns beside its result."""


class JaxRuntimeError(ValueError):
    """A check that failed."""
