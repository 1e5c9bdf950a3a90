"""Search and ListTimeline at the gateway, over gRPC and JSON, on the sample facts."""

import pytest

import contract
from raw_grpc import RawClient
from suite import SERVICES, Http

PARTIAL = {"return_partial_success": True}


@pytest.fixture(name="world", scope="module")
def world_fixture(whole):
    whole.client = RawClient(whole.front)
    whole.web = Http(whole.front.http_port)
    return whole


def pages(client, method, token=None, **fields):
    """The entries of all pages, one after another."""
    found, answer = [], None
    while answer is None or answer.next_page_token:
        answer = client.call("gateway", method, token, **fields,
                             page_token=answer.next_page_token if answer else "")
        found += answer.hits if method == "Search" else answer.events
        assert len(found) < 1000
    return found


def test_search_finds_in_all_services(world):
    answer = world.client.call("gateway", "Search", query="security")
    owners = {hit.name.split("/")[2] for hit in answer.hits}
    assert owners == {"centre.transparency", "certification.transparency", "standards.transparency"}
    assert not answer.unreachable and not answer.not_configured
    scores = [hit.score for hit in answer.hits]
    assert scores == sorted(scores, reverse=True) and 0 < scores[-1] and scores[0] <= 1
    for hit in answer.hits:
        assert "security" in hit.snippet.lower() and hit.field and hit.title
        assert hit.resource_type.startswith(hit.name.split("/")[2] + "/")


def test_search_over_json(world):
    status, headers, body = world.web.call("GET", "/gateway/v1/search?query=euleros")
    assert status == 200
    assert [(hit["name"], hit["title"], hit["field"]) for hit in body["hits"]] == [
        ("//certification.transparency/products/euleros", "EulerOS", "display_name"),
        ("//certification.transparency/certificates/euleros-cc-eal4", "euleros-cc-eal4", "name")]
    assert body["hits"][0]["score"] == 1 and body["hits"][0]["snippet"] == "EulerOS"
    assert sorted(part.split("=")[0] for part in headers["X-Revision"].split(",")) == sorted(SERVICES)
    status, _, body = world.web.call("GET", "/gateway/v1/search?query=%22open%20tr%22")
    assert status == 200 and body["hits"][0]["title"] == "Open Trusted Technology Forum"


def test_a_service_answers_for_itself(world):
    status, _, body = world.web.call("GET", "/standards/v1/resources:search?query=3gpp")
    assert status == 200 and body["hits"][0]["name"] == "//standards.transparency/organizations/three-gpp"
    status, _, body = world.web.call("GET", "/centre/v1/events")
    assert status == 200
    assert body == {"events": [{
        "date": {"year": 2019, "month": 3, "day": 5}, "label": "OPENED", "name": "//centre.transparency/centres/brussels",
        "resourceType": "centre.transparency/Centre", "title": "Huawei Cyber Security Transparency Centre",
        "field": "opened_on"}]}


def test_the_timeline_of_2019(world):
    days = {"from_date": {"year": 2019, "month": 1, "day": 1}, "until_date": {"year": 2019, "month": 12, "day": 31}}
    events = world.client.call("gateway", "ListTimeline", **days).events
    told = [(event.date.year, event.date.month, event.date.day, event.label, event.title) for event in events]
    # What is known to the month stands where the month begins, what is known to the year last.
    assert told[:3] == [
        (2019, 5, 0, "PUBLISHED", "5G security white paper"),
        (2019, 3, 5, "OPENED", "Huawei Cyber Security Transparency Centre"),
        (2019, 3, 0, "PUBLISHED", "Huawei's Position Paper on Cyber Security")]
    assert told[-1] == (2019, 0, 0, "PUBLISHED", "Thinking Ahead About AI Security and Privacy Protection")
    assert {event[:4] for event in told[3:-1]} == {(2019, 0, 0, "ISSUE")} and (2019, 0, 0, "ISSUE", "euleros-cc-eal4") in told
    names = [event.name for event in events[3:]]
    assert names == sorted(names)
    status, _, body = world.web.call("GET", "/gateway/v1/timeline?fromDate=2019-06-01&untilDate=2019-12-31")
    assert status == 200
    assert [event["name"] for event in body["events"]] == names and body["events"][0]["date"] == {"year": 2019}


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
def test_pages_span_the_services(world, size):
    for method, fields in (("Search", {"query": "security"}), ("Search", {"query": "huawei"}), ("ListTimeline", {})):
        whole = pages(world.client, method, page_size=1000, **fields)
        assert pages(world.client, method, page_size=size, **fields) == whole
        assert len({entry.SerializeToString() for entry in whole}) == len(whole) > 1


