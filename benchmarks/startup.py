"""From the start of a process: import, the first compiled gradient, operations from cold."""

from benchmarks.case import FreshJob

CASES = [
    FreshJob("import", 0.35, "import_library"),
    FreshJob("import and first compiled gradient", 0.5, "first_gradient"),
    FreshJob("the same, second process", 0.3, "first_gradient", again=True),
    FreshJob("20 operations from cold", 0.1, "twenty_operations"),
]
