// A TypeScript team's client, made of the contract pack alone.
//
// usage: node client.js ADDRESS NAME...   prints as client.cc
import {Code, ConnectError, createClient} from '@connectrpc/connect';
import {createGrpcTransport} from '@connectrpc/connect-node';

import {ErrorInfoSchema} from './generated/google/rpc/error_details_pb.js';
import {Certificate_State} from './generated/transparency/certification/v1/certificate_pb.js';
import {CertificationService} from './generated/transparency/certification/v1/certification_service_pb.js';

const [address, ...names] = process.argv.slice(2);
const client = createClient(CertificationService, createGrpcTransport({baseUrl: `http://${address}`}));

for (const name of names) {
  try {
    const certificate = await client.getCertificate({name}, {timeoutMs: 30000});
    console.log(certificate.name, Certificate_State[certificate.state]);
  } catch (error) {
    const refused = ConnectError.from(error);
    const info = refused.findDetails(ErrorInfoSchema)[0];
    console.log(refused.code satisfies Code, info?.reason);
  }
}
