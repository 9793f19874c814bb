"""What makes two compiled programs the same: what they compute, and what they were compiled for.

A program is its text without the names that people gave: of the module and of its private
functions. What it was compiled for is a *description* in plain text, so that an entry of the disk
cache that does not fit can say why.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from .. import compat
from ..devices.devices import Device

_PRIVATE = re.compile(r"func\.func private @(\w+)\(")
_NAMED = re.compile(r"\s*module @(\w+) ")
_SYMBOL = re.compile(r"@(\w+)")


def module_name(text: str) -> str:
    """The name of a module, which is that of the function it was made from; "" if it has none.

    Examples:
        >>> module_name("module @loss { ... }")
        'loss'
    """
    found = _NAMED.match(text)
    return found[1] if found else ""


def program_digest(text: str) -> bytes:
    """SHA-256 of a module's text, the names of the module and of its private functions left out.

    Examples:
        >>> program_digest("module @f { ... }") == program_digest("module @g { ... }")
        True
    """
    if found := _NAMED.match(text):
        text = "module " + text[found.end() :]
    private = {name: f"@{i}" for i, name in enumerate(_PRIVATE.findall(text))}
    if private:
        text = _SYMBOL.sub(lambda symbol: private.get(symbol[1], symbol[0]), text)
    return hashlib.sha256(text.encode()).digest()


def description(device: Device, flags: Mapping[str, Any], how: str) -> str:
    """What a program is compiled for and with, a line for each thing that matters.

    Args:
        device: where it will run.
        flags: XLA flags and their values.
        how: what else distinguishes how it is made.
    """
    client, handle = device._client, device._singleton[0]
    options = compat.compile_options(handle, flags).SerializeAsString()
    processor = _processor() if device.platform == "cpu" else ""
    lines = {
        "jaxlib": compat.version,
        "platform": f"{device.platform} {client.platform_version}",
        "device": f"{handle.device_kind} {device.id}",
        "processor": processor,
        "environment": " ".join([os.environ.get(n, "") for n in ("XLA_FLAGS", "LIBTPU_INIT_ARGS")]),
        "flags": " ".join([f"{name}={flags[name]!r}" for name in sorted(flags)]),
        "options": hashlib.sha256(options).hexdigest(),
        "made": how,
    }
    return "\n".join([f"{name}: {value}" for name, value in lines.items()])


@lru_cache(maxsize=1)
def _processor() -> str:
    """What XLA looks at of the host: the processor's model and instruction sets, and how many
    cores this process may use. Where that is not to be read, the machine as a whole.
    """
    try:
        with open("/proc/cpuinfo", "rb") as file:
            # The first processor stands for all; the kernel takes its time for each one of them.
            first = file.read(8192).split(b"\n\n")[0]
    except OSError:
        uname = getattr(os, "uname", None)
        names = ("COMPUTERNAME", "PROCESSOR_IDENTIFIER")
        whole = uname() if uname else [os.environ.get(name) for name in names]
        return f"{' '.join(map(str, whole))}, {os.cpu_count()} cores"
    kept = [
        line
        for line in first.split(b"\n")
        if re.match(rb"vendor|cpu family|model|stepping|flags|Features|CPU |isa|uarch", line)
    ]
    digest = hashlib.sha256(b"\n".join(kept)).hexdigest()[:32]
    return f"{os.uname().machine} {digest}, {len(os.sched_getaffinity(0))} cores"
