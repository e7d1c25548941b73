"""The verifier of CSTs: golden bytes, the order of the checks, forgeries, and a foreign library as the oracle."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from joserfc import jwt
from joserfc.jwk import OKPKey

from clawscope.protocol import b64u, codes, jws
from clawscope.protocol.claims import Claims
from clawscope.protocol.jwk import public_jwk, thumbprint
from clawscope.protocol.keys import SigningKey
from clawscope.protocol.token import TokenTooLarge, hash_of, mint
from clawscope.protocol.verdict import Denied
from clawscope.protocol.verify_token import KeyEntry, KeySet, Rules, Verified, still_good, verify

NOW = 1_800_000_100
MUTATIONS = 4_000
SOAK_MUTATIONS = 1_000_000
Make = Callable[..., Claims]
MakeToken = Callable[..., str]


def payload_of(token: str) -> str:
    return b64u.decode(token.split(".")[1]).decode()


def test_the_golden_token_comes_out_byte_for_byte(
    make_claims: Make, token_key: SigningKey, kid: str, key_set: KeySet, rules: Rules
) -> None:
    minted = mint(make_claims(), token_key, kid)
    assert len(minted.token) == 688
    assert minted.token_hash == "193485897eb1f051e312d2cd258f8084a4f41a4cc7a8e6aa6637448120935c5f"
    assert verify(minted.token, key_set, rules, NOW) == Verified(make_claims(), minted.token_hash, kid, "header")


def test_a_token_too_large_to_verify_is_not_minted(make_claims: Make, token_key: SigningKey, kid: str) -> None:
    with pytest.raises(TokenTooLarge):
        mint(
            make_claims(aud=tuple(f"{number}{'a' * 250}" for number in range(16)), scope=tuple("b" * 200 + str(n) for n in range(30))),
            token_key,
            kid,
        )
    with pytest.raises(ValueError, match="kid"):
        mint(make_claims(), token_key, 'a"b')


def test_joserfc_reads_our_tokens_and_we_read_its(
    canonical_claims: Make, token_key: SigningKey, kid: str, key_set: KeySet, rules: Rules
) -> None:
    public = OKPKey.import_key(
        {name: value for name, value in public_jwk(token_key.public, kid).items() if name in ("kty", "crv", "x", "kid")}
    )
    minted = mint(canonical_claims(), token_key, kid)
    read = jwt.decode(minted.token, public, algorithms=["EdDSA"])
    assert read.header == {"alg": "EdDSA", "typ": "JWT", "kid": kid}
    seed = bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
    private = OKPKey.import_key({"kty": "OKP", "crv": "Ed25519", "x": b64u.encode(token_key.public), "d": b64u.encode(seed)})
    theirs = jwt.encode({"typ": "JWT", "kid": kid, "alg": "EdDSA"}, dict(read.claims), private, algorithms=["EdDSA"])
    found = verify(theirs, key_set, rules, NOW)
    assert isinstance(found, Verified)
    assert found.claims == canonical_claims()


@pytest.mark.parametrize(
    ("header", "code"),
    [
        ('{"alg":"EdDSA","typ":"JWT","kid":"KID"}', "ok"),
        ('{"kid":"KID","typ":"JWT","alg":"Ed25519"}', "ok"),
        ('{"alg":"EdDSA","kid":"KID"}', "TOKEN_MALFORMED"),
        ('{"alg":"EdDSA","typ":"jwt","kid":"KID"}', "TOKEN_MALFORMED"),
        ('{"alg":"EdDSA","typ":"JWT","kid":""}', "TOKEN_MALFORMED"),
        ('{"alg":"EdDSA","typ":"JWT","kid":null}', "TOKEN_MALFORMED"),
        ('{"alg":"EdDSA","typ":"JWT","kid":"../x"}', "TOKEN_MALFORMED"),
        ('{"alg":"EdDSA","typ":"JWT","kid":"KID","crit":["b64"],"b64":false}', "TOKEN_MALFORMED"),
        ('{"alg":"EdDSA","typ":"JWT","kid":"KID","jku":"https://evil.example"}', "TOKEN_MALFORMED"),
        ('{"alg":"EdDSA","typ":"JWT","kid":"KID","jwk":{}}', "TOKEN_MALFORMED"),
        ('{"alg":"EdDSA","typ":"JWT","kid":"KID","zip":"DEF"}', "TOKEN_MALFORMED"),
        ('{"alg":"EdDSA","alg":"none","typ":"JWT","kid":"KID"}', "TOKEN_MALFORMED"),
        ('{"alg":"none","alg":"EdDSA","typ":"JWT","kid":"KID"}', "TOKEN_MALFORMED"),
        ('[{"alg":"EdDSA","typ":"JWT","kid":"KID"}]', "TOKEN_MALFORMED"),
        ('{"alg":"none","typ":"JWT","kid":"KID"}', "TOKEN_UNSUPPORTED_ALG"),
        ('{"alg":"eddsa","typ":"JWT","kid":"KID"}', "TOKEN_UNSUPPORTED_ALG"),
        ('{"alg":"HS256","typ":"JWT","kid":"KID"}', "TOKEN_UNSUPPORTED_ALG"),
        ('{"alg":["EdDSA"],"typ":"JWT","kid":"KID"}', "TOKEN_UNSUPPORTED_ALG"),
        ('{"typ":"JWT","kid":"KID"}', "TOKEN_UNSUPPORTED_ALG"),
        ('{"alg":"EdDSA","typ":"JWT","kid":"KID"' + " " * 2048 + "}", "TOKEN_MALFORMED"),
        ('{"alg":"EdDSA","typ":"JWT"}', "TOKEN_UNKNOWN_KID"),
        ('{"alg":"EdDSA","typ":"JWT","kid":"constructor"}', "TOKEN_UNKNOWN_KID"),
    ],
)
def test_the_header_is_judged_as_the_table_says(
    header: str, code: str, make_token: MakeToken, kid: str, signed: Callable[..., str], code_of: Callable[[str], str]
) -> None:
    assert code_of(signed(payload_of(make_token()), header.replace("KID", kid))) == code


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda text: text[:-1] + ',"run_id":"run_1"}', "TOKEN_MALFORMED"),
        (lambda text: f"[{text}]", "TOKEN_MALFORMED"),
        (lambda text: text + "{}", "TOKEN_MALFORMED"),
        (lambda text: "\ufeff" + text, "TOKEN_MALFORMED"),
        (lambda text: text.replace('"1"', '"2"', 1), "TOKEN_UNKNOWN_VERSION"),
        (lambda text: text.replace('"1"', "1", 1), "TOKEN_UNKNOWN_VERSION"),
        (lambda text: text.replace('"token_version":"1",', "", 1), "TOKEN_INVALID_CLAIMS"),
        (lambda text: text[:-1] + ',"colour":"red"}', "TOKEN_INVALID_CLAIMS"),
        (lambda text: text[:-1] + ',"owner_ref":null}', "TOKEN_INVALID_CLAIMS"),
        (lambda text: text.replace("clawscope.example", "other.example"), "TOKEN_INVALID_CLAIMS"),
        (lambda text: text.replace("1800000600", "1800086401"), "TOKEN_INVALID_CLAIMS"),
        (lambda text: text.replace("1800000600", "1800000600.0"), "TOKEN_INVALID_CLAIMS"),
        (lambda text: text.replace('"iss":"https://clawscope.example",', ""), "ok"),
        (lambda text: text.replace(":", ": "), "ok"),
        (
            lambda text: text.replace('"token_scope_hash_b64u":"cUp29jLmfEilCbCsFIzAnc_Ic-SpvWRNzoX-XpDC6ZY",', ""),
            "TOKEN_SCOPE_HASH_REQUIRED",
        ),
        (lambda text: text.replace("cUp2", "cUp3"), "TOKEN_SCOPE_HASH_MISMATCH"),
        (lambda text: text.replace("proxy:call", "*"), "TOKEN_SCOPE_HASH_MISMATCH"),
    ],
)
def test_the_payload_is_judged_as_the_table_says(
    change: Callable[[str], str],
    code: str,
    make_token: MakeToken,
    good_header: str,
    signed: Callable[..., str],
    code_of: Callable[[str], str],
) -> None:
    text = payload_of(make_token())
    changed = change(text)
    # The blanks of the one harmless change must not fall into values.
    changed = changed.replace("https: ", "https:").replace("did: key: ", "did:key:").replace("proxy: call", "proxy:call")
    assert code_of(signed(changed, good_header)) == code


def test_no_claim_is_reported_before_the_signature_holds(
    make_token: MakeToken, statement_key: SigningKey, make_claims: Make, kid: str, code_of: Callable[[str], str]
) -> None:
    for changes in (
        {"exp": 1_800_000_001},
        {"iss": "https://x.example"},
        {"token_version": "9"},
        {"run_id": ""},
        {"token_scope_hash_b64u": "a" * 43},
    ):
        assert code_of(mint(make_claims(**changes), statement_key, kid).token) == "TOKEN_SIGNATURE_INVALID"
    assert code_of(make_token()[:-86] + "A" * 86) == "TOKEN_SIGNATURE_INVALID"


def test_each_time_limit_passes_one_second_inside_and_fails_on_it(
    canonical_claims: Make, token_key: SigningKey, kid: str, key_set: KeySet, rules: Rules
) -> None:
    delegation = {
        "delegation_id": "d",
        "delegator_did": "did:key:zOwner",
        "delegate_did": "did:key:zAgent",
        "delegation_expires_at": 1_800_000_300,
    }
    plain = mint(canonical_claims(), token_key, kid).token
    delegated = mint(canonical_claims(**delegation), token_key, kid).token

    def code_at(token: str, now: int) -> str:
        found = verify(token, key_set, rules, now)
        return found.code.name if isinstance(found, Denied) else "ok"

    assert code_at(plain, 1_800_000_659) == "ok"
    assert code_at(plain, 1_800_000_660) == "TOKEN_EXPIRED"
    assert code_at(plain, 1_799_999_940) == "ok"
    assert code_at(plain, 1_799_999_939) == "TOKEN_NOT_YET_VALID"
    assert code_at(delegated, 1_800_000_359) == "ok"
    assert code_at(delegated, 1_800_000_360) == "TOKEN_DELEGATION_EXPIRED"
    assert code_at(delegated, 1_800_000_660) == "TOKEN_EXPIRED"


def test_unknown_keys_differ_from_expired_and_withdrawn_ones(make_token: MakeToken, token_key: SigningKey, kid: str, rules: Rules) -> None:
    token = make_token()

    def code_with(keys: KeySet | None, now: int = NOW) -> str:
        found = verify(token, keys, rules, now)
        return found.code.name if isinstance(found, Denied) else "ok"

    assert code_with(None) == "SIGNING_NOT_CONFIGURED"
    assert code_with(KeySet({})) == "TOKEN_UNKNOWN_KID"
    assert code_with(KeySet({kid: KeyEntry(token_key.public, NOW)})) == "ok"
    assert code_with(KeySet({kid: KeyEntry(token_key.public, NOW)}), NOW + 1) == "TOKEN_KID_EXPIRED"
    assert code_with(KeySet({kid: KeyEntry(token_key.public, None, withdrawn=True)})) == "TOKEN_KID_EXPIRED"


def test_a_missing_kid_is_recovered_only_where_the_rules_say_so(
    make_token: MakeToken, signed: Callable[..., str], token_key: SigningKey, statement_key: SigningKey, kid: str, rules: Rules
) -> None:
    token = signed(payload_of(make_token()), '{"alg":"EdDSA","typ":"JWT"}')
    lenient = Rules(rules.issuer, accept_missing_kid=True)
    other = {"other": KeyEntry(statement_key.public)}
    found = verify(token, KeySet(other | {kid: KeyEntry(token_key.public)}), lenient, NOW)
    assert isinstance(found, Verified)
    assert (found.kid, found.kid_source) == (kid, "recovered")
    for keys, strict in ((KeySet(other), lenient), (KeySet({kid: KeyEntry(token_key.public, withdrawn=True)}), lenient)):
        refused = verify(token, keys, strict, NOW)
        assert isinstance(refused, Denied)
        assert refused.code is codes.TOKEN_SIGNATURE_INVALID


def test_a_token_verified_earlier_is_held_to_time_and_key_again(
    make_claims: Make, token_key: SigningKey, kid: str, key_set: KeySet, rules: Rules
) -> None:
    verified = Verified(make_claims(), "0" * 64, kid, "header")
    withdrawn = KeySet({kid: KeyEntry(token_key.public, withdrawn=True)})
    assert still_good(verified, key_set, rules, NOW) is None
    expected = [
        (key_set, 1_800_000_660, codes.TOKEN_EXPIRED),
        (key_set, 1_799_999_000, codes.TOKEN_NOT_YET_VALID),
        (withdrawn, NOW, codes.TOKEN_KID_EXPIRED),
        (KeySet({}), NOW, codes.TOKEN_UNKNOWN_KID),
        (None, NOW, codes.SIGNING_NOT_CONFIGURED),
    ]
    for keys, now, code in expected:
        denied = still_good(verified, keys, rules, now)
        assert denied is not None
        assert denied.code is code


def test_the_hash_and_the_refusals_hold_nothing_of_the_token(make_token: MakeToken, key_set: KeySet, rules: Rules) -> None:
    token = make_token()
    assert len(hash_of(token)) == 64
    denied = verify(token[:-4] + "AAAA", key_set, rules, NOW)
    assert isinstance(denied, Denied)
    assert token[:20] not in repr(denied)


def test_split_gives_the_signing_input_and_the_key_name(make_token: MakeToken, kid: str) -> None:
    parsed = jws.split(make_token())
    assert isinstance(parsed, jws.Parsed)
    assert parsed.kid == kid
    assert parsed.signing_input.decode() == make_token().rpartition(".")[0]
    assert thumbprint(SigningKey.from_seed(bytes(32)).public) != kid
