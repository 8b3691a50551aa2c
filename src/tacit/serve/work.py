"""What is done for a request, in a thread of its own: rows are taken, the run is asked, notes are kept."""

import dataclasses

import pyarrow as pa

from tacit import workflow
from tacit.data.read import TableReading, named_signs_out
from tacit.data.reading import FOUND_OUT
from tacit.serve.asked import ROWLESS, RequestOptions, asked
from tacit.serve.bodies import read_body, written
from tacit.serve.errors import HttpFault, fault_of
from tacit.serve.held import HeldRun
from tacit.workflow.answers import TableAnswer
from tacit.workflow.events import Event, Noted, Observer
from tacit.workflow.sources import Rows
from tacit.workflow.warned import HARMLESS, collected, plain


@dataclasses.dataclass(frozen=True)
class Call:
    """A request as it came.

    Attributes:
        what: is asked of the run.
        content, kind: its body and the body's media type.
        parameters: of the query string.
        answer: the media type of the answer.
        most: rows that are taken and given.
    """

    what: str
    content: bytes
    kind: str
    parameters: dict[str, str]
    answer: str
    most: int


def answered(held: HeldRun, call: Call) -> tuple[bytes, int]:
    """The body of the answer, and how many rows it is about.

    Raises:
        HttpFault: whatever went wrong.
    """
    place = str(held.opened.run.path)
    try:
        body = read_body(call.content, call.kind, call.most)
        said = asked(call.what, {**call.parameters, **body.said}, call.most)
        notes: list[str] = []

        def tell(event: Event) -> None:
            if isinstance(event, Noted):
                notes.append(event.text)

        with collected() as warned:
            answer = ask(held, call.what, body.table, said, Observer(tell), call.most)
        notes += [plain(text) for text in warned if not any(word in text for word in HARMLESS)]
        many = answer.table.num_rows
        return written(answer.table, [*answer.remarks, *dict.fromkeys(notes)], call.answer), many
    except Exception as error:
        raise fault_of(error, place, held.name) from None


def ask(
    held: HeldRun, what: str, table: pa.Table | None, said: RequestOptions, observer: Observer, most: int
) -> TableAnswer:
    """What a run answers.

    Args:
        held: the run.
        what: a key of `OPTIONS` that it can be asked.
        table: the rows, with their columns by name.
        said: beside them.
        observer: is told what is to be noted.
        most: rows that are drawn at most.

    Raises:
        HttpFault: there are no rows, or too many draws of them.
        DataError: the rows are not of the run's kind.
        RequestError: what is said cannot be.
    """
    opened = held.opened
    if what in ROWLESS:
        if table is not None:
            raise HttpFault(400, f"{what} takes no rows.")
        wanted = workflow.answering.SampleRequest(said.number, said.given, said.total, seed=said.seed, exact=said.exact)
        return _table(workflow.answering.sample(opened, wanted))
    if what == "query" and table is None:
        if said.questions:
            return workflow.querying.ask(opened, said.questions, said.given, said.draws, said.seed)
        return workflow.querying.columns(opened, said.given, said.draws, said.seed)
    if table is None:
        raise HttpFault(400, f'{what} takes rows: {{"rows": [{{"column": 1.5}}]}}, or a stream of Arrow.')
    reading = _reading(held, table)
    for note in reading.notes:
        observer.note(note)
    if (said.draws or 1) * reading.table.num_rows > most:
        raise HttpFault(413, f"{said.draws} draws of {reading.table.num_rows} rows are more than {most} rows.")
    if what == "impute":
        return workflow.imputing.impute(
            opened, reading, said.draws, said.seed, unseen=said.unseen, exact=said.exact, observer=observer
        )
    rows = opened.take(reading, unseen=said.unseen, with_target=what == "score", absent=what == "query")
    for note in rows.table.notes:
        observer.note(note)
    return _of_rows(held, what, rows, said, observer)


def _of_rows(held: HeldRun, what: str, rows: Rows, said: RequestOptions, observer: Observer) -> TableAnswer:
    opened = held.opened
    if what == "score":
        return workflow.scoring.score(opened, rows, said.alarm, said.explain)
    if what == "assign":
        return workflow.answering.assign(opened, rows)
    if what == "predict":
        return workflow.predicting.predict(opened, rows, said.level, observer)
    if said.questions or said.given:
        raise HttpFault(400, "ask questions, or send rows whose gaps are asked for, not both.")
    return workflow.querying.cases(opened, rows, said.draws, said.seed, observer)


def _reading(held: HeldRun, table: pa.Table) -> TableReading:
    """A table as one that was read from a file like that of the fit."""
    options = held.opened.reading(FOUND_OUT)
    return TableReading(named_signs_out(table, options), "the rows of the request")


def _table(answer: object) -> TableAnswer:
    if not isinstance(answer, TableAnswer):
        raise HttpFault(400, "this run gives images, which are not served.")
    return answer
