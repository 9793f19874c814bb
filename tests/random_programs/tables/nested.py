"""Transformations and rules of one's own inside programs."""

from tests.random_programs.kinds import (
    anything,
    arrays,
    both,
    complexes,
    constant,
    double,
    filled,
    floating,
    inexact,
    numeric,
    one_of,
    same,
    scalar,
)
from tests.random_programs.program import row
from tests.random_programs.tables.control import BLOCK, aval, steps


def function(*which, closed=False, rows=(), want=None):
    def drawn(d):
        values = [d.args[k][0] if k in rows else d.args[k] for k in which]
        return d.scope.block(values, steps(d), want, closed=closed)

    return drawn


def to_number(*which, closed=False):
    """A function with a real number as result."""
    return function(*which, closed=closed, want=[((), "float64")])


def smooth_like(d):
    return d.scope.block([d.args[0]], steps(d), [aval(d.args[0])], closed=True)


row("jit", "dx.jit({f})({0}, {1})", anything, anything, f=function(0, 1), traits=BLOCK)
row("call", "{f}({0}, {1})", anything, anything, f=function(0, 1), weight=0.3, traits=BLOCK)
row("checkpoint", "dx.checkpoint({f})({0}, {1})", inexact, numeric, f=function(0, 1), traits=BLOCK)
row("vmap", "dx.vmap({f}, in_axes=(0, None))({0}, {1})", arrays, anything, weight=1.3, traits=BLOCK,
    f=function(0, 1, rows=(0,)))  # fmt: skip
row("vmap both", "dx.vmap({f}, out_axes={o})({0}, {1})", arrays,
    both(arrays, lambda v, b: v.shape[0] == b.shape[0]), f=function(0, 1, rows=(0, 1)),
    o=one_of(0, -1), weight=1.3, traits=BLOCK)  # fmt: skip
row("vmap named", "dx.vmap(lambda r: {f}(r, lax.psum(r, 'i')), axis_name='i')({0})",
    both(arrays, inexact), f=function(0, 0, rows=(0,)), weight=0.5, traits=BLOCK)  # fmt: skip
row("grad", "dx.grad({f})({0})", both(double, filled), f=to_number(0), weight=1.5,
    traits="block, nested in jax")  # fmt: skip
row("grad of second", "dx.grad({f}, argnums=1)({0}, {1})", numeric, double, f=to_number(0, 1),
    traits="block, nested in jax")  # fmt: skip
row("grad of both", "dx.grad({f}, argnums=(0, 1))({0}, {1})", double, double, outs="{0}, {1}",
    f=to_number(0, 1), weight=0.7, traits="block, nested in jax")  # fmt: skip
row("value_and_grad", "dx.value_and_grad({f})({0})", double, outs="{0}, {1}", f=to_number(0),
    weight=0.6, traits="block, nested in jax")  # fmt: skip
row("complex grad", "dx.grad({f})({0})", both(complexes, lambda v: v.dtype.name == "complex128"),
    f=to_number(0), weight=0.7, traits="block, nested in jax")  # fmt: skip
row("second grad", "dx.grad(dx.grad({f}))({0})", both(double, scalar), f=to_number(0),
    traits="block, nested in jax")  # fmt: skip
row("jvp", "dx.jvp({f}, ({0},), ({1},))", both(inexact, filled), same, outs="{0}, {1}",
    f=function(0, want=[((2,), "float64")]), traits=BLOCK)  # fmt: skip
row("jvp constant", "dx.jvp({f}, ({0},), ({c},))[1]", double, c=constant(),
    f=function(0), weight=0.6, traits="block, float0")  # fmt: skip
row("vjp", "dx.vjp({f}, {0})[1]({1})[0]", double, both(double, scalar), f=to_number(0), weight=0.7,
    traits="block, nested in jax")  # fmt: skip
row("linearize", "dx.linearize({f}, {0})[1]({1})", double, same, f=to_number(0), weight=0.6,
    traits=BLOCK)  # fmt: skip
