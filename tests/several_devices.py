"""Arrays on three processor devices; `test_devices.py` runs this in a process that has them:

DIFFEO_NUM_CPU_DEVICES=3 python -m pytest tests/several_devices.py
"""

from __future__ import annotations

import copy
import pickle
import threading

import numpy as np
import pytest

import diffeo as dx
from diffeo.engine.run import run_program
from diffeo.lowering import compiler
from diffeo.lowering.devices import devices
from diffeo.lowering.devices.placement import buffer_on, device_of, place_for
from diffeo.primitives.array import Array, handle
from tests.laws import staged

ZERO, ONE, TWO = dx.devices("cpu")


def device_for(*args, **kwargs):
    """Where a program runs on some arrays."""
    return place_for(*args, **kwargs).device


@pytest.fixture(params=["host", "accelerator"])
def one(request):
    """The second device; once as it is, once as if its memory were not the host's."""
    ONE.on_host = request.param == "host"
    yield ONE
    ONE.on_host = True


def numbers(x):
    return np.asarray(x).tolist()


def test_the_devices():
    assert dx.devices() == (ZERO, ONE, TWO) == dx.local_devices() == dx.devices("cpu")
    assert dx.device_count() == dx.local_device_count() == 3 and dx.default_backend() == "cpu"
    assert dx.local_devices(process_index=1) == ()
    assert repr(ONE) == "cpu:1" and devices.find("cpu:1") is ONE and devices.find("cpu") is ZERO
    assert pickle.loads(pickle.dumps(TWO)) is TWO and len({ZERO, ONE, TWO}) == 3
    assert ONE.memory_stats() is None and "pinned_host" in ONE.memory_kinds
    assert "cpu:2" in devices.device_description(TWO)


def test_what_is_not_there():
    with pytest.raises(RuntimeError, match=r"'cpu:7'.*cpu:0, cpu:1, cpu:2"):
        dx.device_put(1.0, "cpu:7")
    with pytest.raises(RuntimeError, match="no platform 'gpu' here: installed are 'cpu'"):
        dx.devices("gpu")
    with pytest.raises(RuntimeError, match="no platform 'abacus' here"):
        dx.devices("abacus")
    for bad in ("", "cpu:", "cpu:x", "cpu 1", ":1"):
        with pytest.raises(ValueError, match="'cuda:1', got"):
            dx.device_put(1.0, bad)
    with pytest.raises(TypeError, match=r"'cuda:1', got 3\n  at several_devices.py"):
        dx.device_put(1.0, 3)
    with pytest.raises(ValueError, match="stream"):
        dx.numpy.ones(2).to_device("cpu:1", stream=0)


def test_arrays_without_a_home():
    x = dx.numpy.arange(3.0)
    assert not x.committed and not x.at_home and x.device is ZERO and x.devices() == {ZERO}
    assert x.is_ready() and not x.is_deleted() and x.block_until_ready() is x


def test_committed_arrays_stay(one):
    x = dx.numpy.arange(3.0)
    y = x.to_device("cpu:1")
    assert y.committed and y.at_home and y.device is one and numbers(y) == [0, 1, 2]
    assert y.to_device(one) is y
    for found, expected in [
        (y + 1, [1, 2, 3]), (2 * y, [0, 2, 4]), (x + y, [0, 2, 4]), (y @ y, 5), (-y, [0, -1, -2]),
        (dx.numpy.exp(y * 0), [1, 1, 1]), (dx.numpy.sum(y), 3), (y[1], 1), (y[::2], [0, 2]),
        (y.at[0].set(7.0), [7, 1, 2]), (y.astype("int32"), [0, 1, 2]),
        (y.reshape(3, 1).T, [[0, 1, 2]]), (dx.numpy.where(y > 0, y, 5.0), [5, 1, 2]),
        (dx.grad(lambda v: (v * v).sum())(y), [0, 2, 4]), (dx.vmap(lambda v: v * v)(y), [0, 1, 4]),
        (dx.numpy.concatenate([y, x]), [0, 1, 2, 0, 1, 2]),
    ]:  # fmt: skip
        assert found.device is one and found.committed and numbers(found) == expected
        assert found._np is None  # or the short ways would let its home go
    for part in dx.numpy.linalg.eigh(dx.numpy.eye(2, device=one)):
        assert part.device is one
    assert float(y[1]) == 1.0 and [float(v) for v in y] == [0, 1, 2] and f"{y[2]:.1f}" == "2.0"
    assert copy.deepcopy(y) is y and numbers(pickle.loads(pickle.dumps(y))) == [0, 1, 2]


