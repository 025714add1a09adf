"""One writer to a store: a lock beside it that ends with its process, however that ends."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from abscopt.instances.load import InputError, Problem


@contextmanager
def only_writer(store: Path) -> Iterator[None]:
    """Hold `STORE.lock`; the file is removed at the end.

    Raises
    ------
    InputError
        If another process holds it.
    """
    try:
        import fcntl
    except ImportError:  # no such locks: SQLite's own keep the file whole
        yield
        return
    path = store.with_name(store.name + ".lock")
    while True:
        number = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_file(number, path):
                break
        except OSError:
            holder = os.read(number, 20).decode(errors="replace").strip() or "unknown"
            os.close(number)
            rule = "another sweep writes to this store: wait for its end, or give another --store"
            raise InputError([Problem(str(store), "store", f"process {holder}", rule)]) from None
        os.close(number)  # its holder removed it between the two calls
    try:
        os.ftruncate(number, 0)
        os.write(number, str(os.getpid()).encode())
        yield
    finally:
        with suppress(OSError):
            path.unlink()
        os.close(number)


def _is_file(number: int, path: Path) -> bool:
    """Whether an open file is still the one of that name."""
    try:
        return os.path.samestat(os.fstat(number), path.stat())
    except FileNotFoundError:
        return False
