"""A query has a budget: pages end short and lose nothing, what cannot be cut up is refused whole."""

import concurrent.futures

import grpc
import pytest

import contract
from clients import Refused, bearer, channel, details
from suite import Http

from transparency.standards.v1 import standards_service_pb2_grpc as rpc  # pylint: disable=import-error

COUNT = 150
SHORT = ("--query_page_cpu=1us",)
DEAR = ("--query_page_cpu=1us", "--query_cpu=1us")


def asking(method, **fields):
    return contract.request("standards", method, **fields)


def stub_of(process):
    return rpc.StandardsServiceStub(channel(process))


@pytest.fixture(name="replicas", scope="module")
def replicas_fixture(tmp_path_factory):
    """Three replicas over as many organizations: with all the time there is, with next to none
    for a page, and with next to none for anything."""
    import suite as suite_module
    made = suite_module.Suite(tmp_path_factory.mktemp("cost"))
    made.ample = made.service("standards")
    stub = stub_of(made.ample)

    def create(number):
        _, call = stub.CreateOrganization.with_call(asking(
            "CreateOrganization", organization_id=f"o{number:03d}",
            organization={"display_name": f"Organization {number * 7 % COUNT:03d}", "kind": 1 + number % 2}),
            metadata=bearer(made.staff), timeout=60)
        return dict(call.initial_metadata())["x-revision"]
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        made.revision = max(pool.map(create, range(COUNT)), key=lambda r: int(r.split("=")[1].split(".")[0]))
    made.short = made.service("standards", *SHORT)
    made.dear = made.service("standards", *DEAR)
    made.front = made.gateway(standards=made.dear)
    yield made
    made.close()


def pages(process, revision, **fields):
    """Each page of a list, followed to its end."""
    stub, token, told = stub_of(process), "", []
    while True:
        page = stub.ListOrganizations(asking("ListOrganizations", page_token=token, **fields),
                                      metadata=[("x-min-revision", revision)], timeout=60)
        told.append(page)
        token = page.next_page_token
        if not token:
            return told
        assert len(told) <= COUNT + 1


@pytest.mark.parametrize("fields", [
    {}, {"page_size": 7}, {"filter": "kind = STANDARDS_BODY", "page_size": 1000},
    {"filter": "display_name = *149", "page_size": 1000, "return_total_size": True},
    {"filter": "nowhere", "return_total_size": True},
    {"order_by": "display_name desc", "page_size": 20, "return_total_size": True}], ids=str)
def test_pages_end_when_their_time_is_spent_and_lose_nothing(replicas, fields):
    whole = pages(replicas.ample, replicas.revision, **{**fields, "page_size": 1000})
    short = pages(replicas.short, replicas.revision, **fields)
    expected = [o.name for page in whole for o in page.organizations]
    assert [o.name for page in short for o in page.organizations] == expected
    if "order_by" not in fields:
        assert len(short) > len(whole)
    if fields.get("filter", "").startswith(("display_name", "nowhere")):
        assert [page for page in short[:-1] if not page.organizations]
    if "return_total_size" in fields:
        assert {page.total_size for page in short} == {len(expected)}


TOO_DEAR = {
    "order": ("ListOrganizations", {"order_by": "display_name"}, "0"),
    "total size": ("ListOrganizations", {"filter": "kind = STANDARDS_BODY OR wort", "return_total_size": True}, "2"),
    "search": ("SearchResources", {"query": "some words here"}, "3"),
    "events": ("ListEvents", {}, "0"),
}


@pytest.mark.parametrize("case", TOO_DEAR)
def test_what_has_to_look_at_everything_is_refused_when_that_is_too_dear(replicas, case):
    method, fields, terms = TOO_DEAR[case]
    for process in (replicas.dear, replicas.front):
        with Refused(grpc.StatusCode.RESOURCE_EXHAUSTED, "QUERY_TOO_DEAR") as refused:
            getattr(stub_of(process), method)(asking(method, **fields), timeout=60)
        told = details(refused.error)
        metadata = told["ErrorInfo"].metadata
        assert metadata["limit"] == "1us" and metadata["terms"] == terms
        assert 0 < int(metadata["resources"]) <= COUNT
        # Waiting does not help.
        assert "RetryInfo" not in told
    # The same is answered where there is time for it.
    getattr(stub_of(replicas.ample), method)(asking(method, **fields), timeout=60)


def test_a_list_by_name_is_never_too_dear(replicas):
    told = pages(replicas.dear, replicas.revision, filter="kind = INDUSTRY_ALLIANCE", page_size=1000)
    assert sum(len(page.organizations) for page in told) == COUNT // 2


@pytest.mark.parametrize("path", ["search?query=organization", "timeline"])
def test_the_gateways_own_answers_say_so_too(replicas, path):
    status, _, answer = Http(replicas.front.http_port).call("GET", f"/gateway/v1/{path}")
    assert status == 429
    assert answer["error"]["details"][0]["reason"] == "QUERY_TOO_DEAR"


def test_few_terms_of_a_filter_may_search_through_text(replicas):
    stub = stub_of(replicas.ample)
    words = " OR ".join(f'"*o*r*{number}z"' for number in range(10))
    assert not stub.ListOrganizations(asking("ListOrganizations", filter=words), timeout=60).organizations
    with Refused(grpc.StatusCode.INVALID_ARGUMENT, "QUERY_INVALID") as refused:
        stub.ListOrganizations(asking("ListOrganizations", filter=f"{words} OR one_more"), timeout=60)
    violation = refused.details["BadRequest"].field_violations[0]
    assert violation.field == "filter" and f"at character {len(words) + 5}" in violation.description
    assert "more than 10 terms" in violation.description
