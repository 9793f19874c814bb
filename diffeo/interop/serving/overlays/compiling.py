"""What libraries ask of jax's compiler and backends."""

from __future__ import annotations

from typing import Any

from ....lowering.devices.devices import default_backend

#: The clients that have been started, by platform: jax's own, none here.
_backends: dict[str, Any] = {}


def backend_compile_and_load(*args: Any, **kwargs: Any) -> Any:
    """Raise an error: programs are compiled elsewhere."""
    raise NotImplementedError("jax._src.compiler: diffeo compiles programs by itself")


class Backend:
    """The platform that programs run on."""

    @property
    def platform(self) -> str:
        """Its name."""
        return default_backend()


def get_backend(platform: str | None = None) -> Backend:
    """Return what knows the platform's name."""
    return Backend()


def wait_for_tokens() -> None:
    """Return at once: a call of a compiled program returns when its effects have happened."""