def test_types_say_whom_to_ask(world):
    hits = pages(world.client, "Search", query="huawei", types=["centre.transparency/Centre"])
    assert [hit.title for hit in hits] == ["Huawei Cyber Security Transparency Centre"]
    events = pages(world.client, "ListTimeline", types=["standards.transparency/Publication"])
    assert {event.label for event in events} == {"PUBLISHED"}


def test_what_is_not_theirs_is_in_no_answer(world):
    world.client.call("standards", "CreatePublication", world.staff, publication_id="draft-x", publication={
        "title": "Zanzibar draft", "publication_date": {"year": 2018}})
    for token, count in ((None, 0), (world.alice, 0), (world.staff, 1)):
        assert len(pages(world.client, "Search", token, query="zanzibar")) == count
    world.client.call("standards", "PublishPublication", world.staff, name="publications/draft-x")
    assert [e.title for e in pages(world.client, "ListTimeline", until_date={"year": 2018, "month": 12, "day": 31})] == [
        "Zanzibar draft"]
    world.client.call("standards", "DeletePublication", world.staff, name="publications/draft-x")
    for token in (None, world.staff):
        assert not pages(world.client, "Search", token, query="zanzibar")
        assert not pages(world.client, "ListTimeline", token, until_date={"year": 2018, "month": 12, "day": 31})


@pytest.mark.parametrize("method,fields,field", [
    ("Search", {}, "query"),
    ("Search", {"query": " "}, "query"),
    ("Search", {"query": '"open'}, "query"),
    ("Search", {"query": "x" * 201}, "query"),
    ("Search", {"query": " ".join(map(str, range(21)))}, "query"),
    ("Search", {"query": "x", "types": ["nobody.transparency/Thing"]}, "types[0]"),
    ("Search", {"query": "x", "types": ["centre.transparency/Centre", "centre.transparency/Nothing"]}, "types[1]"),
    ("Search", {"query": "x", "page_size": -1}, "page_size"),
    ("Search", {"query": "x", "page_token": "made-up"}, "page_token"),
    ("ListTimeline", {"from_date": {"year": 2019}}, "from_date"),
    ("ListTimeline", {"until_date": {"year": 2019, "month": 2, "day": 29}}, "until_date"),
    ("ListTimeline", {"from_date": {"year": 2019, "month": 2, "day": 2},
                      "until_date": {"year": 2019, "month": 2, "day": 1}}, "until_date"),
    ("ListTimeline", {"page_size": -1}, "page_size"),
    ("ListTimeline", {"page_token": "made-up"}, "page_token"),
])
def test_bad_input_is_refused_by_the_gateway_itself(world, method, fields, field):
    refusal = world.client.refused("gateway", method, **fields)
    assert (refusal.code, refusal.info.domain) == ("INVALID_ARGUMENT", "gateway.transparency")
    assert refusal.fields == [field], refusal.message


