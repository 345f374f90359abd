"""Backends of a recurrent layer: compiled CPU kernels, or torch's own modules."""

from __future__ import annotations

import os
import threading
import warnings

from skaudeep._warnings import find_stack_level

BACKENDS = ("", "auto", "numba", "torch")

_can_compile: bool | None = None  # not known before the first layer runs
_asking = threading.Lock()


def uses_kernels() -> bool:
    """Return whether layers on the CPU run in the compiled kernels.

    The environment variable ``SKAUDEEP_BACKEND`` decides at each call. "torch" uses torch's own
    layers, which are slower in training. "auto", the default, uses the kernels, or torch's layers
    if numba cannot compile them. "numba" uses the kernels, or raises numba's error.

    Returns
    -------
    bool

    Raises
    ------
    ValueError
        If the variable has another value.

    Warns
    -----
    RuntimeWarning
        Once in a process, if numba is missing, broken or switched off.
    """
    backend = os.environ.get("SKAUDEEP_BACKEND", "")
    if backend not in BACKENDS:
        raise ValueError(
            f'Got SKAUDEEP_BACKEND={backend!r}, expected "auto", "numba" or "torch". Unset it, or '
            "choose one."
        )
    if backend == "numba":
        from skaudeep.nn.backends import kernels  # noqa: F401 (raises where it cannot be had)

        return True
    return backend != "torch" and _kernels_compile()


def _kernels_compile() -> bool:
    """Load the kernels with the first layer: numba takes a second to load."""
    global _can_compile
    # Once it is known nobody waits: Ctrl-C at the end of the block could leave the lock taken.
    if _can_compile is None:
        with _asking:  # shards of a batch ask at the same time
            if _can_compile is None:
                try:
                    from skaudeep.nn.backends import kernels  # noqa: F401
                except ImportError as error:
                    _can_compile = False
                    warnings.warn(
                        "Recurrent layers run in torch's own modules, which train 1.5 to 3 times "
                        f"slower on a CPU ({error}). Set SKAUDEEP_BACKEND=torch to choose them "
                        "without this warning.",
                        RuntimeWarning,
                        stacklevel=find_stack_level(),
                    )
                else:
                    _can_compile = True
    return bool(_can_compile)


def _new_lock() -> None:
    global _asking
    _asking = threading.Lock()


if hasattr(os, "register_at_fork"):  # another thread may have held it, which a child does not have
    os.register_at_fork(after_in_child=_new_lock)
