"""Programs of science and statistics in float64, written once for both libraries.

`function(lib)` returns a new function object, `arguments(random)` its arguments as NumPy arrays.
"""

from __future__ import annotations

import math

import numpy as np

# --------------------------------------------------------------------------------------------------
# A mixture of normal distributions (a problem of ADBench)


def gmm(lib):
    """The gradient of the log likelihood, with a Wishart prior, by weights, means and inverse
    factors of the covariances.
    """
    jnp = lib.numpy
    logsumexp = lib.scipy.special.logsumexp

    def likelihood(params, x):
        weights, means, factors = params
        n, d = x.shape
        logs, below = factors[:, :d], factors[:, d:]
        rows, columns = np.tril_indices(d, -1)
        lower = lib.vmap(lambda v: jnp.zeros((d, d)).at[rows, columns].set(v))(below)
        diagonals = jnp.exp(logs)
        centred = x[:, None] - means
        scaled = diagonals * centred + jnp.einsum("kij,nkj->nki", lower, centred)
        inner = weights + jnp.sum(logs, axis=1) - 0.5 * jnp.sum(scaled**2, axis=2)
        prior = 0.5 * (jnp.sum(diagonals**2) + jnp.sum(below**2)) - jnp.sum(logs)
        constant = -0.5 * n * d * math.log(2.0 * math.pi)
        return constant + jnp.sum(logsumexp(inner, axis=1)) - n * logsumexp(weights) - prior

    return lib.grad(likelihood)


def gmm_arguments(random, n=1000, d=10, k=25):
    triangle = d * (d + 1) // 2
    params = (
        random.normal(size=k),
        random.normal(size=(k, d)),
        0.3 * random.normal(size=(k, triangle)),
    )
    return params, random.normal(size=(n, d))


# --------------------------------------------------------------------------------------------------
# Bundle adjustment: cameras with 11 parameters look at points (a problem of ADBench)


def bundle_adjustment(lib):
    """The blocks of the Jacobian of the reprojection errors: forward mode for each observation."""
    jnp = lib.numpy

    def rotate(turn, x):
        square = jnp.sum(turn**2)
        angle = jnp.sqrt(square)
        axis, sine, cosine = turn / angle, jnp.sin(angle), jnp.cos(angle)
        return x * cosine + jnp.cross(axis, x) * sine + axis * (jnp.dot(axis, x) * (1.0 - cosine))

    def error(camera, point, weight, seen):
        turn, centre, focal, middle = camera[:3], camera[3:6], camera[6], camera[7:9]
        x = rotate(turn, point - centre)
        flat = x[:2] / x[2]
        square = jnp.sum(flat**2)
        radial = 1.0 + camera[9] * square + camera[10] * square**2
        return weight * (flat * radial * focal + middle - seen)

    blocks = lib.vmap(lib.jacfwd(error, argnums=(0, 1, 2)))

    def jacobian(cameras, points, weights, seen, cameras_of, points_of):
        return blocks(cameras[cameras_of], points[points_of], weights, seen)

    return jacobian


def bundle_arguments(random, cameras=50, points=2000, observations=10_000):
    turns = 0.3 * random.normal(size=(cameras, 3))
    centres = random.normal(size=(cameras, 3)) - (0.0, 0.0, 9.0)
    lenses = np.tile((500.0, 320.0, 240.0), (cameras, 1))
    radial = 0.01 * random.normal(size=(cameras, 2))
    return (
        np.concatenate([turns, centres, lenses, radial], axis=1),
        random.normal(size=(points, 3)),
        random.uniform(0.5, 1.0, observations),
        random.uniform(0.0, 640.0, (observations, 2)),
        random.integers(0, cameras, observations),
        random.integers(0, points, observations),
    )


# --------------------------------------------------------------------------------------------------


def n_body(lib, steps=50):
    """The gradient, by where bodies were and how fast, of how far they are in the end."""
    jnp = lib.numpy

    def accelerations(x, masses):
        apart = x - x[:, None]
        distances = jnp.sum(apart**2, axis=-1) + 0.1
        return jnp.sum(apart * (masses * distances**-1.5)[..., None], axis=1)

    def spread(start, masses):
        def leapfrog(state, _):
            x, v = state
            v = v + 0.005 * accelerations(x, masses)
            x = x + 0.01 * v
            return (x, v + 0.005 * accelerations(x, masses)), None

        (x, _), _ = lib.lax.scan(leapfrog, start, None, steps)
        return jnp.sum(x**2)

    return lib.grad(spread)


