"""Reader of the machine sounds of DCASE's task 2, anomalous sounds for condition monitoring."""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from skaudeep._texts import shown
from skaudeep._warnings import find_stack_level
from skaudeep.datasets.bunch import make_bunch
from skaudeep.datasets.corpora import CORPORA
from skaudeep.datasets.files import check_folder, join, list_audio
from skaudeep.datasets.x_y import BunchOrXy, bunch_or_X_y

# The folders of a machine that hold clips, by their partition.
_FOLDERS = {"train": "train", "test": "test", "source_test": "test", "target_test": "test"}
# section_00_source_train_normal_0001_car_A1.wav since 2021, section_00_0001.wav without labels
_CLIP = re.compile(
    r"section_(?P<section>\d+)(_(?P<domain>source|target))?(_(train|test))?"
    r"(_(?P<label>normal|anomaly))?_(?P<number>\d+)(_(?P<attributes>.+))?"
)
# normal_id_01_00000000.wav in 2020, id_01_00000000.wav without labels
_CLIP_OF_2020 = re.compile(r"((?P<label>normal|anomaly)_)?id_(?P<section>\d+)_(?P<number>\d+)")
_NO_ATTRIBUTES = "noAttribute"


def load_dcase_task2(path: str | os.PathLike[str], *, return_X_y: bool = False) -> BunchOrXy:
    """Load machine sounds of the task 2 of DCASE [1]_, 2020 and later, from disk.

    A corpus has a folder for each machine, such as `dev_data/fan`, which holds folders `train` and
    `test` (in 2021 also `source_test` and `target_test`) with clips such as
    `section_00_source_train_normal_0001_<attributes>.wav`, or in 2020 `normal_id_01_00000000.wav`.
    No clip is opened.

    Parameters
    ----------
    path : str or Path
        The folder that holds the folders of the machines, such as `dev_data`, the folder above it,
        or the folder of a single machine.
    return_X_y : bool, default=False
        Whether to return the tuple ``(data, target)``, which scikit-learn calls X and y, instead of
        the Bunch. Only the Bunch holds the partitions, machines and names of classes. There is a
        UserWarning if some clips are labelled and others are not.

    Returns
    -------
    bunch : :class:`~sklearn.utils.Bunch`
        A data set with all keys of :func:`make_bunch`, sorted by file name, without folds and
        groups, and in addition

        machine : ndarray of shape (n_clips,) of str
            Type of the machine: the name of its folder.
        section : ndarray of shape (n_clips,) of str
            Section, "00" and so on; in 2020 the machine's id.
        domain : ndarray of shape (n_clips,) of str
            "source" or "target", "" where the name does not say it, as in 2020.
        attributes : ndarray of shape (n_clips,) of str
            Attributes of the machine's state in the name of the clip; "" if there are none.

        `data` holds paths that begin with `path` as it is given here. `target` is 0 for "normal", 1
        for "anomaly" and -1 for the unlabelled test clips of the evaluation data. Training clips
        whose names have no label are "normal".
        `partition` is "train" or "test".

    Raises
    ------
    FileNotFoundError
        If there are no such clips.

    Warns
    -----
    UserWarning
        If audio files are left out, as they have other names or lie in other folders.

    See Also
    --------
    skaudeep.evaluation.evaluate_anomalies : AUC and pAUC of a detector by machine and section.

    References
    ----------
    .. [1] Y. Koizumi et al., "Description and Discussion on DCASE2020 Challenge Task 2:
           Unsupervised Anomalous Sound Detection for Machine Condition Monitoring", Proc. DCASE
           Workshop, 2020.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> from skaudeep.datasets import load_dcase_task2
    >>> with TemporaryDirectory() as folder:
    ...     for name in ["train/section_00_source_train_normal_0000_vel_6.wav",
    ...                  "test/section_00_target_test_anomaly_0001_vel_8.wav"]:
    ...         clip = Path(folder, "fan", name)
    ...         clip.parent.mkdir(parents=True)
    ...         clip.touch()
    ...     bunch = load_dcase_task2(folder)
    >>> bunch.partition.tolist(), bunch.target.tolist(), bunch.domain.tolist()
    (['test', 'train'], [1, 0], ['target', 'source'])
    >>> bunch.machine.tolist(), bunch.section.tolist(), bunch.attributes.tolist()
    (['fan', 'fan'], ['00', '00'], ['vel_8', 'vel_6'])
    """
    root = check_folder(path)
    names, clips, others = [], [], []
    for name in list_audio(root):
        clip = _read_name(name, root)
        if clip is None:
            others.append(name)
        else:
            names.append(name)
            clips.append(clip)
    if not clips:
        raise FileNotFoundError(
            f"Found no clips of DCASE's task 2 among {len(others)} audio files in {str(root)!r}, "
            "expected names such as 'fan/train/section_00_source_train_normal_0000.wav' or "
            "'fan/train/normal_id_00_00000000.wav'."
        )
    if others:
        warnings.warn(
            f"{len(others)} of {len(others) + len(names)} audio files in {str(root)!r}, first "
            f"{shown(others[0])}, are left out: their names are not those of clips of DCASE's task "
            "2 in folders train or test.",
            stacklevel=find_stack_level(),
        )
    numbers = {"normal": 0, "anomaly": 1, "": -1}
    bunch = make_bunch(
        join(root, names),
        names,
        target=[numbers[clip["label"]] for clip in clips],
        target_names=["normal", "anomaly"],
        partition=[clip["partition"] for clip in clips],
        descr=CORPORA["dcase-task2"].describe(len(names), 2),
    )
    for key in ("machine", "section", "domain", "attributes"):
        bunch[key] = np.array([clip[key] for clip in clips])
    return bunch_or_X_y(bunch, return_X_y)


def has_machines(root: Path) -> bool:
    """Return whether a folder holds clips of DCASE's task 2, by the first clip of some machine."""
    clips = _first_clips(root)
    return any(_read_name(clip.relative_to(root).as_posix(), root) for clip in clips)


def _first_clips(root: Path) -> Iterator[Path]:
    for above in ("", "*/", "*/*/"):
        for folder in root.glob(f"{above}train"):
            if folder.is_dir():
                with os.scandir(folder) as entries:
                    first = next((e.name for e in entries if e.name.lower().endswith(".wav")), None)
                if first:
                    yield folder / first


def _read_name(name: str, root: Path) -> dict[str, str] | None:
    """Return what the name of a clip says, None where it is not one of this corpus."""
    *folders, file = name.split("/")
    stem = os.path.splitext(file)[0]
    match = _CLIP.fullmatch(stem) or _CLIP_OF_2020.fullmatch(stem)
    if not folders or folders[-1] not in _FOLDERS or match is None:
        return None
    said = {key: value or "" for key, value in match.groupdict().items()}
    partition = _FOLDERS[folders[-1]]
    attributes = said.get("attributes", "")
    return {
        "machine": folders[-2] if len(folders) > 1 else root.absolute().name,
        "section": said["section"],
        "domain": said.get("domain", ""),
        # All training clips are normal, also if their names do not say so.
        "label": said["label"] or ("normal" if partition == "train" else ""),
        "partition": partition,
        "attributes": "" if attributes == _NO_ATTRIBUTES else attributes,
    }