def test_weak_types_and_dtypes_are_those_of_the_host(one):
    for make in (
        lambda x: x * 2.0, lambda x: x * 2, lambda x: x.astype("float32") * 2.0,
        lambda x: x.astype("bfloat16") + 1, lambda x: x > 1.0, lambda x: x**2, lambda x: x // 2,
        lambda x: dx.numpy.asarray(2.0) * x.astype("float32"), lambda x: x.astype("int8") + 1,
    ):  # fmt: skip
        x = dx.numpy.arange(3.0)
        here, there = make(x), make(x.to_device(one))
        assert here.aval is there.aval and np.asarray(here).tobytes() == np.asarray(there).tobytes()
    weak = dx.device_put(2.0, one)
    assert weak.weak_type and (weak * 3).weak_type and (weak * 3).device is one


def test_errors_are_those_of_the_host(one):
    x = dx.numpy.arange(3.0)
    for bad in (
        lambda v: v + np.ones(2), lambda v: v.astype("int8") + 300, lambda v: v[5],
        lambda v: dx.lax.add(v, v.astype("float32")), lambda v: v.reshape(2),
    ):  # fmt: skip
        errors = []
        for y in (x, x.to_device(one)):
            with pytest.raises((TypeError, ValueError, OverflowError, IndexError)) as caught:
                bad(y)
            errors.append((caught.type, str(caught.value).split("\n")[0]))
        assert errors[0] == errors[1]


def test_different_homes(one):
    y, z = dx.device_put(np.ones(3), one), dx.device_put(np.ones(3), TWO)
    for meet in (lambda: y + z, lambda: dx.numpy.concatenate([y, z]), lambda: y @ z):
        with pytest.raises(ValueError, match=r"f64\[3\] on cpu:1, f64\[3\] on cpu:2"):
            meet()
    first = dx.device_put(np.ones(3), ZERO)
    with pytest.raises(ValueError, match="different devices"):
        first + z
    assert (z + y.to_device(TWO)).device is TWO and dx.device_put(z) is z
    with pytest.raises(ValueError, match="different devices"):
        dx.lax.fori_loop(0, 5, lambda i, v: v + z, y)


def test_the_first_processor_is_as_good_as_the_host():
    x = dx.device_put(np.arange(3.0), "cpu:0")
    assert x.committed and x.device is ZERO and not x.at_home and x._np is not None
    assert (x + 1).device is ZERO and not (x + 1).committed
    y = dx.device_put(x, ONE).to_device("cpu:0")
    assert numbers(y + 1) == [1, 2, 3] and y.device is ZERO and not (y + 1).committed


def test_operations_on_programs(one):
    x = dx.numpy.arange(4.0)
    y = x.to_device(one)
    for found, expected in [
        (dx.lax.cond(y[0] < 1, lambda v: v + 1, lambda v: v, y), [1, 2, 3, 4]),
        (dx.lax.fori_loop(0, 3, lambda i, v: 2 * v, y), [0, 8, 16, 24]),
        (dx.lax.fori_loop(0, 5000, lambda i, v: v + 1, y), [5000, 5001, 5002, 5003]),
        (dx.lax.scan(lambda c, a: (c + a, c), y[0], y)[1], [0, 0, 1, 3]),
        (dx.lax.scan(lambda c, a: (c + a, c), 0.0, y)[0], 6),
        (dx.lax.while_loop(lambda v: v[1] < 9, lambda v: v * 3, y), [0, 9, 18, 27]),
    ]:
        assert found.device is one and found.committed and numbers(found) == expected


def test_device_put_of_trees():
    tree = {"a": np.ones(2), "b": (1.0, 2), "c": None}
    moved = dx.device_put(tree, {"a": ONE, "b": "cpu:2", "c": None})
    assert moved["a"].device is ONE and [v.device for v in moved["b"]] == [TWO, TWO]
    assert moved["c"] is None
    assert [v.device for v in dx.tree.leaves(dx.device_put(tree, ONE))] == [ONE] * 3
    plain = dx.device_put(tree)
    assert not plain["a"].committed and plain["a"]._buffer is not None
    with pytest.raises(ValueError, match=r"device_put: the devices are not a prefix.*'d'"):
        dx.device_put(tree, {"d": ONE})
    with pytest.raises(TypeError, match=r"device_put: got str .*expected arrays and numbers"):
        dx.device_put({"a": "text"}, ONE)
    back = dx.device_get({"a": moved["a"], "n": 3, "s": "text"})
    assert type(back["a"]) is np.ndarray and back["n"] == 3 and back["s"] == "text"
    assert dx.block_until_ready(moved) is moved


def test_a_numpy_array_may_change_after_device_put():
    x = np.arange(3.0)
    y = dx.device_put(x, ONE)
    x[:] = 9
    assert numbers(y) == [0, 1, 2]


