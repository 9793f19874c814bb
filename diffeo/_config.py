"""What `dx.config` loads late: jax's names of settings, and evaluation that looks at results."""

from ._loading import loaded
from .primitives.config import by_jaxs_name, when_attentive

by_jaxs_name.append(lambda: loaded("diffeo.interop.jax_settings"))
when_attentive[0] = lambda attentive: loaded("diffeo.engine.attentive").attend(attentive)
