"""What every test may count on: hypothesis without deadlines, and one scripted control plane per process."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.fakes.control_plane import ControlPlane
from tests.http.serving import MakeServer, Served, server_maker

settings.register_profile("clawscope", deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
settings.load_profile("clawscope")


@pytest.fixture(scope="session")
def control_plane() -> Iterator[ControlPlane]:
    """Identity's chain read over real HTTP."""
    plane = ControlPlane()
    yield plane
    plane.close()


@pytest.fixture(scope="module")
def make_server(tmp_path_factory: pytest.TempPathFactory, control_plane: ControlPlane) -> Iterator[MakeServer]:
    """Starts servers with any settings; all of them end with the module."""
    with server_maker(tmp_path_factory, control_plane.url) as make:
        yield make


@pytest.fixture(scope="session")
def session_server(tmp_path_factory: pytest.TempPathFactory, control_plane: ControlPlane) -> Iterator[MakeServer]:
    """Starts servers that live as long as the test process."""
    with server_maker(tmp_path_factory, control_plane.url) as make:
        yield make


@pytest.fixture(scope="session")
def dev(session_server: MakeServer) -> Served:
    """The shared server: protected routes take operator keys and CSTs."""
    return session_server()


@pytest.fixture(scope="session")
def strict(session_server: MakeServer) -> Served:
    """The shared server in the default mode: protected routes take canonical CSTs only."""
    return session_server(issuer={"protected_auth_mode": "canonical_cst"})


@pytest.fixture(scope="session")
def vectors() -> Path:
    """The folder of public vectors; skips where it is not at hand."""
    folder = Path(__file__).resolve().parents[2] / "shared" / "vectors"
    if not folder.is_dir():
        pytest.skip("the public vectors are not at hand")
    return folder
