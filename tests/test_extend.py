"""Primitives of jax's kind, and interpreters of programs by jax's names."""

from __future__ import annotations

import functools

import numpy as np
import pytest
from jaxlib.mlir.dialects import stablehlo

import diffeo as dx
from diffeo.extend import core
from diffeo.extend.linear_util import flatten_fun, flatten_fun_nokwargs, wrap_init
from diffeo.interpreters import ad, batching, mlir, partial_eval, xla

X = np.array([0.3, -0.7, 1.1])


def close(a, b):
    return np.allclose(np.asarray(a), np.asarray(b))


def multiply_add() -> core.Primitive:
    """x * y + z, with every rule."""
    p = core.Primitive("multiply_add")
    p.def_impl(lambda x, y, z: np.add(np.multiply(x, y), z))
    p.def_abstract_eval(lambda x, y, z: dx.ShapedArray(x.shape, x.dtype))

    def lower(ctx, x, y, z):
        return [stablehlo.AddOp(stablehlo.MulOp(x, y), z).result]

    def jvp(primals, tangents):
        x, y, z = primals
        xt, yt, zt = [ad.instantiate_zeros(t) for t in tangents]
        return p.bind(x, y, z), p.bind(xt, y, p.bind(x, yt, zt))

    def transpose(ct, x, y, z):
        assert ad.is_undefined_primal(x) or ad.is_undefined_primal(y)
        if ad.is_undefined_primal(x):
            return p.bind(ct, y, dx.numpy.zeros_like(y)), None, ct
        return None, p.bind(x, ct, dx.numpy.zeros_like(x)), ct

    def batch(args, dims):
        size = next(x.shape[d] for x, d in zip(args, dims) if d is not batching.not_mapped)
        return p.bind(*[batching.bdim_at_front(x, d, size) for x, d in zip(args, dims)]), 0

    mlir.register_lowering(p, lower)
    ad.primitive_jvps[p] = jvp
    ad.primitive_transposes[p] = transpose
    batching.primitive_batchers[p] = batch
    return p


def test_a_primitive_with_all_rules_in_every_transformation():
    p = multiply_add()
    f = lambda x: p.bind(x, x, x)  # x² + x
    for x in (2.0, dx.numpy.array(3.0), np.float64(-1.5)):
        assert f(x) == x * x + x
        assert dx.jit(f)(x) == x * x + x
        assert dx.jvp(f, (x,), (1.0,)) == (x * x + x, 2 * x + 1)
        assert dx.grad(f)(x) == dx.jit(dx.grad(f))(x) == 2 * x + 1
        assert dx.grad(dx.grad(f))(x) == dx.jit(dx.grad(dx.grad(f)))(x) == 2
    assert close(dx.vmap(f)(X), X * X + X)
    assert close(dx.jit(dx.vmap(dx.grad(f)))(X), 2 * X + 1)
    assert close(dx.vmap(dx.grad(dx.grad(f)))(X), 2)
    assert close(dx.lax.scan(lambda c, x: (f(c) + x, c), 0.5, X)[1].shape, (3,))
    jaxpr = dx.make_jaxpr(f)(1.0)
    assert [e.primitive.name for e in jaxpr.eqns] == ["multiply_add"]
    dx.check_jaxpr(jaxpr)


def test_what_is_missing_is_named():
    p = core.Primitive("bare")
    with pytest.raises(NotImplementedError, match=r"'bare' has no rule for evaluation.*def_impl"):
        p.bind(1.0)
    with pytest.raises(NotImplementedError, match=r"(?s)abstract evaluation.*test_extend"):
        dx.jit(p.bind)(1.0)
    p.def_impl(lambda x: x)
    p.def_abstract_eval(lambda x: x)
    for transformed, rule in (
        (lambda x: dx.jvp(p.bind, (x,), (x,)), "ad.primitive_jvps"),
        (lambda x: dx.vmap(p.bind)(X), "batching.primitive_batchers"),
        (dx.jit(p.bind), "mlir.register_lowering"),
    ):
        with pytest.raises(NotImplementedError, match=rule):
            transformed(1.0)
    ad.defjvp(p, lambda t, x: p.bind(t))
    with pytest.raises(NotImplementedError, match=r"ad\.primitive_transposes"):
        dx.grad(p.bind)(1.0)


