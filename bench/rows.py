"""The rows of the table: what is asked of Clawscope, what of its peer, and the figures to reach (tokens.md §14, keys.md §9)."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from bench.load import Job
from bench.servers import PEER_CLIENT, Server, authlib, oidc_provider
from bench.stock import AUDIENCE, EXCHANGE_FORM, JSON, PREFLIGHT, SCOPE, Scene, bodies, issue_body, preissue

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
SEEN = 200
_ACTIVE = '"active":true'

Work = Callable[[Scene], Job]
Setup = Callable[[Scene], None]


@dataclass(frozen=True, slots=True)
class Peer:
    """The same work done by a peer: how to start it, what to ask, and how many times its rate is asked of Clawscope."""

    start: Callable[[Path], AbstractContextManager[Server]]
    work: Work
    times: float


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table. `setup` runs once before the runs, `work` builds the job of each; rates per second, p99 in milliseconds."""

    name: str
    what: str
    floor_per_s: float
    p99_ms: float
    work: Work
    setup: Setup | None = None
    peer: Peer | None = None


def _issue(scene: Scene) -> Job:
    file = bodies(scene.folder / "issue.txt", [issue_body()])
    return scene.job("POST", "/v1/tokens/issue", JSON | scene.server.headers, file, contains='"token":"')


def _oidc_issue(scene: Scene) -> Job:
    form = f"{PEER_CLIENT}&grant_type=client_credentials&scope={SCOPE}&resource={AUDIENCE}"
    return scene.job("POST", "/token", FORM, bodies(scene.folder / "oidc_issue.txt", [form]), contains='"access_token":"ey')


def _oidc_introspect(scene: Scene) -> Job:
    form = f"{PEER_CLIENT}&grant_type=client_credentials&scope={SCOPE}"
    answers = [scene.server.ask("POST", "/token", form, FORM)[2].decode() for _ in range(SEEN)]
    opaque = [answer.split('"access_token":"')[1].split('"')[0] for answer in answers]
    file = bodies(scene.folder / "oidc_seen.txt", [f"{PEER_CLIENT}&token={token}" for token in opaque])
    return scene.job("POST", "/token/introspection", FORM, file, contains=_ACTIVE)


def _authlib_introspect(scene: Scene) -> Job:
    tokens = (scene.folder / "authlib_tokens.txt").read_text().split()
    file = bodies(scene.folder / "authlib.txt", [f"{PEER_CLIENT}&token={token}" for token in tokens])
    return scene.job("POST", "/introspect", FORM, file, contains='"active": true')


def _few_tokens(scene: Scene) -> None:
    preissue(scene, SEEN, lambda token: f'{{"token":"{token}"}}')


def _batch_of_tokens(scene: Scene) -> None:
    preissue(scene, scene.plan.batch, lambda token: f'{{"token":"{token}"}}')


def _batch_for_every_run(scene: Scene) -> None:
    preissue(scene, scene.plan.batch * scene.plan.runs, lambda token: f'{{"token":"{token}"}}')


def _batch_of_subjects(scene: Scene) -> None:
    preissue(scene, scene.plan.batch, lambda token: f"{EXCHANGE_FORM}&subject_token={token}")


def _introspect_seen(scene: Scene) -> Job:
    return scene.job("POST", "/v1/tokens/introspect", JSON, scene.folder / "stock.txt", contains=_ACTIVE)


def _introspect_unseen(scene: Scene) -> Job:
    # Every run has a server just started, so that each run may ask about the same tokens and none of them was seen.
    return scene.job("POST", "/v1/tokens/introspect", JSON, scene.folder / "stock.txt", contains=_ACTIVE, batch_of=0)


def _revoke(scene: Scene) -> Job:
    right = '"status":"revoked"'
    return scene.job(
        "POST", "/v1/tokens/revoke", JSON | scene.server.headers, scene.folder / "stock.txt", contains=right, batch_of=scene.run
    )


def _exchange(scene: Scene) -> Job:
    return scene.job("POST", "/oauth2/token", FORM, scene.folder / "stock.txt", contains='"access_token":"')


def _preflight(scene: Scene) -> Job:
    file = bodies(scene.folder / "preflight.txt", [PREFLIGHT])
    right = '"decision":"preflight_pass"'
    return scene.job("POST", "/v1/capabilities/preflight", JSON | scene.server.headers, file, contains=right)


def _read(path: str, member: str) -> Work:
    def work(scene: Scene) -> Job:
        return scene.job("GET", path, {}, None, contains=f'"{member}":')

    return work


def _read_unchanged(path: str) -> Work:
    def work(scene: Scene) -> Job:
        tag = scene.server.ask("GET", path)[1]["etag"]
        return scene.job("GET", path, {"If-None-Match": tag}, None, status=304)

    return work


_DISCOVERY = (
    ("jwks", "/v1/jwks", "keys"),
    ("contract", "/v1/keys/rotation-contract", "accepted_kids"),
    ("latest", "/v1/keys/transparency/latest", "snapshot_id"),
)

ROWS: tuple[Row, ...] = (
    Row("issue", "issue, durable commit", 500, 40, _issue, peer=Peer(oidc_provider, _oidc_issue, 2.0)),
    Row("unseen", "introspect, token never seen", 1000, 20, _introspect_unseen, _batch_of_tokens, Peer(authlib, _authlib_introspect, 5.0)),
    Row("seen", "introspect, token seen before", 2000, 10, _introspect_seen, _few_tokens, Peer(oidc_provider, _oidc_introspect, 6.0)),
    Row("revoke", "revoke, durable commit", 500, 25, _revoke, _batch_for_every_run),
    Row("exchange", "token exchange, durable commit", 400, 50, _exchange, _batch_of_subjects),
    Row("preflight", "preflight", 1000, 20, _preflight),
    *(Row(name, f"`GET {path}`", 5000, 10, _read(path, member)) for name, path, member in _DISCOVERY),
    *(Row(f"{name}-304", f"`GET {path}`, unchanged", 5000, 10, _read_unchanged(path)) for name, path, _ in _DISCOVERY),
)
