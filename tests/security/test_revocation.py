"""A revoked token's streams end, wherever they were opened."""

import contextlib
import http.client
import time

import grpc
import pytest

import clients

WATCH = "/transparency.centre.v1.CentreJournalService/WatchChanges"
UPDATES = "/transparency.gateway.v1.GatewayService/WatchUpdates"


def rewrite(suite, change):
    lines = suite.tokens_file.read_text().splitlines()
    suite.tokens_file.write_text("".join(f"{line}\n" for line in map(change, lines) if line))


@pytest.mark.parametrize("change", ["revoked", "without its role"])
def test_streams_end_with_their_token(suite, change):
    leaver = suite.add_token("leaver", "staff")
    stays = suite.add_token("stays", "staff")
    centre = suite.service("centre")
    front = suite.gateway(centre=centre)
    with contextlib.ExitStack() as open_calls:
        streams = []
        for process, path in ((centre, WATCH), (front, WATCH), (front, UPDATES)):
            channel = open_calls.enter_context(contextlib.closing(clients.channel(process)))
            for token, ends in ((leaver, True), (stays, False), (None, False)):
                call = channel.unary_stream(path)(b"", metadata=clients.bearer(token), timeout=60,
                                                  wait_for_ready=True)
                call.initial_metadata()
                streams.append((call, ends))
        events = http.client.HTTPConnection("127.0.0.1", front.http_port, timeout=20)
        open_calls.enter_context(contextlib.closing(events))
        events.request("GET", "/centre/v1/changes:watch",
                       headers={"Accept": "text/event-stream", "Authorization": f"Bearer {leaver}"})
        answer = events.getresponse()
        assert answer.status == 200
        time_of_change = time.monotonic()
        if change == "revoked":
            rewrite(suite, lambda line: "" if " leaver " in line else line)
        else:
            rewrite(suite, lambda line: line.replace(" leaver staff", " leaver -"))
        for call, ends in streams:
            if not ends:
                continue
            with pytest.raises(grpc.RpcError):
                for _ in call:
                    pass
            assert call.code() == grpc.StatusCode.UNAUTHENTICATED, call.details()
            assert clients.reason(call) == "TOKEN_UNKNOWN"
        assert b"UNAUTHENTICATED" in answer.read()
        assert time.monotonic() - time_of_change < 5
        assert all(call.is_active() for call, ends in streams if not ends)