def test_donation_by_device_put():
    x = dx.device_put(np.ones(3), ONE)
    y = dx.device_put(x, TWO, donate=True)
    assert x.is_deleted() and numbers(y) == [1, 1, 1]
    assert dx.device_put(y, TWO, donate=True) is y and not y.is_deleted()


def test_deleted_arrays():
    for x in (dx.numpy.ones(3), dx.device_put(np.ones(3), ONE)):
        x.delete()
        x.delete()
        assert x.is_deleted() and x.shape == (3,)
        for use in (
            lambda x=x: x + 1, x.is_ready, x.block_until_ready, lambda x=x: np.asarray(x),
            lambda x=x: x.to_device(TWO), lambda x=x: dx.block_until_ready([x, x]),
        ):  # fmt: skip
            with pytest.raises(RuntimeError, match=r"donated.*or deleted"):
                use()


def test_device_put_is_differentiable():
    def moved(x):
        return (dx.device_put(x, ONE) ** 2).sum()

    x = dx.numpy.arange(3.0)
    found = dx.grad(moved)(x)
    assert numbers(found) == [0, 2, 4] and not found.committed
    found = dx.grad(moved)(x.to_device(TWO))
    assert numbers(found) == [0, 2, 4] and found.device is TWO and found.committed
    out, tangent = dx.jvp(lambda v: dx.device_put(v, ONE), (x,), (x + 1,))
    assert out.device is tangent.device is ONE
    found = dx.vmap(lambda v: dx.device_put(v, ONE) * 2)(x.reshape(3, 1))
    assert found.device is ONE and numbers(found) == [[0], [2], [4]]

    def everywhere(v):
        parts = [(v * 3).sum(), moved(v), (v.to_device(TWO) * 5).sum()]
        return sum([p.to_device(ZERO) for p in parts])

    assert numbers(dx.grad(everywhere)(x)) == [8, 10, 12]


def test_device_put_in_a_program_is_the_identity():
    program = staged(lambda x: [dx.device_put(x, "cpu:1") * 2], [dx.numpy.ones(3)])
    assert numbers(run_program(program, [dx.numpy.ones(3)])[0]) == [2, 2, 2]
    assert dx.jit(lambda x: dx.numpy.zeros(3, device=x.device) + x)(1.0).shape == (3,)


def test_where_programs_run():
    x = dx.numpy.ones(3)
    y, z = dx.device_put(x, ONE), dx.device_put(x, TWO)
    assert device_for([x]) is ZERO and device_for([x, y]) is ONE and device_for([y, z], TWO) is TWO
    assert device_for([x], "cpu:1") is ONE and device_for([x], closed_over=[2.0, z]) is TWO
    assert device_for([y], closed_over=[z]) is ONE
    assert place_for([x], ONE) == (ONE, ONE) and place_for([x]) == (ZERO, None)
    assert place_for([dx.device_put(x, ZERO)]) == (ZERO, None) and place_for([y]) == (ONE, ONE)
    with pytest.raises(ValueError, match="jit of f: operands are committed to different devices"):
        device_for([y, z], name="jit of f")
    with dx.default_device("cpu:2"):
        assert device_for([x]) is TWO and device_for([y]) is ONE
        assert place_for([x]) == (TWO, None)
        with dx.default_device(ONE):
            assert device_for([x]) is ONE
        assert dx.config.default_device == "cpu:2"
    assert device_for([x]) is ZERO and dx.config.default_device is None
    with pytest.raises(RuntimeError, match="no device 'cpu:5'"), dx.default_device("cpu:5"):
        pass
    with pytest.raises(ValueError, match="got 'c p u'"):
        dx.config.default_device = "c p u"


def test_buffers_where_they_are_wanted():
    x = dx.numpy.ones(3)
    first = buffer_on(x, ONE)
    assert device_of(first) is ONE and buffer_on(x, ONE) is first
    second = buffer_on(x, TWO)
    assert device_of(second) is TWO and handle(x) is second
    assert device_of(buffer_on(x, ONE, keep=False)) is ONE and handle(x) is second
    assert device_of(buffer_on(x, ZERO)) is ZERO and device_of(x._buffer) is ZERO
    y = dx.device_put(x, ONE)
    assert device_of(buffer_on(y, TWO)) is TWO and device_of(handle(y)) is ONE


def test_the_dispatch_of_compiled_functions_sees_the_first_device_only():
    x = dx.numpy.ones(3)
    program = staged(lambda v: [v + 1], [x])
    with dx.default_device(TWO):
        [result] = run_program(program, [dx.numpy.ones(3)])
        assert device_of(x.buffer) is ZERO
    for away in (x.to_device(ONE), x.to_device(ONE) + 1, result, dx.device_put(result, ONE)):
        assert away._buffer is None and device_of(handle(away)) is not ZERO
        assert device_of(away.buffer) is ZERO


