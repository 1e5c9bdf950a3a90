"""Checks a journal with nothing but the answers of ListChanges in JSON and what change.proto says of them."""

import datetime
import hashlib
import hmac
import json

PARTS = ("actor", "body", "personal", "reason", "requestId")


def sha256(data):
    return hashlib.sha256(data).digest()


def jcs(value):
    """RFC 8785 of objects of texts whose member names are ASCII."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def instant(change):
    text = change["recordTime"].removesuffix("Z")
    whole, _, fraction = text.partition(".")
    seconds = datetime.datetime.fromisoformat(whole + "+00:00").timestamp()
    return int(seconds) * 1_000_000 + int(fraction.ljust(6, "0")[:6] or 0), f"{whole}.{fraction.ljust(6, '0')}Z"


def place(service, change):
    return {"recordTime": instant(change)[1], "revision": change.get("revision", "0"), "service": service}


def leaf_of(service, change):
    """The leaf hash of a change that is told, from its other members."""
    statement = {
        "commitments": {part: change["commitments"][part] for part in PARTS}, "kind": change["kind"],
        "name": change["name"], "nonce": change["nonce"], "step": change.get("step", ""), **place(service, change)}
    if change.get("publicDigest"):
        entry = jcs({**statement, "publicDigest": change["publicDigest"]})
    else:
        entry = jcs({"commitment": sha256(jcs(statement)).hex(), **place(service, change)})
    assert len(entry) <= 65_535
    return sha256(b"\0" + entry)


def check_chain(service, changes):
    """Every change from revision 0 on, in order, withheld ones too: how many of them were told in full."""
    digest, told, last = bytes(32), 0, 0
    for revision, change in enumerate(changes):
        assert int(change.get("revision", "0")) == revision, "a gap"
        leaf = bytes.fromhex(change["leafHash"])
        if "name" in change:
            told += 1
            assert leaf_of(service, change) == leaf, f"{revision} is not what its leaf hash says"
        else:
            assert set(change) <= {"revision", "recordTime", "leafHash", "digest"}, change
        micros = instant(change)[0]
        assert micros >= last, f"{revision} is earlier than the one before it"
        last = micros
        digest = sha256(digest + revision.to_bytes(8, "big") + micros.to_bytes(8, "big") + leaf)
        assert digest.hex() == change["digest"], f"{revision} does not continue the chain"
    return told


def part_key(change, part):
    """What opens one commitment and no other."""
    return hmac.new(bytes.fromhex(change["salt"]), part.encode(), "sha256").digest()


def opens(change, part, key, value):
    return sha256(key + value).hex() == change["commitments"][part]


def public_digest(resource):
    """Of a resource's public form in JSON."""
    return sha256(jcs({name: value for name, value in resource.items() if name not in ("etag", "@type")})).hex()
