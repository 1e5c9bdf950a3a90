"""What the public may not see is in no answer to it: rows and fields, over gRPC and JSON."""

import contextlib
import datetime
import json

import grpc
import pytest

import centre_town
import contract
from clients import bearer, channel, reason
from raw_grpc import RawClient
from suite import Http
from watch import BEGINNING, Event, Watch

from transparency.centre.v1 import centre_service_pb2_grpc  # pylint: disable=import-error
from transparency.centre.v1 import journal_service_pb2_grpc as centre_journal  # pylint: disable=import-error
from transparency.certification.v1 import journal_service_pb2_grpc as certification_journal  # pylint: disable=import-error
from transparency.gateway.v1 import gateway_service_pb2_grpc, updates_pb2  # pylint: disable=import-error
from transparency.journal.v1 import change_pb2, journal_pb2  # pylint: disable=import-error
from transparency.standards.v1 import journal_service_pb2_grpc as standards_journal  # pylint: disable=import-error
from transparency.type.v1 import annotations_pb2  # pylint: disable=import-error

# Stands in every hidden resource and in nothing else.
MARK = "hidden-9f86d0"
DIGEST = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
FEE = 731_977


@pytest.fixture(name="world", scope="module")
def world_fixture(whole):
    """All processes, with a hidden resource of every kind that can be hidden and a value in every hidden field."""
    clients = {name: RawClient(process) for name, process in whole.owners.items()}
    make = {name: (lambda method, client=client, service=name, **fields:
                   client.call(service, method, whole.staff, **fields)) for name, client in clients.items()}
    standards, certification = make["standards"], make["certification"]
    hidden, fields = {}, {}

    hidden["Publication"] = standards("CreatePublication", publication_id=f"{MARK}-publication", publication={
        "title": f"{MARK} draft", "topics": [MARK]}).name
    certification("CreateScheme", scheme_id="plain", scheme={"title": "Plain"})
    hidden["Certificate"] = certification("CreateCertificate", certificate_id=f"{MARK}-certificate", certificate={
        "scheme": "schemes/plain", "subjects": [{"service": f"{MARK} service"}], "certificate_number": f"{MARK}-n",
        "identifiers": [{"value": f"{MARK}-i"}], "documents": [{"kind": 1, "title": MARK, "sha256": DIGEST}]}).name
    certification("StartCertificateEvaluation", name=certification("CreateCertificate",
        certificate_id=f"{MARK}-evaluated", certificate={
            "scheme": "schemes/plain", "subjects": [{"service": f"{MARK} other"}]}).name)

    # Deleted: of a kind that everybody sees while it lives, and below one that does.
    for create, delete, made in (
            (standards, "DeleteOrganization", standards("CreateOrganization", organization_id=f"{MARK}-organization",
                                                        organization={"display_name": MARK})),
            (standards, "DeleteMembership", standards("CreateMembership", parent="organizations/ietf", membership_id=MARK,
                                                      membership={"legal_entity": MARK})),
            (certification, "DeleteProduct", certification("CreateProduct", product_id=f"{MARK}-product",
                                                           product={"display_name": MARK}))):
        create(delete, name=made.name)

    fields["Membership.annual_fee"] = standards("UpdateMembership", membership={
        "name": "organizations/ietf/memberships/huawei", "annual_fee": {"currency_code": "EUR", "units": FEE}},
        update_mask={"paths": ["annual_fee"]}).name
    issue = {"kind": 3, "effective_date": {"year": 2020, "month": 1, "day": 1}, "without_expiry": True}
    superseded = certification("CreateCertificate", certificate_id="first", certificate={
        "scheme": "schemes/plain", "subjects": [{"service": "S"}], "recorded_not_decided": True,
        "initial_steps": [issue]}).name
    # Decided already, in force later: until then nobody but staff is to know of the successor.
    later = datetime.date.today() + datetime.timedelta(days=30)
    successor = certification("CreateCertificate", certificate_id=f"{MARK}-second", certificate={
        "scheme": "schemes/plain", "subjects": [{"service": "S"}], "predecessor": superseded,
        "certification_body": "bodies/spain", "certificate_number": f"{MARK}-second"}).name
    certification("StartCertificateEvaluation", name=successor)
    certification("IssueCertificate", name=successor, without_expiry=True,
                  effective_date={"year": later.year, "month": later.month, "day": later.day})
    fields["CertificateStep.successor"] = superseded

    centre = centre_service_pb2_grpc.CentreServiceStub(channel(whole.owners["centre"]))
    centre_town.found(centre, whole.staff)
    booking = centre_town.booking_request(centre_town.tomorrow(), name=f"{MARK} person", email="hidden@example.org")
    booking.booking.party.organization = f"{MARK} organization"
    hidden["Booking"] = centre.CreateBooking(booking, metadata=bearer(whole.alice), timeout=20).name
    hidden["Visitor"] = clients["centre"].call("centre", "CreateVisitor", whole.alice, parent=hidden["Booking"], visitor={
        "category": 2, "display_name": f"{MARK} visitor"}).name

    whole.hidden, whole.fields, whole.clients = hidden, fields, clients
    whole.clients["gateway"] = RawClient(whole.front)
    return whole


