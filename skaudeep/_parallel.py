"""A joblib object that runs tasks in threads, or one by one if no threads can be started."""

from __future__ import annotations

import multiprocessing
import warnings

from joblib import Parallel, effective_n_jobs

from skaudeep._warnings import find_stack_level


def parallel_threads(n_jobs: int | None) -> Parallel:
    """Return what runs tasks in threads, unless an outer `joblib.parallel_config` says otherwise.

    Parameters
    ----------
    n_jobs : int or None
        Number of threads, as joblib takes it.

    Returns
    -------
    joblib.Parallel
        To be called with tasks; gives an iterator over their results, in order.

    Warns
    -----
    RuntimeWarning
        If no threads can be started, because /dev/shm is full. The tasks then run one by one.
    """
    if effective_n_jobs(n_jobs) > 1:
        try:
            multiprocessing.get_context().Lock()  # joblib's pool of threads needs some
        except OSError as error:
            warnings.warn(
                f"No threads could be started ({error}), so that one does all the work, which "
                "takes longer. Free space in /dev/shm, or set n_jobs=1.",
                RuntimeWarning,
                stacklevel=find_stack_level(),
            )
            n_jobs = 1
    return Parallel(n_jobs=n_jobs, prefer="threads", return_as="generator")
