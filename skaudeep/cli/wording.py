"""Translation of the library's messages: parameters of Python become options of commands."""

from __future__ import annotations

import re

_GOT = r"""^Got (?:path=|table )?(?P<quote>['"])(?P<file>.+?)(?P=quote)(?:, a link to '.*?')?, """
# Parameters whose options have other names than theirs.
_OTHER_NAMES = {
    "n_mels": "bands",
    "window_duration": "window",
    "hop_duration": "hop",
    "n_chunks": "chunks",
    "n_units": "units",
    "n_layers": "layers",
    "false_alarm_rate": "false-alarms",
}
_PARAMETERS = (
    *(*_OTHER_NAMES, "clip_below", "clip_above", "chunk_duration", "fmin", "fmax", "channel"),
    *("axis", "band_window", "band_overlap", "validation_fraction", "device", "dropout"),
    *("bidirectional_encoder", "bidirectional_decoder", "encoder_noise", "feed_previous_prob"),
)
# Patterns and their replacements. Tests of the messages check both.
_TRANSLATIONS = [
    (re.compile(pattern), text)
    for pattern, text in (
        (r"^Got (\d+) recordings? without a window, first '(.*?)': lasts (.*?)duration=(.*?)\. "
         r"Shorten duration\.", r"\2: lasts \3--window \4. Shorten --window."),
        (r"^Got (?=(?:an annotation|the event|no file for) )", "Found "),
        (r"or pass no groups, if clips of one", "or leave out --groups, if recordings of one"),
        (r" Lower min_overlap or hop to keep them\.", " Shorten --hop to keep them."),
        (r"^Got file ('.*?'), which is not below ('.*?'), expected the path of a file below it\. "
         r"If you trust the table, give root= a folder that holds all its files\.",
         r"The table names \1, which is not below \2, its folder. If you trust it, move it to a "
         r"folder that holds all its files."),
        (r", or give file= for (?:all of them|the whole table)", ""),
        (_GOT.removesuffix(", ") + " for a table of events, whose name says no format, ",
         r"\g<file>: its name says no format of events, "),
        (r"Rename it, or give format=\.",
         "Rename it, give --format, or end the name of a new folder in /."),
        (_GOT + "which ", r"\g<file>: "),
        (_GOT + "whose folder ", r"\g<file>: its folder "),
        (_GOT + "in whose folder you may not write", r"\g<file>: you may not write in its folder"),
        (_GOT + "expected a file that exists", r"\g<file>: does not exist, expected a table"),
        (r"Got column ('.*?'), which occurs 0 times in (.*?), expected once",
         r"\2: has no column \1"),
        (r"Got column ('.*?'), which occurs (\d+) times in (.*?), expected once",
         r"\3: has \2 columns \1, expected one"),
        (r", read what is there with on_error=\"read\", or leave", " or leave"),
        (r"with duration= or adapt=True, shorten window_duration,", "with silence,"),
        (r"Give sampling_rate= to the extractor, which resamples", "--sampling-rate HZ resamples"),
        (r"Set sampling_rate=\S*", "Give --sampling-rate HZ"),
        (r"are silent, or too soft for clip_below; their rows are -1 throughout",
         "are silent or very soft, so that their features say nothing"),
        (r"could not be read; their rows are NaN", "could not be read and have no values"),
        (r"is in a format that libsndfile does not decode", "needs FFmpeg to be decoded"),
        (r" Folders are read by load_dataset\.", ""),
        (r"Read it with pandas\.read_\w+ and pass the DataFrame(, or unpack it first)?",
         "Save it as CSV"),
        (r",? or (?:read it with pandas and )?pass the DataFrame(?: that pandas.read_csv returns)?",
         ""),
        (r"Give the table that lists it, or make_bunch a list of paths", "Give the table itself"),
        (r"Data sets in it are read by skaudeep\.load_netcdf", "Give it as an INPUT"),
        (r" Is it all one column\? Then give delimiter=\.", ""),
        (r"load_folder did not find", "there are no"),
        (r"; load_\w+ did not find .*?(?=\.( For |$))", ""),
        (r" Name a layout to read them otherwise; layout=\"files\" reads them so without this "
         r"warning\.", ""),
        (r" layout=\"classes\" reads the one, layout=.*? without this warning\.", ""),
        (r"layout=\"files\" reads all clips as unlabelled, load_table takes labels from a list of "
         r"them\.", "A table of recordings and classes, as INPUT, says it otherwise."),
        (r", or give layout='?\w*'? to read .*?(?=\.$)", ""),
        (r"Load one of these folders; or several, and join them by concatenate\. "
         r"load_folder\(\.\.\., layout=\"files\"\) reads all clips as unlabelled\.",
         "Give one of these folders."),
        (r"^Got (?=folders |clip )", "Found "),
        (r"(\d+) readers know: ", r"looks like \1 corpora: "),
        (r"load_\w+ found ", ""),
        (r"Pool the chunks first, by skaudeep\.ChunkPooling, or extract without chunks",
         "'skaudeep fuse --chunks' makes one row of them"),
        (r"Give its name by filename=, or filename=None where there is none",
         "Give it by --filename COLUMN, or --no-filename where there is none"),
        (r"or call drop_(folds|partitions) first", r"or give --drop-\1 as well"),
        (r"Ask for fewer parts, or give groups=None to divide clip by clip", "Ask for fewer parts"),
        (r"Use split=False to write one file, or drop the folds or partitions",
         "Give -o the name of a file, or drop the folds or partitions by 'skaudeep split'"),
        (r"Delete it, or choose another folder or name", "Delete it, or give another -o or --name"),
        (r"Choose one with name=, or give its path", "Choose one by --name, or give its path"),
        (r", or let adapt=True choose", ""),
        (r"Set chunk_duration=\.", "Give --chunk-duration S."),
        (r"or lower clip_below", "or lower --clip-below"),
        (r"the same n_mels and sampling rate", "the same --bands and --sampling-rate"),
        (r"^X holds paths, ('.*?') first; expected spectrograms .*",
         r"\1: is a recording, expected spectrograms, which the model was trained on. 'skaudeep "
         "extract' writes them."),
        (r"Set it back, or fit with warm_start=False", "Leave out its option, or --continue"),
        (r"Call the reader you mean", "Move what belongs to one of them into a folder of its own"),
        (r" For the file ('.*?') in it see [\w.]+\.", r" The file \1 in it can be the INPUT."),
        *((pattern, text)
          for name in _PARAMETERS
          for option in [_OTHER_NAMES.get(name, name.replace("_", "-"))]
          for pattern, text in (
              (rf"""\b{name}=(['"]?)(\([\w.]+, [\w.]+\)|[\w.+:-]*[\w+])\1""", rf"--{option} \2"),
              (rf"^{name} is ", f"--{option} is "),
          )),
    )
]  # fmt: skip


def in_words(message: str) -> str:
    r"""Return a message without the names of Python's parameters and functions.

    Parameters
    ----------
    message : str
        Of an error, a warning or a finding of the library.

    Returns
    -------
    str

    Examples
    --------
    >>> in_words("Got path='a/b.nc', whose folder does not exist. Create the folder first.")
    'a/b.nc: its folder does not exist. Create the folder first.'
    """
    for pattern, text in _TRANSLATIONS:
        message = pattern.sub(text, message)
    return message