def annotated():
    """(kinds that can be hidden, fields that can be hidden), by descriptor."""
    kinds, fields, seen = {}, {}, set()

    def walk(service, message, root):
        if message.full_name in seen or not message.full_name.startswith("transparency."):
            return
        seen.add(message.full_name)
        for field in message.fields:
            if field.GetOptions().Extensions[annotations_pb2.audience]:
                fields[f"{message.name}.{field.name}"] = (service, root, field)
            if field.message_type is not None:
                walk(service, field.message_type, root)

    for service, descriptor in contract.SERVICES.items():
        for kind, message in contract.resources(service).items():
            if message.GetOptions().Extensions[annotations_pb2.visible_when]:
                kinds[kind] = service
            walk(service, message, kind)
        for method in descriptor.methods:
            walk(service, method.output_type, None)
    return kinds, fields


def outsider(world, service):
    """Who is to see nothing hidden: anonymous, or where one must be somebody, somebody else."""
    return world.bob if service == "centre" else None


def test_every_annotation_has_its_example(world):
    kinds, fields = annotated()
    assert set(kinds) == set(world.hidden)
    assert set(fields) == set(world.fields)


def wildcard(service, method):
    """The parent that stands for all, for a list that takes one."""
    kind = next(f.message_type for f in contract.SERVICES[service].methods_by_name[method].output_type.fields
                if f.message_type is not None)
    from google.api import resource_pb2  # pylint: disable=import-error
    pattern = kind.GetOptions().Extensions[resource_pb2.resource].pattern[0]
    return "/".join("-" if part.startswith("{") else part for part in pattern.split("/")[:-2])


def reads(world):
    """Every read of the contract: (service, method, fields), of all that staff can name."""
    for service, descriptor in contract.SERVICES.items():
        for method in descriptor.methods:
            if not method.GetOptions().idempotency_level or contract.is_stream(method):
                continue
            if method.name.startswith("List"):
                fields = {"parent": wildcard(service, method.name)} if "parent" in method.input_type.fields_by_name else {}
                yield service, method.name, {**fields, "page_size": 1000}
                if "filter" in method.input_type.fields_by_name:
                    yield service, method.name, {**fields, "filter": f'"{MARK}"'}
                if "show_deleted" in method.input_type.fields_by_name:
                    yield service, method.name, {**fields, "show_deleted": True, "page_size": 1000}
            elif method.name.startswith("Get") and "name" in method.input_type.fields_by_name:
                for name in names(world, service, method.output_type.name):
                    yield service, method.name, {"name": name}
            elif method.name.startswith("BatchGet"):
                parent = {"parent": wildcard(service, method.name)} if "parent" in method.input_type.fields_by_name else {}
                for name in names(world, service, method.output_type.fields[0].message_type.name):
                    yield service, method.name, {**parent, "names": [name]}
            elif method.name == "VerifyCertificate":
                for key, value in (("certificate_number", f"{MARK}-n"), ("identifier", f"{MARK}-i"),
                                   ("document_sha256", DIGEST), ("certificate", world.hidden["Certificate"]),
                                   ("certificate", "certificates/first"), ("certificate_number", f"{MARK}-second")):
                    yield service, method.name, {key: value}
            elif method.name in ("Search", "SearchResources"):
                for query in (MARK, f'"{MARK} person"', "hidden", str(FEE)):
                    yield service, method.name, {"query": query}
            elif method.name == "SearchAvailability":
                yield service, method.name, {"centre": centre_town.CENTRE, "purpose": 2, "party_size": 1,
                                             "duration": {"seconds": 3600}}
            else:
                yield service, method.name, {}


