"""The running suite as the conformance tests use it: calls by descriptor, each refusal looked at from all sides."""

import http.client
import json
import re
import urllib.parse

import grpc

import examples
import kinds
import suite as suite_module
from raw_grpc import RawClient

from google.protobuf import descriptor_pool, json_format, symbol_database
from google.rpc import code_pb2  # pylint: disable=import-error

from transparency.type.v1 import error_reason_pb2, refusal_pb2  # pylint: disable=import-error

MOST_BYTES = 4096
HTTP_STATUS = {"INVALID_ARGUMENT": 400, "FAILED_PRECONDITION": 400, "OUT_OF_RANGE": 400, "UNAUTHENTICATED": 401,
               "PERMISSION_DENIED": 403, "NOT_FOUND": 404, "ALREADY_EXISTS": 409, "ABORTED": 409,
               "RESOURCE_EXHAUSTED": 429, "UNIMPLEMENTED": 501}
# What stands beside a request, as refusals name it.
BESIDE = ("x-goog-fieldmask", "fields")


def message_class(descriptor):
    return symbol_database.Default().GetPrototype(descriptor)


def reasons(domain):
    """The reasons of a domain with the codes under which they come."""
    enums = [error_reason_pb2.CommonErrorReason.DESCRIPTOR]
    package = f"transparency.{domain.split('.')[0]}.v1"
    try:
        enums.append(descriptor_pool.Default().FindEnumTypeByName(f"{package}.ErrorReason"))
    except KeyError:
        pass
    return {value.name: [code_pb2.Code.Name(code) for code in value.GetOptions().Extensions[refusal_pb2.refusal].codes]
            for enum in enums for value in enum.values if value.number}