@pytest.mark.parametrize("service", SERVICES)
def test_bad_input_is_refused_by_the_services(world, service):
    client = RawClient(world.owners[service])
    other = "standards" if service != "standards" else "centre"
    for method, fields, field in (
            ("SearchResources", {}, "query"), ("SearchResources", {"query": '"'}, "query"),
            ("SearchResources", {"query": "x", "types": [f"{other}.transparency/X"]}, "types[0]"),
            ("SearchResources", {"query": "x", "start_after": {"score": 2, "name": "//x/y/z"}}, "start_after.score"),
            ("SearchResources", {"query": "x", "start_after": {"score": 1}}, "start_after.name"),
            ("ListEvents", {"from_date": {"year": 2019, "month": 5}}, "from_date"),
            ("ListEvents", {"start_after": {"name": "//x/y/z"}}, "start_after.date"),
            ("ListEvents", {"types": ["x"]}, "types[0]"), ("ListEvents", {"page_token": "x"}, "page_token")):
        refusal = client.refused(service, method, **fields)
        assert (refusal.code, refusal.fields) == ("INVALID_ARGUMENT", [field]), (method, fields, refusal.message)


def test_a_token_is_of_its_query_and_caller(world):
    for method, fields, others in (
            ("Search", {"query": "security"}, ({"query": "huawei"}, {"types": ["centre.transparency/Centre"]}, PARTIAL)),
            ("ListTimeline", {}, ({"from_date": {"year": 2019, "month": 1, "day": 1}}, PARTIAL))):
        token = world.client.call("gateway", method, **fields, page_size=1).next_page_token
        assert world.client.call("gateway", method, **fields, page_size=2, page_token=token)
        for other in others:
            refusal = world.client.refused("gateway", method, **{**fields, **other}, page_token=token)
            assert refusal.info.reason == "PAGE_TOKEN_INVALID" and refusal.fields == ["page_token"]
        refusal = world.client.refused("gateway", method, world.staff, **fields, page_token=token)
        assert refusal.info.reason == "PAGE_TOKEN_INVALID"


def test_without_a_service_what_the_others_have(suite):
    owners = {name: suite.service(name) for name in ("certification", "standards")}
    for name, process in owners.items():
        suite.seed(name, process)
    client = RawClient(suite.gateway(**owners))
    everything = pages(client, "Search", query="huawei", page_size=3)
    assert {hit.name.split("/")[2] for hit in everything} == {"certification.transparency", "standards.transparency"}
    answer = client.call("gateway", "Search", query="huawei", page_size=2)
    assert list(answer.not_configured) == ["//centre.transparency"] and not answer.unreachable

    owners["standards"].kill()
    for method, fields in (("Search", {"query": "huawei"}), ("ListTimeline", {})):
        refusal = client.refused("gateway", method, **fields)
        assert (refusal.code, refusal.info.reason) == ("UNAVAILABLE", "OWNER_UNREACHABLE")
        assert "standards-service" in refusal.message
        answer = client.call("gateway", method, **fields, **PARTIAL)
        assert list(answer.unreachable) == ["//standards.transparency"]
    first = client.call("gateway", "Search", query="huawei", page_size=1, **PARTIAL)
    assert [hit.name.split("/")[2] for hit in first.hits] == ["certification.transparency"]

    # One that was left out stays left out, for its hits may belong before those of this page.
    owners["standards"].start()
    names = [hit.name for hit in first.hits]
    page = first
    while page.next_page_token:
        page = client.call("gateway", "Search", query="huawei", page_size=1, page_token=page.next_page_token, **PARTIAL)
        assert list(page.unreachable) == ["//standards.transparency"]
        names += [hit.name for hit in page.hits]
    assert names == [hit.name for hit in everything if "certification" in hit.name]
    # A service of whose types nothing is asked is not missed.
    owners["standards"].kill()
    answer = client.call("gateway", "Search", query="huawei", types=["certification.transparency/Product"])
    assert answer.hits and not answer.unreachable
    owners["certification"].kill()
    for method, fields in (("Search", {"query": "huawei"}), ("ListTimeline", {})):
        assert client.refused("gateway", method, **fields, **PARTIAL).code == "UNAVAILABLE"


def test_methods_are_bound_to_json():
    for service, methods in {"gateway": ("Search", "ListTimeline"),
                             **{name: ("SearchResources", "ListEvents") for name in SERVICES}}.items():
        for method in methods:
            assert contract.is_bound(contract.SERVICES[service].methods_by_name[method])
