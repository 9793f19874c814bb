"""What runs a program at once, and checks operands as evaluation does: for eager mode, on the host
and on devices.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..lowering.devices.devices import Device, default_device
from ..lowering.devices.placement import Place, place_for
from ..primitives import jaxpr as programs
from ..primitives.array import Array
from ..primitives.config import config
from ..primitives.core import Primitive, typeof, with_user_line
from ..primitives.jaxpr import Jaxpr, apply_type_rule
from ..primitives.partial import one_equation
from ..primitives.support.settings import process
from ..primitives.types import SCALARS
from .pipeline import prepare
from .runner import Runner


def check(primitive: Primitive, args: Sequence[Any]) -> None:
    """Check the types of the operands by the primitive's own rule, if it is `checked`.

    Raises:
        TypeError, ValueError: as the rule says.
    """
    if not primitive.checked:
        return
    scalars = primitive.takes_scalars
    try:
        apply_type_rule(
            primitive,
            [a if scalars and type(a) in SCALARS else typeof(a).strong for a in args],
        )
    except (TypeError, ValueError) as error:
        raise with_user_line(error) from None


def run_program(jaxpr: Jaxpr, arrays: Sequence[Array], place: Place | None = None) -> list[Array]:
    """Compile a program once for each device, and run it; by default where its operands are.

    Raises:
        TypeError: if the arrays are not of the types of the program's inputs.
    """
    if place is None and process.placed:
        place = place_for(arrays, closed_over=jaxpr.consts, name=jaxpr.name)
    device, commits = place or (None, None)
    key = ("program", config.simplify, device)
    runner = jaxpr.memo.get(key)
    if runner is None:
        runner = jaxpr.memo[key] = compiled(jaxpr, device)
    # Check types here: the runtime itself looks at nothing but the number of bytes.
    if [a.aval.strong for a in arrays] != [v.aval.strong for v in jaxpr.in_vars]:
        raise TypeError(
            f"{jaxpr.name} was traced for {jaxpr.in_avals}, got {[a.aval for a in arrays]}"
        )
    return runner.run(arrays, commits)


def run_watched(primitive: Any, arrays: Sequence[Array]) -> list[Array]:
    """Evaluate an operation on programs, and then have it read as a program of one equation, where
    `dx.config.debug_key_reuse` asks for it.

    What it evaluates on the way is not read a second time.
    """
    if not config.debug_key_reuse or programs.after_running is None:
        return primitive.evaluate(run_program, arrays)
    config.debug_key_reuse = False
    try:
        outs = primitive.evaluate(run_program, arrays)
    finally:
        config.debug_key_reuse = True
    program = one_equation(primitive, [a.aval for a in arrays], [o.aval for o in outs])
    programs.after_running(program, arrays, outs)
    return outs


def compiled(jaxpr: Jaxpr, device: Device | None) -> Runner:
    """Compile a program for a device. None stands for the default device, which all operands are
    on.
    """
    platform = (device or default_device()).platform
    return Runner(prepare(jaxpr, platform), device)