class World:
    """All processes behind one gateway, and the examples in them."""

    def __init__(self, made):
        self.suite = made
        self.owners = {name: made.service(name) for name in suite_module.SERVICES}
        self.front = made.gateway(**self.owners)
        self.client = RawClient(self.front)
        self.connection = http.client.HTTPConnection("127.0.0.1", self.front.http_port, timeout=60)
        self.tokens = {"staff": made.staff, "alice": made.alice, "bob": made.bob, None: None}
        self.kinds = kinds.all_kinds()
        self.by_name = {kind.name: kind for kind in self.kinds.values()}
        self._bases = {}
        self._reasons = {}

    # ---- examples ----

    @staticmethod
    def example(kind):
        return examples.EXAMPLES[kind.type]

    def base(self, resource_type):
        """Name of the record of a type that others refer to; made when first asked for."""
        if resource_type not in self._bases:
            kind = self.kinds[resource_type]
            self._bases[resource_type] = self.create(kind, self.example(kind).base(self)).name
        return self._bases[resource_type]

    def base_of_pattern(self, pattern):
        return self.base(next(kind.type for kind in self.kinds.values() if kind.pattern == pattern))

    def place(self, kind):
        return {"parent": self.example(kind).parent(self, kind)} if kind.is_nested else {}

    def create(self, kind, resource, token="staff", **fields):
        return self.call(kind.methods["Create"], token, **{**self.place(kind), kind.field: resource, **fields})

    def make(self, kind_name, **resource):
        return self.create(self.by_name[kind_name], resource)

    def record(self, kind, token="staff", **changed):
        """A new record of the kind, with the least that it holds."""
        return self.create(kind, {**self.example(kind).least(self), **changed}, token)

    def full_record(self, kind):
        """A new record with every field that a client can set."""
        return self.create(kind, self.full(kind))

    def full(self, kind):
        return self.example(kind).full(self, {**self.filled(kind.message), **self.example(kind).least(self)})

    def filled(self, message, depth=0):
        """Values for every field that a client sets, by their annotations."""
        values = {}
        for field in message.fields:
            if field.containing_oneof is not None and field.containing_oneof.fields[0] is not field and \
                    len(field.containing_oneof.fields) > 1:
                continue
            if kinds.is_set_by_clients(field) and not kinds.is_map(field) and depth < 6:
                value = self.value(field, depth)
                values[field.name] = [value] if kinds.is_repeated(field) else value
        return values

    def value(self, field, depth=0):
        """A valid value of a field, or of one element of it."""
        full_name = field.message_type.full_name if field.message_type else ""
        if full_name == "google.type.Date":
            return examples.day(2020, 2, 29)
        if full_name in ("google.protobuf.Timestamp", "google.protobuf.Duration"):
            return {"seconds": 3600}
        if full_name == "google.type.Money":
            return {"currency_code": "EUR", "units": 12, "nanos": 500_000_000}
        if full_name == "transparency.type.v1.Period":
            return {"from": examples.day(2020), "until": examples.day(2021, 6),
                    "attested_on": [examples.day(2020, 7, 1)]}
        if field.message_type:
            return self.filled(field.message_type, depth + 1)
        if field.enum_type:
            return next(value.number for value in field.enum_type.values if value.number)
        if field.cpp_type == field.CPPTYPE_STRING and field.type != field.TYPE_BYTES:
            return self.text(field)
        if field.type == field.TYPE_BYTES:
            return b"x"
        return field.cpp_type == field.CPPTYPE_BOOL or 1

    def text(self, field):
        wanted = kinds.reference(field)
        if wanted in self.kinds:
            here = wanted.split(".")[0] == field.file.package.split(".")[1]
            return self.base(wanted) if here else f"//{wanted.split('/')[0]}/" + re.sub(
                "{[^}]*}", "x", self.kinds[wanted].pattern)
        return examples.FORM.get(kinds.text_format(field)) or examples.unique()[:kinds.max_length(field)]

    def valid(self, kind, method):
        """The fields of a request that this method takes now, on a record of its own."""
        verb = next((verb for verb, standard in kind.methods.items() if standard is method), None)
        example = self.example(kind)
        if verb == "Create":
            return {**self.place(kind), kind.field: example.least(self)}
        if verb == "Update":
            field, value = example.change(self)
            return {kind.field: {"name": self.record(kind).name, field: value}, "update_mask": {"paths": [field]}}
        if verb in ("Delete", "Undelete"):
            name = self.record(kind).name
            if verb == "Undelete":
                self.call(kind.methods["Delete"], name=name)
            return {"name": name}
        make, fields = example.STEPS[method.name]
        return {"name": make(self), **fields}

    def otherwise(self, kind, method, fields):
        """A request like `fields` that asks for something else."""
        if kind.field in fields:
            field, value = self.example(kind).change(self)
            return {**fields, kind.field: {**fields[kind.field], field: value}}
        return {**fields, "reason": "another one"}

    # ---- calls ----

    @staticmethod
    def path(method):
        return f"/{method.containing_service.full_name}/{method.name}"

    def ask(self, method, token="staff", metadata=(), **fields):
        """(the answer, the finished call)."""
        request = message_class(method.input_type)(**fields)
        data, call = self.client.raw(self.path(method), request.SerializeToString(), self.tokens.get(token, token),
                                     metadata)
        return message_class(method.output_type).FromString(data), call

    def call(self, method, token="staff", metadata=(), **fields):
        return self.ask(method, token, metadata, **fields)[0]

    def do(self, method_name, token="staff", **fields):
        """A method by its name, of whichever service has it."""
        return self.call(self.method(method_name), token, **fields)

    def method(self, name):
        return next(method for kind in self.kinds.values() for method in kind.service.methods if method.name == name)

    def get(self, kind, name, token="staff"):
        return self.call(kind.methods["Get"], token, name=name)

    def sees(self, kind, name, token):
        try:
            return self.get(kind, name, token)
        except grpc.RpcError as error:
            assert error.code() in (grpc.StatusCode.NOT_FOUND, grpc.StatusCode.UNAUTHENTICATED), error
            return None

    def page(self, kind, token="staff", **fields):
        return self.call(kind.methods["List"], token,
                         **{**({"parent": kind.any_parent} if kind.is_nested else {}), **fields})

    def pages(self, kind, token="staff", **fields):
        """All pages of a list, as lists of resources."""
        page_token = ""
        while True:
            answer = self.page(kind, token, page_token=page_token, **fields)
            yield list(getattr(answer, kind.plural))
            page_token = answer.next_page_token
            if not page_token:
                return

    def listed(self, kind, token="staff", **fields):
        return [item for page in self.pages(kind, token, **{"page_size": 1000, **fields}) for item in page]

    def names(self, kind, token="staff", **fields):
        return [item.name for item in self.listed(kind, token, **fields)]

    def revision(self, kind):
        """Where the journal of the kind's owner stands."""
        _, call = self.ask(kind.methods["List"], **({"parent": kind.any_parent} if kind.is_nested else {}), page_size=1)
        return dict(call.initial_metadata())["x-revision"]

    # ---- refusals ----

    def refused(self, method, code, reason=None, field=None, /, *, token="staff", metadata=(), over_json=True,
                **fields):
        """The refusal that this must meet, over gRPC and, where the method has a path, over JSON alike."""
        request = message_class(method.input_type)(**fields)
        refusal = self.client.refusal(self.path(method), request.SerializeToString(), self.tokens.get(token, token),
                                      metadata)
        said = (method.name, str(request)[:500], refusal.code, refusal.message)
        assert code is None or refusal.code == code, said
        self.assert_well_formed(method, refusal, said)
        assert reason is None or refusal.info.reason == reason, (refusal.info, said)
        assert field is None or field in refusal.fields, (refusal.fields, said)
        if over_json and not metadata and kinds.http_rule(method) is not None:
            self.assert_same_over_json(method, request, refusal, token, said)
        return refusal

    def assert_well_formed(self, method, refusal, said):
        """What holds for every refusal whatever."""
        assert refusal.info is not None and list(refusal.details)[0] == "ErrorInfo", said
        owner = method.containing_service.full_name.split(".")[1]
        domain = refusal.info.domain
        # The gateway's own methods hand on what an owner has refused.
        domains = [f"{name}.transparency" for name in ((owner,) if owner in suite_module.SERVICES else self.owners)]
        assert domain in (*domains, "gateway.transparency"), (domain, said)
        if domain not in self._reasons:
            self._reasons[domain] = reasons(domain)
        assert refusal.info.reason in self._reasons[domain], (refusal.info.reason, said)
        assert refusal.code in self._reasons[domain][refusal.info.reason], (refusal.info.reason, said)
        assert refusal.size <= MOST_BYTES and refusal.message, said
        assert refusal.details["RequestInfo"].request_id, said
        for path in refusal.fields:
            assert path in BESIDE or kinds.leads_somewhere(method.input_type, path), (path, said)
        if "ResourceInfo" in refusal.details:
            assert refusal.details["ResourceInfo"].resource_type in self.kinds, said

    def assert_same_over_json(self, method, request, refusal, token, said):
        status, _, body = self.http(method, request, token)
        assert isinstance(body, dict) and list(body) == ["error"], (status, body, said)
        error = body["error"]
        assert error["status"] == refusal.code, (error, said)
        assert status in (HTTP_STATUS[refusal.code], 412) and error["code"] == status, (status, error, said)
        found = {detail["@type"].rsplit(".", 1)[1]: detail for detail in error["details"]}
        info = found["ErrorInfo"]
        assert info["reason"] == refusal.info.reason, (info, said)
        # Whoever is not known is refused before the body is read.
        domains = (refusal.info.domain, *(["gateway.transparency"] if info["reason"] == "TOKEN_UNKNOWN" else []))
        assert info["domain"] in domains, (info, said)
        paths = [violation["field"] for violation in found.get("BadRequest", {}).get("fieldViolations", [])]
        assert [kinds.snake_path(path) for path in paths] == refusal.fields, (paths, said)
        assert all("_" not in path for path in paths), (paths, said)

    # ---- JSON ----

    def http(self, method, request, token="staff", headers=None):
        """(status, headers, body) of the same call over the JSON port."""
        verb, target, body = http_request(method, request)
        return self.exchange(verb, target, body, headers, token)

    def web(self, verb, kind, name, body=None, headers=None, token="staff"):
        """A call of the JSON port on one resource."""
        return self.exchange(verb, f"/{kind.owner}/v1/{name}", body, headers, token)

    def exchange(self, verb, target, body, headers, token):
        """(status, headers, parsed JSON or text), all calls over one connection."""
        sent = dict(headers or {})
        if self.tokens.get(token, token):
            sent["Authorization"] = f"Bearer {self.tokens.get(token, token)}"
        if body is not None:
            sent["Content-Type"] = "application/json"
        self.connection.request(verb, target, body=None if body is None else json.dumps(body), headers=sent)
        answer = self.connection.getresponse()
        data = answer.read()
        kind = answer.getheader("Content-Type", "")
        return answer.status, dict(answer.getheaders()), (
            json.loads(data) if data and "json" in kind else data.decode(errors="replace"))


