"""Tests and doctests alike keep compiled programs in a folder of their own, gone at the end."""

import atexit
import importlib.util
import os
import shutil
import tempfile

if "DIFFEO_TEST_CACHE" not in os.environ:  # workers and subprocesses share the session's
    folder = tempfile.mkdtemp(prefix="diffeo-test-cache-")
    os.environ["DIFFEO_TEST_CACHE"] = os.environ["DIFFEO_CACHE_DIR"] = folder
    atexit.register(shutil.rmtree, folder, ignore_errors=True)

#: What is for users of another library cannot be imported without that.
collect_ignore = [
    f"diffeo/interop/{name}" for name in ("jax", "torch") if not importlib.util.find_spec(name)
]
