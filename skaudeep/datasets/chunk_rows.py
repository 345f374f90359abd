"""A function that makes the chunks of clips the rows of a data set."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils import Bunch

from skaudeep._padding import empty_rows
from skaudeep._texts import text_array
from skaudeep.datasets.bunch import check_bunch, replace_keys
from skaudeep.datasets.operations import row_keys, take


def chunks_as_rows(bunch: Bunch) -> Bunch:
    """Make each chunk a row of its own, so that chunks are trained on and scored one by one.

    Chunks are the pieces of equal length into which clips are divided. On a data set in chunks,
    :class:`~skaudeep.ChunkVotingClassifier` and :class:`~skaudeep.ChunkPooling` make one decision
    for each clip. auDeep scores each chunk, unless majority voting is switched on; so does
    ``evaluate(classifier, chunks_as_rows(bunch))``.
    The chunks of a clip share its label, folds, partition and group. If a clip has no group, its
    name becomes the group of its chunks: new folds then keep the chunks of a clip together, and
    confidence intervals count clips, not chunks.

    Parameters
    ----------
    bunch : :class:`~sklearn.utils.Bunch`
        A data set with the keys of :func:`make_bunch`, whose `dims` have "chunk" as second axis.
        Data on disk are read into memory.

    Returns
    -------
    bunch : :class:`~sklearn.utils.Bunch`
        A data set with the same keys and a row for each chunk, without "chunk" in `dims`.
        `filenames` holds `<clip>#0`, `<clip>#1` and so on, by the place of the chunk in its clip.
        Chunks of NaN alone, which pad clips with fewer chunks, are left out, but a clip all of
        whose values are NaN keeps one row.

    Raises
    ------
    ValueError
        If the data have no axis of chunks.

    Examples
    --------
    >>> import numpy as np
    >>> from skaudeep.datasets import chunks_as_rows, make_bunch
    >>> chunks = make_bunch(np.array([[[1.0], [2.0]], [[3.0], [np.nan]]]), ["a.wav", "b.wav"],
    ...                     target=[1, 0], target_names=["cat", "dog"],
    ...                     dims=("clip", "chunk", "feature"))
    >>> rows = chunks_as_rows(chunks)
    >>> rows.filenames.tolist(), rows.data.tolist()
    (['a.wav#0', 'a.wav#1', 'b.wav#0'], [[1.0], [2.0], [3.0]])
    >>> rows.target.tolist(), rows.groups.tolist()
    ([1, 1, 0], ['a.wav', 'a.wav', 'b.wav'])
    """
    bunch = check_bunch(bunch)
    if bunch.dims[1:2] != ("chunk",):
        raise ValueError(
            f"Got data with the axes {bunch.dims}, expected 'chunk' as the second. Extract with "
            "chunk_duration=, or say in dims that the second axis counts chunks."
        )
    data = np.asarray(bunch.data)
    n_clips, n_chunks = data.shape[:2]
    there = ~empty_rows(data.reshape(n_clips * n_chunks, *data.shape[2:])).reshape(n_clips, -1)
    there[:, 0] |= ~there.any(axis=1)  # a clip that could not be read keeps one row
    clip, chunk = there.nonzero()

    def numbered(names: Any) -> Any:
        texts = [f"{names[i]}#{k}" if names[i] else "" for i, k in zip(clip, chunk, strict=True)]
        return text_array(texts, "filenames")

    new = {key: take(bunch[key], clip) for key in row_keys(bunch)}
    new |= {key: numbered(bunch[key]) for key in ("filenames", "copy_of") if key in bunch}
    new["data"] = data[there]
    new["dims"] = (bunch.dims[0], *bunch.dims[2:])
    names = np.asarray(bunch.filenames, dtype=object)
    if "copy_of" in bunch:  # a copy is of the group of its original
        names = np.where(bunch.copy_of == "", names, bunch.copy_of)
    new["groups"] = np.where(bunch.groups == "", names, bunch.groups)[clip]
    new["DESCR"] = f"{bunch.get('DESCR', '')}\nA row for each of {len(clip)} chunks of its clips."
    return replace_keys(bunch, **new)
