"""A long loop, as a scan and as a while loop, of which the gradient is asked."""


def step_of(lib):
    """One step of a damped pendulum."""
    sin = lib.numpy.sin

    def step(state, parameters):
        angle, speed = state
        force = parameters[0] * sin(angle) + parameters[1] * speed
        return angle + 1e-3 * speed, speed - 1e-3 * force

    return step


def by_while(lib, parameters, steps, **options):
    """The sum of 64 angles after some steps, by a loop that can stop at any time."""
    step = step_of(lib)
    start = (0, (lib.numpy.ones(64), lib.numpy.zeros(64)))
    going = lambda carry: carry[0] < steps
    body = lambda carry: (carry[0] + 1, step(carry[1], parameters))
    return lib.lax.while_loop(going, body, start, **options)[1][0].sum()


def by_scan(lib, parameters, steps, width=64, **options):
    """The same by a loop of known length."""
    step = step_of(lib)
    start = (lib.numpy.ones(width), lib.numpy.zeros(width))
    body = lambda state, _: (step(state, parameters), None)
    return lib.lax.scan(body, start, None, steps, **options)[0][0].sum()
