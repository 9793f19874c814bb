"""Settings of the whole process: of devices and their memory.

`dx.config` shows them beside the settings of the task (`primitives/config.py`). They are read once,
when the devices that they are about start, and cannot be changed afterwards.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from typing import Any


class Process:
    """What holds for the process, whichever thread asks. `process` is the one instance."""

    #: False as long as every array is in host memory or on the first device of a processor, and
    #: nobody has said that it shall be elsewhere. The hot paths look at nothing else.
    placed = False
    #: How many tasks have an attentive setting (`primitives/config.py`).
    attentive = 0
    #: Whether any task has asked to be told of ranks that are promoted.
    ranks = False
    #: Whether any task has asked for another precision of products than the full one.
    precisions = False
    #: The platforms whose client has started, and "devices" once the default one is chosen.
    started: set[str]
    #: Settings made through `dx.config`.
    settings: dict[str, Any]

    def __init__(self) -> None:
        self.started, self.settings = set(), {}


#: The settings of this process, and what has started in it.
process = Process()


class OfProcess:
    """A setting of the whole process, as an attribute of `dx.config`.

    By default it is what the environment says, in the variable DIFFEO_ and the name in capitals.

    Args:
        parse: text -> value; ValueError for a text that says none.
        check: value -> value; ValueError or TypeError for a bad one.
        concerns: for the name of something that has started, whether the setting is about it.
        default: the value if nobody says anything.
    """

    name: str

    def __init__(
        self,
        parse: Callable[[str], Any],
        check: Callable[[Any], Any],
        concerns: Callable[[str], bool],
        default: bool | None = None,
    ):
        self.parse, self.check, self.concerns, self.default = parse, check, concerns, default

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    @property
    def variable(self) -> str:
        """The name of the environment variable."""
        return f"DIFFEO_{self.name.upper()}"

    def __get__(self, config: Any, owner: Any = None) -> Any:
        if config is None:
            return self
        if self.name in process.settings:
            return process.settings[self.name]
        text = os.environ.get(self.variable, "")
        if not text:
            return self.default
        try:
            return self.check(self.parse(text))
        except (TypeError, ValueError) as error:
            raise ValueError(
                f"the environment variable {self.variable} is {text!r}: {error}"
            ) from None

    def __set__(self, config: Any, value: Any) -> None:
        try:
            value = self.check(value)
        except (TypeError, ValueError) as error:
            raise type(error)(f"dx.config.{self.name} = {value!r}: {error}") from None
        late = sorted([name for name in process.started if self.concerns(name)])
        if late and value != self.__get__(config):
            raise RuntimeError(
                f"dx.config.{self.name} = {value!r} comes too late: it is read when devices are "
                f"first used, and these have started: {', '.join(late)}. Set it right after the "
                f"import, or in the environment as {self.variable}"
            )
        process.settings[self.name] = value


def _flag(text: str) -> bool:
    words = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}
    if text.lower() not in words:
        raise ValueError("expected true or false")
    return words[text.lower()]


def _bool(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError("expected True or False")
    return value


def _count(value: Any) -> int | None:
    if value is not None and (type(value) is not int or value < 1):
        raise ValueError("expected an integer of 1 or more, or None")
    return value


def _fraction(value: Any) -> float | None:
    if value is not None and not (type(value) in (int, float) and 0 < value <= 1):
        raise ValueError("expected a number above 0 and up to 1, or None")
    return value


def _platforms(value: Any) -> tuple[str, ...] | None:
    if value is None:
        return None
    names = tuple([n.strip() for n in value.split(",")] if isinstance(value, str) else value)
    if not names or not all([isinstance(n, str) and n for n in names]):
        raise ValueError("expected names of platforms, as 'cuda,cpu'")
    return names


def device_name(value: Any) -> str | None:
    """Return the name of a device, or of a platform's first one: "cpu", "cuda:1"; None for None.

    Raises:
        ValueError: if the text cannot be one (whether there is such a device is not asked).

    Examples:
        >>> device_name("cuda:1")
        'cuda:1'
    """
    if value is None:
        return None
    name = str(value)
    if not re.fullmatch(r"[A-Za-z_]\w*(:\d+)?", name):
        raise ValueError(f"expected a device, or its name as 'cpu' or 'cuda:1', got {value!r}")
    return name


num_cpu_devices = OfProcess(int, _count, lambda started: started == "cpu")
platforms = OfProcess(_platforms, _platforms, lambda started: True)
preallocate = OfProcess(_flag, _bool, lambda started: started not in ("cpu", "devices"), False)
memory_fraction = OfProcess(float, _fraction, lambda started: started not in ("cpu", "devices"))
