"""Servers of identity alone."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.http.identity.people import Desk
from tests.http.identity.serving import MakeIdentity, identity_maker


@pytest.fixture(scope="module")
def make_identity(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MakeIdentity]:
    """Starts servers with any settings; all of them end with the module."""
    with identity_maker(lambda: tmp_path_factory.mktemp("identity")) as make:
        yield make


@pytest.fixture(scope="module")
def desk(make_identity: MakeIdentity) -> Desk:
    """The module's server."""
    return Desk(make_identity())
