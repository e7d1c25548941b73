"""Golden vectors of identity.md §15, and the public vectors of keys and signatures."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from clawscope.identity.domain import purposes, signing
from clawscope.identity.domain.challenge import Draft, message_v1, message_v2
from clawscope.identity.domain.policy import DEFAULT_SCOPES, chosen_scopes, policy_hash
from clawscope.kernel.errors import Refusal
from clawscope.protocol import b64u, did
from clawscope.protocol.keys import SigningKey

K1 = SigningKey.from_seed(bytes(range(32)))
OWNER = "did:key:z6MkehRgf7yJbgaGfYsdoAsKdBPE3dj2CYhowQdcjqSJgvVd"
BIND = Draft(purposes.BIND, OWNER, "00000000-0000-4000-8000-000000000001", "00000000-0000-4000-8000-000000000002", 1767225600)


def test_the_three_dids() -> None:
    seeds = (bytes(range(32)), bytes(range(32, 64)), bytes(range(64, 96)))
    assert [did.did_key(SigningKey.from_seed(seed).public) for seed in seeds] == [
        OWNER,
        "did:key:z6MkhFwXNFWosLeugvSf4wcL9t3uuRXueGSFTRgSvHhWj5G2",
        "did:key:z6Mkgxj2R3HLtQRpPnvfvpuKEceSqf3tZHBjdmZ3fFz3JHGG",
    ]


def test_bind_v1_and_v2() -> None:
    assert message_v1(BIND) == ("clawclaim:bind:v1:00000000-0000-4000-8000-000000000001:00000000-0000-4000-8000-000000000002:1767225600")
    v1 = "0BLMRKmIAwo9JClGLiYepe3I5ZlrontenRqy63mVQFo-ViuxMHgsTF9MY_-AoqKilGrYgPzhWHYsErqvL2EBAA"
    v2 = "UvrYVCJd0b2x7l5k5NnDrxEMnDbtcJa-rPcQnyoEPk8r5L7SFNbnc3yATgJpHiFXP7m1rZW5ZyjhXHIQAMVFBQ"
    assert b64u.encode(K1.sign(message_v1(BIND).encode())) == v1
    assert b64u.encode(K1.sign(message_v2(BIND, "did:web:id.example").encode())) == v2
    signing.check_signature(OWNER, message_v1(BIND), v1)


def test_the_default_policy_and_the_same_four_sent_hash_differently() -> None:
    assert policy_hash(OWNER, DEFAULT_SCOPES) == "aerYuGbwaBjU0-gDpvtZI0kRvYlHZf-bvgqY79N4uLE"
    assert policy_hash(OWNER, chosen_scopes(DEFAULT_SCOPES) or ()) == "Aw1tNsGqRzgz3-i5c10KFO68XxoLQDEt6mY3J6879gg"


def test_every_did_key_gets_its_stated_verdict(vectors: Callable[[str], Any]) -> None:
    for case in vectors("did_key")["accept"]:
        assert len(signing.key_of(case["did"])) == 32
    for case in vectors("did_key")["reject"]:
        with pytest.raises(Refusal) as refused:
            signing.key_of(case["did"])
        wanted = "INVALID_DID" if case["did"].startswith("did:key:z") else "UNSUPPORTED_DID"
        assert refused.value.code.name == wanted
