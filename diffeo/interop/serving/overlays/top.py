"""The top of jax: settings with jax's names and defaults."""

from __future__ import annotations

from typing import Any

from ....primitives.config import config as settings
from ..bits import wide

__all__ = ["config", "enable_x64"]


class JaxConfig:
    """`jax.config`: what concerns 64 bits is served here, all else by `dx.config`."""

    def update(self, name: str, value: Any) -> None:
        """Change a setting for the process, as `jax.config.update` does."""
        if name in ("jax_enable_x64", "enable_x64"):
            wide.set(value)
        else:
            settings.update(name, value)  # type: ignore[attr-defined]

    def parse_flags_with_absl(self) -> None:
        """Do nothing: settings are not flags of a command line."""

    def read(self, name: str) -> Any:
        """Return the value of a setting."""
        return getattr(self, name)

    @property
    def jax_enable_x64(self) -> bool:
        """Whether there are arrays of 64 bits."""
        return wide.on

    x64_enabled = enable_x64 = jax_enable_x64

    def __getattr__(self, name: str) -> Any:
        return getattr(settings, name)

    def __setattr__(self, name: str, value: Any) -> None:
        self.update(name, value)


config = JaxConfig()


def enable_x64(new_val: bool = True) -> Any:
    """Turn 64 bits on, or off, within a `with` block."""
    return wide.within(new_val)