def names(world, service, kind):
    """Names of all resources of a kind, as staff see them."""
    method, field = contract.collection_of(service, kind)
    fields = ({"parent": wildcard(service, method)} if "parent" in
              contract.SERVICES[service].methods_by_name[method].input_type.fields_by_name else {})
    if "show_deleted" in contract.SERVICES[service].methods_by_name[method].input_type.fields_by_name:
        fields["show_deleted"] = True
    answer = world.clients[service].call(service, method, world.staff, page_size=1000, **fields)
    return [item.name for item in getattr(answer, field)]


def holds_hidden(text):
    return MARK in text or str(FEE) in text or "annual" in text


def asked(client, service, method, token, fields):
    """The answer in text form, or the code of the refusal."""
    try:
        answer = client.call(service, method, token, **fields)
    except grpc.RpcError as error:
        assert error.code() in (grpc.StatusCode.NOT_FOUND, grpc.StatusCode.UNAUTHENTICATED), error
        return error.code().name
    return str(answer)


def test_reads_by_grpc(world):
    seen_by_staff = 0
    asked_methods = set()
    for service, method, fields in reads(world):
        asked_methods.add(method)
        for through in (service, "gateway"):
            client = world.clients[through]
            for token in {None, outsider(world, service)}:
                text = asked(client, service, method, token, fields)
                assert not holds_hidden(text), (through, method, fields, text)
            seen_by_staff += holds_hidden(asked(client, service, method, world.staff, fields))
    assert seen_by_staff >= 20
    assert len(asked_methods) >= 25


def test_reads_by_json(world):
    asked_paths = 0
    for service, method, fields in reads(world):
        if "duration" in fields:
            fields = {**fields, "duration": "3600s"}
        target = contract.http_get(service, method, **fields)
        for token in {None, outsider(world, service)}:
            status, headers, body = Http(world.front.http_port, token).call("GET", target)
            assert status in (200, 401, 404), (target, status, body)
            if status == 200:
                assert not holds_hidden(json.dumps(body) + str(headers)), (target, body)
                asked_paths += 1
    assert asked_paths >= 50


def test_hidden_resources_are_as_absent_ones(world):
    kinds, _ = annotated()
    for kind, service in kinds.items():
        name = world.hidden[kind]
        absent = name.rsplit("/", 1)[0] + "/a-name-of-nothing"
        token = outsider(world, service)
        for client in (world.clients[service], world.clients["gateway"]):
            there, gone = (client.refused(service, f"Get{kind}", token, name=n) for n in (name, absent))
            assert there.code == gone.code == "NOT_FOUND"
            assert there.message.replace(name, "X") == gone.message.replace(absent, "X")
            for part in ("ErrorInfo", "ResourceInfo"):
                assert (str(there.details[part]).replace(name, "X") == str(gone.details[part]).replace(absent, "X"))
        web = Http(world.front.http_port, token)
        assert web.call("GET", f"/{service}/v1/{name}")[0] == web.call("GET", f"/{service}/v1/{absent}")[0] == 404
        assert client.call(service, f"Get{kind}", world.staff, name=name).name == name


def test_verify_says_nothing_of_a_hidden_certificate(world):
    client = world.clients["certification"]
    for fields in ({"certificate_number": f"{MARK}-n"}, {"identifier": f"{MARK}-i"}, {"document_sha256": DIGEST},
                   {"certificate": world.hidden["Certificate"]}):
        there = client.call("certification", "VerifyCertificate", **fields)
        key, value = next(iter(fields.items()))
        changed = "certificates/none" if key == "certificate" else value[::-1]
        gone = client.call("certification", "VerifyCertificate", **{key: changed})
        assert there == gone and there.outcome == 1


def test_hidden_fields_are_as_unknown_ones(world):
    _, fields = annotated()
    for service, kind, field in fields.values():
        if kind is None or field.containing_type.name != kind:
            continue
        method, _ = contract.collection_of(service, kind)
        parent = ({"parent": wildcard(service, method)} if "parent" in
                  contract.SERVICES[service].methods_by_name[method].input_type.fields_by_name else {})
        client = world.clients[service]
        unknown = "q" * len(field.name)
        for asks in (lambda f: {"filter": f"{f}.units > 0"}, lambda f: {"filter": f"{f}:*"},
                     lambda f: {"filter": f"NOT {f}:*"}, lambda f: {"order_by": f}, lambda f: {"order_by": f"{f} desc"}):
            there = client.refused(service, method, **parent, **asks(field.name))
            gone = client.refused(service, method, **parent, **asks(unknown))
            assert (there.code, there.message, there.fields) == (
                "INVALID_ARGUMENT", gone.message.replace(unknown, field.name), gone.fields)
        assert client.call(service, method, world.staff, **parent, filter=f"{field.name}:*")
        assert client.call(service, method, world.staff, **parent, filter=f"{field.name}.units = {FEE}")


