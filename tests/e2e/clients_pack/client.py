"""A Python team's client, made of the contract pack alone.

usage: client.py GENERATED ADDRESS SERVICE_CONFIG_FILE NAME...   prints as client.cc
"""

import pathlib
import sys

import google
import grpc

generated, address, config, *names = sys.argv[1:]
sys.path.insert(0, generated)
google.__path__.append(f"{generated}/google")

# pylint: disable=wrong-import-position,import-error
from google.rpc import error_details_pb2, status_pb2  # noqa: E402
from transparency.certification.v1 import certificate_pb2, certification_service_pb2_grpc  # noqa: E402

with grpc.insecure_channel(address, options=[
        ("grpc.service_config", pathlib.Path(config).read_text())]) as channel:
    stub = certification_service_pb2_grpc.CertificationServiceStub(channel)
    for name in names:
        try:
            certificate = stub.GetCertificate(certificate_pb2.GetCertificateRequest(name=name), timeout=30)
            print(certificate.name, certificate_pb2.Certificate.State.Name(certificate.state))
        except grpc.RpcError as error:
            info = error_details_pb2.ErrorInfo()
            details = dict(error.trailing_metadata())["grpc-status-details-bin"]
            for detail in status_pb2.Status.FromString(details).details:
                detail.Unpack(info)
            print(error.code().value[0], info.reason)
