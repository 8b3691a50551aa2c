"""Run folders: which one to make, which one to go on with, and opening one that is there."""

import re
from pathlib import Path
from typing import Any

from tacit.data.errors import listed
from tacit.files import remove_leftovers, write_atomically
from tacit.storage.config import RunConfig
from tacit.storage.errors import ModelFileError
from tacit.storage.run import CONFIG, METRICS, REPORT, RunFolder, runs

_ENDINGS = (
    ".gz",
    ".bz2",
    ".xz",
    ".zst",
    ".xlsx",
    ".xlsm",
    ".xlsb",
    ".xls",
    ".ods",
    ".pq",
    ".csv",
    ".tsv",
    ".txt",
    ".parquet",
    ".arrow",
    ".feather",
    ".json",
    ".jsonl",
    ".ndjson",
    ".npy",
    ".npz",
    ".png",
    ".jpg",
    ".jpeg",
)


def default_name(data: str) -> str:
    """A run folder's name from that of the table: ``customers.csv.gz`` → ``customers-tacit``."""
    data = data.partition("\n")[0]
    name = Path(data.rpartition(".npz:")[0] + ".npz" if ".npz:" in data else data).name
    stem = (
        "table" if data == "-" or data.startswith("/dev/") else re.sub(r"[*?\[\]]+", "", name).strip("-_ .") or "table"
    )
    while Path(stem).suffix.lower() in _ENDINGS:
        stem = Path(stem).stem
    return f"{stem.strip('-_ ') or 'table'}-tacit"


def choose_folder(out: Path | None, data: str, *, resume: bool, overwrite: bool) -> Path:
    """The folder of a fit: the one asked for, or one named after the table that is free (or that is to go on)."""
    if out is not None:
        return out.expanduser()
    base = Path(default_name(data))
    taken = [base]
    while taken[-1].exists():
        taken.append(base.with_name(f"{base.name}-{len(taken) + 1}"))
    there = [path for path in taken[:-1] if is_run(path)]
    if resume and there:
        return there[-1]
    return base if overwrite and base in there else taken[-1]


def begin(folder: Path, config: RunConfig, *, resume: bool, overwrite: bool) -> RunFolder:
    """A run folder to fit into: a new one, or with ``resume`` the one that is there."""
    if is_run(folder):
        remove_leftovers(folder, of_the_dead=True)
    if resume and is_run(folder):
        run = RunFolder(folder)
        rewrite(run, config)
        return run
    return RunFolder.create(folder, config, overwrite=overwrite)


def is_run(folder: Path) -> bool:
    """Whether a folder holds a run, finished or not."""
    return (folder / CONFIG).is_file()


def taken(folder: Path) -> ModelFileError:
    """What is said when a new run would lie where another does."""
    return ModelFileError(
        f"{str(folder)!r} holds a run already: choose another --out, go on with it by --resume, or replace it by "
        "--overwrite."
    )


def rewrite(run: RunFolder, config: RunConfig) -> None:
    """Put another config in place of a run's own."""
    write_atomically(run.path / CONFIG, config.to_toml())


def interrupted(run: RunFolder) -> bool:
    """Whether a run with a model was broken off by Ctrl-C."""
    try:
        return bool(run.metrics().get("interrupted"))
    except (FileNotFoundError, ModelFileError):
        return False


def finished(folder: Path) -> bool:
    """Whether the run in a folder came to its end, with all its parts, so that there is nothing to go on with."""
    run = RunFolder(folder)
    return run.finished and not interrupted(run) and not {METRICS, REPORT} - set(run.files())


def lacks_report(folder: Path) -> bool:
    """Whether the run in a folder came to its end, and has all its parts but the report."""
    if not is_run(folder):
        return False
    run = RunFolder(folder)
    return run.finished and not interrupted(run) and METRICS in run.files() and REPORT not in run.files()


def open_run(path: Path) -> RunFolder:
    """A finished run; raises `ModelFileError` that says which runs there are, or how to finish this one."""
    folder = path.expanduser()
    if not is_run(folder):
        inside = _runs_in(folder if folder.is_dir() else folder.parent)
        there = f" Runs there: {listed(inside, 6)}." if inside else ""
        found = "is not a run (it has no config.toml)" if folder.exists() else "is not there"
        raise ModelFileError(f"{str(path)!r} {found}. Give a folder that `tacit fit` made.{there}")
    run = RunFolder(folder)
    if not run.finished:
        raise ModelFileError(
            f"the fit of {str(path)!r} was not finished. Go on with it: tacit fit DATA --out {path} --resume"
        )
    return run


def _runs_in(folder: Path) -> list[str]:
    if not folder.is_dir():
        return []
    return [str(run.path) for run in runs(folder)]


def data_config(run: RunFolder) -> dict[str, Any]:
    """What a run's config says of its table."""
    return dict(run.config().data)