def test_hidden_field_of_a_step(world):
    """Nested in a repeated field: left out of each answer, not of the step."""
    name = world.fields["CertificateStep.successor"]
    client = world.clients["certification"]
    public = client.call("certification", "GetCertificate", name=name)
    staff = client.call("certification", "GetCertificate", world.staff, name=name)
    assert not any(step.successor for step in public.steps)
    assert any(step.successor for step in staff.steps)
    verified = client.call("certification", "VerifyCertificate", certificate=name)
    assert not any(step.successor for match in verified.matches for step in match.history)
    steps = list(staff.steps)
    for step in steps:
        step.ClearField("successor")
    assert list(public.steps) == steps


JOURNALS = {"certification": certification_journal.CertificationJournalServiceStub,
            "standards": standards_journal.StandardsJournalServiceStub, "centre": centre_journal.CentreJournalServiceStub}


def recorded(journal, token):
    """Every change that the caller is told of."""
    changes, page = [], ""
    while True:
        answer = journal.ListChanges(journal_pb2.ListChangesRequest(page_size=1000, page_token=page),
                                     metadata=bearer(token), timeout=20)
        changes += answer.changes
        page = answer.next_page_token
        if not page:
            return changes


def opened(service, answer):
    """The text of what an Any holds."""
    name = answer.TypeName()
    resource = next(contract.message_class(kind)() for kind in contract.resources(service).values()
                    if kind.full_name == name)
    assert answer.Unpack(resource)
    return str(resource)


@pytest.mark.parametrize("service", JOURNALS)
def test_the_journal_is_of_the_caller(world, service):
    """Neither an entry nor an event nor a resource of the past shows what was hidden then, or is deleted now."""
    journal = JOURNALS[service](channel(world.owners[service]))
    token = outsider(world, service)
    entries = recorded(journal, world.staff)
    # Of the centre's records here none is deleted.
    assert service == "centre" or any(change.kind == change_pb2.Change.DELETED for change in entries)
    told = recorded(journal, token)
    assert {change.name for change in entries} & set(world.hidden.values())
    assert not {change.name for change in told} & set(world.hidden.values())
    for change in told:
        assert not holds_hidden(str(change)), change
        assert not change.actor and not change.reason
    shown_to_staff = 0
    for change in entries:
        request = journal_pb2.GetResourceAtRequest(name=change.name, revision=change.revision)
        shown_to_staff += holds_hidden(opened(service, journal.GetResourceAt(
            request, metadata=bearer(world.staff), timeout=20).resource))
        try:
            answer = journal.GetResourceAt(request, metadata=bearer(token), timeout=20)
        except grpc.RpcError as error:
            assert error.code() == grpc.StatusCode.NOT_FOUND, error
            continue
        assert not holds_hidden(opened(service, answer.resource)), change
    assert shown_to_staff >= 1
    deletions = [change for change in entries if change.kind == change_pb2.Change.DELETED]
    if deletions:
        # From before a deletion nothing is told.
        with contextlib.closing(Watch(journal, token, resume_token=BEGINNING)) as watch:
            assert watch.next() is None and reason(watch.error) == "HISTORY_CHANGED"
        last = max(deletions, key=lambda change: change.revision)
    for fields in ({"resume_token": f"{last.revision}.{last.digest[:8]}" if deletions else BEGINNING},
                   {"include_present_state": True}):
        with contextlib.closing(Watch(journal, token, **fields)) as watch:
            while (event := watch.next()).type != Event.BOOKMARK:
                text = event.name + (opened(service, event.resource) if event.HasField("resource") else "")
                assert not holds_hidden(text), event


def updates_until(updates, name):
    """The changes of a WatchUpdates up to that of a name."""
    told = []
    for update in updates:
        if update.service:
            told.append(update)
            if update.event.name == name:
                return told
    raise AssertionError(f"ended without {name}")


