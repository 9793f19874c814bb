"""What makes two executables the same: what they compute, and what they were compiled for.

What an executable computes is the text of its module without the names that people gave: those of
the module and of its private functions. `program_digest` is a hash of that. What an executable was
compiled for is a *description* in plain text, so that an entry of the disk cache that does not fit
can say why.
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

#: A private function of a module, the head of a module with a name, and any use of a name.
_PRIVATE = re.compile(r"func\.func private @(\w+)\(")
_NAMED = re.compile(r"\s*module @(\w+) ")
_SYMBOL = re.compile(r"@(\w+)")


def module_name(text: str) -> str:
    """Return the name of a module, which is that of the traced function; "" if there is none.

    Examples:
        >>> module_name("module @loss { ... }")
        'loss'
    """
    match = _NAMED.match(text)
    return match[1] if match else ""


def program_digest(text: str) -> bytes:
    """Return the SHA-256 of a module's text without the names of the module and its private
    functions.

    Private functions are numbered instead, in the order in which they stand in the text.

    Examples:
        >>> program_digest("module @f { ... }") == program_digest("module @g { ... }")
        True
    """
    if match := _NAMED.match(text):
        text = "module " + text[match.end() :]
    numbers = {name: f"@{i}" for i, name in enumerate(_PRIVATE.findall(text))}
    if numbers:
        text = _SYMBOL.sub(lambda symbol: numbers.get(symbol[1], symbol[0]), text)
    return hashlib.sha256(text.encode()).digest()


def description(device: Device, flags: Mapping[str, Any], how: str) -> str:
    """Return what a program is compiled for and with, a line for each thing that matters.

    Args:
        device: where it will run.
        flags: XLA flags and their values.
        how: what else distinguishes how it is compiled.
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
    """Return what XLA looks at of the host: the processor's model and instruction sets, and how
    many cores this process may use. Where they cannot be read, return the name of the machine as a
    whole.
    """
    try:
        with open("/proc/cpuinfo", "rb") as file:
            # The first processor stands for all; the kernel takes its time for each one of them.
            first = file.read(8192).split(b"\n\n")[0]
    except OSError:
        uname = getattr(os, "uname", None)
        variables = ("COMPUTERNAME", "PROCESSOR_IDENTIFIER")
        words = uname() if uname else [os.environ.get(name) for name in variables]
        return f"{' '.join(map(str, words))}, {os.cpu_count()} cores"
    relevant = [
        line
        for line in first.split(b"\n")
        if re.match(rb"vendor|cpu family|model|stepping|flags|Features|CPU |isa|uarch", line)
    ]
    digest = hashlib.sha256(b"\n".join(relevant)).hexdigest()[:32]
    return f"{os.uname().machine} {digest}, {len(os.sched_getaffinity(0))} cores"