def test_programs_run_on_the_default_device():
    program = staged(lambda v: [v + 1], [dx.numpy.ones(3)])
    with dx.default_device("cpu:2"):
        [found] = run_program(program, [dx.numpy.ones(3)])
    assert device_of(handle(found)) is TWO and not found.committed
    assert numbers(found + 1) == [3, 3, 3]  # uncommitted, so NumPy takes it
    assert found._np is not None
    [again] = run_program(program, [found])
    assert device_of(handle(again)) is ZERO


def test_uncommitted_results_of_an_accelerator_stay():
    ONE.on_host = False
    try:
        program = staged(lambda v: [v + 1], [dx.numpy.ones(3)])
        with dx.default_device(ONE):
            [found] = run_program(program, [dx.numpy.ones(3)])
        assert numbers(found) == [2, 2, 2] and found.at_home and found._np is None
        more = found * 2
        assert device_of(handle(more)) is ONE and not more.committed and more.at_home
        assert (found + dx.device_put(np.ones(3), TWO)).device is TWO
        index = dx.numpy.argmax(found)
        branch = dx.lax.switch(index, [lambda v: v, lambda v: -v], found)
        assert device_of(handle(branch)) is ONE
    finally:
        ONE.on_host = True


def test_eager_programs_are_compiled_once():
    ONE.on_host = False
    try:
        y = dx.device_put(np.arange(3.0), ONE)
        y * y * 2.5
        before = compiler.cache_info().misses
        for k in range(10):
            y * y * (k + 0.5)
        assert compiler.cache_info().misses == before
    finally:
        ONE.on_host = True


def test_creation_on_a_device():
    n = dx.numpy
    x = np.arange(3.0)
    for made in (
        n.array(x, device=ONE), n.asarray(x, device="cpu:1"), n.zeros(3, device=ONE),
        n.ones((2,), "int32", device=ONE), n.empty(3, device=ONE), n.full(3, 2.0, device=ONE),
        n.zeros_like(x, device=ONE), n.ones_like(x, device=ONE), n.empty_like(x, device=ONE),
        n.full_like(x, 1, device=ONE), n.arange(3, device=ONE), n.linspace(0, 1, 3, device=ONE),
        n.eye(2, device=ONE), n.astype(n.array(x), "int8", device=ONE),
        n.from_dlpack(x, device=ONE), n.from_dlpack(n.array(x), device=ONE),
    ):  # fmt: skip
        assert made.device is ONE and made.committed
    line, step = n.linspace(0, 1, 3, retstep=True, device=ONE)
    assert line.device is step.device is ONE
    assert n.zeros(2, device=n.ones(2, device=TWO).device).device is TWO
    with pytest.raises(RuntimeError, match="no device"):
        n.zeros(3, device="cpu:8")


def test_dlpack():
    y = dx.device_put(np.arange(3.0), ONE)
    assert y.__dlpack_device__() == (1, 0) and np.from_dlpack(y).tolist() == [0, 1, 2]
    assert dx.numpy.from_dlpack(y) is y
    with pytest.raises(ValueError, match="copy=False"):
        dx.numpy.from_dlpack(np.ones(2), copy=False)


def test_the_array_apis_questions():
    info = dx.numpy.__array_namespace_info__()
    assert info.devices() == [ZERO, ONE, TWO] and info.default_device() is ZERO
    assert set(info.dtypes(kind=("bool", "real floating"))) == {"bool", "float32", "float64"}
    assert len(info.dtypes()) == 13 and len(info.dtypes(device=ONE, kind="integral")) == 8
    with pytest.raises(ValueError, match="unknown kind 'text'"):
        info.dtypes(kind="text")
    with pytest.raises(RuntimeError, match="no device"):
        info.default_dtypes(device="cpu:9")
    with dx.config.defaults(32):
        assert info.default_dtypes()["integral"] == np.int32


def test_several_threads_and_devices():
    failures = []

    def work(device):
        for k in range(20):
            y = dx.device_put(np.full(5, float(k)), device)
            with dx.default_device(device):
                z = dx.lax.fori_loop(0, 5000, lambda i, v: v + 1, dx.numpy.zeros(2))
            if numbers(y * 2) != [2.0 * k] * 5 or device_of(handle(z)) is not device:
                failures.append(device)

    threads = [threading.Thread(target=work, args=(d,)) for d in (ZERO, ONE, TWO)]
    [t.start() for t in threads]
    [t.join() for t in threads]
    assert not failures and type(dx.numpy.ones(1)) is Array