def test_updates_are_of_the_caller(world):
    """One stream of all services, to each caller what it may see: of what lives now, and of what changes."""
    stub = gateway_service_pb2_grpc.GatewayServiceStub(channel(world.front))
    for present_state in (False, True):
        watches, told = {}, {}
        for who, token in (("public", None), ("bob", world.bob), ("staff", world.staff)):
            watches[who] = stub.WatchUpdates(updates_pb2.WatchUpdatesRequest(include_present_state=present_state),
                                             metadata=bearer(token), timeout=60)
            # The present state, if asked for; from the first token on nothing is missed.
            told[who] = []
            for update in watches[who]:
                told[who].append(update)
                if update.resume_token:
                    break
            assert told[who][-1].event.type == Event.BOOKMARK and (len(told[who]) > 1) == present_state
        number = int(present_state)
        draft = world.clients["standards"].call(
            "standards", "CreatePublication", world.staff, publication_id=f"{MARK}-told-{number}",
            publication={"title": f"{MARK} told"}).name
        # Behind it in the same journal: who is told of this one and not of that one will not be.
        seen = world.clients["standards"].call(
            "standards", "CreateOrganization", world.staff, organization_id=f"seen-{number}",
            organization={"display_name": "Seen"}).name
        for who, watch in watches.items():
            told[who] += updates_until(watch, seen)
        assert draft in {update.event.name for update in told["staff"]}
        for who in ("public", "bob"):
            for update in told[who]:
                service = update.service.strip("/").split(".")[0]
                text = update.event.name + (opened(service, update.event.resource)
                                            if update.event.HasField("resource") else "")
                assert not holds_hidden(text), (who, update)
        for watch in watches.values():
            watch.cancel()


def test_etag_is_the_same_in_every_form(world):
    seen = 0
    for service in world.owners:
        for kind in contract.resources(service):
            for name in names(world, service, kind)[:5] + [n for n in world.fields.values() if
                                                            kind in ("Membership", "Certificate") and
                                                            n in names(world, service, kind)]:
                try:
                    public = world.clients[service].call(service, f"Get{kind}", outsider(world, service), name=name)
                except grpc.RpcError:
                    continue
                staff = world.clients[service].call(service, f"Get{kind}", world.staff, name=name)
                assert public.etag == staff.etag and public.etag
                seen += 1
    assert seen >= 20


def test_http_validators_tell_forms_apart(world):
    """A cached answer of one form is not taken for another's."""
    target = f"/standards/v1/{world.fields['Membership.annual_fee']}"
    _, public, _ = Http(world.front.http_port).call("GET", target)
    status, staff, body = Http(world.front.http_port, world.staff).call("GET", target, headers={
        "If-None-Match": public["ETag"]})
    assert status == 200 and body["annualFee"]["units"] == str(FEE)
    assert public["ETag"] != staff["ETag"] and "Authorization" in staff["Vary"]


def test_overview_is_of_the_caller(world):
    """What it shows of each owner is what that owner shows to the same caller."""
    public = world.clients["gateway"].call("gateway", "GetOverview")
    staff = world.clients["gateway"].call("gateway", "GetOverview", world.staff)
    assert not holds_hidden(str(public))
    assert public.certification.summary == world.clients["certification"].call("certification", "SummarizeCertificates",
                                                                               as_of=public.as_of)
    assert all(p.state != 1 for p in public.standards.latest_publications)
    assert staff.standards.participation == public.standards.participation


def test_counts_leave_out_what_is_hidden(world):
    public = world.clients["certification"].call("certification", "SummarizeCertificates")
    listed = world.clients["certification"].call("certification", "ListCertificates", page_size=1000)
    assert public.total.certificates == len(listed.certificates)
    titles = {scheme.scheme: scheme.certificates for scheme in public.schemes}
    assert titles["schemes/plain"] == 1


def test_page_tokens_tell_nothing_of_hidden_rows(world):
    """A page of the public is made of what it sees: nothing hidden shortens it."""
    client = world.clients["standards"]
    everything = [p.name for p in client.call("standards", "ListPublications", page_size=1000).publications]
    found, token = [], ""
    while True:
        page = client.call("standards", "ListPublications", page_size=2, page_token=token)
        found += [p.name for p in page.publications]
        token = page.next_page_token
        if not token:
            break
        assert len(page.publications) == 2
    assert found == everything and world.hidden["Publication"] not in found
