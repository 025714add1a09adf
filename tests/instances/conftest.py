"""No array here overflows, divides by zero or holds what is not a number."""

from floating_point import floating_point_errors  # noqa: F401