def n_body_arguments(random, bodies=32):
    start = random.normal(size=(bodies, 3)), 0.1 * random.normal(size=(bodies, 3))
    return start, random.uniform(0.1, 1.0, bodies)


# --------------------------------------------------------------------------------------------------


def heat(lib, steps=100):
    """The gradient of a misfit by the initial temperatures of a plate with cold edges."""
    jnp = lib.numpy

    def step(_, u):
        v = jnp.pad(u, 1)
        around = v[:-2, 1:-1] + v[2:, 1:-1] + v[1:-1, :-2] + v[1:-1, 2:]
        return u + 0.2 * (around - 4.0 * u)

    misfit = lambda u, seen: jnp.mean((lib.lax.fori_loop(0, steps, step, u) - seen) ** 2)
    return lib.grad(misfit)


def heat_arguments(random, side=128):
    return random.uniform(size=(side, side)), random.uniform(size=(side, side))


# --------------------------------------------------------------------------------------------------


def lorenz(lib, steps=2000):
    """The gradient, by start and forcing, of the energy of Lorenz's model of 1996 after some steps
    of Runge and Kutta.
    """
    jnp = lib.numpy

    def field(x, forcing):
        return (jnp.roll(x, -1) - jnp.roll(x, 2)) * jnp.roll(x, 1) - x + forcing

    def energy(x, forcing):
        def step(x, _):
            a = field(x, forcing)
            b = field(x + 0.005 * a, forcing)
            c = field(x + 0.005 * b, forcing)
            d = field(x + 0.01 * c, forcing)
            return x + (0.01 / 6.0) * (a + 2.0 * b + 2.0 * c + d), None

        x, _ = lib.lax.scan(step, x, None, steps)
        return 0.5 * jnp.sum(x**2)

    return lib.grad(energy, argnums=(0, 1))


def lorenz_arguments(random, variables=40):
    return 8.0 + 0.1 * random.normal(size=variables), np.float64(8.0)


# --------------------------------------------------------------------------------------------------


def poisson(lib):
    """The gradient, by the charges on a torus, of the energy of the potential that they make."""
    fft = lib.numpy.fft

    def energy(charges, inverse):
        potential = lib.numpy.real(fft.ifft2(inverse * fft.fft2(charges)))
        return 0.5 * lib.numpy.sum(charges * potential)

    return lib.grad(energy)


def poisson_arguments(random, side=512):
    """Charges, and the inverse of the Laplacian on waves; the constant wave has none."""
    waves = np.fft.fftfreq(side, 1.0 / side)
    squares = waves[:, None] ** 2 + waves**2
    inverse = np.divide(1.0, squares, out=np.zeros_like(squares), where=squares > 0.0)
    return random.normal(size=(side, side)), inverse


# --------------------------------------------------------------------------------------------------


def greeks(lib):
    """Of European calls: the price's gradient by the four inputs, its second derivatives by the
    asset's price, and of that by the volatility.
    """
    jnp, normal = lib.numpy, lib.scipy.special.ndtr

    def price(spot, volatility, time, rate, strike):
        deviation = volatility * jnp.sqrt(time)
        d = (jnp.log(spot / strike) + (rate + 0.5 * volatility**2) * time) / deviation
        return spot * normal(d) - strike * jnp.exp(-rate * time) * normal(d - deviation)

    delta = lib.grad(price)
    first = lib.vmap(lib.grad(price, argnums=(0, 1, 2, 3)))
    second = lib.vmap(lib.grad(delta, argnums=(0, 1)))
    return lambda *options: (first(*options), second(*options))


def greeks_arguments(random, options=100_000):
    spans = (80.0, 120.0), (0.1, 0.5), (0.1, 2.0), (0.0, 0.05), (80.0, 120.0)
    return tuple([random.uniform(*span, options) for span in spans])


# --------------------------------------------------------------------------------------------------


def logistic(lib):
    """The Hessian of the loss of logistic regression."""
    jnp = lib.numpy

    def loss(weights, x, signs):
        return jnp.mean(jnp.logaddexp(0.0, -signs * (x @ weights)))

    return lib.hessian(loss)


def logistic_arguments(random, n=5000, d=100):
    x = random.normal(size=(n, d))
    return 0.1 * random.normal(size=d), x, np.where(random.uniform(size=n) < 0.5, -1.0, 1.0)