row("jacfwd", "dx.jacfwd({f})({0})", both(double, lambda v: v.size < 5),
    f=function(0, want=[((2,), "float64")]), weight=0.7, traits=BLOCK)  # fmt: skip
row("jacrev", "dx.jacrev({f})({0})", both(double, lambda v: v.size < 5),
    f=function(0, want=[((2,), "float64")]), weight=0.7, traits="block, nested in jax")  # fmt: skip
row("hessian", "dx.hessian({f})({0})", both(double, lambda v: v.size < 4), f=to_number(0),
    weight=0.7, traits="block, nested in jax")  # fmt: skip
row("per example grads", "dx.vmap(dx.grad({f}), in_axes=(0, None))({0}, {1})", both(double, arrays),
    floating, traits="block, nested in jax",
    f=function(0, 1, rows=(0,), want=[((), "float64")]))  # fmt: skip
row("stop_gradient", "lax.stop_gradient({0}) * {0}", inexact, weight=0.2, traits="no differences")
row("taylor", "dx.taylor({f}, ({0},), ({1},), 3)[{k}]", double, same, f=to_number(0),
    k=one_of(1, 2, 3), weight=0.4, traits="block, ours")  # fmt: skip

CUSTOM_JVP = """
{f}_rule = dx.custom_jvp({f})
{f}_rule.defjvp(lambda p, t: ({f}(*p), dx.jvp({f}, p, t)[1]))
"""
CUSTOM_VJP = """
{f}_rule = dx.custom_vjp({f})
{f}_rule.defvjp(lambda *a: ({f}(*a), a), lambda res, ct: dx.vjp({f}, *res)[1](ct))
"""
RESIDUALS = """
{f}_rule = dx.custom_vjp({f})
{f}_rule.defvjp(lambda *a: dx.vjp({f}, *a), lambda pull, ct: pull(ct))
"""
BOTH_RULES = """
{f}_rule = dx.custom_rule({f})
{f}_rule.jvp(lambda p, t: dx.jvp({f}, p, t))
{f}_rule.vjp(lambda *a: ({f}(*a), a), lambda res, ct: dx.vjp({f}, *res)[1](ct))
"""
row("custom_jvp", "{f}_rule({0}, {1})", inexact, inexact, before=CUSTOM_JVP, traits=BLOCK,
    f=function(0, 1, closed=True, want=[((2,), "float64")]))  # fmt: skip
row("custom_jvp like", "{f}_rule({0})", inexact, before=CUSTOM_JVP, traits=BLOCK, f=smooth_like)
row("custom_vjp", "{f}_rule({0}, {1})", double, double, before=CUSTOM_VJP,
    traits="block, reverse in jax, nested in jax",
    f=function(0, 1, closed=True, want=[((3,), "float64")]))  # fmt: skip
row("custom_vjp like", "{f}_rule({0})", inexact, before=CUSTOM_VJP,
    traits="block, reverse in jax, nested in jax", f=smooth_like)  # fmt: skip
row("custom_vjp residuals", "{f}_rule({0})", double, before=RESIDUALS,
    traits="block, reverse in jax, nested in jax", f=smooth_like, weight=0.7)  # fmt: skip
row("custom_rule", "{f}_rule({0})", double, before=BOTH_RULES, traits="block, ours",
    f=smooth_like, weight=0.7)  # fmt: skip
row("custom_jvp in vmap", "dx.vmap({f}_rule)({0})", both(inexact, arrays), before=CUSTOM_JVP,
    traits=BLOCK, f=lambda d: d.scope.block([d.args[0][0]], steps(d), [aval(d.args[0][0])],
    closed=True))  # fmt: skip
row("custom_vjp in scan", "lax.scan(lambda c, x: ({f}_rule(c), c * x), {0}, {c}.ravel())", double,
    outs="{0}, {1}", before=CUSTOM_VJP, f=smooth_like, c=constant(),
    traits="block, reverse in jax, nested in jax")  # fmt: skip