def test_parameters_and_several_results():
    p = core.Primitive("split_at")
    p.multiple_results = True
    p.def_impl(lambda x, *, at: [x[:at], x[at:]])
    p.def_abstract_eval(
        lambda x, *, at: [
            dx.ShapedArray((at,), x.dtype), dx.ShapedArray((x.shape[0] - at,), x.dtype)
        ]
    )  # fmt: skip
    ad.deflinear2(
        p, lambda cts, x, *, at: [dx.numpy.concatenate([ad.instantiate_zeros(c) for c in cts])]
    )
    batching.primitive_batchers[p] = lambda args, dims, *, at: (
        [r.T for r in p.bind(batching.moveaxis(args[0], dims[0], 1), at=at)], [0, 0]
    )  # fmt: skip
    mlir.register_lowering(p, mlir.lower_fun(lambda x, *, at: [x[:at], x[at:]]))
    f = lambda x: p.bind(x, at=1)[1].sum() ** 2
    assert close(f(X), 0.16) and close(dx.jit(f)(X), 0.16)
    assert close(dx.grad(f)(X), [0, 0.8, 0.8])
    assert close(dx.jit(dx.grad(f))(X), [0, 0.8, 0.8])
    assert close(dx.vmap(dx.grad(f))(np.stack([X, 2 * X]))[1], [0, 1.6, 1.6])
    eqn = dx.make_jaxpr(lambda x: p.bind(x, at=2))(X).eqns[0]
    assert eqn.params == {"at": 2} and eqn.primitive == p
    assert [o.shape for o in eqn.primitive.bind(X, **eqn.params)] == [(2,), (1,)]


def test_families_of_rules():
    outer = core.Primitive("outer")
    outer.def_impl(lambda x, y: np.outer(x, y))
    outer.def_abstract_eval(lambda x, y: dx.ShapedArray((*x.shape, *y.shape), x.dtype))
    ad.defbilinear(outer, lambda ct, x, y: ct @ y, lambda ct, x, y: x @ ct)
    f = lambda x, y: outer.bind(x, y).sum()
    assert close(dx.grad(f, (0, 1))(X, X[:2])[1], [X.sum()] * 2)
    assert close(dx.grad(lambda x: f(x, x))(X), 2 * X.sum())

    double = core.Primitive("double")
    double.def_impl(lambda x: 2 * x)
    double.def_abstract_eval(lambda x: x)
    ad.deflinear(double, lambda ct: [double.bind(ct)])
    assert dx.grad(double.bind)(1.0) == 2

    power = core.Primitive("power")
    power.def_impl(lambda x, *, n: x**n)
    ad.defjvp2(power, lambda t, out, x, *, n: t * n * out / x)
    assert np.isclose(dx.jvp(functools.partial(power.bind, n=3), (2.0,), (1.0,))[1], 12)

    added = core.Primitive("added")
    added.def_impl(lambda x, y: x + y)
    batching.defbroadcasting(added)
    assert dx.vmap(added.bind, (0, None))(X, 1.0).tolist() == (X + 1).tolist()
    assert dx.vmap(added.bind, (0, 0))(np.ones((3, 2)), X).shape == (3, 2)
    assert dx.vmap(added.bind, 1, 1)(np.ones((3, 2)), np.ones((3, 2))).shape == (3, 2)

    total = core.Primitive("total")
    total.def_impl(lambda x, *, axes: x.sum(axes))
    batching.defreducer(total)
    both = dx.vmap(lambda x: total.bind(x, axes=(0,)), 1)
    assert both(np.arange(12.0).reshape(3, 2, 2)).tolist() == [[12, 15], [18, 21]]


