"""Functions with rules of the user's own of every kind: custom_rule, which takes them all."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from .custom import Custom


class custom_rule(Custom):
    """A function with any rules of your own; rules that are left out are derived.

    Args:
        fun: the function, of arrays or trees.
        nondiff_argnums: positions of arguments that are not differentiated; rules take them first.
        nondiff_argnames: the same by name.

    Each method gives a rule. All but `vjp` are decorators:

    - `jvp`: for derivatives, forward and, if there is no `vjp`, reverse; Taylor series, too.
    - `vjp(fwd, bwd)`: for reverse mode, and if there is no `jvp`, forward mode.
    - `batch`: for `vmap`. Without it the function and its rules are vectorised.
    - `taylor`: for Taylor series.
    - `transpose`: for a function that is linear in some arguments; it then needs no other rule.

    Examples:
        >>> import diffeo as dx
        >>> @custom_rule
        ... def cube(x):
        ...     return x ** 3
        >>> @cube.jvp
        ... def cube_jvp(primals, tangents):
        ...     (x,), (t,) = primals, tangents
        ...     return cube(x), 3 * x ** 2 * t
        >>> dx.derivatives(cube, 2.0, 3)
        [Array(8.), Array(12.), Array(12.), Array(6.)]
    """

    def jvp(self, rule: Callable) -> Callable:
        """Give `rule(primals, tangents) -> (result, tangent of the result)`; see `custom_jvp`."""
        self._give(jvp=rule)
        return rule

    def vjp(self, fwd: Callable, bwd: Callable) -> None:
        """Give `fwd(*args) -> (result, residuals)` and `bwd(residuals, ct) -> cotangents`; see
        `custom_vjp`.
        """
        self._give(fwd=fwd, bwd=bwd)

    def batch(self, rule: Callable) -> Callable:
        """Give `rule(axis_size, in_batched, *args) -> (result, out_batched)`: see custom_vmap."""
        self._give(batch=rule)
        return rule

    def taylor(self, rule: Callable) -> Callable:
        """Give `rule(order, *series) -> coefficients`. Each argument's series, and the result, is
        a list of `order + 1` Taylor coefficients: derivative k divided by k!.
        """
        self._give(taylor=rule)
        return rule

    def transpose(self, rule: Callable | None = None, *, argnums: Any = "all") -> Callable:
        """Give `rule(ct, *others) -> cotangent`. The function is linear in the arguments `argnums`
        (an integer, several, or all) together; `others` are the other arguments. For several
        linear arguments the rule returns a tuple.

        Examples:
            >>> import diffeo as dx
            >>> solve = custom_rule(dx.numpy.linalg.solve)
            >>> @solve.transpose(argnums=1)
            ... def solve_transpose(ct, a):
            ...     return solve(a.T, ct)
            >>> a = dx.numpy.array([[2.0, 0.0], [1.0, 4.0]])
            >>> dx.grad(lambda b: solve(a, b).sum())(dx.numpy.ones(2))
            Array([0.375, 0.25 ])
        """
        if rule is None:
            return functools.partial(self.transpose, argnums=argnums)
        chosen = (argnums,) if isinstance(argnums, int) else argnums
        chosen = chosen if chosen == "all" else tuple(chosen)
        self._give(transpose=rule, linear=chosen)
        return rule
