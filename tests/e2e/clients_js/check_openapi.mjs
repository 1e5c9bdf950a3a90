// Checks the OpenAPI document of a running gateway: against the schema of 3.1, with a linter,
// and against what the gateway answers.
//
// usage: node check_openapi.mjs BASE TOKEN    prints one JSON object
import {createConfig, lintFromString} from '@redocly/openapi-core';
import {Validator} from '@seriousme/openapi-schema-validator';
import addFormats from 'ajv-formats';
import Ajv from 'ajv/dist/2020.js';

const [base, token] = process.argv.slice(2);
const source = await (await fetch(`${base}/openapi.json`)).text();
const document = JSON.parse(source);

const validated = await new Validator().validate(structuredClone(document));

// info-license: whose licence the suite has is not the contract's matter.
const config = await createConfig({extends: ['recommended-strict'], rules: {'info-license': 'off'}});
const lint = await lintFromString({source, absoluteRef: '/openapi.json', config});

const ajv = new Ajv({strict: true, strictTypes: false, allErrors: true});
addFormats(ajv);
ajv.addFormat('int64', /^-?\d+$/);
ajv.addFormat('uint64', /^\d+$/);
// Words of OpenAPI beside JSON Schema's.
for (const word of ['components', 'paths', 'openapi', 'info', 'servers', 'tags']) ajv.addKeyword(word);
ajv.addSchema(document, 'document');

function validatorOf(path, method, status) {
  const responses = document.paths[path][method].responses;
  const range = `${String(status)[0]}XX`;
  const key = responses[status] ? status : range;
  const at = responses[key].$ref ? responses[key].$ref.slice(1) :
                                   `/paths/${encodeURIComponent(path.replaceAll('~', '~0').replaceAll('/', '~1'))}` +
                                       `/${method}/responses/${key}`;
  return ajv.compile({$ref: `document#${at}/content/application~1json/schema`});
}

const crawled = {};
const wrong = [];

// Calls a read and holds its answer against the document; the answer.
async function ask(path, url, headers) {
  const answer = await fetch(base + url, {headers});
  const text = await answer.text();
  const body = JSON.parse(text);
  const validate = validatorOf(path, 'get', answer.status);
  (crawled[path] ??= []).push(answer.status);
  if (!validate(body)) wrong.push({url, status: answer.status, errors: validate.errors.slice(0, 3)});
  return answer.ok ? body : {};
}

const reads = Object.entries(document.paths).filter(
    ([, item]) => item.get && item.get.responses['200'].content['application/json']);

// The path of a resource by its name: as long, equal but for the parameters.
function pathOf(name, prefix) {
  const segments = `${prefix}/${name}`.split('/');
  return reads.map(([path]) => path).find((path) => {
    const parts = path.split('/');
    return parts.length === segments.length && !path.includes(':') && parts.every(
        (part, i) => part.startsWith('{') || part === segments[i]);
  });
}

const headers = {authorization: `Bearer ${token}`};
for (const [path, item] of reads) {
  // "-" stands for any parent of a list.
  const url = path.replaceAll(/\{[^}]*\}/g, '-');
  const body = await ask(path, url, headers);
  await ask(path, url);
  await ask(path, `${url}?noSuchParameter=1`, headers);
  if (item.get.parameters.some((parameter) => parameter.name === 'pageToken')) {
    const items = Object.values(body).find((value) => Array.isArray(value)) ?? [];
    const prefix = path.split('/').slice(0, 3).join('/');
    for (const {name} of items) {
      const own = name && pathOf(name, prefix);
      if (own) await ask(own, `${prefix}/${name}`, headers);
    }
  }
}

console.log(JSON.stringify({
  version: document.openapi,
  valid: validated.valid,
  errors: validated.errors ?? [],
  lint: lint.map(({ruleId, message, location}) => ({ruleId, message, at: location?.[0]?.pointer})),
  crawled,
  wrong,
}));