def test_rules_of_lowering():
    scaled = core.Primitive("scaled")
    scaled.def_abstract_eval(lambda x, *, by: x)
    helper = mlir.lower_fun(lambda x, y: dx.numpy.tanh(x) * y, multiple_results=False)

    def lower(ctx, x, *, by):
        assert ctx.module_context.platforms == ("cpu",)
        assert mlir.aval_to_ir_type(ctx.avals_in[0]) == x.type
        constant = mlir.ir_constant(by, aval=ctx.avals_in[0])
        inner = ctx.replace(avals_in=[ctx.avals_in[0]] * 2)
        return helper(inner, x, constant)

    mlir.register_lowering(scaled, lower, platform="cpu")
    scaled.def_impl(functools.partial(xla.apply_primitive, scaled))
    for dtype in ("float64", "float32"):
        x = X.astype(dtype)
        expected = np.tanh(x) * 2
        assert np.allclose(np.asarray(scaled.bind(x, by=2.0)), expected, rtol=1e-5)
        twice = dx.jit(lambda x: scaled.bind(x, by=2.0) + scaled.bind(x, by=2.0))(x)
        assert close(twice, 2 * expected) and twice.dtype == dtype

    wrong = core.Primitive("wrong")
    wrong.def_abstract_eval(lambda x: dx.ShapedArray((2,), x.dtype))
    mlir.register_lowering(wrong, lambda ctx, x: [x])
    with pytest.raises(TypeError, match="'wrong' returned values of the types"):
        dx.jit(wrong.bind)(X)

    constants = core.Primitive("constants")
    arrays = [np.array([True, False]), np.arange(3, dtype="int8"), np.float32([1.5, np.inf])]
    constants.multiple_results = True
    constants.def_abstract_eval(lambda: [dx.typeof(a) for a in arrays])
    mlir.register_lowering(constants, lambda ctx: [mlir.ir_constant(a) for a in arrays])
    for got, expected in zip(dx.jit(constants.bind)(), arrays):
        assert got.dtype == expected.dtype and got.tolist() == expected.tolist()


def test_effects_are_kept():
    seen = []
    p = core.Primitive("noted")
    p.def_effectful_abstract_eval(lambda x: (x, {"noted"}))

    def noted(x):
        dx.debug.callback(lambda x: seen.append(float(x)), x)
        return x

    mlir.register_lowering(p, mlir.lower_fun(noted, multiple_results=False))
    program = dx.make_jaxpr(lambda x: (p.bind(x), x)[1])(1.0)
    assert program.eqns[0].effects


@pytest.mark.parametrize("f", [
    lambda x: dx.numpy.exp(dx.numpy.tanh(x)),
    lambda x: dx.numpy.log1p(dx.numpy.sqrt(x)),
])  # fmt: skip
def test_an_interpreter_of_programs(f):
    """The inverse of a function of one operation after another."""

    def inverse(y):
        program = dx.make_jaxpr(f)(1.0)
        values = {program.jaxpr.outvars[0]: y}
        for eqn in program.jaxpr.eqns[::-1]:
            assert eqn.primitive in INVERSES
            values[eqn.invars[0]] = INVERSES[eqn.primitive](values[eqn.outvars[0]])
        return values[program.jaxpr.invars[0]]

    assert close(inverse(f(0.4)), 0.4)
    assert close(dx.jit(dx.vmap(inverse))(f(np.array([0.4, 0.2]))), [0.4, 0.2])
    assert np.isclose(dx.grad(inverse)(f(0.4)), 1 / dx.grad(f)(0.4))


INVERSES = {
    dx.make_jaxpr(f)(0.5).eqns[0].primitive: g
    for f, g in [
        (dx.numpy.exp, dx.numpy.log), (dx.numpy.tanh, dx.numpy.atanh),
        (dx.numpy.log1p, dx.numpy.expm1), (dx.numpy.sqrt, dx.numpy.square),
    ]
}  # fmt: skip


def evaluate(jaxpr, consts, *args):
    """A program by jax's names alone."""
    values = {}

    def read(v):
        return v.val if type(v) is core.Literal else values[v]

    values.update(zip(jaxpr.invars, args))
    values.update(zip(jaxpr.constvars, consts))
    for eqn in jaxpr.eqns:
        functions, params = eqn.primitive.get_bind_params(eqn.params)
        outs = eqn.primitive.bind(*functions, *map(read, eqn.invars), **params)
        values.update(zip(eqn.outvars, outs if eqn.primitive.multiple_results else [outs]))
    return [read(v) for v in jaxpr.outvars]


