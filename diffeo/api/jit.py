"""jit and its relatives for users: jit, make_jaxpr, eval_shape.

All three make a `Jitted` (`engine/jitted.py`), which traces and compiles a function once for each
signature of its arguments: structure, shapes and dtypes.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from ..engine.jitted import Jitted
from ..engine.signatures import Names, Numbers, check_disjoint, check_options, choose
from ..engine.stages import Options, ShapeDtypeStruct
from ..primitives.core import Value, with_user_line
from ..trees import tree
from ..trees.arguments import WRAPPED, check_callable, name_of


def jit(
    fun: Callable | None = None,
    *,
    in_shardings: Any = None,
    out_shardings: Any = None,
    static_argnums: Numbers = None,
    static_argnames: Names = None,
    donate_argnums: Numbers = None,
    donate_argnames: Names = None,
    keep_unused: bool = False,
    device: Any = None,
    backend: str | None = None,
    inline: bool = False,
    compiler_options: Mapping[str, Any] | None = None,
    reroll: bool = False,
    autotune: bool = False,
    optimize: bool = True,
) -> Any:
    """Compile a function with XLA, once for each signature (structure, shapes and dtypes) it is
    called with.

    The function is traced: called once with tracers in place of its arguments. It must be pure,
    and Python control flow may depend on static arguments and on shapes only. Other
    transformations apply to the result as to any function.

    Args:
        fun: a function of arrays, numbers, and trees of them; without it, `jit` returns a
            decorator.
        in_shardings, out_shardings: None: a program runs on one device.
        static_argnums: positions of arguments that are not traced: they may be anything with
            `hash` and `==`, and the function is compiled anew for each value.
        static_argnames: the same by name; either is inferred from the other.
        donate_argnums: positions of arguments whose memory the results may take. Their arrays have
            no data afterwards, and raise an error if they are used.
        donate_argnames: the same by name; either is inferred from the other.
        keep_unused: hand all arguments to the compiled program, also those that it does not read.
        device: where to run, a `Device` or its name ("cpu:1"); by default, where the arguments
            are.
        backend: the name of a platform, in place of a device: its first one.
        inline: inside of another traced function, write the equations into its program instead
            of a call.
        compiler_options: XLA's flags and their values, as {"xla_cpu_enable_fast_math": True}.
        reroll: find blocks of operations that repeat, as layers from a Python loop do, and write
            them as one loop, which compiles faster.
        autotune: on the first call of a signature, compile a few variants of the program, time them
            on the arguments, and keep the fastest. It may run the function many times.
        optimize: False compiles in about half the time; the program runs more slowly.

    Returns:
        A function with the same arguments, and the methods `trace`, `lower`, `eval_shape`,
        `explain` and `clear_cache`.

    Raises:
        TypeError: if `fun` is not a function, or an option is not of its kind; when called, if an
            argument is not an array or number, or the function uses a traced value where a concrete
            one is needed.
        ValueError: for static or donated arguments that the function does not have, static ones
            that are not hashable or not equal to themselves, compiler options that XLA does
            not know, and `backend` beside `device`.
        NotImplementedError: for shardings.

    Examples:
        >>> import diffeo as dx
        >>> f = dx.jit(lambda x: 2 * dx.numpy.sin(x))
        >>> f(dx.numpy.array([0.0, 1.0]))
        Array([0.        , 1.68294197])
        >>> @dx.jit(static_argnames="n")
        ... def power(x, n):
        ...     return x ** n
        >>> power(3.0, n=2)
        Array(9.)
        >>> step = dx.jit(lambda state, x: state + x, donate_argnums=0)
        >>> state = dx.numpy.zeros(3)
        >>> state = step(state, 1.0)    # in the memory of the old one
        >>> state
        Array([1., 1., 1.])
    """
    if fun is None:
        return functools.partial(
            jit,
            static_argnums=static_argnums,
            static_argnames=static_argnames,
            donate_argnums=donate_argnums,
            donate_argnames=donate_argnames,
            keep_unused=keep_unused,
            in_shardings=in_shardings,
            out_shardings=out_shardings,
            device=device,
            backend=backend,
            inline=inline,
            compiler_options=compiler_options,
            reroll=reroll,
            autotune=autotune,
            optimize=optimize,
        )
    check_callable(fun, "jit")
    for name, sharding in (("in_shardings", in_shardings), ("out_shardings", out_shardings)):
        if sharding is not None:
            raise with_user_line(
                NotImplementedError(
                    f"jit of {name_of(fun)}: {name} must be None, as a program runs on one device; "
                    "device= says on which"
                )
            )
    if backend is not None and device is not None:
        raise with_user_line(ValueError(f"jit of {name_of(fun)}: give device or backend, not both"))
    device = device if backend is None else backend
    static = choose(fun, static_argnums, static_argnames, "static")
    donated = choose(fun, donate_argnums, donate_argnames, "donate")
    check_disjoint(static, donated, f"jit of {name_of(fun)}")
    check_options(compiler_options, f"jit of {name_of(fun)}")
    options = Options(compiler_options, device, keep_unused, inline, reroll, autotune, optimize)
    return Jitted(fun, static, donated, options)


def make_jaxpr(
    fun: Callable,
    static_argnums: int | Sequence[int] = (),
    axis_env: None = None,
    return_shape: bool = False,
) -> Callable[..., Any]:
    """Return a function that traces `fun` for its arguments, and returns the program, a `Jaxpr`.

    `ShapeDtypeStruct`s may stand for arguments. `static_argnums` is as in `jit`. With
    `return_shape` the result is (program, the `ShapeDtypeStruct`s of the results of `fun`).

    Raises:
        NotImplementedError: for an `axis_env`; `vmap` with an `axis_name` binds an axis.

    Examples:
        >>> import diffeo as dx
        >>> make_jaxpr(lambda x, y: x * y + 1.0)(2.0, 3.0).in_avals
        [f64[], f64[]]
    """
    check_callable(fun, "make_jaxpr")
    if axis_env is not None:
        raise with_user_line(
            NotImplementedError(
                f"make_jaxpr of {name_of(fun)}: axis_env must be None; trace a vmap with an "
                "axis_name, which binds the axis"
            )
        )

    @functools.wraps(fun, assigned=WRAPPED)
    def made(*args: Any, **kwargs: Any) -> Any:
        static = choose(fun, static_argnums, None, "static")
        traced = Jitted(fun, static).trace(*args, **kwargs)
        return (traced.jaxpr, traced.out_info) if return_shape else traced.jaxpr

    return made


def eval_shape(fun: Callable, *args: Any, **kwargs: Any) -> Any:
    """Return the shapes and dtypes of `fun(*args, **kwargs)` as `ShapeDtypeStruct`s, without
    computing anything. Arguments may be arrays, or anything that has a shape and a dtype.

    Examples:
        >>> import diffeo as dx
        >>> dx.eval_shape(lambda x: x @ x.T, dx.ShapeDtypeStruct((3, 4), "float32"))
        ShapeDtypeStruct((3, 3), float32)
    """
    check_callable(fun, "eval_shape")
    args, kwargs = tree.map(_as_type, (args, kwargs))
    return Jitted(fun).eval_shape(*args, **kwargs)


def _as_type(x: Any) -> Any:
    """Return what has a shape and a dtype, and no numbers, as a `ShapeDtypeStruct`; else `x`."""
    known = isinstance(x, (Value, np.ndarray, np.generic, ShapeDtypeStruct))
    if known or hasattr(x, "__array__") or not isinstance(getattr(x, "shape", None), tuple):
        return x
    dtype = getattr(x, "dtype", None)
    return x if dtype is None else ShapeDtypeStruct(x.shape, dtype)
