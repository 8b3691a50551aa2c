"""The model of a run in other tools."""

from tacit.export.sql import predictor_to_sql, to_sql
from tacit.storage.errors import ModelFileError
from tacit.workflow.errors import RequestError
from tacit.workflow.opened import Opened


def sql(opened: Opened, table: str) -> str:
    """The model of a run as SQL over a table with its columns.

    Raises:
        ModelFileError: the model has no SQL.
        RequestError: the table has no name.
    """
    if not table.strip(".") or "\x00" in table:
        raise RequestError(f"a table cannot be called {table!r}.")
    try:
        if opened.target is not None and opened.schema is not None:
            return predictor_to_sql(opened.estimator, opened.target, opened.schema, table)
        return to_sql(opened.estimator, table)
    except (TypeError, ValueError) as error:
        raise ModelFileError(f"{str(opened.run.path)!r}: {error}.") from None