@pytest.mark.parametrize("f", [
    lambda x: dx.numpy.sort(x * 2 + X)[::-1],
    lambda x: dx.lax.scan(lambda c, a: (c + a, c * a), 0.0, x)[1] @ np.eye(3),
    lambda x: dx.lax.cond(x[0] > 0, lambda x: x.reshape(3, 1).sum(1), lambda x: -x, x),
    dx.jit(lambda x: dx.numpy.where(x > 0, x, 0.0).astype("float32")),
    lambda x: dx.lax.dot_general(x, x, (((0,), (0,)), ((), ()))),
])  # fmt: skip
def test_programs_by_jax_names(f):
    closed = dx.make_jaxpr(f)(X)
    assert isinstance(closed, core.ClosedJaxpr)
    again = dx.make_jaxpr(lambda x: evaluate(closed.jaxpr, closed.literals, x))(X)
    for program in (closed, again):
        dx.check_jaxpr(program)
        (out,) = core.jaxpr_as_fun(program)(X)
        assert np.array_equal(out, f(X))
    assert close(evaluate(closed.jaxpr, closed.consts, X)[0], f(X))


def test_parts_of_programs():
    program = dx.make_jaxpr(lambda x, y: (x * 2.0, dx.numpy.sin(y) + X))(1.0, X)
    smaller, used = partial_eval.dce_jaxpr(program, [False, True])
    assert used == [False, True] and len(smaller.eqns) == 2 and len(smaller.invars) == 1
    opened = partial_eval.convert_constvars_jaxpr(program)
    assert len(opened.invars) == 3 and not opened.consts
    closed = core.ClosedJaxpr(program, [2 * X])
    assert close(core.jaxpr_as_fun(closed)(1.0, X)[1], np.sin(X) + 2 * X)
    with pytest.raises(TypeError, match="has 1 constants, got 0"):
        core.ClosedJaxpr(program, [])
    eqn = program.eqns[0]
    copied = core.new_jaxpr_eqn(eqn.invars, eqn.outvars, eqn.primitive, eqn.params)
    assert copied.primitive == eqn.primitive
    with pytest.raises(ValueError, match="effects"):
        core.new_jaxpr_eqn(eqn.invars, eqn.outvars, eqn.primitive, eqn.params, ["io"])
    inner = dx.make_jaxpr(dx.jit(lambda x: x * 2))(1.0)
    assert len(list(core.subjaxprs(inner))) == 1
    assert list(core.jaxprs_in_params(inner.eqns[0].params)) == list(core.subjaxprs(inner))


def test_what_depends_on_known_arguments():
    def f(d, y):
        a = dx.numpy.sin(d["a"])
        return a, [dx.jit(lambda y: a * y)(y), 3.0]

    leaves, structure = dx.tree.flatten(({"a": X}, 2.0))
    flat, out_tree = flatten_fun_nokwargs(wrap_init(f), structure)
    known = partial_eval.PartialVal.known(leaves[0])
    unknown = partial_eval.PartialVal.unknown(dx.typeof(leaves[1]))
    program, outs, _ = partial_eval.trace_to_jaxpr_nounits(flat, [known, unknown])
    assert [o.is_known() for o in outs] == [True, False, True]
    assert close(outs[0][1], np.sin(X)) and outs[1][0].shape == (3,)
    assert close(program(2.0)[0], 2 * np.sin(X))
    assert dx.tree.unflatten(out_tree(), range(3)) == (0, [1, 2])
    flat, _ = flatten_fun(wrap_init(f), dx.tree.structure((({"a": 1}, 2), {})))
    assert len(flat.call_wrapped(X, 2.0)) == 3


def test_states_of_tracing_differ():
    states = [core.get_opaque_trace_state(convention="test")]
    dx.make_jaxpr(lambda x: (states.append(core.get_opaque_trace_state()), x)[1])(1.0)
    assert states[0] != states[1] and states[0] == core.get_opaque_trace_state()
