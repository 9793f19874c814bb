"""Objects in the place of jax's internals that have no counterpart."""

from __future__ import annotations

from typing import Any


class InternalsUsed(Exception):
    """A test used a part of jax's insides that diffeo has not."""


class NameMissing(Exception):
    """A test used a public name of jax's that diffeo has not."""


class Absent:
    """Something of jax's insides. It has a name; whatever is done with it is an `InternalsUsed`."""

    def __init__(self, name: str, error: type[Exception] = InternalsUsed):
        self.__dict__.update(_name=name, _error=error, __name__=name.rpartition(".")[2])

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") and name.endswith("__"):
            raise AttributeError(name)
        if name == "cache_clear":  # before a test, as if there were a cache
            return lambda: None
        return Absent(f"{self._name}.{name}", self._error)

    #: Whether files are being loaded, where a call gives something absent, too.
    loading = False

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if Absent.loading:
            return Absent(f"{self._name}()", self._error)
        raise self._error(self._name)

    def __iter__(self) -> Any:
        if Absent.loading:
            return iter(())
        raise self._error(self._name)

    def __getitem__(self, key: Any) -> Any:
        if Absent.loading:
            return self
        raise self._error(self._name)

    def __setitem__(self, key: Any, value: Any) -> None:
        raise self._error(self._name)

    def __enter__(self) -> Any:
        raise self._error(self._name)

    def __exit__(self, *args: Any) -> None:
        pass

    def __mro_entries__(self, bases: Any) -> tuple:
        return (object,)

    def __instancecheck__(self, x: Any) -> bool:
        raise self._error(self._name)

    def __repr__(self) -> str:
        return f"<absent {self._name}>"
