// Calls the gateway with a client whose types come from its OpenAPI document alone.
//
// usage: node call.js BASE TOKEN    prints one JSON object
import createClient from 'openapi-fetch';

import type {components, paths} from './contract.js';

type Scheme = components['schemas']['certification.v1.Scheme'];
type Reason = components['schemas']['Error.Reason'];

const [base, token] = process.argv.slice(2) as [string, string];
const client = createClient<paths>({baseUrl: base, headers: {authorization: `Bearer ${token}`}});
const id = `ts-${Date.now().toString(36)}`;

function must<T>(value: T | undefined, what: string): T {
  if (value === undefined) throw new Error(`no ${what}`);
  return value;
}

// Reads one, as of a form.
const read = await client.GET('/certification/v1/certificates/{certificate}', {
  params: {path: {certificate: 'emui-10-eprivacyseal'}, query: {$fields: 'name,state'}},
});
const state = must(read.data, 'certificate').state;

// Reads a list to its end.
const names: string[] = [];
for (let pageToken = '';;) {
  const {data} = await client.GET('/certification/v1/certificates', {params: {query: {pageSize: 2, pageToken}}});
  const page = must(data, 'page');
  for (const certificate of page.certificates ?? []) names.push(must(certificate.name, 'name'));
  pageToken = page.nextPageToken ?? '';
  if (!pageToken) break;
}

// Creates, changes a part of it, and is refused what would overwrite.
const made = await client.POST('/certification/v1/schemes', {
  params: {query: {schemeId: id}, header: {'Idempotency-Key': id}},
  body: {title: 'From TypeScript'},
});
const scheme: Scheme = must(made.data, 'scheme');
const etag = must(made.response.headers.get('etag') ?? undefined, 'ETag');
const changed = await client.PATCH('/certification/v1/schemes/{scheme}', {
  params: {path: {scheme: id}, header: {'If-Match': etag}},
  body: {title: 'Changed from TypeScript'},
});
const stale = await client.PATCH('/certification/v1/schemes/{scheme}', {
  params: {path: {scheme: id}, header: {'If-Match': etag}},
  body: {title: 'Changed again'},
});
const unchanged = await client.GET('/certification/v1/schemes/{scheme}', {
  params: {path: {scheme: id}, header: {'If-None-Match': must(changed.response.headers.get('etag') ?? undefined, 'ETag')}},
});

// A custom verb, refused: the reason is one of the contract's.
const refused = await client.POST('/certification/v1/certificates/{certificate}:suspend', {
  params: {path: {certificate: 'none'}},
  body: {effectiveDate: {year: 2026, month: 1, day: 1}, reason: 'a test'},
});
const error = must(refused.error, 'error').error;
let reason: Reason | undefined;
for (const detail of error.details) {
  if (detail['@type'] === 'type.googleapis.com/google.rpc.ErrorInfo') reason = detail.reason;
}

// A day and a duration in a query.
const verified = await client.GET('/certification/v1/certificates:verify', {
  params: {query: {certificate: 'certificates/emui-10-eprivacyseal', asOf: '2019-12-31'}},
});
const free = await client.GET('/centre/v1/centres/{centre}:searchAvailability', {
  params: {path: {centre: 'brussels'}, query: {purpose: 'SHOWCASE', partySize: 3, duration: '3600s'}},
});

console.log(JSON.stringify({
  state,
  names,
  created: scheme.name,
  title: changed.data?.title,
  stale: stale.response.status,
  unchanged: unchanged.response.status,
  refused: {status: error.status, code: error.code, reason},
  outcome: verified.data?.outcome,
  spaces: (free.data?.spaces ?? []).map((space) => space.space),
}));
