"""Operations: primitives for sorting, scattering, cumulative operations, rounding, bit patterns,
collectives along named axes, and callbacks to the host.

They are part of the language, so the interpreters know them. But nothing in `diffeo/primitives/`
needs them, so a reader of the language may leave them for later.
"""
