"""Commands about recordings: `inspect`, `audit` and `extract`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from skaudeep._texts import printable
from skaudeep.cli import options
from skaudeep.cli.checks import MODEL, check_model
from skaudeep.cli.errors import WRONG, State, one_line
from skaudeep.cli.inputs import (
    Source,
    choose_rate,
    choose_rows,
    counted,
    describe_source,
    read_source,
)
from skaudeep.cli.output import check_output, note, results, write_json
from skaudeep.cli.plots import check_plot, draw_preview
from skaudeep.cli.settings import check_alignment, extraction, make_extractor, stated
from skaudeep.cli.wording import in_words

if TYPE_CHECKING:
    from skaudeep.datasets.description import Summary


@click.command()
@options.options(
    options.inputs,
    click.option(
        "--clip",
        metavar="CLIP",
        help="Describe this clip alone, by its name or its number from 0.",
    ),
    *options.LABELLED,
    options.jobs,
    options.as_json,
)
def inspect(
    inputs: tuple[str, ...],
    clip: str | None,
    path: str | None,
    target: str | None,
    labels: tuple[str, ...],
    groups: str | None,
    jobs: int | None,
    as_json: bool,
) -> None:
    """Say what a folder, a table, a file or a model holds.

    Of recordings only the headers are read: lengths, sampling rates, formats, classes, groups and
    folds. Of a model (.skaudeep) its classes, sampling rate and steps are listed, of an autoencoder
    also its epochs and the loss of the last.
    """
    if len(inputs) == 1 and Path(inputs[0]).suffix.lower() == MODEL:
        if given := stated(["clip", "path", "target", "labels", "groups"]):
            raise click.UsageError(f"--{given[0]} is for recordings and features, not a model.")
        check_model(inputs[0])
        facts = _model_facts(Path(inputs[0]).expanduser())
        if as_json:
            write_json(facts)
        else:
            for name, fact in facts.items():
                if fact is None:
                    continue
                if isinstance(fact, dict):
                    fact = [f"{key} {value}" for key, value in fact.items()]
                shown = ", ".join(fact) if isinstance(fact, list) else str(fact)
                click.echo(f"{name.replace('_', ' '):<14} {one_line(shown)}")
        return
    source = read_source(inputs, path=path, target=target, labels=labels, groups=groups)
    if clip is not None:
        from skaudeep.datasets import describe

        (row,) = choose_rows(source, [clip], 1)
        one = describe(source.bunch, clip=row)
        if as_json:
            write_json(vars(one))
        else:
            click.echo(str(one))
        return
    summary = _describe(source, jobs)
    note(describe_source(source, summary, f"folds: {len(source.bunch.cv) or 'none'}"))
    if not as_json:
        click.echo(str(summary))
        return
    write_json(
        {
            "n_clips": summary.n_clips,
            "counts": summary.counts,
            "n_groups": summary.n_groups,
            "value_range": summary.value_range,
            "data": summary.data,
            "seconds": summary.durations,
            "sampling_rates": summary.sampling_rates,
            "channels": summary.channels,
            "formats": summary.formats,
            "unreadable": summary.unreadable,
        }
    )


@click.command()
@options.options(
    options.inputs,
    *options.LABELLED,
    click.option("--strict", is_flag=True, help="Exit with 1 where something is found."),
    options.jobs,
    options.as_json,
)
def audit(
    inputs: tuple[str, ...],
    path: str | None,
    target: str | None,
    labels: tuple[str, ...],
    groups: str | None,
    strict: bool,
    jobs: int | None,
    as_json: bool,
) -> int:
    """Decode every recording and list faults, duplicates and leaks.

    One line for each finding: recording, kind, detail, advice. Leaks are clips that are alike, or
    of one group, on both sides of a fold or partition that the corpus states.
    """
    source = read_source(inputs, path=path, target=target, labels=labels, groups=groups)
    from skaudeep.datasets import audit as find_faults

    note(describe_source(source, _describe(source, jobs)))
    findings = find_faults(source.bunch, n_jobs=jobs or -1)
    if as_json:
        write_json(findings.to_dict("records"))
    else:
        stream = results()
        for row in findings.itertuples():
            text = f"{printable(row.filename)}: {row.finding}: {in_words(row.detail)}. "
            text += f"{in_words(row.advice)}."
            stream.write(one_line(text) + "\n")
    note(f"{counted(len(findings), 'finding')}.")
    return WRONG if strict and len(findings) else 0


@click.command()
@options.options(
    options.inputs,
    options.output(
        "NetCDF file of the spectrograms (.nc), or the picture of --preview (.png, .svg, .pdf).",
        required=True,
    ),
    click.option(
        "--preview",
        metavar="CLIP",
        help="Only draw this clip, by its name or its number from 0: its spectrogram, and a "
        "histogram of its levels in dB with what --clip-below cuts off.",
    ),
    *options.LABELLED,
    options.sampling_rate,
    *extraction,
    options.jobs,
    options.force,
    options.as_json,
)
@click.pass_obj
def extract(
    state: State,
    inputs: tuple[str, ...],
    output: str,
    preview: str | None,
    path: str | None,
    target: str | None,
    labels: tuple[str, ...],
    groups: str | None,
    sampling_rate: float | None,
    jobs: int | None,
    force: bool,
    as_json: bool,
    **settings: Any,
) -> int:
    """Write the spectrograms of recordings into one file.

    An interrupted extraction is continued by the same command. A recording that cannot be read has
    no values in the file, and is named on standard error; the exit code is then 1.
    """
    check_alignment()
    if preview is not None and as_json:
        raise click.UsageError("--preview and --json exclude each other: give one of them.")
    check = check_output if preview is None else check_plot
    file = check(output, force, (*inputs, *labels))
    source = read_source(inputs, path=path, target=target, labels=labels, groups=groups)
    from skaudeep.extraction import extract_to_netcdf

    summary = _describe(source, jobs)
    note(describe_source(source, summary))
    rate = choose_rate(summary, sampling_rate)
    extractor = make_extractor(settings, sampling_rate=rate, on_error="nan", n_jobs=jobs or -1)
    if preview is not None:
        (row,) = choose_rows(source, [preview], 1)
        draw_preview(extractor.set_params(on_error="raise"), source.bunch.data[row], file)
        click.echo(printable(output))
        return 0
    state.after_interruption = (
        "The same command goes on where this one stopped; what is done is in "
        f"{printable(file.name)}.partial."
    )
    stored = extract_to_netcdf(source.bunch, extractor, file)
    n_failed = sum(map(bool, stored.errors.tolist()))
    if as_json:
        write_json({"file": output, "shape": stored.data.shape, "errors": _errors(stored)})
    else:
        click.echo(printable(output))
    note(f"Spectrograms (clips, frames, bands): {stored.data.shape}.")
    return WRONG if n_failed else 0


def _describe(source: Source, jobs: int | None) -> Summary:
    from skaudeep.datasets import describe

    return describe(source.bunch, n_jobs=jobs or -1)


def _errors(stored: Any) -> dict[str, str]:
    """Return why clips of a stored data set could not be read, by their names."""
    return {
        name: reason
        for name, reason in zip(stored.filenames.tolist(), stored.errors.tolist(), strict=True)
        if reason
    }


def _model_facts(file: Path) -> dict[str, Any]:
    """Return what a model is, for people and programs."""
    import zipfile

    from skaudeep._model_outputs import read_classes
    from skaudeep.classification import model_rate
    from skaudeep.persistence import load

    model = load(file)
    steps = getattr(model, "steps", [("", model)])
    with zipfile.ZipFile(file) as archive:
        manifest = json.loads(archive.read("manifest.json"))
    classes = read_classes(model)
    losses = getattr(steps[-1][1], "loss_curve_", None)
    trained = {} if losses is None else {"epochs": len(losses), "loss": (losses or [None])[-1]}
    return {
        "model": file.name,
        "classes": None if classes is None else classes.names,
        "sampling_rate": model_rate(model),
        "steps": [type(step).__name__ for _, step in steps],
        "n_features": getattr(steps[-1][1], "n_features_in_", None),
        **trained,
        "written_by": {name: str(version) for name, version in manifest["versions"].items()},
    }
