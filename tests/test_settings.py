"""Settings are of a task; arrays stay as they are; sizes and trees that nothing can hold."""

from __future__ import annotations

import asyncio
import copy
import pickle
import threading

import ml_dtypes
import numpy as np
import pytest

import diffeo as dx


def width() -> int:
    return 8 * dx.numpy.zeros(1).dtype.itemsize


def test_tasks_do_not_see_the_settings_of_others():
    async def one(bits: int) -> list[int]:
        dx.config.default_bits = bits
        seen = []
        for _ in range(3):
            await asyncio.sleep(0)
            seen.append(width())
        return seen

    async def block(bits: int) -> list[int]:
        seen = []
        with dx.config.defaults(bits):
            for _ in range(3):
                await asyncio.sleep(0)
                seen.append(width())
        return [*seen, width()]

    async def everything():
        found = await asyncio.gather(one(32), one(64), block(32), block(64))
        assert found == [[32] * 3, [64] * 3, [32, 32, 32, 64], [64] * 4]
        with dx.config.defaults(32):
            assert await asyncio.create_task(one(32)) == [32] * 3
            started = asyncio.create_task(asyncio.sleep(0, width()))
        assert await started == 32 or width() == 64
        return width()

    assert asyncio.run(everything()) == 64 and width() == 64


def test_a_task_is_started_with_the_settings_around_it():
    async def inner():
        return width(), dx.config.simplify

    async def outer():
        with dx.config.defaults(32), dx.config.simplification(False):
            task = asyncio.create_task(inner())
            other = asyncio.to_thread(width)
        return await task, await other

    assert asyncio.run(outer()) == ((32, False), 64)


def test_threads_start_with_the_usual_settings():
    seen = []
    with dx.config.defaults(32):
        thread = threading.Thread(target=lambda: seen.append(width()))
        thread.start()
        thread.join()
        assert seen == [64] and width() == 32


def test_there_is_one_config():
    for made in (copy.copy(dx.config), copy.deepcopy(dx.config)):
        assert made is dx.config
    assert pickle.loads(pickle.dumps(dx.config)) is dx.config
    with dx.config.defaults(32):
        first = dx.config.settings
    with dx.config.defaults(32):
        assert dx.config.settings is first


# --------------------------------------------------------------------------------------------------
# Arrays cannot be written to

DTYPES = ["?", "i1", "u4", "i8", "f2", "f4", "f8", "c8", "c16", ml_dtypes.bfloat16,
          ml_dtypes.float8_e5m2, ml_dtypes.int4]  # fmt: skip


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(), (3,), (0,), (2, 3)])
@pytest.mark.sampled(3)
def test_what_numpy_gets_cannot_be_made_writable(dtype, shape):
    host = np.ones(shape, np.float32).astype(dtype)
    made = dx.numpy.asarray(host)
    arrays = [made, dx.jit(lambda x: x)(made), dx.numpy.array(host), made.T, made[None][0]]
    ways = [np.asarray, lambda x: x.__array__(), lambda x: np.array(x, copy=False)]
    if host.dtype.isbuiltin == 1:
        ways.append(np.from_dlpack)
    for array in arrays:
        for way in ways:
            view = way(array)
            assert view.dtype == host.dtype and view.shape == array.shape
            assert view.tobytes() == array.tobytes()
            for seen in (view, view.base, view[...]):
                if isinstance(seen, np.ndarray):
                    with pytest.raises(ValueError):
                        seen.setflags(write=True)
                    with pytest.raises(ValueError):
                        seen[...] = 0
    assert host.flags.writeable
    host[...] = 0
    assert made.tobytes() == np.ones(shape, np.float32).astype(dtype).tobytes()
    copied = np.array(made)
    copied[...] = 0  # a copy is the caller's


def test_what_a_python_function_gets_cannot_be_made_writable():
    def host(x):
        with pytest.raises(ValueError):
            x.setflags(write=True)
        return np.asarray(x)

    def f(x):
        return dx.pure_callback(host, dx.ShapeDtypeStruct(x.shape, x.dtype), x)

    for dtype in (np.float64, ml_dtypes.bfloat16):
        x = np.ones(3, dtype)
        for run in (f, dx.jit(f)):
            assert run(dx.numpy.asarray(x)).tobytes() == run(x).tobytes() == x.tobytes()


# --------------------------------------------------------------------------------------------------
# Too large, too deep

LARGE = [(2**62, 2**40), (2**60,), (2**63,), (2**70,), (2**40, 2**40, 0), (0, 2**64),
         (2**31, 2**32)]  # fmt: skip


@pytest.mark.parametrize("shape", LARGE)
def test_shapes_of_more_bytes_than_there_are_numbers_for(shape):
    calls = {
        "ShapedArray": lambda: dx.ShapedArray(shape, "float64"),
        "ShapeDtypeStruct": lambda: dx.ShapeDtypeStruct(shape, "float64"),
        "zeros": lambda: dx.numpy.zeros(shape),
        "jit": lambda: dx.jit(lambda: dx.numpy.zeros(shape).sum())(),
        "eval_shape": lambda: dx.eval_shape(lambda x: dx.numpy.full(shape, x), 1.0),
        "grad": lambda: dx.grad(lambda x: dx.numpy.full(shape, x).sum())(1.0),
    }
    for name, call in calls.items():
        with pytest.raises((ValueError, MemoryError)) as caught:
            call()
        assert "bytes" in str(caught.value) or "dimension" in str(caught.value), name


def deep(leaf, levels=3000):
    for level in range(levels):
        leaf = [leaf] if level % 2 else {"a": leaf}
    return leaf


def test_trees_that_are_too_deep():
    one, f, few = deep(1.0), lambda x, y: 1.0, deep(1.0, 200)
    jitted = dx.jit(f)
    for _ in range(3):
        jitted(1.0, 2.0)
    calls = {
        "argument 1": [
            lambda: jitted(1.0, one),
            lambda: dx.jit(f, static_argnums=0)(1.0, one),
            lambda: dx.grad(f, argnums=(0, 1))(1.0, one),
            lambda: dx.vjp(f, 1.0, one),
            lambda: dx.jvp(f, (1.0, one), (1.0, one)),
            lambda: dx.linearize(f, 1.0, one),
            lambda: dx.vmap(f)(np.ones(1), one),
            lambda: dx.jacrev(f, argnums=(0, 1))(1.0, one),
        ],
        "keyword argument y": [lambda: jitted(1.0, y=one), lambda: dx.vmap(f)(np.ones(1), y=one)],
        "result of": [
            lambda: dx.jit(lambda x: deep(x))(1.0),
            lambda: dx.grad(lambda x: deep(x))(1.0),
            lambda: dx.lax.cond(True, lambda: one, lambda: one),
        ],
        "levels": [
            lambda: dx.tree.leaves(one),
            lambda: dx.tree.map(abs, one),
            lambda: dx.lax.cond(True, lambda x: x, lambda x: x, one),
            lambda: dx.lax.scan(lambda c, x: (c, x), one, np.ones(2)),
        ],
    }
    for text, several in calls.items():
        for call in several:
            with pytest.raises(RecursionError, match=text):
                call()
    for _ in range(3):
        assert dx.tree.leaves(dx.jit(lambda t: t)(few)) == [1.0]
    contains_itself: list = []
    contains_itself.append(contains_itself)
    with pytest.raises(RecursionError, match="argument 0 is too deep"):
        jitted(contains_itself, 1.0)