def http_request(method, request):
    """(verb, target, body) by which google.api.http carries a request."""
    rule = kinds.http_rule(method)
    verb = rule.WhichOneof("pattern")
    rest = json_format.MessageToDict(request)
    fields = message_class(method.input_type)()
    fields.CopyFrom(request)

    def fill(match):
        holder, *below = match.group(1).split(".")
        value = getattr(fields, holder)
        for part in below:
            value = getattr(value, part)
        assert value, f"{method.name} needs {match.group(1)} for its path"
        if below:
            rest[json_name(holder)].pop(json_name(below[-1]), None)
        else:
            rest.pop(json_name(holder), None)
        return urllib.parse.quote(value, safe="/")
    target = re.sub(r"{([\w.]+)(?:=[^}]*)?}", fill, getattr(rule, verb))
    body = None
    if rule.body == "*":
        body, rest = rest, {}
    elif rule.body:
        body = rest.pop(json_name(rule.body), {})
    query = list(flattened(rest))
    return verb.upper(), target + ("?" + urllib.parse.urlencode(query) if query else ""), body


def flattened(values, prefix=""):
    """Query parameters of a message's JSON: messages by dots, lists by repetition."""
    for name, value in values.items():
        if isinstance(value, dict):
            yield from flattened(value, f"{prefix}{name}.")
        else:
            for one in value if isinstance(value, list) else [value]:
                yield f"{prefix}{name}", str(one).lower() if isinstance(one, bool) else one


def json_name(name):
    head, *tail = name.split("_")
    return head + "".join(part.capitalize() for part in tail)
