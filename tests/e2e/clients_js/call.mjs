// Calls the suite with grpc-js, as a front end's server would.
//
//   node call.mjs ADDRESS TOKEN < calls
//
// Each line of the input is {service, method, kind, request, metadata, timeout}; for each a line is
// printed: {messages, code, message, headers, trailers}, binary values in base64.
import {createInterface} from 'node:readline';
import {fileURLToPath} from 'node:url';
import grpc from '@grpc/grpc-js';
import loader from '@grpc/proto-loader';

const root = fileURLToPath(new URL('../../..', import.meta.url));
const definition = loader.loadSync(
    [
      'transparency/certification/v1/certification_service.proto',
      'transparency/centre/v1/centre_service.proto',
      'transparency/standards/v1/standards_service.proto',
      'transparency/gateway/v1/gateway_service.proto',
      'grpc/health/v1/health.proto',
      'grpc/reflection/v1/reflection.proto',
    ],
    {
      includeDirs: [`${root}/protos`, `${root}/node_modules/google-proto-files`, '/usr/share/grpc-proto'],
      enums: String,
      longs: String,
    });
const [address, token] = process.argv.slice(2);

function metadataOf(pairs) {
  const metadata = new grpc.Metadata();
  if (token) metadata.set('authorization', `Bearer ${token}`);
  for (const [key, value] of Object.entries(pairs ?? {})) {
    metadata.add(key, key.endsWith('-bin') ? Buffer.from(value, 'base64') : value);
  }
  return metadata;
}

function plain(metadata) {
  const pairs = Object.entries(metadata?.getMap() ?? {});
  return Object.fromEntries(
      pairs.map(([key, value]) => [key, Buffer.isBuffer(value) ? value.toString('base64') : value]));
}

function call(line) {
  const Client = grpc.makeGenericClientConstructor(definition[line.service], line.service);
  const client = new Client(address, grpc.credentials.createInsecure());
  const options = {deadline: Date.now() + (line.timeout ?? 20) * 1000};
  return new Promise((resolve) => {
    const seen = {messages: [], headers: {}};
    const end = (status) => {
      client.close();
      resolve({...seen, code: status.code, message: status.details, trailers: plain(status.metadata)});
    };
    const metadata = metadataOf(line.metadata);
    if (line.kind === 'unary') {
      const running = client[line.method](line.request, metadata, options, (error, answer) => {
        if (!error) seen.messages.push(answer);
      });
      running.on('metadata', (headers) => (seen.headers = plain(headers)));
      running.on('status', end);
      return;
    }
    const running = line.kind === 'server' ? client[line.method](line.request, metadata, options) :
                                             client[line.method](metadata, options);
    running.on('metadata', (headers) => (seen.headers = plain(headers)));
    running.on('data', (answer) => {
      seen.messages.push(answer);
      if (seen.messages.length === line.take) running.cancel();
    });
    running.on('error', () => {});
    running.on('status', end);
    if (line.kind === 'bidi') {
      for (const request of line.request) running.write(request);
      running.end();
    }
  });
}

for await (const line of createInterface({input: process.stdin})) {
  console.log(JSON.stringify(await call(JSON.parse(line))));
}
