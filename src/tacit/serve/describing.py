"""What a run takes, as JSON Schema with an example, and all of a server as OpenAPI."""

import json
from collections.abc import Iterable
from typing import Any

from tacit import __version__
from tacit.data.restored_dates import date_parts
from tacit.data.schema import Column, Schema
from tacit.serve.asked import OPTIONS, ROWLESS
from tacit.serve.bodies import ARROW, JSON
from tacit.serve.held import HeldRun

ABOUT = {
    "score": "How likely each row is, in nats",
    "assign": "The group of each row, with the probability of every group",
    "predict": "The target of each row",
    "impute": "The rows with their gaps filled",
    "sample": "New rows",
    "query": "Answers to questions about the columns",
}
_TYPES: dict[str, dict[str, Any]] = {
    "alarm": {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1},
    "explain": {"type": "integer", "minimum": 0, "default": 0},
    "level": {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1, "default": 0.9},
    "draws": {"type": "integer", "minimum": 1},
    "number": {"type": "integer", "minimum": 1, "default": 10},
    "total": {"type": "integer", "minimum": 0},
    "given": {"type": "array", "items": {"type": "string"}, "description": "conditions, such as city=Paris"},
    "questions": {"type": "array", "items": {"type": "string"}},
    "seed": {"type": "integer", "minimum": 0, "default": 0},
    "unseen": {"type": "boolean", "default": False, "description": "levels never met count as missing"},
    "exact": {"type": "boolean", "default": False},
}


def about_run(held: HeldRun) -> dict[str, Any]:
    """A run in words: its model, its columns, what it can be asked, and a row as an example."""
    opened = held.opened
    target = opened.target
    return {
        "name": held.name,
        "model": opened.model,
        "target": None if target is None else target.column.name,
        "can": [f"/{held.name}/{what}" for what in held.can],
        "columns": [
            {"name": column.name, "kind": column.word, "levels": None if column.levels is None else list(column.levels)}
            for column in _columns(held)
        ],
        "example": {"rows": [example(held)]},
    }


def _columns(held: HeldRun) -> tuple[Column, ...]:
    return () if held.opened.schema is None else held.opened.schema.columns


def example(held: HeldRun, *, with_target: bool = False) -> dict[str, Any]:
    """A row that the run takes."""
    opened = held.opened
    schema = Schema(()) if opened.schema is None else opened.schema
    told = opened.written or [{} for _ in schema.columns]
    found = {column.name: _value(column, known) for column, known in zip(schema.columns, told, strict=True)}
    for parts in date_parts(schema):
        for place in parts.places:
            found.pop(schema.names[place], None)
        found[parts.base] = "2024-03-26"
    if with_target and opened.target is not None:
        found[opened.target.column.name] = _value(opened.target.column, {})
    return found


def _value(column: Column, told: dict[str, Any]) -> Any:
    if column.levels is not None:
        return column.levels[0]
    low, high = told.get("low"), told.get("high")
    if low is None or high is None:
        return 1.0
    middle = round((float(low) + float(high)) / 2, int(told.get("decimals") or 0))
    return int(middle) if column.kind == "count" else middle


def _type(column: Column) -> dict[str, Any]:
    if column.levels is not None:
        return {"enum": [*column.levels, None]}
    ends: dict[str, Any] = {"minimum": 0} if column.kind == "count" else {}
    ends |= {"exclusiveMinimum": 0} if column.kind == "positive" else {}
    return {"type": ["integer" if column.kind == "count" else "number", "null"], **ends}


def openapi(runs: Iterable[HeldRun], *, token: bool) -> dict[str, Any]:
    """The whole server in OpenAPI 3.1."""
    runs = list(runs)
    paths: dict[str, Any] = {
        "/": {"get": _get("The runs")},
        "/healthz": {"get": _get("Whether the server answers") | {"security": []}},
        "/metrics": {"get": _get("Figures for Prometheus")},
    }
    for held in runs:
        paths[f"/{held.name}"] = {"get": _get(f"What {held.name} is and takes")}
        for what in held.can:
            paths[f"/{held.name}/{what}"] = {"post": _post(held, what)}
    found: dict[str, Any] = {
        "openapi": "3.1.0",
        "info": {"title": "tacit", "version": __version__},
        "paths": paths,
        "components": {
            "schemas": {f"{held.name}-row": _row(held) for held in runs} | {"fault": _FAULT, "answer": _ANSWER}
        },
    }
    if token:
        found["components"]["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
        found["security"] = [{"token": []}]
    return found


_FAULT = {"type": "object", "properties": {"error": {"type": "string"}, "status": {"type": "integer"}}}
_ANSWER = {
    "type": "object",
    "properties": {
        "rows": {"type": "array", "items": {"type": "object"}},
        "notes": {"type": "array", "items": {"type": "string"}},
    },
}


def _row(held: HeldRun) -> dict[str, Any]:
    dated = {place for parts in date_parts(held.opened.schema or Schema(())) for place in parts.places}
    columns = [column for place, column in enumerate(_columns(held)) if place not in dated]
    kinds = {column.name: _type(column) for column in columns}
    for parts in date_parts(held.opened.schema or Schema(())):
        kinds[parts.base] = {"type": ["string", "null"], "format": "date"}
    return {"type": "object", "properties": kinds}


def _question(column: Column) -> str:
    name = column.name if column.name.isidentifier() else json.dumps(column.name, ensure_ascii=False)
    return f"mean({name})" if column.levels is None else f"P({name})"


def _get(words: str) -> dict[str, Any]:
    return {"summary": words, "responses": {"200": {"description": "as asked"}}}


def _post(held: HeldRun, what: str) -> dict[str, Any]:
    row = {"$ref": f"#/components/schemas/{held.name}-row"}
    takes = {} if what in ROWLESS else {"rows": {"type": "array", "items": row}}
    body = {"type": "object", "properties": takes | {name: _TYPES[name] for name in OPTIONS[what]}}
    shown: dict[str, Any] = {"rows": [example(held, with_target=what == "score")]}
    if what == "sample":
        shown = {"number": 3}
    if what == "query":
        shown = {"questions": [_question(column) for column in _columns(held)[:1]]}
    content: dict[str, Any] = {JSON: {"schema": body, "example": shown}}
    if what not in ROWLESS:
        content[ARROW] = {"schema": {"type": "string", "format": "binary"}}
    fault = {"content": {JSON: {"schema": {"$ref": "#/components/schemas/fault"}}}}
    refused = {
        "400": "what is wrong with the request",
        "401": "the token is missing or wrong",
        "408": "it took too long",
        "413": "it is too large",
        "415": "neither JSON nor Arrow",
        "503": "too much is being asked at once",
    }
    answer = {JSON: {"schema": {"$ref": "#/components/schemas/answer"}}, ARROW: {}}
    return {
        "summary": ABOUT[what],
        "operationId": f"{held.name}-{what}",
        "requestBody": {"required": True, "content": content},
        "responses": {"200": {"description": "the answer", "content": answer}}
        | {code: {"description": words, **fault} for code, words in refused.items()},
    }
