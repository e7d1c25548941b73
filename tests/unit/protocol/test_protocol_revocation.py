"""What the revocation view answers, in whatever way it came to know, and the signed snapshot it may start from."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clawscope.protocol import revocation_snapshot as snapshots
from clawscope.protocol.claims import Claims
from clawscope.protocol.keys import SigningKey
from clawscope.protocol.revocation import (
    DIMENSIONS,
    CutOff,
    Hit,
    KeyRevoked,
    OtherRow,
    Record,
    RevocationView,
    SequenceGap,
    TokenRevoked,
    dimension_values,
)

Make = Callable[..., Claims]
NOW = 1_800_000_100
JTI = "00000000-0000-4000-8000-000000000001"
ROOT = "00000000-0000-4000-8000-0000000000aa"
HASH = "ab" * 32


def view_of(*records: Record) -> RevocationView:
    view = RevocationView()
    for record in records:
        view.apply(record)
    return view


def test_a_token_is_hit_by_its_jti_or_by_its_hash(make_claims: Make) -> None:
    assert view_of(TokenRevoked(1, jti=JTI, revoked_at=NOW)).hit(make_claims(), HASH) == Hit("token", NOW, 1)
    assert view_of(TokenRevoked(1, token_hash=HASH, revoked_at=NOW)).hit(make_claims(), HASH) == Hit("token", NOW, 1)
    assert view_of(TokenRevoked(1, jti=ROOT, token_hash="cd" * 32)).hit(make_claims(), HASH) is None
    assert RevocationView().hit(make_claims(jti=None), HASH) is None


def test_an_ancestor_ends_its_descendants_but_not_the_other_way(make_claims: Make) -> None:
    child = make_claims(lineage=(ROOT, "00000000-0000-4000-8000-0000000000bb"))
    assert view_of(TokenRevoked(1, jti=ROOT, revoked_at=NOW)).hit(child, HASH) == Hit("ancestor", NOW, 1)
    assert view_of(TokenRevoked(1, jti=JTI)).hit(make_claims(jti=ROOT), HASH) is None


def test_every_dimension_cuts_tokens_up_to_its_second(canonical_claims: Make) -> None:
    claims = canonical_claims(job_id="job_1")
    values = dict(dimension_values(claims))
    assert set(values) == set(DIMENSIONS)
    assert values["chain"] == "did:key:zController did:key:zAgent"
    for dimension, value in values.items():
        assert view_of(CutOff(1, dimension, value, claims.iat, NOW)).hit(claims, HASH) == Hit("cutoff", NOW, 1)
        assert view_of(CutOff(1, dimension, value, claims.iat - 1, NOW)).hit(claims, HASH) is None
        assert view_of(CutOff(1, dimension, value + "x", claims.iat, NOW)).hit(claims, HASH) is None


def test_a_cut_off_stays_within_the_reach_it_names(canonical_claims: Make) -> None:
    claims = canonical_claims()
    for reach, hits in (
        ({"org_id": "org_1"}, True),
        ({"org_id": "org_2"}, False),
        ({"owner_did": "did:key:zOwner"}, True),
        ({"owner_did": "did:key:z"}, False),
    ):
        view = view_of(CutOff(1, "run_id", "run_1", NOW, NOW, **reach))
        assert (view.hit(claims, HASH) is not None) is hits
    assert view_of(CutOff(1, "run_id", "run_1", NOW, NOW, org_id="org_1")).hit(canonical_claims(org_id=None), HASH) is None


def test_the_first_time_a_token_was_revoked_is_told(make_claims: Make) -> None:
    view = view_of(TokenRevoked(1, jti=JTI, revoked_at=NOW), TokenRevoked(2, jti=JTI, revoked_at=NOW + 9))
    assert view.hit(make_claims(), HASH) == Hit("token", NOW, 1)
    cuts = view_of(CutOff(1, "run_id", "run_1", NOW, NOW), CutOff(2, "run_id", "run_1", NOW + 9, NOW + 9))
    assert cuts.hit(make_claims(), HASH) == Hit("cutoff", NOW, 1)
    assert cuts.hit(make_claims(iat=NOW + 5, exp=NOW + 99), HASH) == Hit("cutoff", NOW + 9, 2)


def test_rows_are_taken_in_order_once_and_without_a_gap(make_claims: Make) -> None:
    view = RevocationView()
    assert view.apply(OtherRow(1)) is True
    assert view.apply(OtherRow(1)) is False
    with pytest.raises(SequenceGap):
        view.apply(TokenRevoked(3, jti=JTI))
    assert view.hit(make_claims(), HASH) is None
    assert view.sequence == 1
    view.apply(KeyRevoked(2, "k1", NOW))
    assert view.revoked_kids == {"k1"}


def test_a_row_is_forgotten_only_long_after_its_token_and_never_without_an_expiry(make_claims: Make) -> None:
    claims = make_claims()
    view = view_of(TokenRevoked(1, jti=JTI, token_hash=HASH, exp=claims.exp, revoked_at=NOW), TokenRevoked(2, token_hash="ee" * 32))
    assert view.forget_before(claims.exp + 3600) == 0
    assert view.hit(claims, HASH) is not None
    assert view.forget_before(claims.exp + 10_000) == 1
    assert view.hit(claims, HASH) is None
    assert view.hit(claims, "ee" * 32) is not None


def test_many_cut_offs_of_one_value_are_searched_by_halves(make_claims: Make) -> None:
    view = view_of(*(CutOff(number, "run_id", "run_1", NOW + number, NOW + number) for number in range(1, 20_001)))
    assert view.hit(make_claims(iat=NOW + 10_000, exp=NOW + 90_000), HASH) == Hit("cutoff", NOW + 10_000, 10_000)
    assert view.hit(make_claims(iat=NOW + 20_001, exp=NOW + 90_000), HASH) is None


JTIS = [f"00000000-0000-4000-8000-{number:012d}" for number in range(4)]
RUNS = ["run_0", "run_1"]
record_shapes = st.one_of(
    st.builds(lambda jti: lambda n: TokenRevoked(n, jti=jti, exp=NOW + 500, revoked_at=NOW + n), st.sampled_from(JTIS)),
    st.builds(lambda end: lambda n: TokenRevoked(n, token_hash=end * 64, revoked_at=NOW + n), st.sampled_from("abc")),
    st.builds(
        lambda value, back, org: lambda n: CutOff(n, "run_id", value, NOW - back, NOW + n, org_id=org),
        st.sampled_from(RUNS),
        st.integers(0, 3),
        st.none() | st.just("org_1"),
    ),
    st.just(lambda n: KeyRevoked(n, "k1", NOW)),
    st.just(OtherRow),
)


@given(st.lists(record_shapes, max_size=12), st.data())
def test_every_start_point_leads_to_the_same_verdicts(
    make_claims: Make, statement_key: SigningKey, shapes: list[Any], data: st.DataObject
) -> None:
    records = [shape(number) for number, shape in enumerate(shapes, start=1)]
    start = data.draw(st.integers(0, len(records)))
    whole = view_of(*records)
    loaded = RevocationView.at(start, data.draw(st.permutations(records[:start])))
    snapshot = snapshots.build(
        records[:start], as_of_sequence=start, generated_at=NOW, valid_until=NOW + 300, signer_kid="s", key=statement_key
    )
    resumed = snapshots.view_of(snapshots.open_snapshot(snapshots.encode(snapshot), statement_key.public, now=NOW))
    for view in (loaded, resumed):
        # A reader that sees some rows twice is none the worse.
        for record in records[max(0, start - 2) :]:
            view.apply(record)
        assert view.sequence == whole.sequence == len(records)
        assert view.revoked_kids == whole.revoked_kids
    for jti in JTIS:
        for run in RUNS:
            for back in range(4):
                claims = make_claims(jti=jti, run_id=run, iat=NOW - back, exp=NOW + 500, org_id="org_1" if back % 2 else None)
                expected = whole.hit(claims, "a" * 64)
                assert (resumed.hit(claims, "a" * 64) is None) == (expected is None)
                assert loaded.hit(claims, "a" * 64) == expected


def test_a_reader_beside_the_writer_never_misses_a_row_it_was_told_of(make_claims: Make) -> None:
    view, wrong, done = RevocationView(), [], threading.Event()
    jtis = [f"00000000-0000-4000-8000-{number:012d}" for number in range(1, 5001)]

    def read() -> None:
        while not done.is_set():
            seen = view.sequence
            if seen and view.hit(make_claims(jti=jtis[seen - 1]), HASH) is None:
                wrong.append(seen)

    reader = threading.Thread(target=read)
    reader.start()
    for number, jti in enumerate(jtis, start=1):
        view.apply(TokenRevoked(number, jti=jti, exp=NOW))
    done.set()
    reader.join()
    assert not wrong


@pytest.fixture
def snapshot(statement_key: SigningKey) -> snapshots.Snapshot:
    """A snapshot of three rows."""
    rows: list[Record] = [TokenRevoked(1, jti=JTI, exp=NOW), CutOff(2, "org_id", "org_1", NOW, NOW), KeyRevoked(3, "k1")]
    return snapshots.build(rows, as_of_sequence=3, generated_at=NOW, valid_until=NOW + 300, signer_kid="s", key=statement_key)


def why(raw: bytes, public: bytes, **members: Any) -> str:
    with pytest.raises(snapshots.SnapshotRefused) as caught:
        snapshots.open_snapshot(raw, public, **({"now": NOW} | members))
    return caught.value.why


def test_a_snapshot_is_refused_when_changed_old_future_or_below_what_was_seen(
    snapshot: snapshots.Snapshot, statement_key: SigningKey, token_key: SigningKey
) -> None:
    raw, public = snapshots.encode(snapshot), statement_key.public
    assert snapshots.open_snapshot(raw, public, now=NOW, seen_sequence=3) == snapshot
    assert why(raw, token_key.public) == "signature"
    assert why(raw.replace(b"org_1", b"org_2"), public) == "signature"
    assert why(raw.replace(JTI.encode(), JTI.replace("1", "2").encode()), public) == "signature"
    assert why(raw, public, seen_sequence=4) == "rollback"
    assert why(raw, public, now=NOW + 300) == "expired"
    assert why(raw, public, now=NOW - 61) == "future"


@pytest.mark.parametrize("raw", [b"", b"{}", b"[]", b'{"tokens":1}', b"\xff"])
def test_what_is_no_snapshot_is_malformed(raw: bytes, statement_key: SigningKey) -> None:
    assert why(raw, statement_key.public) == "malformed"


def test_unknown_members_and_dimensions_make_a_snapshot_malformed(snapshot: snapshots.Snapshot, statement_key: SigningKey) -> None:
    raw = snapshots.encode(snapshot)
    assert why(raw[:-1] + b',"x":1}', statement_key.public) == "malformed"
    assert why(raw.replace(b'"org_id"', b'"tier"', 1), statement_key.public) == "malformed"


def test_feed_records_are_told_apart_by_their_kind() -> None:
    for record in (TokenRevoked(1, jti=JTI), CutOff(2, "run_id", "x", NOW), KeyRevoked(3, "k"), OtherRow(4)):
        raw = msgspec.json.encode(record)
        assert msgspec.json.decode(raw, type=Record) == record
    assert b'"kind":"cutoff"' in msgspec.json.encode(CutOff(2, "run_id", "x", NOW))
