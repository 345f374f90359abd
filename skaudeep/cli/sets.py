"""Commands about stored data sets: fuse, split, export, import and validate."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from skaudeep._texts import printable
from skaudeep.cli import options
from skaudeep.cli.checks import NETCDF, check_ending, check_inputs
from skaudeep.cli.errors import WRONG, CommandError, one_line
from skaudeep.cli.inputs import Source, describe_source, read_source
from skaudeep.cli.output import check_export, check_output, note, results, write_json
from skaudeep.cli.settings import stated
from skaudeep.cli.tables import write_recordings
from skaudeep.cli.wording import in_words

if TYPE_CHECKING:
    from sklearn.utils import Bunch

SHOWN_FAULTS = 10
TABLES = ("csv", "arff")


class Shares(click.ParamType):
    """Three shares that are divided by commas: of train, devel and test."""

    name = "shares"

    def convert(self, value: Any, param: Any, ctx: Any) -> tuple[float, ...]:
        """Return the shares, which sum to 1."""
        try:
            shares = tuple(map(float, str(value).split(",")))
        except ValueError:
            shares = ()
        ranged = len(shares) == 3 and all(0 <= share <= 1 for share in shares)
        if not ranged or abs(sum(shares) - 1) > 1e-6:
            self.fail(
                f"{value!r} is not three shares that sum to 1, such as 0.6,0.2,0.2.", param, ctx
            )
        return shares


@click.command()
@options.options(
    options.inputs,
    options.output("File to write (.nc).", required=True),
    click.option(
        "--chunks",
        "pooling",
        type=click.Choice(["concat", "mean", "mean_std_max"]),
        help="Also make one row of the chunks of each clip: their features side by side, or their "
        "mean, or mean, standard deviation and maximum. Spectrograms of chunks are put together "
        "along time by concat.",
    ),
    click.option(
        "--axis",
        type=click.Choice(["frequency", "time"]),
        help="Put spectrograms together along this axis: the bands of each frame side by side, or "
        "the frames one after the other.",
    ),
    options.force,
    options.as_json,
)
def fuse(
    inputs: tuple[str, ...],
    output: str,
    pooling: str | None,
    axis: str | None,
    force: bool,
    as_json: bool,
) -> None:
    """Put features or spectrograms of the same recordings together.

    Each INPUT is a file of features, or of spectrograms. Their clips, labels, folds and partitions
    have to be the same; a difference is named. With --chunks there may be a single one.
    """
    if len(inputs) == 1 and axis is not None:
        raise click.UsageError("--axis is for several files, and a single one is given.")
    file = check_output(output, force, inputs)
    check_ending(output, NETCDF)
    if len(inputs) == 1 and pooling is None:
        raise CommandError(
            f"{printable(inputs[0])}: is a single file, expected several to fuse, or --chunks."
        )
    bunches = [_read_stored([given]).bunch for given in inputs]
    from skaudeep.chunks import pool_chunks
    from skaudeep.formats import fuse as put_together

    fused = put_together(bunches, axis=axis) if len(bunches) > 1 else bunches[0]
    if pooling is not None:
        fused = pool_chunks(fused, pooling)
    _write(fused, file, output, as_json)


@click.command()
@options.options(
    options.inputs,
    options.output(
        "File to write: .nc of spectrograms or features, .csv of recordings.", required=True
    ),
    click.option(
        "--folds",
        metavar="N",
        type=click.IntRange(min=2),
        help="Add N folds for cross-validation, with the same share of each class.",
    ),
    click.option(
        "--partitions",
        metavar="X,X,X",
        type=Shares(),
        help="Add partitions by the shares of train, devel and test, such as 0.6,0.2,0.2; a share "
        "of 0 leaves one out.",
    ),
    click.option("--drop-folds", is_flag=True, help="Remove the folds that are there, first."),
    click.option(
        "--drop-partitions", is_flag=True, help="Remove the partitions that are there, first."
    ),
    click.option(
        "--upsample",
        "balance",
        is_flag=True,
        help="Repeat clips until each class has as many as the largest. No fold tests a repeated "
        "clip.",
    ),
    click.option(
        "--upsample-partition",
        "upsampled",
        metavar="NAME",
        multiple=True,
        type=click.Choice(["train", "devel", "test"]),
        help="Partition that --upsample balances. May be given several times. By default train, or "
        "all clips where there are no partitions.",
    ),
    *options.LABELLED,
    options.seed,
    options.force,
    options.as_json,
)
def split(
    inputs: tuple[str, ...],
    output: str,
    folds: int | None,
    partitions: tuple[float, ...] | None,
    drop_folds: bool,
    drop_partitions: bool,
    balance: bool,
    upsampled: tuple[str, ...],
    path: str | None,
    target: str | None,
    labels: tuple[str, ...],
    groups: str | None,
    seed: int,
    force: bool,
    as_json: bool,
) -> None:
    """Add folds or partitions to a data set.

    INPUT is a file of spectrograms or features, or recordings, of which a table is written: their
    paths, classes, groups, and the fold that tests each. Such a table is an INPUT of the other
    commands. Groups, such as speakers, stay together; so do the chunks of a recording. Classes are
    balanced by --upsample.
    """
    file = check_output(output, force, (*inputs, *labels))
    of_recordings = file.suffix.lower() == ".csv"
    if not of_recordings:
        check_ending(output, NETCDF)
    elif balance:
        raise CommandError(
            "--upsample: is for files of spectrograms or features; a table names each recording "
            "once. 'skaudeep evaluate --upsample' balances what it trains on."
        )
    if upsampled and not balance:
        raise CommandError("--upsample-partition: is for --upsample, which is not given. Give it.")
    if not (folds or partitions or drop_folds or drop_partitions or balance):
        raise CommandError(
            "Nothing to do is given, expected --folds, --partitions, --drop-folds, "
            "--drop-partitions or --upsample."
        )
    reading: dict[str, Any] = {"path": path, "target": target, "labels": labels, "groups": groups}
    if of_recordings:
        source = read_source(inputs, **reading)
        note(_describe(source))
    else:
        source = _read_stored(inputs, **reading)
    bunch = source.bunch
    from skaudeep import datasets

    if drop_folds:
        bunch = datasets.drop_folds(bunch)
    if drop_partitions:
        bunch = datasets.drop_partitions(bunch)
    if partitions:
        train, devel, test = partitions
        bunch = datasets.add_partitions(
            bunch, train=train, devel=devel, test=test, random_state=seed
        )
    if folds:
        bunch = datasets.add_folds(bunch, folds, random_state=seed)
    if balance:
        bunch = datasets.upsample(bunch, partitions=upsampled or None, random_state=seed)
    if of_recordings:
        write_recordings(source.title, bunch, file)
        _say_what_is_written(bunch, output, as_json)
    else:
        _write(bunch, file, output, as_json)


@click.command()
@options.options(
    options.inputs,
    click.option(
        "-o",
        "--output",
        metavar="PATH",
        type=click.Path(),
        required=True,
        help="One file (.csv, .arff), or a folder, in which each fold and partition has its own.",
    ),
    click.option(
        "--format",
        "kind",
        type=click.Choice(TABLES),
        help="Format of the files in a folder. By default csv.",
    ),
    click.option(
        "--name",
        metavar="TEXT",
        default="features",
        show_default=True,
        help="Name of the files in a folder, without their ending.",
    ),
    click.option("--labels-last", is_flag=True, help="Write labels behind the features."),
    click.option(
        "--class-last",
        is_flag=True,
        help="Write ARFF that Weka learns from as it stands: the class is the last attribute.",
    ),
    click.option("--relation", metavar="TEXT", help="Name of the relation in ARFF."),
    click.option(
        "--no-filenames",
        is_flag=True,
        help="Leave names of clips out of ARFF, which some programs cannot read.",
    ),
    click.option(
        "--escape-formulas",
        is_flag=True,
        help="Put an apostrophe before names and labels in CSV that a spreadsheet would execute.",
    ),
    options.force,
    options.as_json,
)
def export(
    inputs: tuple[str, ...],
    output: str,
    kind: str | None,
    name: str,
    labels_last: bool,
    class_last: bool,
    relation: str | None,
    no_filenames: bool,
    escape_formulas: bool,
    force: bool,
    as_json: bool,
) -> None:
    """Write features as CSV or ARFF, for Weka and spreadsheets.

    INPUT is a file of features. A single table holds all clips, without folds and partitions; a
    folder holds a table for the clips of each partition, and of each fold for those that it tests,
    as auDeep lays them out.
    """
    ending = Path(output).suffix
    single = ending.lower() in (".csv", ".arff", NETCDF)
    if single and ending[1:] not in TABLES:
        raise CommandError(
            f"{printable(output)}: expected a name that ends in .csv or .arff, or that of a folder."
        )
    kind = ending[1:] if single else kind or "csv"
    of_arff = dict.fromkeys(("relation", "no_filenames", "class_last"), "arff")
    for option, of in (of_arff | {"escape_formulas": "csv"}).items():
        if stated([option]) and kind != of:
            raise CommandError(f"--{option.replace('_', '-')}: is for {of}, not {kind}.")
    if single and (given := stated(["name", "kind"])):
        option = "--name" if given[0] == "name" else "--format"
        raise CommandError(
            f"{option}: is for files in a folder, and {printable(output)} is a file."
        )
    if single:
        file = check_output(output, force, inputs)
        folder, name = file.parent, file.stem
    else:
        folder = check_export(output, name, f".{kind}", force, inputs)
    source = _read_stored(inputs)
    from skaudeep.formats import save_arff, save_csv

    layout: dict[str, Any] = {"name": name, "labels_last": labels_last, "split": not single}
    if kind == "csv":
        files = save_csv(source.bunch, folder, escape_formulas=escape_formulas, **layout)
    else:
        more = {"class_last": class_last} | ({} if relation is None else {"relation": relation})
        files = save_arff(source.bunch, folder, filenames=not no_filenames, **layout | more)
    shown = [
        str(Path(output, file.relative_to(folder))) if not single else output for file in files
    ]
    if as_json:
        write_json({"files": shown})
    else:
        click.echo("\n".join(map(printable, shown)))


@click.command("import")
@options.options(
    click.argument("table", metavar="TABLE", type=click.Path()),
    options.output("File to write (.nc).", required=True),
    click.option(
        "--format",
        "kind",
        type=click.Choice(TABLES),
        help="Format of the files in a folder. By default that of which there are some.",
    ),
    click.option(
        "--name",
        metavar="TEXT",
        help="Name of the files in a folder of several exports, without their ending.",
    ),
    click.option(
        "--escape-formulas",
        is_flag=True,
        help="Remove the apostrophes in CSV that 'skaudeep export --escape-formulas' has put.",
    ),
    click.option(
        "--filename",
        metavar="COLUMN",
        default="filename",
        show_default=True,
        help="Column with the name of the clip of each row.",
    ),
    click.option(
        "--no-filename", is_flag=True, help="There is none: rows are called after the file."
    ),
    click.option(
        "--target",
        metavar="COLUMN",
        multiple=True,
        help="Column with the class or value of each clip; of several values, several times. By "
        "default those that skaudeep and auDeep write.",
    ),
    click.option(
        "--task",
        type=click.Choice(["classification", "regression"]),
        help="How to read --target. By default decimal numbers are values, all else classes.",
    ),
    click.option(
        "--chunk",
        "chunk_nr",
        metavar="COLUMN",
        help="Column with the number of a row among those of its clip, from 0.",
    ),
    click.option("--group", "groups", metavar="COLUMN", help="Column with the speaker or site."),
    click.option("--partition", metavar="COLUMN", help="Column with train, devel or test."),
    click.option(
        "--fold",
        metavar="COLUMN",
        multiple=True,
        help="Column with the fold that tests each clip; or several, one per fold, of 0 and 1.",
    ),
    click.option(
        "--ignore",
        metavar="COLUMN",
        multiple=True,
        help="Column that is no feature, such as a time. May be given several times.",
    ),
    options.force,
    options.as_json,
)
def import_(
    table: str,
    output: str,
    kind: str | None,
    name: str | None,
    escape_formulas: bool,
    filename: str,
    no_filename: bool,
    target: tuple[str, ...],
    fold: tuple[str, ...],
    force: bool,
    as_json: bool,
    **columns: Any,
) -> None:
    """Read features from CSV or ARFF.

    TABLE is such a file, or the folder that 'skaudeep export' or auDeep wrote, in which each fold
    and partition has a file of its own. Of tables of other programs, such as openSMILE, say which
    columns are no features; all others are.
    """
    if no_filename and stated(["filename"]):
        raise click.UsageError("--filename and --no-filename exclude each other: give one of them.")
    file = check_output(output, force, (table,))
    check_ending(output, NETCDF)
    check_inputs([table])
    given = Path(table).expanduser()
    if not given.is_dir() and (of_folder := stated(["kind", "name"])):
        option = "--format" if of_folder[0] == "kind" else "--name"
        raise click.UsageError(f"{option} is for a folder of tables, and a file is given.")
    ending = given.suffix.lower()[1:]
    if given.is_dir():
        kinds = [kind for kind in TABLES if any(given.glob(f"**/{name or '*'}.{kind}"))]
        if kind is None and len(kinds) != 1:
            found = "both CSV and ARFF files" if kinds else "no CSV or ARFF files"
            raise CommandError(
                f"{printable(table)}: holds {found}, expected those of one export. Give one by "
                "--name or --format."
            )
        ending = kind or kinds[0]
    elif ending not in TABLES:
        raise CommandError(f"{printable(table)}: expected a file that ends in .csv or .arff.")
    if escape_formulas and ending != "csv":
        raise CommandError("--escape-formulas: is for csv, not arff. Leave it out.")
    from skaudeep.datasets import describe
    from skaudeep.formats import load_arff, load_csv

    columns["filename"] = None if no_filename else filename
    for key, names in (("target", target), ("fold", fold)):
        columns[key] = list(names) if len(names) > 1 else next(iter(names), None)
    if ending == "csv":
        bunch = load_csv(given, name=name, escape_formulas=escape_formulas, **columns)
    else:
        bunch = load_arff(given, name=name, **columns)
    note(describe_source(Source(bunch, printable(given.name)), describe(bunch)))
    _write(bunch, file, output, as_json)


@click.command()
@options.options(
    options.inputs,
    click.option("--detailed", is_flag=True, help=f"List all faults, not {SHOWN_FAULTS} at most."),
    options.as_json,
)
def validate(inputs: tuple[str, ...], detailed: bool, as_json: bool) -> int:
    """Check that a stored data set does not contradict itself.

    INPUT is a file of skaudeep or auDeep. One line for each fault, such as chunks of a clip that
    differ in their labels, or a file that is not what was written; the exit code is then 1.
    """
    check_inputs(inputs)
    violations: list[str] = []
    if len(inputs) == 1 and Path(inputs[0]).suffix.lower() == NETCDF:
        from skaudeep.formats import check_netcdf

        violations = check_netcdf(inputs[0])
    else:
        from skaudeep.datasets import validate as check

        check(read_source(inputs).bunch)
    violations = [in_words(violation) for violation in violations]
    title = ", ".join(map(printable, inputs))
    if as_json:
        write_json({"valid": not violations, "violations": violations})
    elif not violations:
        click.echo(f"{title}: valid")
    else:
        stream = results()
        for violation in violations if detailed else violations[:SHOWN_FAULTS]:
            stream.write(one_line(violation) + "\n")
        hidden = 0 if detailed else len(violations) - SHOWN_FAULTS
        more = f", {hidden} more by --detailed" if hidden > 0 else ""
        note(f"{title}: {len(violations)} faults{more}.")
    return WRONG if violations else 0


def _read_stored(inputs: Sequence[str], **reading: Any) -> Source:
    """Read a file of spectrograms or features, and say what it holds."""
    source = read_source(inputs, **reading)
    if source.bunch.dims == ("clip",):
        raise CommandError(
            f"{source.title}: holds recordings, expected a file of spectrograms or features. "
            "'skaudeep extract' and 'skaudeep transform' write them."
        )
    note(_describe(source))
    return source


def _describe(source: Source) -> str:
    from skaudeep.datasets import describe

    return describe_source(source, describe(source.bunch))


def _write(bunch: Bunch, file: Path, output: str, as_json: bool) -> None:
    """Write a data set as NetCDF, and say what it is."""
    from skaudeep.formats import save_netcdf

    save_netcdf(bunch, file)
    _say_what_is_written(bunch, output, as_json)
    note(f"Data ({', '.join(bunch.dims)}): {tuple(bunch.data.shape)}.")


def _say_what_is_written(bunch: Bunch, output: str, as_json: bool) -> None:
    from skaudeep.datasets import describe

    if as_json:
        shape = (len(bunch.filenames),) if bunch.dims == ("clip",) else bunch.data.shape
        write_json({"file": output, "shape": shape, "counts": describe(bunch).counts})
    else:
        click.echo(printable(output))
