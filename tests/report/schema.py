"""The JSON report's schema, for tests, and as strict as the report is."""

from __future__ import annotations

import importlib.resources
import json

from jsonschema import Draft202012Validator

SCHEMA = json.loads(importlib.resources.files("fleetsweep.report").joinpath("report.schema.json").read_text())


def closed(schema: object) -> object:
    """Return the schema with no key allowed that it does not name: a new key belongs into the schema, too."""
    if isinstance(schema, list):
        return [closed(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    if schema.get("type") == "object" and "properties" in schema:
        assert schema["required"] == list(schema["properties"])
        schema = {**schema, "additionalProperties": False}
    return {key: closed(value) for key, value in schema.items()}


VALIDATOR = Draft202012Validator(closed(SCHEMA))


def errors(text: str) -> list[str]:
    """Return what in a report does not hold the schema."""
    return [f"{error.json_path}: {error.message}" for error in VALIDATOR.iter_errors(json.loads(text))]
