"""The OpenAPI 3.1 document, generated from the endpoints."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from clawscope.infra.http.endpoint import Endpoint
from clawscope.kernel.codes import INTERNAL_ERROR, INVALID_JSON, INVALID_QUERY, INVALID_REQUEST, PAYLOAD_TOO_LARGE
from clawscope.kernel.errors import Code

_PARAMETER = re.compile(r"\{([a-z_]+)(?::[a-z]+)?\}")
_REF = "#/components/schemas/{name}"
_SECURITY: Mapping[str, list[dict[str, list[str]]]] = {
    "permission": [{"operatorKey": []}, {"apiToken": []}],
    "protected": [{"capabilityToken": []}, {"capabilityHeader": []}],
    "issuer_or_cst": [{"operatorKey": []}, {"apiToken": []}, {"capabilityToken": []}],
    "own": [{"operatorKey": []}, {"clientBasic": []}, {}],
}
Refs = Mapping[Any, str]
_SCHEMES = {
    "operatorKey": {"type": "http", "scheme": "bearer", "description": "A named operator key."},
    "apiToken": {"type": "http", "scheme": "bearer", "description": "An API token."},
    "capabilityToken": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT", "description": "A capability token (CST)."},
    "capabilityHeader": {"type": "apiKey", "in": "header", "name": "X-CST", "description": "A capability token (CST)."},
    "clientBasic": {"type": "http", "scheme": "basic", "description": "Client id and secret (RFC 6749 §2.3.1)."},
}


class Problem(msgspec.Struct):
    """RFC 9457 problem document with the ecosystem's two members."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    error: str
    message: str


class OAuthError(msgspec.Struct):
    """RFC 6749 §5.2 error with our own code beside it."""

    error: str
    error_description: str
    code: str


def document(endpoints: Sequence[Endpoint], version: str) -> dict[str, Any]:
    """The whole document; paths in the order of declaration."""
    kinds = [kind for e in endpoints for kind in (e.body, e.query, *e.answers.values()) if _is_struct(kind)]
    known = [*dict.fromkeys(kinds), Problem, OAuthError]
    schemas, components = msgspec.json.schema_components(known, ref_template=_REF)
    # Two slices may use one name for a shape of their own: the references tell which is which.
    refs = {kind: schema["$ref"] for kind, schema in zip(known, schemas, strict=True)}
    paths: dict[str, dict[str, Any]] = {}
    for endpoint in endpoints:
        path = _PARAMETER.sub(r"{\1}", endpoint.path)
        paths.setdefault(path, {})[endpoint.method.lower()] = _operation(endpoint, components, refs)
    info = {"title": "Clawscope", "version": version, "description": "Short-lived, narrow, signed capability tokens for AI agents."}
    return {"openapi": "3.1.0", "info": info, "paths": paths, "components": {"schemas": components, "securitySchemes": _SCHEMES}}


def _operation(endpoint: Endpoint, components: Mapping[str, Any], refs: Refs) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": _operation_id(endpoint),
        "tags": [endpoint.tag],
        "summary": endpoint.summary,
        "description": f"Who may call: {endpoint.needs.sentence()}.",
        "responses": _responses(endpoint, refs),
    }
    parameters = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
        for name in _PARAMETER.findall(endpoint.path)
    ]
    parameters += _query_parameters(endpoint.query, components, refs)
    if endpoint.idempotent:
        key = {"type": "string", "minLength": 1, "maxLength": 256, "pattern": "^[!-~]+$"}
        parameters.append({"name": "Idempotency-Key", "in": "header", "required": False, "schema": key})
    if parameters:
        operation["parameters"] = parameters
    if endpoint.body is not None:
        media = "application/x-www-form-urlencoded" if endpoint.form else "application/json"
        operation["requestBody"] = {"required": True, "content": {media: {"schema": {"$ref": refs[endpoint.body]}}}}
    if endpoint.needs.kind in _SECURITY:
        operation["security"] = _SECURITY[endpoint.needs.kind]
    return operation


def _operation_id(endpoint: Endpoint) -> str:
    words = re.sub(r"[^A-Za-z0-9]+", "_", _PARAMETER.sub(r"by_\1", endpoint.path)).strip("_")
    return f"{endpoint.method.lower()}_{words}"


def _query_parameters(query: Any, components: Mapping[str, Any], refs: Refs) -> list[dict[str, Any]]:
    if query is None:
        return []
    schema = components[refs[query].rpartition("/")[2]]
    required = schema.get("required", [])
    return [
        {"name": name, "in": "query", "required": name in required, "schema": _plain(part)} for name, part in schema["properties"].items()
    ]


def _plain(schema: Mapping[str, Any]) -> dict[str, Any]:
    # An absent query parameter is left out, never null: `string | null, default null` is shown as `string`.
    kept = {name: value for name, value in schema.items() if not (name == "default" and value is None)}
    options = [option for option in kept.get("anyOf", ()) if option != {"type": "null"}]
    return {**{k: v for k, v in kept.items() if k != "anyOf"}, **options[0]} if len(options) == 1 else kept


def _responses(endpoint: Endpoint, refs: Refs) -> dict[str, Any]:
    responses: dict[str, Any] = {}
    for status, kind in endpoint.answers.items():
        content = {"schema": {"$ref": refs[kind]}} if _is_struct(kind) else {"schema": {"type": "string"} if kind is str else {}}
        responses[str(status)] = {"description": "Done." if kind is not None else "Done, without a body."}
        if kind is not None:
            responses[str(status)]["content"] = {endpoint.media_type: content}
    error = refs[OAuthError if endpoint.shape == "oauth" else Problem]
    media = "application/json" if endpoint.shape == "oauth" else "application/problem+json"
    by_status: dict[int, list[str]] = {}
    for code in _codes(endpoint):
        by_status.setdefault(code.status, []).append(f"`{code.name}`")
    for status, names in sorted(by_status.items()):
        if str(status) in responses:
            responses[str(status)]["description"] += " Also: " + ", ".join(names)
            continue
        responses[str(status)] = {"description": ", ".join(names), "content": {media: {"schema": {"$ref": error}}}}
    return responses


def _codes(endpoint: Endpoint) -> list[Code]:
    always = [INVALID_QUERY, INTERNAL_ERROR]
    if endpoint.method != "GET":
        always += [INVALID_JSON, INVALID_REQUEST, PAYLOAD_TOO_LARGE]
    return list(dict.fromkeys((*endpoint.refusals, *always)))


def _is_struct(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, msgspec.Struct)
