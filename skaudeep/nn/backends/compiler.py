"""Compilation of kernels: the width of vectors, and a cache on disk that is checked for damage.

Compiling takes about 15 s of processor time, so numba caches the machine code beside the source, or
else in the user's cache folder, or in ``NUMBA_CACHE_DIR``. If none of these can be written, machine
code that an earlier process left there is still read. Machine code is found by a key, which must
contain everything that changes it; numba does not include global variables.
"""

from __future__ import annotations

import hashlib
import os
import pickle
import platform
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from numba import config, njit
from numba.core.caching import CompileResultCacheImpl, FunctionCache
from numba.core.registry import cpu_target
from numba.core.serialize import dumps

from skaudeep._warnings import find_stack_level

if getattr(config, "DISABLE_JIT", False):
    raise ImportError("NUMBA_DISABLE_JIT switches numba's compiler off: unset it")


def _vector_bytes() -> int:
    """Width of a vector register, by the features that numba compiles for.

    Not by those of this machine: ``NUMBA_CPU_NAME=generic`` compiles for any. The variable
    ``SKAUDEEP_VECTOR_BYTES`` (16, 32 or 64) is there for tests; any width is right on any machine,
    and slow where registers are narrower.
    """
    forced = os.environ.get("SKAUDEEP_VECTOR_BYTES")
    if forced is not None:
        if forced not in ("16", "32", "64"):
            raise ValueError(
                f"Got SKAUDEEP_VECTOR_BYTES={forced!r}, expected 16, 32 or 64. It is for tests: "
                "unset it."
            )
        return int(forced)
    features = cpu_target.target_context.codegen().magic_tuple()[2].split(",")
    return 64 if "+avx512f" in features else 32 if "+avx2" in features else 16


VECTOR_BYTES = _vector_bytes()
# Rows whose sums fit the registers, two vectors each: AVX-512 and NEON have 32 of them, others 16.
TILE_ROWS = 8 if VECTOR_BYTES == 64 or platform.machine() in ("aarch64", "arm64") else 4
_LAYOUT = (VECTOR_BYTES, TILE_ROWS)


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a function by numba when it is called, or load what an earlier process compiled.

    Warns
    -----
    RuntimeWarning
        Once in a process, if machine code cannot be kept, or what was kept is damaged.
    """
    # Contraction to fused multiply-add alone: the rest of fastmath loses NaN, and so divergence.
    dispatcher: Any = njit(nogil=True, fastmath={"contract"}, error_model="numpy")(function)
    try:
        cache = _KernelCache(function)
    except (RuntimeError, OSError):  # numba has found no folder that it can write to
        _warn_once(
            "nowhere",
            "No folder can be written that keeps the compiled kernels, so each process compiles "
            "them anew (about 15 s). Set NUMBA_CACHE_DIR to a folder of your own.",
        )
        return dispatcher
    folder = Path(cache.cache_path)
    own = folder.glob(f"{cache._impl.filename_base}.*nb[ci]")
    unsafe = [path for path in (folder, *own) if others_can_write(path)]
    # Where others can write to the source as well, they need no cache to run their code.
    if unsafe and not others_can_write(Path(__file__).parent):
        _warn_once(
            "others",
            f"Others can write to {unsafe[0]}, or to a folder above it. Files of numba's cache run "
            "code when they are loaded, so compiled kernels are not kept there, and each process "
            "compiles them anew (about 15 s). Set NUMBA_CACHE_DIR to a folder that only you can "
            "write to.",
        )
        return dispatcher
    dispatcher._cache = cache
    return dispatcher


class _ReadOnly:
    """Lets numba use a folder with machine code that cannot be written to."""

    def ensure_cache_path(self) -> None:
        if not any(Path(self.get_cache_path()).glob("*.nbi")):  # type: ignore[attr-defined]
            raise FileNotFoundError


class _Checked(CompileResultCacheImpl):
    """Machine code with a checksum, without which damage inside a file would not be noticed."""

    # Later ones count if no folder of the first suits. Installed packages may be of another user,
    # or all of a machine may be read-only.
    _locator_classes: list[Any] = [  # noqa: RUF012
        *CompileResultCacheImpl._locator_classes,
        *(
            type(f"ReadOnly{locator.__name__}", (_ReadOnly, locator), {})
            for locator in CompileResultCacheImpl._locator_classes
        ),
    ]

    def reduce(self, cres: Any) -> tuple[bytes, bytes]:
        data = dumps(super().reduce(cres))
        return hashlib.sha256(data).digest(), data

    def rebuild(self, target_context: Any, payload: Any) -> Any:
        checksum, data = payload
        if hashlib.sha256(data).digest() != checksum:
            raise ValueError("its checksum does not match")
        return super().rebuild(target_context, pickle.loads(data))


class _KernelCache(FunctionCache):
    """numba's cache, with the layout of packed matrices in its key; it survives damaged files."""

    _impl_class = _Checked

    def _index_key(self, sig: Any, codegen: Any) -> tuple[Any, ...]:
        return (*super()._index_key(sig, codegen), _LAYOUT)

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        try:
            return super().load_overload(sig, target_context)
        except Exception as error:  # pickle raises anything
            _warn_once(
                "damaged",
                f"A file in numba's cache {self.cache_path} is damaged "
                f"({type(error).__name__}: {error}); kernels are compiled anew and written again.",
            )
        try:
            self.flush()  # otherwise saving would read the damaged index again
        except OSError:
            self.disable()
        return None

    def save_overload(self, sig: Any, data: Any) -> None:
        try:
            super().save_overload(sig, data)
        except Exception as error:
            self.disable()
            _warn_once(
                "full",
                f"Compiled kernels cannot be written to {self.cache_path} ({error}), so the next "
                "process compiles them anew. Free space there, or set NUMBA_CACHE_DIR to another "
                "folder.",
            )


def others_can_write(path: Path) -> bool:
    """Return whether users other than this one and root can write to, or replace, a path.

    Parameters
    ----------
    path : Path
        Links are followed, and what does not exist is passed over. The folders above count, too,
        except that of one with the sticky bit (``/tmp``) only the owner of an entry can replace
        it.

    Returns
    -------
    bool
        False on systems without POSIX permissions, where nothing is known.
    """
    if os.name != "posix":
        return False
    path = path.resolve()
    for place in (path, *path.parents):
        try:
            status = place.stat()
        except FileNotFoundError:
            continue
        if status.st_uid not in (0, os.geteuid()):
            return True
        shared = status.st_mode & 0o002 or (status.st_mode & 0o020 and not _is_own(status.st_gid))
        if shared and (place == path or not status.st_mode & 0o1000):
            return True
    return False


def _is_own(group: int) -> bool:
    """Return whether a group probably has this user alone, as is usual on many systems."""
    if group in (0, os.geteuid()):
        return True
    import grp
    import pwd

    try:
        return grp.getgrgid(group).gr_name == pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return False


_warned: set[str] = set()


def _warn_once(kind: str, message: str) -> None:
    if kind not in _warned:
        _warned.add(kind)
        warnings.warn(message, RuntimeWarning, stacklevel=find_stack_level())
