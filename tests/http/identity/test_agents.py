"""Agents under controllers, and the chain read (identity.md §5)."""

from __future__ import annotations

from tests.http.identity.people import Desk, at, person


def test_the_chain_read_tells_everything_the_issuer_judges(desk: Desk) -> None:
    owner, controller, agent = desk.family()
    body = desk.chain(controller.did, agent.did)
    assert set(body) == {"status", "owner_did", "controller", "agent_binding", "alias_resolution", "chain"}
    chain = body["chain"]
    assert (chain["owner_did"], chain["controller_did"], chain["agent_did"]) == (owner.did, controller.did, agent.did)
    assert (chain["active"], chain["transfer_state"], chain["inactive_reasons"]) == (True, "active", [])
    assert chain["as_of"] == desk.served.clock.now()
    hashes = {chain["policy_hash_b64u"], body["agent_binding"]["policy_hash_b64u"], body["controller"]["policy"]["policy_hash_b64u"]}
    assert len(hashes) == 1
    assert body["agent_binding"]["binding_version"] == "1"


def test_registering_an_agent_refuses_in_order(desk: Desk) -> None:
    owner, controller = person(), person()
    agent, other = person(), person()
    desk.bind(owner, controller, other)
    desk.register(owner, controller).ok()
    path = at(controller.did, "/agents/register")
    challenge = desk.ask(owner, "register_agent", controller_did=controller.did, agent_did=agent.did).ok()
    body = {**desk.over(owner, challenge), "agent_did": agent.did}
    assert desk.client.post(path, {**body, "agent_did": other.did}).refusal == (400, "CHALLENGE_CONTEXT_MISMATCH")
    assert desk.client.post(path, body).refusal == (403, "AGENT_BINDING_REQUIRED")
    desk.bind(agent)
    assert desk.client.post(path, {**body, "signature_b64u": "A" * 86}).refusal == (401, "SIGNATURE_INVALID")
    desk.client.post(at(controller.did, "/deactivate"), desk.signed(owner, "deactivate_controller", controller_did=controller.did)).ok()
    assert desk.client.post(path, body).refusal == (403, "CONTROLLER_INACTIVE")
    desk.register(other, controller, consent=True).ok()
    assert desk.client.post(path, body).refusal == (403, "CONTROLLER_OWNER_MISMATCH")


def test_an_agent_is_registered_once_and_comes_back_after_its_end(desk: Desk) -> None:
    owner, controller, agent = desk.family()
    assert desk.add_agent(owner, controller, agent).ok()["status"] == "already_registered"
    path = at(controller.did, f"/agents/{agent.did}/deactivate")
    named = {"controller_did": controller.did, "agent_did": agent.did}
    early = desk.signed(owner, "deactivate_agent", **named)
    stopped = desk.client.post(path, desk.signed(owner, "deactivate_agent", **named)).ok()
    assert (stopped["status"], stopped["binding"]["active"]) == ("deactivated", False)
    assert ("chain", f"{controller.did} {agent.did}") in desk.served.cut_offs.made
    assert desk.client.post(path, early).ok()["status"] == "already_inactive"
    assert desk.chain(controller.did, agent.did)["chain"]["inactive_reasons"] == ["agent_inactive"]
    again = desk.add_agent(owner, controller, agent, consent=True).ok()
    assert (again["status"], again["reactivated"], again["binding"]["consent"]) == ("registered", True, "signed")


def test_deactivation_refuses_in_order(desk: Desk) -> None:
    owner, controller, _ = desk.family()
    stranger = person()
    named = {"controller_did": controller.did, "agent_did": stranger.did}
    body = desk.signed(owner, "deactivate_agent", **named)
    path = at(controller.did, f"/agents/{stranger.did}/deactivate")
    assert desk.client.post(path, body).refusal == (404, "CONTROLLER_AGENT_NOT_FOUND")
    body = desk.signed(owner, "deactivate_controller", controller_did=controller.did)
    desk.bind(stranger)
    assert desk.client.post(at(controller.did, "/deactivate"), {**body, "owner_did": stranger.did}).refusal == (
        400,
        "CHALLENGE_CONTEXT_MISMATCH",
    )
    desk.register(stranger, controller, consent=True).ok()
    assert desk.client.post(at(controller.did, "/deactivate"), body).refusal == (403, "CONTROLLER_OWNER_MISMATCH")


def test_an_unknown_agent_is_not_found(desk: Desk) -> None:
    _, controller, _ = desk.family()
    assert desk.client.get(at(controller.did, "/agents/did:key:zNobody")).refusal == (404, "CONTROLLER_AGENT_NOT_FOUND")
    assert desk.client.get(at("did:key:zNobody", "/agents/did:key:zNobody")).refusal == (404, "CONTROLLER_NOT_FOUND")


def test_every_link_of_a_chain_counts(desk: Desk) -> None:
    owner, controller, agent = desk.family()
    for one, reason in ((agent, "agent"), (controller, "controller"), (owner, "owner")):
        desk.revoke(one)
        assert f"{reason}_binding_inactive" in desk.chain(controller.did, agent.did)["chain"]["inactive_reasons"]
    assert len(desk.chain(controller.did, agent.did)["chain"]["inactive_reasons"]) == 3


def test_agents_are_listed_page_by_page(desk: Desk) -> None:
    owner, controller, first = desk.family()
    others = [person() for _ in range(4)]
    desk.bind(*others)
    for one in others:
        desk.add_agent(owner, controller, one).ok()
    found: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        page = desk.client.get(at(controller.did, "/agents"), limit=2, **cursor).ok()
        found += [binding["agent_did"] for binding in page["bindings"]]
        if page["list_complete"]:
            break
        cursor = {"cursor": page["cursor"]}
    assert found == [first.did, *(one.did for one in others)]
    assert desk.client.get(at(controller.did, "/agents"), cursor="x").refusal == (400, "INVALID_CURSOR")
    assert desk.client.get(at(controller.did, "/agents"), limit="x").refusal == (400, "INVALID_QUERY")


def test_an_agent_may_sit_under_several_controllers(desk: Desk) -> None:
    owner, controller, agent = desk.family()
    second = person()
    desk.bind(second)
    desk.register(owner, second).ok()
    desk.add_agent(owner, second, agent).ok()
    assert desk.chain(second.did, agent.did)["chain"]["active"]
    assert desk.revoke(agent)["chains_inactive"] == 2
    assert not desk.chain(controller.did, agent.did)["chain"]["active"]
