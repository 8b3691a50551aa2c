"""What is asked of a fit, and the rows that it is asked for: all that goes wrong here is told before JAX is loaded."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tacit.storage.lock import FolderLock
from tacit.workflow import folders, texts
from tacit.workflow.codes_as_numbers import as_numbers
from tacit.workflow.errors import AlreadyFinished, RequestError
from tacit.workflow.events import DataRead, Observer, TargetSelected
from tacit.workflow.settings import check_model, check_names, model_name, named, parse
from tacit.workflow.signs import signs
from tacit.workflow.sources import DataSource, Rows
from tacit.workflow.targets import select_target


@dataclasses.dataclass(frozen=True)
class FitRequest:
    """What is to be fitted.

    Attributes:
        source: where the rows are.
        model: a name of the registry, or a plain one; None to choose by what the rows are.
        settings: texts such as ``components=3``.
        criterion: what chooses among candidates; None for the usual one.
        effort: how hard to look for the best of them: "quick", "usual" or "thorough".
        holdout: the share of the rows kept aside.
        seed: what everything random depends on.
        out: the run folder; None for one named after the data.
        resume: whether to go on with a fit that was broken off.
        overwrite: whether to replace the run that is in the folder.
        command: what to type to repeat it.
    """

    source: DataSource
    model: str | None = None
    settings: tuple[str, ...] = ()
    criterion: str | None = None
    effort: str = "usual"
    holdout: float = 0.1
    seed: int = 0
    out: Path | None = None
    resume: bool = False
    overwrite: bool = False
    command: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, eq=False)
class Asked:
    """A request that was understood, and its rows.

    Attributes:
        request: as it was made.
        model: the model's own name, or None.
        settings: by the names that were given.
        lock: on the folder of the run: one that is there is held already, a new one as soon as it is made.
        rows: all that were read, without the column to be predicted.
    """

    request: FitRequest
    model: str | None
    settings: Mapping[str, Any]
    lock: FolderLock
    rows: Rows


def read(request: FitRequest, observer: Observer) -> Asked:
    """Understand a request and read its rows.

    Raises:
        RequestError: it asks for what does not exist or does not go together.
        DataError: what is wrong with the data.
        ModelFileError: the folder holds a run already, or another fit writes to it.
        AlreadyFinished: the run to go on with is finished.
    """
    settings = parse(request.settings)
    model = None if request.model is None else model_name(request.model)
    if model is not None:
        check_model(model)
    if request.resume and request.overwrite:
        raise RequestError("--resume goes on with a run and --overwrite throws it away; say one of them.")
    folder = folders.choose_folder(request.out, request.source.path, resume=request.resume, overwrite=request.overwrite)
    lock = FolderLock(folder)
    try:
        _hold(lock, request)
        return Asked(request, model, settings, lock, _rows(request, model, settings, observer))
    except BaseException:
        lock.release()  # at once: the error may keep this frame, and with it the lock, for as long as it is looked at
        raise


def _rows(request: FitRequest, model: str | None, settings: Mapping[str, Any], observer: Observer) -> Rows:
    source = request.source
    if settings:
        source.check_place()  # at once, for what follows may load the model
        if model is None:
            check_names(settings)
        else:
            named(model, settings)
    rows = source.load(corpus=texts.wanted(source.path, source.text_options, model))
    rows = as_numbers(rows, model, frozenset(text.rpartition("=")[0] for text in source.kinds))
    if found := signs(rows):
        rows = dataclasses.replace(rows, table=dataclasses.replace(rows.table, notes=(*rows.table.notes, *found)))
    observer.tell(DataRead(rows))
    if source.target is not None:
        rows = select_target(rows, source.target)
        observer.tell(TargetSelected(rows))
    return rows


def _hold(lock: FolderLock, request: FitRequest) -> None:
    """Hold the folder of the run, if there is one; refuses where nothing is left to do, before anything is read."""
    folder = lock.folder
    if folders.is_run(folder):
        lock.acquire()
    if folders.is_run(folder) and not request.overwrite:
        if not request.resume:
            raise folders.taken(folder)
        if folders.finished(folder):
            raise AlreadyFinished(
                f"The fit in {folder} is finished: there is nothing to go on with. `tacit show {folder}` tells."
            )
