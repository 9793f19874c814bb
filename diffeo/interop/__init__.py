"""Programs and arrays of other libraries, and diffeo's in theirs.

A module here is loaded when it is imported by its name, `import diffeo.interop.jax` say, and needs
the library that it is for.
"""
